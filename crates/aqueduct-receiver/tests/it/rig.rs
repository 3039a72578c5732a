//! A server under test, raw clients, and requests.

use aqueduct_exec::Spawner;
use aqueduct_receiver::{
    Accept, Answer, Entry, Incoming, ReceiveBudget, ReceiverConfig, RefuseReason, Reply, Server,
    ShutdownTrigger, StatsSnapshot,
};
use aqueduct_wire::Signal;
use aqueduct_wire::grpc;
use aqueduct_wire::rpc::{Code, Status};
use bytes::Bytes;
use h2::client::SendRequest;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(crate) const MIB: usize = 1 << 20;
/// Longer than anything here takes, so that a hang is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn config() -> ReceiverConfig {
    let mut config = ReceiverConfig::default();
    config.max_request_bytes = 4 * MIB;
    config
}

/// A server on a port of its own that keeps what it accepts.
pub(crate) struct Rig {
    pub(crate) server: Server,
    pub(crate) addr: SocketAddr,
    pub(crate) received: Arc<Mutex<Vec<Incoming>>>,
    pub(crate) trigger: ShutdownTrigger,
    serving: JoinHandle<()>,
}

impl Rig {
    pub(crate) async fn grpc() -> Rig {
        Rig::with(Entry::Grpc, config()).await
    }

    pub(crate) async fn http() -> Rig {
        Rig::with(Entry::Http, config()).await
    }

    pub(crate) async fn with(entry: Entry, config: ReceiverConfig) -> Rig {
        Rig::start(entry, config, 64 * MIB, |_| Answer::Accepted.into()).await
    }

    pub(crate) async fn answering(entry: Entry, answer: impl Fn() -> Reply + Send + Sync + 'static) -> Rig {
        Rig::start(entry, config(), 64 * MIB, move |_| answer()).await
    }

    pub(crate) async fn start(
        entry: Entry,
        config: ReceiverConfig,
        budget: usize,
        answer: impl Fn(&Incoming) -> Reply + Send + Sync + 'static,
    ) -> Rig {
        let received = Arc::new(Mutex::new(Vec::new()));
        let keep = received.clone();
        let handler = move |incoming: Incoming| {
            let reply = answer(&incoming);
            keep.lock().expect("no panic inside").push(incoming);
            reply
        };
        Rig::handled(entry, config, budget, received, Arc::new(handler)).await
    }

    /// With a handler that is more than a closure; what it received is its own affair.
    pub(crate) async fn handled(
        entry: Entry,
        config: ReceiverConfig,
        budget: usize,
        received: Arc<Mutex<Vec<Incoming>>>,
        handler: Arc<dyn Accept>,
    ) -> Rig {
        Rig::of(Server::new(config, ReceiveBudget::new(budget), handler), entry, received).await
    }

    /// With worker threads.
    pub(crate) async fn working(entry: Entry, workers: Spawner) -> Rig {
        let received = Arc::new(Mutex::new(Vec::new()));
        let keep = received.clone();
        let handler = move |incoming: Incoming| {
            keep.lock().expect("no panic inside").push(incoming);
            Reply::from(Answer::Accepted)
        };
        let budget = ReceiveBudget::new(64 * MIB);
        Rig::of(Server::with_workers(config(), budget, Arc::new(handler), workers), entry, received).await
    }

    async fn of(server: Server, entry: Entry, received: Arc<Mutex<Vec<Incoming>>>) -> Rig {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("is bound");
        let (trigger, shutdown) = ShutdownTrigger::new();
        let task = server.clone();
        let serving = tokio::spawn(async move { task.serve(listener, entry, shutdown).await });
        Rig { server, addr, received, trigger, serving }
    }

    pub(crate) fn stats(&self) -> StatsSnapshot {
        self.server.stats().snapshot()
    }

    /// What was counted as refused: reasons with how often.
    pub(crate) fn refused(&self) -> Vec<(RefuseReason, u64)> {
        let stats = self.stats();
        RefuseReason::ALL.into_iter().map(|r| (r, stats.refused(r))).filter(|(_, n)| *n > 0).collect()
    }

