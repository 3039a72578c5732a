//! What the self-test says of each mistake that is made.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use aqueduct_opentelemetry::{Aqueduct, Finding, SelfTest};
use aqueduct_testkit::ScriptedPeer;
use aqueduct_transport::{ClientConfig, Protocol};
use tokio::runtime::{Builder, Runtime};

use crate::collector::{PATIENCE, SHORT};

fn ask(endpoint: &str, protocol: Protocol, patience: Duration) -> SelfTest {
    let config = ClientConfig::new(endpoint, protocol);
    let telemetry = Aqueduct::builder().variables(|_| None).client(config).build().unwrap();
    telemetry.self_test(patience)
}

/// The same for all three signals, in a sentence.
fn finds(endpoint: &str, protocol: Protocol, expected: Finding, words: &str) {
    let found = ask(endpoint, protocol, PATIENCE);
    assert_eq!(found.checks.len(), 3);
    for check in &found.checks {
        assert_eq!(check.finding, expected, "{check}");
        assert!(check.to_string().contains(words), "{check}");
    }
    assert_eq!(found.is_good(), expected == Finding::Reached);
    assert_eq!(found.to_string().lines().count(), 3);
}

fn peer() -> (Runtime, ScriptedPeer) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let peer = runtime.block_on(ScriptedPeer::start()).unwrap();
    (runtime, peer)
}

/// A server that says this to whatever it hears, for as long as it is asked.
fn says(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || {
                let mut heard = [0; 4096];
                let _ = stream.read(&mut heard);
                let _ = stream.write_all(answer.as_bytes());
                let _ = stream.shutdown(std::net::Shutdown::Write);
                // Until the other end is done: a reset could overtake the answer.
                while matches!(stream.read(&mut heard), Ok(read) if read > 0) {}
            });
        }
    });
    format!("http://{address}")
}

/// Guards the good case: nothing of it is seen as an item.
#[test]
fn a_collector_that_takes_it() {
    let (_runtime, peer) = peer();
    finds(&peer.http_endpoint(), Protocol::HttpProtobuf, Finding::Reached, "the collector takes them");
    finds(&peer.grpc_endpoint(), Protocol::Grpc, Finding::Reached, "the collector takes them");
    assert!(peer.captured().iter().all(|request| request.chunk.items() == 0));
}

/// Guards the way there.
#[test]
fn no_way_there() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        finds(&format!("http://{free}"), protocol, Finding::Refused, "nobody listens there");
        finds("http://no-such-host.invalid:4318", protocol, Finding::UnknownHost, "the host has no address");
    }
}

/// Guards a server that says nothing: in time.
#[test]
fn no_answer() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let found = ask(&endpoint, Protocol::HttpProtobuf, SHORT);
    assert!(found.checks.iter().all(|check| check.finding == Finding::NoAnswer), "{found}");
    assert!(found.to_string().contains("no answer within"), "{found}");
}

/// Guards what a server says about credentials and paths.
#[test]
fn statuses() {
    let empty = "content-length: 0\r\nconnection: close\r\n\r\n";
    let of = |status: &str| -> String {
        says(Box::leak(format!("HTTP/1.1 {status} X\r\n{empty}").into_boxed_str()))
    };
    finds(&of("401"), Protocol::HttpProtobuf, Finding::Unauthenticated, "wants credentials");
    finds(&of("403"), Protocol::HttpProtobuf, Finding::Forbidden, "do not allow it");
    finds(&of("404"), Protocol::HttpProtobuf, Finding::NotFound, "does not know the path");
    finds(&of("503"), Protocol::HttpProtobuf, Finding::Busy, "try again later");
    finds(&of("500"), Protocol::HttpProtobuf, Finding::Rejected, "does not take it");
}

/// Guards the two ports that are taken for each other.
#[test]
fn the_other_port() {
    let (_runtime, peer) = peer();
    finds(&peer.grpc_endpoint(), Protocol::HttpProtobuf, Finding::WrongProtocol, "is this the port for gRPC");
    // What servers of HTTP/1.1 say to the preface of HTTP/2.
    let http = says("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    finds(&http, Protocol::Grpc, Finding::WrongProtocol, "is this the port for HTTP");
    // A page for people.
    let page = says(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\nconnection: close\r\n\r\n<p/>",
    );
    finds(&page, Protocol::HttpProtobuf, Finding::WrongProtocol, "does not speak OTLP/HTTP");
}

/// Guards TLS that only one side wants.
#[cfg(feature = "tls")]
#[test]
fn no_tls() {
    let plain = says("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let endpoint = plain.replace("http://", "https://");
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        finds(&endpoint, protocol, Finding::Tls, "there is no TLS with it");
    }
}

/// Guards handles that have nobody to ask.
#[test]
fn nobody_to_ask() {
    let found = crate::collector::Collector::healthy().handle().self_test(SHORT);
    assert!(found.checks.is_empty() && found.is_good());
    assert_eq!(found.to_string(), "no signal is exported by an OTLP client");
}
