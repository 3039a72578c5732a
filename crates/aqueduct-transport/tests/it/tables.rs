//! Every row of the status tables, as it comes over a real socket.

use std::time::Duration;

use aqueduct_transport::{FailureKind, Outcome, Protocol};
use aqueduct_wire::grpc::encode_details;
use aqueduct_wire::rpc::{Code, ExportResponse, Status};

use crate::batches::{client, small};
use crate::grpc_server::{GrpcServer, status};
use crate::http_server::{HttpServer, PROTOBUF, answer};

/// What is to become of the data.
#[derive(Debug, PartialEq)]
enum Fate {
    Delivered,
    Retry,
    Permanent,
    TooLarge,
}

fn fate(outcome: &Outcome) -> Fate {
    match outcome {
        Outcome::Delivered => Fate::Delivered,
        Outcome::Retry { .. } => Fate::Retry,
        Outcome::Permanent(_) => Fate::Permanent,
        Outcome::TooLarge(_) => Fate::TooLarge,
        other => panic!("unexpected {other:?}"),
    }
}

const GRPC: [(u32, Fate); 19] = [
    (0, Fate::Delivered),
    (1, Fate::Retry),
    (2, Fate::Permanent),
    (3, Fate::Permanent),
    (4, Fate::Retry),
    (5, Fate::Permanent),
    (6, Fate::Permanent),
    (7, Fate::Permanent),
    (8, Fate::Permanent),
    (9, Fate::Permanent),
    (10, Fate::Retry),
    (11, Fate::Retry),
    (12, Fate::Permanent),
    (13, Fate::Permanent),
    (14, Fate::Retry),
    (15, Fate::Retry),
    (16, Fate::Permanent),
    // Codes that do not exist count as UNKNOWN.
    (17, Fate::Permanent),
    (4_000_000_000, Fate::Permanent),
];

/// Guards the gRPC table, in trailers and in a head without a body, with and without `RetryInfo`.
#[tokio::test]
async fn grpc_statuses() {
    // The body tells the server what to say: code, whether to attach RetryInfo, whether to say it in the head.
    let server = GrpcServer::start(|mut call| async move {
        let body = call.body().await;
        let order = String::from_utf8(body[5..].to_vec()).expect("ASCII");
        let mut words = order.split(' ');
        let code: u32 = words.next().expect("a code").parse().expect("a number");
        let mut headers = status(code);
        headers.insert("grpc-message", "100%25 of it".parse().expect("valid"));
        if words.next() == Some("info") {
            let details =
                Status::new(Code::from_u32(code), "inner").with_retry_delay(Duration::from_millis(1500));
            headers.insert("grpc-status-details-bin", encode_details(&details).parse().expect("valid"));
        }
        match words.next() {
            Some("head") => call.trailers_only(headers),
            _ => call.answer(if code == 0 { &[0; 5] } else { &[] }, headers),
        }
    })
    .await;
    let client = client(server.address, Protocol::Grpc);
    for (code, expected) in GRPC {
        for place in ["trailers", "head"] {
            let outcome = client.send(&client.prepare(&small(format!("{code} none {place}")))).await;
            assert_eq!(fate(&outcome), expected, "code {code} in {place}");
            if let Some(failure) = outcome.failure() {
                assert_eq!(failure.kind, FailureKind::Status(Code::from_u32(code)));
                assert_eq!(failure.message, "100% of it");
            }
            let outcome = client.send(&client.prepare(&small(format!("{code} info {place}")))).await;
            let expected = if code == 8 { &Fate::Retry } else { &expected };
            assert_eq!(fate(&outcome), *expected, "code {code} with RetryInfo in {place}");
            if let Outcome::Retry { after, .. } = outcome {
                assert_eq!(after, Some(Duration::from_millis(1500)), "code {code} in {place}");
            }
        }
    }
    assert_eq!(server.connections(), 1);
}

