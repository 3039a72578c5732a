//! Servers that close each connection after a few requests, as load balancers make them do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aqueduct_transport::{Client, ClientConfig, FailureKind, HttpVersion, Outcome, Protocol};

use crate::batches::{config, small};
use crate::grpc_server::GrpcServer;
use crate::http_server::{HttpServer, PROTOBUF, answer};

type Seen = Arc<Mutex<HashMap<Vec<u8>, usize>>>;

fn see(seen: &Seen, body: &[u8]) {
    *seen.lock().expect("no panic").entry(body.to_vec()).or_default() += 1;
}

/// Sends 400 different bodies, 8 at a time, each again while the server refuses it unread.
async fn send_all(config: ClientConfig, seen: &Seen) -> usize {
    let client = Arc::new(Client::new(config).expect("valid"));
    let senders: Vec<_> = (0..8)
        .map(|sender| {
            let client = client.clone();
            tokio::spawn(async move {
                let mut again = 0;
                for n in 0..50 {
                    let request = client.prepare(&small(format!("{sender}-{n}")));
                    loop {
                        match client.send(&request).await {
                            Outcome::Delivered => break,
                            // The goodbye crossed the request: it was not looked at.
                            Outcome::Retry { failure, .. } if failure.kind == FailureKind::Refused => {
                                again += 1
                            }
                            other => panic!("{other:?}"),
                        }
                    }
                }
                again
            })
        })
        .collect();
    let mut again = 0;
    for sender in senders {
        again += sender.await.expect("no panic");
    }
    let seen = seen.lock().expect("no panic");
    assert_eq!(seen.len(), 400, "all delivered");
    assert!(seen.values().all(|times| *times == 1), "none twice");
    again
}

/// An HTTP/2 server that says goodbye after 7 requests on each connection.
async fn goodbye_after_seven(seen: &Seen) -> GrpcServer {
    let seen = seen.clone();
    GrpcServer::start_with(h2::server::Builder::new(), 7, move |mut call| {
        let seen = seen.clone();
        async move {
            let body = call.body().await;
            let grpc = call.request.uri().path().starts_with("/opentelemetry");
            see(&seen, &body);
            if grpc {
                return call.ok();
            }
            let head = http::Response::builder().body(()).expect("valid");
            let _ = call.respond.send_response(head, true);
        }
    })
    .await
}

/// Guards GOAWAY under load: everything arrives, nothing twice, and a refusal is the worst that happens.
#[tokio::test]
async fn goaway_after_every_seventh_request() {
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let seen = Seen::default();
        let server = goodbye_after_seven(&seen).await;
        let mut config = crate::batches::config(server.address, protocol);
        config.http_version = HttpVersion::Http2;
        send_all(config, &seen).await;
        assert!(server.connections() >= 400 / 8, "{protocol:?}: {}", server.connections());
    }
}

/// Guards `Connection: close` under load: no send fails at all.
#[tokio::test]
async fn connection_close_after_every_seventh_request() {
    let seen = Seen::default();
    let saw = seen.clone();
    let server = HttpServer::start(move |mut peer| {
        let seen = saw.clone();
        async move {
            for n in 1..=7 {
                let Some(request) = peer.request().await else { return };
                see(&seen, &request.body);
                let headers =
                    if n == 7 { format!("connection: close\r\n{PROTOBUF}") } else { PROTOBUF.to_owned() };
                peer.write(&answer(200, &headers, b"")).await;
            }
        }
    })
    .await;
    let again = send_all(config(server.address, Protocol::HttpProtobuf), &seen).await;
    assert_eq!(again, 0);
    assert!(server.connections() >= 400 / 7, "{}", server.connections());
}