    pub(crate) fn received_items(&self) -> u64 {
        self.received.lock().expect("no panic inside").iter().map(|i| i.chunk.items()).sum()
    }

    /// Waits until something is so: for what the server does after its answer.
    pub(crate) async fn until(&self, what: &str, mut is: impl FnMut(&Rig) -> bool) {
        let waiting = async {
            while !is(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "{what} does not happen");
    }

    /// Stops the server, which every test ends with: nothing may be left open or reserved.
    pub(crate) async fn finish(self) {
        self.trigger.shut_down();
        tokio::time::timeout(PATIENCE, self.serving)
            .await
            .expect("the server ends")
            .expect("without a panic");
        assert_eq!(self.server.budget().used(), 0, "the budget is free at rest");
        assert_eq!(self.server.stats().snapshot().open_connections, 0);
    }

    pub(crate) async fn h2(&self) -> SendRequest<Bytes> {
        h2_client(self.addr).await
    }

    pub(crate) async fn http1(&self, bytes: impl AsRef<[u8]>) -> Answered {
        let mut client = Http1::connect(self.addr).await;
        client.send(bytes).await;
        client.answer().await
    }
}

/// A raw HTTP/2 client on a connection of its own.
pub(crate) async fn h2_client(addr: SocketAddr) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(addr).await.expect("connects");
    stream.set_nodelay(true).expect("is open");
    // A client with h2's default window takes a burst of more than 130 small answers for an attack.
    let handshake = h2::client::Builder::new().initial_connection_window_size(4 << 20).handshake(stream);
    let (send, connection) = handshake.await.expect("is HTTP/2");
    tokio::spawn(async move {
        let _ = connection.await;
    });
    send
}

/// An answer, of whichever protocol.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: http::HeaderMap,
}

impl Answered {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name).or_else(|| self.trailers.get(name))?;
        Some(value.to_str().expect("is ASCII"))
    }

    /// Code and message of gRPC; the HTTP status has to be 200.
    pub(crate) fn grpc(&self) -> (Code, String) {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/grpc"));
        let code = self.header("grpc-status").expect("has a status").parse().expect("is a code");
        let message = self.header("grpc-message").unwrap_or_default();
        (code, grpc::decode_message(message.as_bytes()))
    }

    pub(crate) fn details(&self) -> Option<Status> {
        grpc::decode_details(self.header("grpc-status-details-bin")?.as_bytes())
    }

    /// HTTP status and the `google.rpc.Status` of a protobuf answer.
    pub(crate) fn http(&self) -> (u16, Status) {
        assert_eq!(self.header("content-type"), Some("application/x-protobuf"), "{self:?}");
        (self.status, Status::decode(&self.body).expect("a status"))
    }

    pub(crate) fn is_grpc_success(&self) {
        assert_eq!(self.grpc(), (Code::Ok, String::new()), "{self:?}");
        assert_eq!(self.body, [0; 5]);
    }

    pub(crate) fn is_http_success(&self) {
        assert_eq!(
            (self.status, self.header("content-type")),
            (200, Some("application/x-protobuf")),
            "{self:?}"
        );
        assert_eq!(self.body, b"");
    }
}

/// An HTTP/2 request.
#[derive(Clone)]
pub(crate) struct Call {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    pieces: Vec<Bytes>,
}

impl Call {
    /// A gRPC export of these bytes, which get their prefix.
    pub(crate) fn export(signal: Signal, message: &[u8]) -> Call {
        Call::raw(signal.grpc_path(), &framed(message, false))
    }

    /// A gRPC call with exactly this body.
    pub(crate) fn raw(path: &str, body: &[u8]) -> Call {
        let pieces = if body.is_empty() { vec![] } else { vec![Bytes::copy_from_slice(body)] };
        Call {
            method: "POST",
            path: path.into(),
            headers: vec![("content-type", "application/grpc"), ("te", "trailers")],
            pieces,
        }
    }

