//! Against a server made of tonic and the generated code of `opentelemetry-proto`: what it decodes is what was encoded.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aqueduct_transport::{Client, Compression, Outcome, Protocol};
use aqueduct_wire::{Chunk, Merger, Signal};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tonic::codec::CompressionEncoding;
use tonic::{Request, Response, Status};

use crate::batches::config;

/// Keeps what it gets; a request whose first span is called `partial` is accepted in part, `busy` is refused.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sink {
    pub(crate) traces: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    logs: Arc<Mutex<Vec<ExportLogsServiceRequest>>>,
    metrics: Arc<Mutex<Vec<ExportMetricsServiceRequest>>>,
}

#[tonic::async_trait]
impl TraceService for Sink {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let request = request.into_inner();
        let name = request.resource_spans[0].scope_spans[0].spans[0].name.clone();
        self.traces.lock().expect("not poisoned").push(request);
        match name.as_str() {
            "partial" => Ok(Response::new(ExportTraceServiceResponse {
                partial_success: Some(ExportTracePartialSuccess {
                    rejected_spans: 1,
                    error_message: "old".into(),
                }),
            })),
            "busy" => Err(Status::unavailable("süß 100%")),
            _ => Ok(Response::new(ExportTraceServiceResponse::default())),
        }
    }
}

#[tonic::async_trait]
impl LogsService for Sink {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.logs.lock().expect("not poisoned").push(request.into_inner());
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Sink {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.metrics.lock().expect("not poisoned").push(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

impl Sink {
    /// Serves on a free port.
    pub(crate) async fn start(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
        macro_rules! service {
            ($server:ident) => {
                $server::new(self.clone())
                    .accept_compressed(CompressionEncoding::Gzip)
                    .accept_compressed(CompressionEncoding::Zstd)
                    .send_compressed(CompressionEncoding::Gzip)
            };
        }
        let server = tonic::transport::Server::builder()
            .add_service(service!(TraceServiceServer))
            .add_service(service!(LogsServiceServer))
            .add_service(service!(MetricsServiceServer));
        tokio::spawn(server.serve_with_incoming(incoming));
        address
    }
}

pub(crate) fn spans(names: &[&str]) -> ExportTraceServiceRequest {
    let spans = names.iter().map(|name| Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: (*name).to_owned(),
        ..Span::default()
    });
    let scope_spans = vec![ScopeSpans { spans: spans.collect(), ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }
}

pub(crate) fn chunk(signal: Signal, items: u64, message: &impl Message) -> Chunk {
    Chunk::from_valid(signal, items, message.encode_to_vec().into())
}

/// Guards the whole way: batches merged from requests are, to tonic and prost, the concatenation of those requests.
#[tokio::test]
async fn tonic_server() {
    let sink = Sink::default();
    let address = sink.start().await;
    for codec in [Compression::None, Compression::Gzip(1), Compression::Zstd(1)] {
        let mut config = config(address, Protocol::Grpc);
        config.compression = codec;
        let client = Client::new(config).expect("valid");

        let mut merger = Merger::new(Signal::Traces);
        let requests: Vec<_> = (0..50).map(|n| spans(&["a", &format!("span {n}")])).collect();
        requests.iter().for_each(|request| merger.push(chunk(Signal::Traces, 2, request)));
        assert_eq!(client.send(&client.prepare(&merger.finish())).await, Outcome::Delivered);
        let arrived = sink.traces.lock().expect("not poisoned").pop().expect("one request");
        let whole: Vec<_> = requests.into_iter().flat_map(|request| request.resource_spans).collect();
        assert_eq!(arrived.resource_spans, whole);

        let record = LogRecord { severity_text: "INFO ".repeat(50), ..LogRecord::default() };
        let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
        let logs = ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }],
        };
        let mut merger = Merger::new(Signal::Logs);
        merger.push(chunk(Signal::Logs, 1, &logs));
        assert_eq!(client.send(&client.prepare(&merger.finish())).await, Outcome::Delivered);
        assert_eq!(sink.logs.lock().expect("not poisoned").pop(), Some(logs));

        let metric = Metric { name: "requests ".repeat(50), ..Metric::default() };
        let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }];
        let metrics = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }],
        };
        let mut merger = Merger::new(Signal::Metrics);
        merger.push(chunk(Signal::Metrics, 1, &metrics));
        assert_eq!(client.send(&client.prepare(&merger.finish())).await, Outcome::Delivered);
        assert_eq!(sink.metrics.lock().expect("not poisoned").pop(), Some(metrics));
    }
}

/// Guards the reading of answers that tonic writes.
#[tokio::test]
async fn tonic_answers() {
    let address = Sink::default().start().await;
    let client = crate::batches::client(address, Protocol::Grpc);
    let send = async |name: &str| {
        let mut merger = Merger::new(Signal::Traces);
        merger.push(chunk(Signal::Traces, 1, &spans(&[name])));
        client.send(&client.prepare(&merger.finish())).await
    };
    assert_eq!(send("partial").await, Outcome::Partial { rejected: 1, message: "old".into() });
    let failure = crate::batches::retry(send("busy").await);
    assert_eq!(failure.to_string(), "status UNAVAILABLE: süß 100%");
}
