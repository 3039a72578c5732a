//! A server that keeps what it receives: tonic's generated services and an axum server, neither of them ours.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_wire::Signal;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response as HttpResponse};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1 as logs;
use opentelemetry_proto::tonic::collector::metrics::v1 as metrics;
use opentelemetry_proto::tonic::collector::trace::v1 as trace;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::codec::CompressionEncoding::{Gzip, Zstd};
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::capture::{Arrival, Capture};
use super::client::{Doors, Protocol};
use super::json;
use super::message::Message;
use crate::Failure;

/// tonic refuses messages above 4 MiB unless told otherwise, and batches of several clients may exceed that.
const LARGEST_MESSAGE: usize = 64 << 20;

/// A running judge. It ends with the runtime.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) doors: Doors,
    capture: Arc<Capture>,
}

impl Judge {
    pub(super) fn start(runtime: &Runtime) -> Result<Judge, Failure> {
        let capture = Arc::<Capture>::default();
        let _entered = runtime.enter();
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?;
        let grpc = incoming.local_addr()?;
        let service = Service(Arc::clone(&capture));
        macro_rules! door {
            ($server:path) => {
                <$server>::new(service.clone())
                    .max_decoding_message_size(LARGEST_MESSAGE)
                    .accept_compressed(Gzip)
                    .accept_compressed(Zstd)
            };
        }
        let server = tonic::transport::Server::builder()
            .add_service(door!(trace::trace_service_server::TraceServiceServer<Service>))
            .add_service(door!(metrics::metrics_service_server::MetricsServiceServer<Service>))
            .add_service(door!(logs::logs_service_server::LogsServiceServer<Service>))
            .serve_with_incoming(incoming);
        let complaints = Arc::clone(&capture);
        runtime.spawn(async move {
            if let Err(error) = server.await {
                complaints.complain(format!("the gRPC judge ended: {error}"));
            }
        });

        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let http = listener.local_addr()?;
        let router = axum::Router::new()
            .route("/v1/{signal}", axum::routing::post(receive))
            .layer(DefaultBodyLimit::max(LARGEST_MESSAGE))
            .with_state(Arc::clone(&capture));
        let complaints = Arc::clone(&capture);
        runtime.spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                complaints.complain(format!("the HTTP judge ended: {error}"));
            }
        });
        Ok(Judge { doors: Doors { grpc, http }, capture })
    }

    /// Waits until at least this many items of a signal are here, or the time is over.
    pub(super) fn wait(&self, signal: Signal, count: u64, patience: Duration) {
        self.capture.wait(signal, count, patience);
    }

    /// Takes what has arrived of a signal, and what could not be read.
    pub(super) fn take(&self, signal: Signal) -> (Vec<Arrival>, Vec<String>) {
        self.capture.take(signal)
    }
}

/// The three gRPC services.
#[derive(Clone, Debug)]
struct Service(Arc<Capture>);

impl Service {
    fn keep(&self, metadata: &MetadataMap, message: Message) {
        let text = |name: &str| metadata.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let encoding = text("grpc-encoding").trim_start_matches("identity").to_owned();
        let (content_type, user_agent) = (text("content-type").to_owned(), text("user-agent").to_owned());
        self.0.add(Arrival { message, content_type, encoding, user_agent });
    }
}

macro_rules! service {
    ($service:path, $request:ty, $response:ty, $signal:path) => {
        #[tonic::async_trait]
        impl $service for Service {
            async fn export(&self, request: Request<$request>) -> Result<Response<$response>, Status> {
                let (metadata, _, message) = request.into_parts();
                self.keep(&metadata, $signal(message));
                Ok(Response::new(Default::default()))
            }
        }
    };
}
service!(
    trace::trace_service_server::TraceService,
    trace::ExportTraceServiceRequest,
    trace::ExportTraceServiceResponse,
    Message::Traces
);
service!(
    metrics::metrics_service_server::MetricsService,
    metrics::ExportMetricsServiceRequest,
    metrics::ExportMetricsServiceResponse,
    Message::Metrics
);
service!(
    logs::logs_service_server::LogsService,
    logs::ExportLogsServiceRequest,
    logs::ExportLogsServiceResponse,
    Message::Logs
);

async fn receive(
    State(capture): State<Arc<Capture>>,
    Path(signal): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResponse {
    match read(&signal, &headers, &body) {
        Ok(arrival) => {
            // An empty response message, in the encoding of the request.
            let answer = if arrival.content_type == Protocol::HttpJson.content_type() { "{}" } else { "" };
            let content_type = [(axum::http::header::CONTENT_TYPE, arrival.content_type.clone())];
            capture.add(arrival);
            (content_type, answer).into_response()
        }
        Err(failure) => {
            let complaint = format!("/v1/{signal}: {failure}");
            capture.complain(complaint.clone());
            (StatusCode::BAD_REQUEST, complaint).into_response()
        }
    }
}

fn read(signal: &str, headers: &HeaderMap, body: &Bytes) -> Result<Arrival, Failure> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signal: Signal = signal.parse().map_err(|_| format!("{signal} is no signal"))?;
    let encoding = text("content-encoding").to_owned();
    let mut plain = Vec::new();
    match encoding.as_str() {
        "" => plain.extend_from_slice(body),
        "gzip" => drop(flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain)?),
        "zstd" => plain = zstd::decode_all(&body[..])?,
        other => return Err(format!("content-encoding {other}").into()),
    }
    let content_type = text("content-type").to_owned();
    let message = if content_type == Protocol::HttpJson.content_type() {
        json::read(signal, &plain)?
    } else if content_type == Protocol::HttpProtobuf.content_type() {
        Message::decode(signal, &plain)?
    } else {
        return Err(format!("content-type {content_type}").into());
    };
    Ok(Arrival { message, content_type, encoding, user_agent: text("user-agent").to_owned() })
}