    /// OTLP/HTTP over HTTP/2.
    pub(crate) fn http(path: &str, content_type: &'static str, body: &[u8]) -> Call {
        let mut call = Call::raw(path, body);
        call.headers = vec![("content-type", content_type)];
        call
    }

    pub(crate) fn method(mut self, method: &'static str) -> Call {
        self.method = method;
        self
    }

    /// Adds a header; one of the same name stays.
    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Call {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Call {
        self.headers.retain(|(n, _)| *n != name);
        self
    }

    /// Sends the body in pieces of this size.
    pub(crate) fn in_pieces(mut self, size: usize) -> Call {
        let body: Vec<u8> = self.pieces.concat();
        self.pieces = body.chunks(size).map(Bytes::copy_from_slice).collect();
        self
    }

    fn request(&self) -> http::Request<()> {
        let mut builder =
            http::Request::builder().method(self.method).uri(format!("http://localhost{}", self.path));
        for (name, value) in &self.headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).expect("is a request")
    }

    /// Begins the call and leaves the body open.
    pub(crate) async fn open(
        &self,
        send: &SendRequest<Bytes>,
    ) -> (h2::client::ResponseFuture, h2::SendStream<Bytes>) {
        let mut send = send.clone().ready().await.expect("is open");
        let (response, mut stream) = send.send_request(self.request(), false).expect("is open");
        for piece in &self.pieces {
            stream.send_data(piece.clone(), false).expect("is open");
        }
        (response, stream)
    }

    pub(crate) async fn send(&self, send: &SendRequest<Bytes>) -> Answered {
        self.try_send(send).await.expect("is answered")
    }

    pub(crate) async fn try_send(&self, send: &SendRequest<Bytes>) -> Result<Answered, h2::Error> {
        let mut send = send.clone().ready().await?;
        let (response, mut stream) = send.send_request(self.request(), self.pieces.is_empty())?;
        for (n, piece) in self.pieces.iter().enumerate() {
            // The server may have answered before all is sent.
            if stream.send_data(piece.clone(), n + 1 == self.pieces.len()).is_err() {
                break;
            }
        }
        answered(response).await
    }
}

