//! Single requests by hand: what the gateway answers, to the letter.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use aqueduct_wire::{Signal, grpc};
use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;

use crate::Failure;

/// Nothing that is asked here may take longer, whatever state the gateway is in.
const PATIENCE: Duration = Duration::from_secs(5);

/// An answer over gRPC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrpcAnswer {
    /// `grpc-status`.
    pub code: u32,
    /// `grpc-message`, decoded.
    pub message: String,
    /// The delay of the `RetryInfo` in `grpc-status-details-bin`, if there is one.
    pub retry_info: Option<Duration>,
}

/// An answer over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

/// Exports one message of traces over gRPC, on a connection of its own.
///
/// # Errors
/// The gateway cannot be reached, does not answer in time, or answers what is not gRPC.
pub fn grpc(to: SocketAddr, message: &[u8]) -> Result<GrpcAnswer, Failure> {
    let mut framed = BytesMut::with_capacity(grpc::PREFIX_LEN + message.len());
    framed.put_slice(&grpc::prefix(u32::try_from(message.len())?, false));
    framed.put_slice(message);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { tokio::time::timeout(PATIENCE, call(to, framed.freeze())).await? })
}

async fn call(to: SocketAddr, framed: Bytes) -> Result<GrpcAnswer, Failure> {
    let stream = tokio::net::TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = h2::client::handshake(stream).await?;
    let connection = tokio::spawn(connection);
    let mut sender = sender.ready().await?;
    let request = http::Request::post(format!("http://{to}{}", Signal::Traces.grpc_path()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())?;
    let (answer, mut body) = sender.send_request(request, false)?;
    // The gateway may refuse before it has read everything; its answer says so better than this error.
    let _ = body.send_data(framed, true);
    let (head, mut body) = answer.await?.into_parts();
    while let Some(data) = body.data().await {
        let length = data?.len();
        body.flow_control().release_capacity(length)?;
    }
    let trailers = body.trailers().await?.unwrap_or_default();
    connection.abort();
    // An answer without a message carries its status in the head.
    let fields = if trailers.contains_key("grpc-status") { &trailers } else { &head.headers };
    status(fields)
}

fn status(fields: &HeaderMap) -> Result<GrpcAnswer, Failure> {
    let code = fields.get("grpc-status").ok_or("an answer without grpc-status")?.to_str()?.parse()?;
    let text = |name: &str| fields.get(name).map(http::HeaderValue::as_bytes);
    Ok(GrpcAnswer {
        code,
        message: text("grpc-message").map(grpc::decode_message).unwrap_or_default(),
        retry_info: text("grpc-status-details-bin")
            .and_then(grpc::decode_details)
            .and_then(|status| status.retry_delay),
    })
}

/// Posts one message of traces over HTTP/1.1, as protobuf.
///
/// # Errors
/// As [`grpc()`].
pub fn post(to: SocketAddr, message: &[u8]) -> Result<HttpAnswer, Failure> {
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-type: application/x-protobuf\r\n\
         content-length: {}\r\n\r\n",
        Signal::Traces.http_path(),
        message.len()
    );
    exchange(to, &[head.as_bytes(), message])
}

/// Gets a page over HTTP/1.1.
///
/// # Errors
/// As [`grpc()`].
pub fn get(from: SocketAddr, path: &str) -> Result<HttpAnswer, Failure> {
    let head = format!("GET {path} HTTP/1.1\r\nhost: {from}\r\nconnection: close\r\n\r\n");
    exchange(from, &[head.as_bytes()])
}

fn exchange(with: SocketAddr, request: &[&[u8]]) -> Result<HttpAnswer, Failure> {
    let mut stream = TcpStream::connect_timeout(&with, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    for part in request {
        stream.write_all(part)?;
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("an answer that is not HTTP")?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or("an answer without a status")?;
    let fields = lines.filter_map(|line| line.split_once(':'));
    Ok(HttpAnswer {
        status: status.parse()?,
        headers: fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect(),
        body: body.to_owned(),
    })
}
