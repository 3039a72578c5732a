//! `aqueduct run` from end to end, with scripted peers behind it.

use std::time::{Duration, Instant};

use aqueduct::receiver::Answer;
use aqueduct::transport::{Client, ClientConfig, Compression, Outcome, Protocol};
use aqueduct::wire::{Merged, Signal};
use aqueduct_testkit::{Generator, Oracle, ScriptedPeer, Step};
use rustix::process::Signal as Stop;

use crate::process::{Gateway, run_to_end};

fn runtime() -> tokio::runtime::Runtime {
    // The peers need threads of their own: the tests block while they wait for the gateway process.
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn client(gateway: &Gateway, protocol: Protocol, compression: Compression, timeout: Duration) -> Client {
    let address = if protocol == Protocol::Grpc { &gateway.grpc } else { &gateway.http };
    let mut config = ClientConfig::new(format!("http://{address}"), protocol);
    config.compression = compression;
    config.timeout = timeout;
    Client::new(config).expect("valid settings")
}

async fn send(client: &Client, chunk: aqueduct::wire::Chunk) -> Outcome {
    client.send(&client.prepare(&Merged::from_chunk(chunk))).await
}

const PATIENCE: Duration = Duration::from_secs(20);

/// Guards the main job: every signal through every door and encoding arrives once, field by field, and the ledgers say so.
#[test]
fn every_item_arrives_once_and_unchanged() {
    runtime().block_on(async {
        let peer = ScriptedPeer::start().await.expect("free ports");
        let gateway =
            Gateway::start("", &format!("endpoint: {}\n    compression: zstd", peer.grpc_endpoint()));
        let (mut generator, mut oracle) = (Generator::new(7), Oracle::new());
        let mut sent = [0_u64; 3];
        for protocol in [Protocol::Grpc, Protocol::HttpProtobuf, Protocol::HttpJson] {
            for compression in [Compression::None, Compression::Gzip(1), Compression::Zstd(1)] {
                let client = client(&gateway, protocol, compression, PATIENCE);
                for signal in Signal::ALL {
                    let chunk = generator.chunk(signal, 25);
                    oracle.expect(signal, chunk.bytes());
                    sent[signal.index()] += chunk.items();
                    let outcome = send(&client, chunk).await;
                    assert_eq!(outcome, Outcome::Delivered, "{protocol:?} {compression:?} {signal}");
                }
            }
        }
        peer.wait_for_items(sent.iter().sum()).await;
        peer.deliver_to(&mut oracle);
        oracle.assert_exact();
        for signal in Signal::ALL {
            let row = gateway.row(signal.as_str());
            assert_eq!(row["accepted"], sent[signal.index()], "{row}");
        }
        let log = gateway.stop();
        assert!(log.iter().any(|line| line.contains("everything was settled")), "{log:#?}");
    });
}

/// Guards the default acknowledgement: enqueued means answered before export, and `kill -9` loses what was not exported.
/// The README says so; this shows that it is true, and that nothing else is lost.
#[test]
fn enqueued_is_acknowledged_before_export_and_lost_by_a_kill() {
    runtime().block_on(async {
        let peer = ScriptedPeer::start().await.expect("free ports");
        peer.otherwise(Step::Hang);
        let mut gateway = Gateway::start("", &format!("endpoint: {}", peer.grpc_endpoint()));
        let client = client(&gateway, Protocol::Grpc, Compression::None, PATIENCE);
        let outcome = send(&client, Generator::new(1).chunk(Signal::Traces, 10)).await;
        assert_eq!(outcome, Outcome::Delivered);
        let row = gateway.row("traces");
        assert_eq!((row["accepted"].as_u64(), row["held"].as_u64()), (Some(10), Some(10)), "{row}");
        gateway.signal(Stop::KILL);
        gateway.wait();
        assert!(peer.captured().iter().all(|captured| !captured.taken));
    });
}

/// Guards `acknowledge: exported`: no success before the destination has taken the items, so `kill -9` loses nothing that
/// was acknowledged.
#[test]
fn exported_is_acknowledged_after_export_and_survives_a_kill() {
    runtime().block_on(async {
        let peer = ScriptedPeer::start().await.expect("free ports");
        peer.otherwise(Step::Hang);
        let exporter = format!("endpoint: {}", peer.grpc_endpoint());
        let mut gateway = Gateway::start("acknowledge: exported", &exporter);
        let chunk = Generator::new(2).chunk(Signal::Logs, 10);
        let client_before = client(&gateway, Protocol::Grpc, Compression::None, PATIENCE);
        let (outcome, ()) = tokio::join!(send(&client_before, chunk.clone()), async {
            // The request is at the destination, which does not answer: nobody may have said success.
            peer.wait_for_requests(1).await;
            gateway.signal(Stop::KILL);
        });
        assert!(matches!(outcome, Outcome::Retry { .. }), "{outcome:?}");
        gateway.wait();

        // The client's retry at the next instance is acknowledged once the destination has it.
        peer.otherwise(Step::Answer(Answer::Accepted));
        let gateway = Gateway::start("acknowledge: exported", &exporter);
        let client_after = client(&gateway, Protocol::Grpc, Compression::None, PATIENCE);
        let mut oracle = Oracle::new();
        oracle.expect(Signal::Logs, chunk.bytes());
        assert_eq!(send(&client_after, chunk).await, Outcome::Delivered);
        peer.deliver_to(&mut oracle);
        oracle.assert_exact();
        gateway.stop();
    });
}

/// Guards the answers that pass through with `acknowledge: exported`.
#[test]
fn exported_passes_a_permanent_refusal_on() {
    runtime().block_on(async {
        let peer = ScriptedPeer::start().await.expect("free ports");
        let refusal =
            aqueduct::wire::rpc::Status::new(aqueduct::wire::rpc::Code::PermissionDenied, "not you");
        peer.then(Step::Answer(Answer::Status(refusal)));
        let gateway = Gateway::start("acknowledge: exported", &format!("endpoint: {}", peer.grpc_endpoint()));
        let client = client(&gateway, Protocol::Grpc, Compression::None, PATIENCE);
        let outcome = send(&client, Generator::new(3).chunk(Signal::Traces, 5)).await;
        assert!(matches!(outcome, Outcome::Permanent(_)), "{outcome:?}");
        assert_eq!(gateway.row("traces")["dropped"]["permanent"], 5);
    });
}

/// Guards that one poison request among many harms nobody: it gets its answer, everything else arrives.
#[test]
fn a_poison_request_harms_nobody_else() {
    use std::io::{Read, Write};
    runtime().block_on(async {
        let peer = ScriptedPeer::start().await.expect("free ports");
        let gateway = Gateway::start("", &format!("endpoint: {}", peer.grpc_endpoint()));
        let client = client(&gateway, Protocol::Grpc, Compression::None, PATIENCE);
        let (mut generator, mut oracle) = (Generator::new(4), Oracle::new());
        for number in 0..1_000 {
            if number == 500 {
                let mut stream = std::net::TcpStream::connect(&gateway.http).expect("it listens");
                // Field 1, length 200, four bytes: truncated.
                let poison = b"\x0a\xc8\x01aaaa";
                write!(
                    stream,
                    "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n\
                     Content-Length: {}\r\nConnection: close\r\n\r\n",
                    poison.len()
                )
                .and_then(|()| stream.write_all(poison))
                .expect("it reads");
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).expect("it answers");
                assert!(answer.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(&answer));
            }
            let chunk = generator.chunk(Signal::Traces, 1);
            oracle.expect(Signal::Traces, chunk.bytes());
            assert_eq!(send(&client, chunk).await, Outcome::Delivered);
        }
        gateway.stop();
        peer.deliver_to(&mut oracle);
        oracle.assert_exact();
    });
}

