//! The load generator against the sink and a scripted peer, over real sockets.

use aqueduct::receiver::Answer;
use aqueduct::wire::Signal;
use aqueduct::wire::rpc::Code;
use aqueduct_gateway::load::{Encoder, Load, LoadArgs, LoadProtocol, LoadReport};
use aqueduct_gateway::sink::{FailWith, Sink, SinkArgs};
use aqueduct_testkit::{ScriptedPeer, Step};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A sink on free ports, changed as a test needs it.
pub(crate) fn sink(change: impl FnOnce(&mut SinkArgs)) -> Sink {
    let mut args = SinkArgs::default();
    args.listen = "127.0.0.1:0".to_owned();
    args.listen_http = Some("127.0.0.1:0".to_owned());
    change(&mut args);
    Sink::start(&args).expect("free ports")
}

/// A closed-loop run of 200 requests, 2 x 8 in flight, changed as a test needs it.
pub(crate) fn load(address: SocketAddr, change: impl FnOnce(&mut LoadArgs)) -> LoadReport {
    start(address, change).finish().expect("a report")
}

fn start(address: SocketAddr, change: impl FnOnce(&mut LoadArgs)) -> Load {
    let mut args = LoadArgs::default();
    args.endpoint = format!("http://{address}");
    args.connections = 2;
    args.in_flight = Some(8);
    args.requests = Some(200);
    args.backoff = Duration::from_millis(5);
    change(&mut args);
    Load::start(&args).expect("valid settings")
}

/// Every offered item has exactly one outcome.
pub(crate) fn assert_balanced(report: &LoadReport) {
    let outcomes = report.acknowledged + report.refused + report.rejected + report.unanswered;
    assert_eq!(report.offered, outcomes, "{report:?}");
}

/// Guards the whole path for each signal, protocol and compression: what was acknowledged is exactly what was received.
#[test]
fn acknowledged_is_received() {
    let sink = sink(|_| {});
    let http = sink.http_address().expect("asked for");
    let mut producer = 0;
    let mut all = std::collections::BTreeMap::new();
    let mut items = 0;
    for signal in Signal::ALL {
        for (protocol, address) in [
            (LoadProtocol::Grpc, sink.grpc_address()),
            (LoadProtocol::HttpProtobuf, http),
            (LoadProtocol::HttpJson, http),
        ] {
            for compression in [Encoder::None, Encoder::Gzip, Encoder::Zstd] {
                producer += 1;
                let report = load(address, |args| {
                    args.signal = signal;
                    args.protocol = protocol;
                    args.compression = compression;
                    args.producer = producer;
                    args.spans = 3;
                    args.requests = Some(40);
                    args.in_flight = Some(2);
                });
                assert_balanced(&report);
                assert_eq!(report.acknowledged, 120, "{signal} {protocol:?} {compression:?}: {report:?}");
                items += report.acknowledged;
                all.extend(report.acknowledged_ranges);
            }
        }
    }
    let report = sink.stop();
    assert_eq!(report.received_ranges, all);
    assert_eq!((report.received, report.duplicates, report.foreign), (items, 0, 0));
    assert!(report.items_per_signal.values().all(|count| *count > 0));
    assert!(report.wire_bytes < report.bytes * 2 && report.invalid_requests.is_empty());
}

/// Guards the open loop: as many requests as the clock says, and none left over at the end.
#[test]
fn an_open_loop_follows_the_clock() {
    let sink = sink(|_| {});
    let report = load(sink.grpc_address(), |args| {
        args.rate = Some(2_000.0);
        args.requests = None;
        args.seconds = Some(0.5);
        args.connections = 3;
        args.threads = 2;
    });
    assert_balanced(&report);
    assert_eq!(report.requests + report.unsent_requests, 1_000, "{report:?}");
    assert_eq!(report.acknowledged, report.requests);
    assert_eq!(sink.stop().received_ranges, report.acknowledged_ranges);
    assert_eq!(report.acknowledged_ranges.len(), 2, "one producer a thread");
}