pub(crate) async fn answered(response: h2::client::ResponseFuture) -> Result<Answered, h2::Error> {
    let reading = async {
        let (head, mut body) = response.await?.into_parts();
        let mut bytes = Vec::new();
        while let Some(piece) = body.data().await {
            let piece = piece?;
            body.flow_control().release_capacity(piece.len())?;
            bytes.extend_from_slice(&piece);
        }
        let trailers = body.trailers().await?.unwrap_or_default();
        Ok(Answered { status: head.status.as_u16(), headers: head.headers, body: bytes, trailers })
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("an answer in time")
}

/// A raw HTTP/1.1 client.
pub(crate) struct Http1 {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

impl Http1 {
    pub(crate) async fn connect(addr: SocketAddr) -> Http1 {
        let stream = TcpStream::connect(addr).await.expect("connects");
        stream.set_nodelay(true).expect("is open");
        Http1 { stream, buffer: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("is open");
    }

    /// The next answer.
    pub(crate) async fn answer(&mut self) -> Answered {
        let reading = async {
            let end = loop {
                if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                    break at;
                }
                assert!(self.fill().await, "closed before the end of the head: {:?}", self.text());
            };
            let head = String::from_utf8(self.buffer[..end].to_vec()).expect("is text");
            self.buffer.drain(..end + 4);
            let mut lines = head.split("\r\n");
            let status = lines.next().expect("has a line");
            let status =
                status.strip_prefix("HTTP/1.1 ").expect("is HTTP/1.1")[..3].parse().expect("is a number");
            let mut headers = http::HeaderMap::new();
            for line in lines {
                let (name, value) = line.split_once(':').expect("is a header");
                let name: http::HeaderName = name.parse().expect("is a name");
                headers.append(name, value.trim().parse().expect("is a value"));
            }
            let length = headers
                .get("content-length")
                .map_or(0, |value| value.to_str().expect("is ASCII").parse().expect("is a number"));
            while self.buffer.len() < length {
                assert!(self.fill().await, "closed before the end of the body");
            }
            let body = self.buffer.drain(..length).collect();
            Answered { status, headers, body, trailers: http::HeaderMap::new() }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("an answer in time")
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    async fn fill(&mut self) -> bool {
        let mut more = [0; 4096];
        let count = self.stream.read(&mut more).await.expect("no reset");
        self.buffer.extend_from_slice(&more[..count]);
        count > 0
    }

    /// Whether the server closes without another byte.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let mut more = [0; 100];
        let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut more)).await.expect("an end in time");
        self.buffer.is_empty() && matches!(read, Ok(0) | Err(_))
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// A POST in HTTP/1.1 with a length.
pub(crate) fn post(path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    [text.as_bytes(), b"\r\n", body].concat()
}

pub(crate) const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
#[cfg(feature = "json")]
pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");

/// A gRPC message with its prefix.
pub(crate) fn framed(message: &[u8], compressed: bool) -> Vec<u8> {
    [&grpc::prefix(message.len() as u32, compressed)[..], message].concat()
}

pub(crate) fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).expect("in memory");
    encoder.finish().expect("in memory")
}

/// Compressed with zstd, if the server under test knows it.
pub(crate) fn zstd(data: &[u8]) -> Option<Vec<u8>> {
    #[cfg(feature = "zstd")]
    return Some(zstd::encode_all(data, 1).expect("in memory"));
    #[cfg(not(feature = "zstd"))]
    {
        let _ = data;
        None
    }
}

/// A valid request of about this length.
pub(crate) fn sized(signal: Signal, bytes: usize) -> Vec<u8> {
    let each = request(signal, 1001, 1).len() - request(signal, 1, 1).len();
    request(signal, bytes / (each / 1000), 1)
}

/// A valid request of so many items; `seed` makes it one of its kind.
pub(crate) fn request(signal: Signal, items: usize, seed: u64) -> Vec<u8> {
    let attributes = || {
        let value = AnyValue { value: Some(any_value::Value::StringValue("v".repeat(20))) };
        vec![KeyValue { key: "some.attribute".into(), value: Some(value), ..Default::default() }]
    };
    let id = |n: usize| (seed * 1_000_003 + n as u64 + 1).to_be_bytes().to_vec();
    match signal {
        Signal::Traces => {
            let spans = (0..items).map(|n| Span {
                trace_id: [id(n), id(n)].concat(),
                span_id: id(n),
                name: "work".into(),
                attributes: attributes(),
                ..Default::default()
            });
            let scope = ScopeSpans { spans: spans.collect(), ..Default::default() };
            let resource = ResourceSpans { scope_spans: vec![scope], ..Default::default() };
            ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec()
        }
        Signal::Metrics => {
            let points = (0..items).map(|n| NumberDataPoint {
                time_unix_nano: seed + n as u64,
                attributes: attributes(),
                ..Default::default()
            });
            let data = Some(metric::Data::Gauge(Gauge { data_points: points.collect() }));
            let metric = Metric { name: "level".into(), data, ..Default::default() };
            let scope = ScopeMetrics { metrics: vec![metric], ..Default::default() };
            let resource = ResourceMetrics { scope_metrics: vec![scope], ..Default::default() };
            ExportMetricsServiceRequest { resource_metrics: vec![resource] }.encode_to_vec()
        }
        _ => {
            let records = (0..items).map(|n| LogRecord {
                time_unix_nano: seed + n as u64,
                attributes: attributes(),
                ..Default::default()
            });
            let scope = ScopeLogs { log_records: records.collect(), ..Default::default() };
            let resource = ResourceLogs { scope_logs: vec![scope], ..Default::default() };
            ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec()
        }
    }
}
