//! OTLP/JSON: what goes out, and what comes back.

use std::sync::{Arc, Mutex};

use aqueduct_transport::{Client, Compression, FailureKind, Format, Outcome, Protocol};
use aqueduct_wire::rpc::{Code, ExportResponse, Status};
use aqueduct_wire::{Merger, Signal, json};

use crate::batches::{config, permanent, retry};
use crate::http_server::{HttpServer, answer};
use crate::interop::{chunk, spans};

const JSON: &str = "content-type: application/json\r\n";

/// Guards content type and content of what is sent, and that retries send the same.
#[tokio::test]
async fn a_batch_is_sent_as_json() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let heard = seen.clone();
    let server = HttpServer::answering(move |request| {
        assert_eq!(request.header("content-type"), Some("application/json"));
        heard.lock().expect("not poisoned").push(request.body);
        answer(200, JSON, b"{}")
    })
    .await;
    let client = Client::new(config(server.address, Protocol::HttpJson)).expect("valid");
    let mut merger = Merger::new(Signal::Traces);
    merger.push(chunk(Signal::Traces, 1, &spans(&["one"])));
    merger.push(chunk(Signal::Traces, 1, &spans(&["two"])));
    let batch = merger.finish();
    let request = client.prepare(&batch);
    assert_eq!((request.format(), request.items()), (Format::Json, 2));
    assert_eq!(client.send(&request).await, Outcome::Delivered);
    assert_eq!(client.send(&request).await, Outcome::Delivered);
    let seen = seen.lock().expect("not poisoned");
    assert_eq!(seen[0], seen[1]);
    let back = json::to_protobuf(Signal::Traces, &seen[0]).expect("OTLP/JSON");
    assert_eq!(back, batch.to_bytes());
    assert_eq!(client.status().last_warning, None);
}

/// Guards the reading of JSON answers: partial success, and the reason and the delay of an error.
#[tokio::test]
async fn json_answers() {
    let server = HttpServer::answering(|request| {
        let text = String::from_utf8_lossy(&request.body).into_owned();
        if text.contains("partial") {
            let response = ExportResponse { rejected: 3, message: "old".into() };
            answer(200, JSON, json::response_to_json(Signal::Traces, &response).as_bytes())
        } else {
            let status = Status::new(Code::Unavailable, "full");
            answer(503, JSON, json::status_to_json(&status).as_bytes())
        }
    })
    .await;
    let mut config = config(server.address, Protocol::HttpJson);
    // The body is inflated by no one here; a short one goes plain anyway.
    config.compression = Compression::None;
    let client = Client::new(config).expect("valid");
    let send = async |name: &str| {
        let mut merger = Merger::new(Signal::Traces);
        merger.push(chunk(Signal::Traces, 1, &spans(&[name])));
        client.send(&client.prepare(&merger.finish())).await
    };
    assert_eq!(send("partial").await, Outcome::Partial { rejected: 3, message: "old".into() });
    let failure = retry(send("other").await);
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Http(503), "full"));
}

/// Guards a gRPC client against a request that another client prepared.
#[tokio::test]
async fn grpc_carries_no_json() {
    let address = "127.0.0.1:1".parse().expect("an address");
    let prepares = Client::new(config(address, Protocol::HttpJson)).expect("valid");
    let mut merger = Merger::new(Signal::Traces);
    merger.push(chunk(Signal::Traces, 1, &spans(&["x"])));
    let request = prepares.prepare(&merger.finish());
    let sends = Client::new(config(address, Protocol::Grpc)).expect("valid");
    assert_eq!(permanent(sends.send(&request).await).kind, FailureKind::Protocol);
}
