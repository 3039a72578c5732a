//! Over a channel that the user built: the same outcomes.

use std::time::Duration;

use aqueduct_transport::{Client, Compression, FailureKind, Outcome, Protocol, TonicClient};
use aqueduct_wire::{Merger, Signal};
use tonic::transport::Endpoint;

use crate::batches::{config, permanent, retry, small, text};
use crate::grpc_server::{GrpcServer, head, status};
use crate::interop::{Sink, chunk, spans};

fn over_a_channel(config: &aqueduct_transport::ClientConfig) -> TonicClient {
    let channel = Endpoint::from_shared(config.endpoint.clone()).expect("a URI").connect_lazy();
    TonicClient::new(channel, config).expect("valid")
}

/// Guards content and partial success against tonic's own server, for each encoding.
#[tokio::test]
async fn delivers() {
    let sink = Sink::default();
    let mut config = config(sink.start().await, Protocol::Grpc);
    for codec in [Compression::None, Compression::Gzip(1), Compression::Zstd(1)] {
        config.compression = codec;
        let prepares = Client::new(config.clone()).expect("valid");
        let client = over_a_channel(&config);
        let request = spans(&["first"; 40]);
        let mut merger = Merger::new(Signal::Traces);
        merger.push(chunk(Signal::Traces, 40, &request));
        assert_eq!(client.send(&prepares.prepare(&merger.finish())).await, Outcome::Delivered);
        assert_eq!(sink.traces.lock().expect("not poisoned").pop(), Some(request));

        let mut merger = Merger::new(Signal::Traces);
        merger.push(chunk(Signal::Traces, 1, &spans(&["partial"])));
        let outcome = client.send(&prepares.prepare(&merger.finish())).await;
        assert_eq!(outcome, Outcome::Partial { rejected: 1, message: "old".into() });
    }
}

/// Guards the classification of what goes wrong.
#[tokio::test]
async fn fails() {
    let server = GrpcServer::start(|mut call| async move {
        let body = call.body().await;
        match &body[5..] {
            b"busy" => call.trailers_only(status(14)),
            b"bad" => call.answer(&[], status(3)),
            b"lost" => call.respond.send_reset(h2::Reason::INTERNAL_ERROR),
            b"late" => std::future::pending().await,
            _ => {
                let mut stream = call.respond.send_response(head(), false).expect("open");
                let _ = stream.send_data(vec![0; 100_000].into(), true);
            }
        }
    })
    .await;
    let mut config = config(server.address, Protocol::Grpc);
    config.timeout = Duration::from_millis(500);
    config.max_response_bytes = 10_000;
    let client = over_a_channel(&config);
    let prepares = Client::new(config.clone()).expect("valid");
    let send = async |order: &str| client.send(&prepares.prepare(&small(order))).await;
    assert!(matches!(retry(send("busy").await).kind, FailureKind::Status(_)));
    assert!(matches!(permanent(send("bad").await).kind, FailureKind::Status(_)));
    assert_eq!(retry(send("lost").await).kind, FailureKind::Reset);
    assert_eq!(retry(send("late").await).kind, FailureKind::Timeout);
    assert_eq!(permanent(send("endless").await).kind, FailureKind::ResponseTooLarge);

    config.endpoint = "http://127.0.0.1:1".into();
    let client = over_a_channel(&config);
    let outcome = client.send(&prepares.prepare(&small(text(10, 1)))).await;
    assert!(matches!(outcome, Outcome::Retry { .. }), "{outcome:?}");
}
