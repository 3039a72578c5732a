//! Sends the messages: over gRPC with tonic's generated clients, over HTTP/1.1 with hyper. The answers are read to the
//! last byte.

use std::io::Write;
use std::time::Duration;

use aqueduct_wire::Signal;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tonic::codec::CompressionEncoding;
use tonic::transport::Channel;

use super::super::client::{Compression, Doors, Expected, Protocol, Sent, Variant};
use super::super::json::{self, MARKS, REAL};
use super::super::message::Message;
use crate::Failure;

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends the message of each signal to the gateway. There is no reference: what was built is what should arrive.
pub(in super::super) fn send(
    runtime: &Runtime,
    variant: Variant,
    signals: &[Signal],
    gateway: Doors,
) -> Vec<Sent> {
    let one = |signal: &Signal| {
        let sending = async { tokio::time::timeout(PATIENCE, export(variant, *signal, gateway)).await? };
        let outcome =
            runtime.block_on(sending).map(|()| Expected::Built(Box::new(super::message(*signal, &REAL))));
        let outcome = outcome.map_err(|failure| failure.to_string());
        Sent { signal: *signal, outcome, complaints: Vec::new() }
    };
    signals.iter().map(one).collect()
}

async fn export(variant: Variant, signal: Signal, gateway: Doors) -> Result<(), Failure> {
    let message = super::message(signal, &REAL);
    match variant.protocol {
        Protocol::Grpc => grpc(message, variant.compression, gateway.url(Protocol::Grpc, signal)).await,
        Protocol::HttpProtobuf => http(variant, signal, message.encode(), gateway).await,
        Protocol::HttpJson => {
            let text = json::write(&super::message(signal, &MARKS))?;
            http(variant, signal, text.into_bytes(), gateway).await
        }
    }
}

async fn grpc(message: Message, compression: Compression, url: String) -> Result<(), Failure> {
    let channel = Channel::from_shared(url)?.connect().await?;
    let compression = match compression {
        Compression::None => None,
        Compression::Gzip => Some(CompressionEncoding::Gzip),
        Compression::Zstd => Some(CompressionEncoding::Zstd),
    };
    macro_rules! export {
        ($client:ident, $request:expr) => {{
            let mut client = $client::new(channel);
            if let Some(compression) = compression {
                client = client.send_compressed(compression).accept_compressed(compression);
            }
            let answer = client.export($request).await?.into_inner();
            match answer.partial_success {
                None => Ok(()),
                Some(partial) => Err(format!("the answer is {partial:?} instead of a full success").into()),
            }
        }};
    }
    match message {
        Message::Traces(request) => export!(TraceServiceClient, request),
        Message::Metrics(request) => export!(MetricsServiceClient, request),
        Message::Logs(request) => export!(LogsServiceClient, request),
    }
}

async fn http(variant: Variant, signal: Signal, body: Vec<u8>, gateway: Doors) -> Result<(), Failure> {
    let content_type = variant.protocol.content_type();
    let mut request = http::Request::post(format!("/v1/{signal}"))
        .header(http::header::HOST, gateway.http.to_string())
        .header(http::header::CONTENT_TYPE, content_type);
    if variant.compression != Compression::None {
        request = request.header(http::header::CONTENT_ENCODING, variant.compression.encoding());
    }
    let request = request.body(Full::new(Bytes::from(compress(variant.compression, body)?)))?;

    let stream = TcpStream::connect(gateway.http).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ends when the sender is dropped; its error is the request's too.
    let driver = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let (head, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    drop(sender);
    driver.await??;

    let answered_as = head.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let answered_as = answered_as.unwrap_or("of no type");
    // A full success is an empty message: no bytes in protobuf, `{}` in JSON.
    let full: &[u8] = if variant.protocol == Protocol::HttpJson { b"{}" } else { b"" };
    if head.status == http::StatusCode::OK && answered_as == content_type && body == full {
        return Ok(());
    }
    let body = String::from_utf8_lossy(&body);
    Err(format!("the answer is {} {answered_as} {body:?} instead of a full success", head.status).into())
}

fn compress(compression: Compression, body: Vec<u8>) -> Result<Vec<u8>, Failure> {
    Ok(match compression {
        Compression::None => body,
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(&body)?;
            encoder.finish()?
        }
        Compression::Zstd => zstd::encode_all(&body[..], 3)?,
    })
}
