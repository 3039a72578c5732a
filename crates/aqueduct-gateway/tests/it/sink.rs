//! The sink's faults and its command line.

use crate::load::{assert_balanced, load, sink};
use aqueduct::wire::rpc::Code;
use aqueduct_gateway::load::LoadProtocol;
use aqueduct_gateway::sink::{FailWith, FaultClock, Sink, SinkArgs, SinkError};
use aqueduct_testkit::Generator;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Guards the maker of duplicates: each request whose answer was lost comes again, and is counted again.
#[test]
fn stored_and_failed_requests_come_twice() {
    for code in [FailWith::Grpc(Code::Unavailable), FailWith::Reset] {
        let sink = sink(|args| {
            args.fail_share = 0.3;
            args.fail_code = code;
            args.store_then_fail = true;
        });
        let report = load(sink.grpc_address(), |args| args.spans = 4);
        assert_balanced(&report);
        assert_eq!(report.acknowledged, report.offered, "{report:?}");
        let seen = sink.stop();
        assert_eq!(seen.received, report.offered);
        assert!(seen.failed_requests > 0);
        assert_eq!(seen.duplicates, seen.failed_requests * 4, "{seen:?}");
    }
}

/// Guards windows counted from the start: the faults are over before the first request, so nothing fails.
#[test]
fn a_window_from_the_start_can_be_missed() {
    let sink = sink(|args| {
        args.fail_share = 1.0;
        args.fail_for = Some(Duration::from_nanos(1));
        args.faults_from = FaultClock::Start;
    });
    let report = load(sink.grpc_address(), |_| {});
    assert_eq!((report.acknowledged, report.retries), (report.offered, 0));
    assert_eq!(sink.stop().failed_requests, 0);
}

/// Guards the hang: requests in its window get no answer, their retries after it do, and nothing is lost or doubled.
#[test]
fn a_hang_ends() {
    let sink = sink(|args| args.hang_for = Some(Duration::from_millis(150)));
    let report = load(sink.grpc_address(), |args| {
        args.timeout = Duration::from_millis(100);
        args.rate = Some(500.0);
        args.requests = None;
        args.seconds = Some(0.4);
        args.in_flight = Some(200);
    });
    assert_balanced(&report);
    assert_eq!(report.acknowledged, report.offered, "{report:?}");
    let seen = sink.stop();
    assert!(seen.hung_requests > 0);
    assert_eq!((seen.received, seen.duplicates), (report.offered, 0));
}

/// Guards the count of items that are not the generator's, over the HTTP door, and of requests that are no OTLP at all.
#[test]
fn foreign_items_and_garbage_are_counted_apart() {
    let sink = sink(|_| {});
    let post = |path: &str, body: &[u8]| {
        let mut stream = TcpStream::connect(sink.http_address().unwrap()).unwrap();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: sink\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n",
            body.len()
        )
        .unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.get(9..12).unwrap().to_owned()
    };
    let mut generator = Generator::new(1);
    for signal in aqueduct::wire::Signal::ALL {
        assert_eq!(post(signal.http_path(), &generator.request(signal, 25)), "200");
    }
    assert_eq!(post("/v1/traces", b"\x0A\x05abc"), "400");
    let report = load(sink.http_address().unwrap(), |args| args.protocol = LoadProtocol::HttpProtobuf);
    let seen = sink.stop();
    assert_eq!((seen.foreign, seen.received), (75, report.offered));
    assert_eq!(seen.invalid_requests.values().sum::<u64>(), 1, "{seen:?}");
}

/// Guards the message for the most usual mistake: a port in use names the address and the option.
#[test]
fn a_port_in_use_is_named() {
    let taken = sink(|_| {});
    let mut args = SinkArgs::default();
    args.listen = taken.grpc_address().to_string();
    let error = Sink::start(&args).expect_err("the port is taken");
    assert!(matches!(error, SinkError::Listen { .. }));
    let text = error.to_string();
    assert!(text.contains(&args.listen) && text.contains("--listen"), "{text}");
    args.listen = "127.0.0.1:0".to_owned();
    args.down_for = Some(Duration::from_secs(1));
    assert!(Sink::start(&args).is_err(), "--down-for without --down-at");
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // A test that failed leaves nothing running; one that did not has waited already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn aqueduct(args: &[&str]) -> Process {
    let child = Command::new(env!("CARGO_BIN_EXE_aqueduct"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the binary was built");
    Process(child)
}

fn json(line: Option<std::io::Result<String>>) -> serde_json::Value {
    serde_json::from_str(&line.expect("a line").expect("readable")).expect("JSON")
}

/// Guards what scripts and the demo build on: the first line says where the sink listens, `report` asks for numbers, the end of standard
/// input ends it, the last lines are the reports, and they agree.
#[test]
fn the_command_lines_speak_json() {
    let mut sink = aqueduct(&["sink", "--listen", "127.0.0.1:0", "--json", "--stdin"]);
    let mut lines = BufReader::new(sink.0.stdout.take().unwrap()).lines();
    let listening = json(lines.next());
    let address = listening["listening"]["grpc"].as_str().expect("an address").to_owned();

    let mut load = aqueduct(&[
        "load",
        "--endpoint",
        &format!("http://{address}"),
        "--spans",
        "2",
        "--requests",
        "500",
        "--producer",
        "42",
        "--json",
    ]);
    let mut output = String::new();
    load.0.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    assert!(load.0.wait().unwrap().success());
    let sent: serde_json::Value = serde_json::from_str(output.lines().last().expect("a line")).expect("JSON");
    for key in [
        "refused",
        "rejected",
        "retries",
        "requests_per_second",
        "p50_ms",
        "p90_ms",
        "p99_ms",
        "p999_ms",
        "max_ms",
        "cpu_seconds",
    ] {
        assert!(sent[key].is_number(), "{key}: {sent}");
    }
    assert!(sent["offered"].as_u64() > Some(0) && sent["offered"] == sent["acknowledged"]);

    let mut input = sink.0.stdin.take().unwrap();
    writeln!(input, "report").unwrap();
    assert_eq!(json(lines.next())["progress"]["received"], sent["offered"]);
    drop(input);
    let seen = json(lines.next());
    assert!(lines.next().is_none());
    assert!(sink.0.wait().unwrap().success());
    assert_eq!(seen["received_ranges"], sent["acknowledged_ranges"]);
    assert!(seen["received_ranges"]["42"].is_array());
    assert_eq!(seen["duplicates"], 0);
}