/// Guards that an unreachable destination is not fatal, is visible, and is told once.
#[test]
fn an_unreachable_exporter_is_visible_and_not_fatal() {
    runtime().block_on(async {
        // A port that was free a moment ago and that nobody listens on.
        let closed = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            listener.local_addr().expect("bound")
        };
        let mut gateway = Gateway::start("", &format!("endpoint: http://{closed}"));
        let client = client(&gateway, Protocol::Grpc, Compression::None, PATIENCE);
        let outcome = send(&client, Generator::new(5).chunk(Signal::Traces, 3)).await;
        assert_eq!(outcome, Outcome::Delivered, "the queue is there for outages");
        gateway.wait_for("export fails and is retried");
        let (code, ready) = gateway.get("/readyz");
        assert_eq!(code, 200, "{ready}");
        assert!(ready.contains("\"connected\":false") && ready.contains("last_error"), "{ready}");
        let (_, metrics) = gateway.get("/metrics");
        assert!(
            metrics.contains("aqueduct_held_items{signal=\"traces\",destination=\"otlp\"} 3"),
            "{metrics}"
        );
        gateway.signal(Stop::TERM);
        let status = gateway.wait();
        assert!(!status.success(), "what could not be delivered must show in the exit code");
        let log = gateway.log.join("\n");
        assert_eq!(log.matches("export fails and is retried").count(), 1, "{log}");
        assert!(log.contains("3 accepted, 0 delivered, 0 rejected, 3 dropped"), "{log}");
    });
}

