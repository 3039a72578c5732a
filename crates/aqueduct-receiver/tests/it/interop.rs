//! The reference client: tonic with opentelemetry-proto's services.

use crate::rig::{MIB, Rig, request};
use aqueduct_receiver::{Answer, Entry};
use aqueduct_wire::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use std::time::Duration;
use tonic::Code;
use tonic::codec::CompressionEncoding;
use tonic::transport::Channel;

async fn channel(rig: &Rig) -> Channel {
    let uri = format!("http://{}", rig.addr);
    Channel::from_shared(uri).expect("is an address").connect().await.expect("connects")
}

macro_rules! export {
    ($client:ident, $rig:expr, $signal:expr, $encoding:expr, $items:expr) => {{
        let mut client = $client::new(channel($rig).await);
        if let Some(encoding) = $encoding {
            client = client.send_compressed(encoding).accept_compressed(encoding);
        }
        let bytes = request($signal, $items, 7);
        let message = Message::decode(&bytes[..]).expect("is valid");
        let response = client.export(tonic::Request::new(message)).await.map(tonic::Response::into_inner);
        (bytes, response)
    }};
}

/// Guards that what tonic sends, in every encoding and size, is what the handler gets, byte for byte.
#[tokio::test]
async fn tonic_exports_arrive_unchanged() {
    let rig = Rig::grpc().await;
    for encoding in [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)] {
        if cfg!(not(feature = "zstd")) && encoding == Some(CompressionEncoding::Zstd) {
            continue;
        }
        for items in [1, 10, 5_000] {
            let (bytes, response) = export!(TraceServiceClient, &rig, Signal::Traces, encoding, items);
            assert_eq!(response.expect("accepted").partial_success, None);
            check(&rig, Signal::Traces, items, &bytes);
            let (bytes, response) = export!(MetricsServiceClient, &rig, Signal::Metrics, encoding, items);
            assert_eq!(response.expect("accepted").partial_success, None);
            check(&rig, Signal::Metrics, items, &bytes);
            let (bytes, response) = export!(LogsServiceClient, &rig, Signal::Logs, encoding, items);
            assert_eq!(response.expect("accepted").partial_success, None);
            check(&rig, Signal::Logs, items, &bytes);
        }
    }
    rig.finish().await;
}

fn check(rig: &Rig, signal: Signal, items: usize, bytes: &[u8]) {
    let incoming = rig.received.lock().expect("no panic").pop().expect("arrived");
    assert_eq!((incoming.chunk.signal(), incoming.chunk.items()), (signal, items as u64));
    assert_eq!(&incoming.chunk.bytes()[..], bytes);
}

/// Guards what tonic understands of a partial success, and of throttling.
#[tokio::test]
async fn tonic_understands_the_answers() {
    let rig =
        Rig::answering(Entry::Grpc, || Answer::Partial { rejected: 3, message: "old".into() }.into()).await;
    let (_, response) = export!(LogsServiceClient, &rig, Signal::Logs, None, 5);
    let partial = response.expect("accepted").partial_success.expect("partial");
    assert_eq!((partial.rejected_log_records, &partial.error_message[..]), (3, "old"));
    rig.finish().await;

    let overloaded = Answer::Overloaded { retry_after: Duration::from_secs(3) };
    let rig = Rig::answering(Entry::Grpc, move || overloaded.clone().into()).await;
    let (_, response) = export!(TraceServiceClient, &rig, Signal::Traces, None, 5);
    let status = response.expect_err("overloaded");
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "overloaded, try again later"));
    let details = aqueduct_wire::rpc::Status::decode(status.details()).expect("a status");
    assert_eq!(details.retry_delay, Some(Duration::from_secs(3)));
    rig.finish().await;
}

/// Guards what tonic sees of a message that is too large: an error that OTLP does not retry, though its upload
/// was cut off.
#[tokio::test]
async fn tonic_sees_oversize_as_resource_exhausted() {
    let rig = Rig::grpc().await;
    let (bytes, response) = export!(TraceServiceClient, &rig, Signal::Traces, None, 80_000);
    assert!(bytes.len() > 4 * MIB);
    assert_eq!(response.expect_err("too large").code(), Code::ResourceExhausted);
    rig.finish().await;
}