/// Guards against coordinated omission: a server that takes 50 ms for each answer and can only be asked one thing at a time makes the
/// latency grow far beyond 50 ms, because requests were due long before they could be sent.
#[test]
fn queued_requests_count_from_their_intended_time() {
    let sink = sink(|args| args.delay = Some(Duration::from_millis(50)));
    let report = load(sink.grpc_address(), |args| {
        args.rate = Some(100.0);
        args.requests = None;
        args.seconds = Some(0.5);
        args.connections = 1;
        args.in_flight = Some(1);
    });
    assert_balanced(&report);
    assert!(report.max_ms > 200.0, "{report:?}");
    assert!(report.unsent_requests > 20, "{report:?}");
}

/// Guards a burst of answers: h2 takes many small frames at once for an attack and closes the connection, and every request in
/// flight is sent again.
#[test]
fn a_burst_of_answers_keeps_the_connection() {
    let sink = sink(|args| args.delay = Some(Duration::from_millis(100)));
    let report = load(sink.grpc_address(), |args| {
        args.connections = 1;
        args.in_flight = Some(2_000);
        args.requests = Some(6_000);
    });
    assert_eq!(report.acknowledged, 6_000);
    assert_eq!((report.connects, report.retries, sink.stop().duplicates), (1, 0, 0));
}

/// Guards retries in each protocol: with a fifth of the requests refused, everything arrives in the end, once.
#[test]
fn refusals_are_retried() {
    for (protocol, code) in [
        (LoadProtocol::Grpc, FailWith::Grpc(Code::Unavailable)),
        (LoadProtocol::HttpProtobuf, FailWith::Http(503)),
    ] {
        let sink = sink(|args| {
            args.fail_share = 0.2;
            args.fail_code = code;
        });
        let address =
            if protocol == LoadProtocol::Grpc { sink.grpc_address() } else { sink.http_address().unwrap() };
        let report = load(address, |args| args.protocol = protocol);
        assert_balanced(&report);
        assert_eq!(report.acknowledged, report.offered, "{report:?}");
        assert!(report.retries > 0 && report.retries == report.refusals, "{report:?}");
        let seen = sink.stop();
        assert_eq!((seen.received, seen.duplicates), (report.offered, 0));
        assert_eq!(seen.failed_requests, report.refusals);
    }
}

/// Guards RetryInfo: no retry comes sooner than the server asked for.
#[test]
fn a_servers_delay_is_respected() {
    let sink = sink(|args| {
        args.fail_share = 1.0;
        args.fail_for = Some(Duration::from_millis(250));
        args.retry_after = Some(Duration::from_millis(300));
    });
    let report = load(sink.grpc_address(), |args| {
        args.requests = Some(8);
        args.connections = 1;
    });
    assert_balanced(&report);
    assert_eq!(report.acknowledged, report.offered, "{report:?}");
    assert_eq!(report.retries, 8, "each of the eight places was refused once: {report:?}");
    assert!(report.p50_ms >= 300.0, "{report:?}");
}

/// Guards the words: refusals that expire are refused, permanent answers are rejected, silence is unanswered; none is acknowledged.
#[test]
fn outcomes_have_their_names() {
    let run = |change: fn(&mut SinkArgs)| {
        let sink = sink(change);
        let report = load(sink.grpc_address(), |args| {
            args.expiry = Duration::from_millis(200);
            args.requests = Some(32);
            args.spans = 2;
        });
        assert_balanced(&report);
        assert_eq!(report.acknowledged, 0);
        assert!(
            report.offered == 64 && report.acknowledged_ranges.is_empty() && report.last_problem.is_some()
        );
        assert_eq!(sink.stop().received, 0);
        report
    };
    let report = run(|args| args.fail_share = 1.0);
    assert_eq!(report.refused, report.offered);
    let report = run(|args| {
        args.fail_share = 1.0;
        args.fail_code = FailWith::Grpc(Code::InvalidArgument);
    });
    assert_eq!((report.rejected, report.retries), (report.offered, 0));
    let report = run(|args| {
        args.fail_share = 1.0;
        args.fail_code = FailWith::Grpc(Code::ResourceExhausted);
    });
    assert_eq!(report.rejected, report.offered, "without RetryInfo it means: too much, ever");
    let report = run(|args| args.hang = true);
    assert_eq!(report.unanswered, report.offered);
    let report = run(|args| {
        args.fail_share = 1.0;
        args.fail_code = FailWith::Reset;
    });
    assert_eq!(report.unanswered, report.offered, "a reset says nothing about the items");
}