/// Guards what `/statusz` and the report of a stop say of a queue that is full: what was refused, what is compressed meanwhile, and how many
/// requests may be in flight.
#[test]
fn a_full_queue_shows() {
    runtime().block_on(async {
        let peer = ScriptedPeer::start().await.expect("free ports");
        peer.otherwise(Step::Hang);
        let settings = format!(
            "endpoint: {}\n    timeout: 1s\n    sending_queue: {{queue_size: 1MiB, num_consumers: 2}}",
            peer.grpc_endpoint()
        );
        let gateway = Gateway::start("", &settings);
        let client = client(&gateway, Protocol::Grpc, Compression::None, PATIENCE);
        let (mut generator, mut oracle) = (Generator::new(9), Oracle::new());
        let refused = loop {
            let chunk = generator.chunk(Signal::Traces, 100);
            match send(&client, chunk.clone()).await {
                Outcome::Delivered => oracle.expect(Signal::Traces, chunk.bytes()),
                Outcome::Retry { .. } => break chunk.items(),
                other => panic!("{other:?}"),
            }
        };
        let row = gateway.row("traces");
        assert_eq!(row["refused"].as_u64(), Some(refused), "{row}");
        assert!((1..=2).contains(&row["in_flight_limit"].as_u64().expect("a number")), "{row}");
        assert_eq!(row["restarts"].as_u64(), Some(0), "{row}");
        let start = Instant::now();
        loop {
            let row = gateway.row("traces");
            let bytes = ["compressed_from_bytes", "compressed_to_bytes"].map(|name| row[name].as_u64());
            if bytes[0] > bytes[1] && bytes[1] > Some(0) {
                break;
            }
            assert!(start.elapsed() < PATIENCE, "{row}");
            tokio::task::yield_now().await;
        }
        peer.otherwise(Step::Answer(Answer::Accepted));
        let log = gateway.stop().join("\n");
        peer.deliver_to(&mut oracle);
        oracle.assert_exact();
        let remark = format!("traces to otlp: {refused} items were refused for lack of room");
        assert!(log.contains(&remark) && log.contains("everything was settled"), "{log}");
    });
}

/// Guards the second signal.
#[test]
fn a_second_signal_ends_at_once() {
    runtime().block_on(async {
        let peer = ScriptedPeer::start().await.expect("free ports");
        peer.otherwise(Step::Hang);
        let mut gateway =
            Gateway::start("", &format!("endpoint: {}\n    timeout: 60s", peer.grpc_endpoint()));
        let client = client(&gateway, Protocol::Grpc, Compression::None, PATIENCE);
        send(&client, Generator::new(6).chunk(Signal::Traces, 1)).await;
        peer.wait_for_requests(1).await;
        gateway.signal(Stop::TERM);
        gateway.wait_for("delivering what is held");
        gateway.signal(Stop::TERM);
        let status = gateway.wait();
        assert_eq!(status.code(), Some(130), "{:#?}", gateway.log);
    });
}

/// Guards the message about a port in use, which names the port and the setting.
#[test]
fn a_port_in_use_names_the_port_and_the_setting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port();
    let output = run_to_end(&format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: \"127.0.0.1:{port}\"}}}}}}}}\n\
         exporters: {{debug: }}\n\
         service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines: {{traces: {{receivers: [otlp], exporters: [debug]}}}}\n"
    ));
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains(&format!("port {port} is in use")), "{message}");
    assert!(message.contains("receivers.otlp.protocols.grpc.endpoint"), "{message}");
}

/// Guards the exit code of a bad configuration.
#[test]
fn a_bad_configuration_ends_with_exit_code_2() {
    let output = run_to_end("receivers: {otlp: {protocols: {grpc: {endpiont: x}}}}\n");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("endpiont") && message.contains("did you mean `endpoint`?"), "{message}");
}

/// Guards the ways in which threads can be laid out: one that receives and sends, several, pinned, a shared runtime. Each delivers.
#[test]
fn every_layout_of_threads_delivers() {
    let layouts: [&[&str]; 4] = [
        &["--workers", "1"],
        &["--workers", "1", "--pin"],
        &["--workers", "2", "--pin"],
        &["--workers", "2", "--runtime", "shared"],
    ];
    for layout in layouts {
        runtime().block_on(async {
            let peer = ScriptedPeer::start().await.expect("free ports");
            let gateway = Gateway::start_with(layout, "", &format!("endpoint: {}", peer.grpc_endpoint()));
            #[cfg(target_os = "linux")]
            if layout.contains(&"--pin") {
                // On one core it receives where the pipelines are.
                let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
                let name = if layout[1] == "1" && cores == 1 { "aqueduct-pipe" } else { "aqueduct-rx" };
                // The threads name and pin themselves when they begin.
                let pinned = |cores: &[String]| {
                    cores.len().to_string() == layout[1]
                        && cores.iter().all(|list| list.parse::<usize>().is_ok())
                };
                let start = Instant::now();
                while !pinned(&gateway.cores_of(name)) {
                    assert!(start.elapsed() < PATIENCE, "{layout:?}: {:?}", gateway.cores_of(name));
                    tokio::task::yield_now().await;
                }
            }
            let client = client(&gateway, Protocol::Grpc, Compression::None, PATIENCE);
            let chunk = Generator::new(3).chunk(Signal::Traces, 10);
            assert_eq!(send(&client, chunk).await, Outcome::Delivered, "{layout:?}");
            let log = gateway.stop();
            assert!(log.iter().any(|line| line.contains("everything was settled")), "{layout:?}: {log:#?}");
        });
    }
}
