//! `/debug/pprof/profile` of a gateway under load.

use std::io::Read;
use std::net::SocketAddr;
use std::time::Instant;

use aqueduct_gateway::load::{Load, LoadArgs};

use crate::load::sink;
use crate::process::{Gateway, PATIENCE};

const PATH: &str = "/debug/pprof/profile";

/// A gateway that nobody sends to; its destination is not there.
fn idle() -> Gateway {
    Gateway::start("", "endpoint: 127.0.0.1:9")
}

/// Guards that nothing wrong is measured for half a minute first, and that the answer says what to write.
#[test]
fn wrong_parameters_are_refused_at_once() {
    let gateway = idle();
    for (query, part) in [
        ("seconds=0", "from 1 to 300"),
        ("seconds=301", "from 1 to 300"),
        ("hz=1001", "from 1 to 1000"),
        ("hz=fast", "hz=fast"),
        ("format=svg", "pprof, flamegraph or top"),
        ("second=1", "there are seconds, hz and format"),
    ] {
        let (status, body) = gateway.get(&format!("{PATH}?{query}"));
        assert_eq!(status, 400, "{query}: {body}");
        assert!(body.contains(part), "{query}: {body}");
    }
    let (status, head, body) = gateway.ask("HEAD", &format!("{PATH}?seconds=300&format=flamegraph"));
    assert_eq!((status, body.len()), (200, 0));
    assert!(head.contains("content-type: image/svg+xml"), "{head}");
    assert_eq!(gateway.ask("POST", PATH).0, 405);
}

/// Guards the whole way under load: each format is of the gateway's own functions, other pages answer meanwhile, and the gateway goes on.
#[test]
#[cfg_attr(
    feature = "dhat",
    ignore = "reading debug information takes minutes where every allocation is traced"
)]
fn a_gateway_under_load_is_profiled() {
    let sink = sink(|_| {});
    let gateway = Gateway::start("", &format!("endpoint: {}", sink.grpc_address()));
    let mut args = LoadArgs::default();
    let address: SocketAddr = gateway.grpc.parse().expect("an address");
    args.endpoint = format!("http://{address}");
    (args.connections, args.in_flight, args.spans) = (2, Some(4), 20);
    let loading = Load::start(&args).expect("valid settings");
    let ask = |gateway: &Gateway, format: &str| {
        let (status, head, body) = gateway.ask("GET", &format!("{PATH}?seconds=1&hz=1000&format={format}"));
        assert_eq!(status, 200, "{head}: {}", String::from_utf8_lossy(&body));
        (head, body)
    };

    // A page that waited for the profile would come after its end.
    let mut taking = gateway.asking("GET", &format!("{PATH}?seconds=2&hz=1000"));
    assert_eq!(gateway.get("/readyz").0, 200);
    taking.set_nonblocking(true).expect("a socket");
    let early = taking.read(&mut [0]).expect_err("it is still being taken");
    assert_eq!(early.kind(), std::io::ErrorKind::WouldBlock);
    taking.set_nonblocking(false).expect("a socket");
    let mut answer = Vec::new();
    taking.read_to_end(&mut answer).expect("it answers");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let profile = &answer[end + 4..];
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(head.contains("content-type: application/octet-stream"), "{head}");
    assert!(head.contains("filename=\"profile.pb\""), "{head}");
    let contains = |text: &str| profile.windows(text.len()).any(|window| window == text.as_bytes());
    assert_eq!(profile.first(), Some(&0x0a), "sample_type comes first");
    assert!(contains("nanoseconds") && contains("aqueduct-rx-"));
    assert!(contains("aqueduct_receiver::") || contains("aqueduct_wire::"), "our functions have their names");

    let (head, picture) = ask(&gateway, "flamegraph");
    assert!(head.contains("content-type: image/svg+xml"), "{head}");
    let picture = String::from_utf8(picture).expect("text");
    assert!(picture.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg "), "{picture:.200}");
    assert!(picture.ends_with("</svg>\n") && picture.contains("<title>aqueduct-rx-"), "{picture:.2000}");

    let (head, top) = ask(&gateway, "top");
    assert!(head.contains("content-type: text/plain; charset=utf-8"), "{head}");
    let top = String::from_utf8(top).expect("text");
    assert_eq!(top.lines().count(), 2 + 20, "{top}");
    assert!(top.lines().nth(1).is_some_and(|line| line == "  self   total  function"), "{top}");

    loading.stop();
    let report = loading.finish().expect("a report");
    assert_eq!(report.offered, report.acknowledged, "{report:?}");
    gateway.stop();
}

/// Guards the turn: a second profile is refused while one is taken, and a client that goes away makes room at once.
#[test]
#[cfg_attr(
    feature = "dhat",
    ignore = "reading debug information takes minutes where every allocation is traced"
)]
fn one_profile_at_a_time() {
    let gateway = idle();
    let start = Instant::now();
    let (first, second) = loop {
        let first = gateway.asking("GET", &format!("{PATH}?seconds=300"));
        let second = gateway.get(&format!("{PATH}?seconds=1&format=top"));
        if second.0 == 409 {
            break (first, second);
        }
        // It overtook the first, which was refused then.
        assert!(start.elapsed() < PATIENCE, "{second:?}");
    };
    assert!(second.1.contains("only one at a time"), "{}", second.1);
    drop(first);
    let mut third = second;
    while third.0 == 409 && start.elapsed() < PATIENCE {
        third = gateway.get(&format!("{PATH}?seconds=1&format=top"));
    }
    assert_eq!(third.0, 200, "{}", third.1);
    assert!(third.1.contains(" samples in 1."), "{}", third.1);
    // A profile that runs does not hold the stop up.
    let _running = gateway.asking("GET", &format!("{PATH}?seconds=300"));
    gateway.stop();
}