/// Guards partial success: not retried, its rejected items counted, and its items in no range, since nobody knows which were taken.
#[test]
fn partial_success_is_counted() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let peer = runtime.block_on(ScriptedPeer::start()).unwrap();
    peer.otherwise(Step::Answer(Answer::Partial { rejected: 2, message: "two too many".to_owned() }));
    for (protocol, address) in [
        (LoadProtocol::Grpc, peer.grpc_address()),
        (LoadProtocol::HttpProtobuf, peer.http_address()),
        (LoadProtocol::HttpJson, peer.http_address()),
    ] {
        let report = load(address, |args| {
            args.protocol = protocol;
            args.spans = 5;
            args.requests = Some(20);
        });
        assert_balanced(&report);
        assert_eq!(report.rejected, report.requests * 2, "{report:?}");
        assert_eq!(report.acknowledged, report.requests * 3);
        assert_eq!((report.partial_requests, report.retries), (report.requests, 0));
        assert!(report.acknowledged_ranges.is_empty());
        assert_eq!(report.last_problem.as_deref(), Some("two too many"));
    }
}

/// Guards an outage in the middle of an open loop: connections are reset and refused, and afterwards everything is there.
#[test]
fn an_outage_loses_nothing() {
    let sink = sink(|args| {
        args.down_at = Some(Duration::from_millis(200));
        args.down_for = Some(Duration::from_millis(300));
    });
    let report = load(sink.grpc_address(), |args| {
        args.rate = Some(1_000.0);
        args.requests = None;
        args.seconds = Some(1.0);
    });
    assert_balanced(&report);
    assert_eq!(
        (report.acknowledged, report.offered),
        (1_000 - report.unsent_requests, report.acknowledged),
        "{report:?}"
    );
    assert!(report.connects >= 4, "{report:?}");
    assert!(report.max_ms >= 250.0, "requests that were due in the outage waited for its end: {report:?}");
    let seen = sink.stop();
    assert_eq!(seen.received_ranges, report.acknowledged_ranges);
    assert!(seen.first_after_down_ms.is_some_and(|ms| ms < 2_000.0), "{seen:?}");
    assert!(seen.last_new_after_down_ms >= seen.first_after_down_ms);
}

/// Guards the end of runs without an end: stopping sees what is outstanding through, aborting does not wait for it.
#[test]
fn stop_and_abort() {
    let sink = sink(|args| args.delay = Some(Duration::from_millis(100)));
    let run = start(sink.grpc_address(), |args| args.requests = None);
    assert!(sink.wait_for_items(1, Duration::from_secs(10)));
    run.stop();
    let report = run.finish().expect("a report");
    assert_balanced(&report);
    assert_eq!(report.acknowledged, report.offered, "{report:?}");

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = start(nobody, |args| args.requests = None);
    let begun = Instant::now();
    run.abort();
    let report = run.finish().expect("a report");
    assert_balanced(&report);
    assert_eq!(report.offered, 0, "nothing begins without a connection");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

/// Guards settings that make no sense: an error at the start, not a run that does nothing.
#[test]
fn bad_settings_are_refused() {
    let refused = |change: fn(&mut LoadArgs)| {
        let mut args = LoadArgs::default();
        change(&mut args);
        Load::start(&args).map(|_| ()).expect_err("refused").to_string()
    };
    assert!(refused(|args| args.endpoint = "https://localhost".to_owned()).contains("TLS"));
    assert!(refused(|args| args.threads = 5).contains("threads"));
}