/// Guards the mapping of HTTP statuses that come, usually from a proxy, without a gRPC status.
#[tokio::test]
async fn http_statuses_to_a_grpc_call() {
    let server = GrpcServer::start(|mut call| async move {
        let body = call.body().await;
        let code: u16 = String::from_utf8_lossy(&body[5..]).parse().expect("a status");
        let head = http::Response::builder()
            .status(code)
            .header("content-type", "text/html")
            .header("retry-after", "7");
        let mut stream = call.respond.send_response(head.body(()).expect("valid"), false).expect("open");
        let _ = stream.send_data("<html>".into(), true);
    })
    .await;
    let client = client(server.address, Protocol::Grpc);
    for (code, expected, grpc) in [
        (400, Fate::Permanent, Code::Internal),
        (401, Fate::Permanent, Code::Unauthenticated),
        (403, Fate::Permanent, Code::PermissionDenied),
        (404, Fate::Permanent, Code::Unimplemented),
        (429, Fate::Retry, Code::Unavailable),
        (500, Fate::Permanent, Code::Unknown),
        (502, Fate::Retry, Code::Unavailable),
        (503, Fate::Retry, Code::Unavailable),
        (504, Fate::Retry, Code::Unavailable),
    ] {
        let outcome = client.send(&client.prepare(&small(code.to_string()))).await;
        assert_eq!(fate(&outcome), expected, "{code}");
        assert_eq!(outcome.failure().expect("failed").kind, FailureKind::Status(grpc), "{code}");
        if let Outcome::Retry { after, .. } = outcome {
            assert_eq!(after, Some(Duration::from_secs(7)), "{code}");
        }
    }
    // 200 without a gRPC status is no gRPC.
    let outcome = client.send(&client.prepare(&small("200"))).await;
    let failure = crate::batches::permanent(outcome);
    assert_eq!(failure.kind, FailureKind::Protocol);
    assert!(failure.message.contains("text/html"), "{failure}");
}

/// Guards the OTLP/HTTP table and what is read of an error's body.
#[tokio::test]
async fn http_statuses() {
    let server = HttpServer::answering(|request| {
        let status: u16 = String::from_utf8_lossy(&request.body).parse().expect("a status");
        let body = Status::new(Code::Unknown, "no, because").encode();
        let body = if status == 200 { Vec::new() } else { body };
        answer(status, &format!("{PROTOBUF}retry-after: 9\r\n"), &body)
    })
    .await;
    let client = client(server.address, Protocol::HttpProtobuf);
    for status in (200..=206).chain(300..=308).chain(400..=431).chain([451]).chain(500..=511).chain([599]) {
        if [204, 205, 304].contains(&status) {
            // These may not have the body that this server gives them.
            continue;
        }
        let expected = match status {
            200..=299 => Fate::Delivered,
            429 | 502 | 503 | 504 => Fate::Retry,
            413 => Fate::TooLarge,
            _ => Fate::Permanent,
        };
        let outcome = client.send(&client.prepare(&small(status.to_string()))).await;
        assert_eq!(fate(&outcome), expected, "{status}");
        if let Some(failure) = outcome.failure() {
            assert_eq!(failure.kind, FailureKind::Http(status));
            assert_eq!(failure.message, "no, because", "{status}");
        }
        if let Outcome::Retry { after, .. } = outcome {
            assert_eq!(after, Some(Duration::from_secs(9)), "{status}");
        }
    }
    assert_eq!(server.connections(), 1);
}

/// Guards partial success, which must never be retried, and its mere warning, which is a delivery.
#[tokio::test]
async fn partial_success() {
    fn response(order: &[u8]) -> Vec<u8> {
        let message = "two were bad".to_owned();
        match order {
            b"partial" => ExportResponse { rejected: 2, message }.encode(),
            b"silent" => ExportResponse { rejected: 3, message: String::new() }.encode(),
            _ => ExportResponse { rejected: 0, message }.encode(),
        }
    }
    let grpc = GrpcServer::start(|mut call| async move {
        let body = call.body().await;
        let message = response(&body[5..]);
        let mut framed = aqueduct_wire::grpc::prefix(message.len() as u32, false).to_vec();
        framed.extend(message);
        call.answer(&framed, status(0));
    })
    .await;
    let http = HttpServer::answering(|request| answer(200, PROTOBUF, &response(&request.body))).await;
    for (address, protocol) in [(grpc.address, Protocol::Grpc), (http.address, Protocol::HttpProtobuf)] {
        let client = client(address, protocol);
        let send = async |order: &str| client.send(&client.prepare(&small(order))).await;
        let message = "two were bad".to_owned();
        assert_eq!(send("partial").await, Outcome::Partial { rejected: 2, message });
        assert_eq!(send("silent").await, Outcome::Partial { rejected: 3, message: String::new() });
        assert_eq!(client.status().last_warning, None);
        assert_eq!(send("warning").await, Outcome::Delivered);
        assert_eq!(client.status().last_warning.as_deref(), Some("two were bad"));
    }
}
