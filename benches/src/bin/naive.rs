//! The naive proxy: what a developer would write first with the generated services of `opentelemetry-proto`.
//!
//! tonic decodes each request into structs, a task per signal collects them into batches of 8192 items or 200 ms, and the
//! generated client encodes and exports. It answers when the items are in the batch queue, as the gateway does by default.
//! Equal terms: the same allocator, one thread, `TCP_NODELAY` on both sides, windows and frames of the same size, eight
//! exports in flight; no retries.
//!
//! `naive --listen ADDR --to ADDR [--gzip]`; `--gzip` accepts and sends gzip at tonic's level (6).
//! The first line on standard error is `listening on ADDR`.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1 as logs;
use opentelemetry_proto::tonic::collector::metrics::v1 as metrics;
use opentelemetry_proto::tonic::collector::trace::v1 as trace;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, metric};
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::transport::Channel;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH_ITEMS: usize = 8192;
const BATCH_AGE: Duration = Duration::from_millis(200);
const IN_FLIGHT: usize = 8;
/// tonic refuses messages above 4 MiB unless told otherwise.
const LARGEST_MESSAGE: usize = 64 << 20;

struct Intake<R>(mpsc::Sender<Vec<R>>);

impl<R> Intake<R> {
    async fn put(&self, resources: Vec<R>) -> Result<(), Status> {
        self.0.send(resources).await.map_err(|_| Status::unavailable("the batch task ended"))
    }
}

#[tonic::async_trait]
impl trace::trace_service_server::TraceService for Intake<ResourceSpans> {
    async fn export(
        &self,
        request: Request<trace::ExportTraceServiceRequest>,
    ) -> Result<Response<trace::ExportTraceServiceResponse>, Status> {
        self.put(request.into_inner().resource_spans).await?;
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl metrics::metrics_service_server::MetricsService for Intake<ResourceMetrics> {
    async fn export(
        &self,
        request: Request<metrics::ExportMetricsServiceRequest>,
    ) -> Result<Response<metrics::ExportMetricsServiceResponse>, Status> {
        self.put(request.into_inner().resource_metrics).await?;
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl logs::logs_service_server::LogsService for Intake<ResourceLogs> {
    async fn export(
        &self,
        request: Request<logs::ExportLogsServiceRequest>,
    ) -> Result<Response<logs::ExportLogsServiceResponse>, Status> {
        self.put(request.into_inner().resource_logs).await?;
        Ok(Response::new(Default::default()))
    }
}

fn spans(resource: &ResourceSpans) -> usize {
    resource.scope_spans.iter().map(|scope| scope.spans.len()).sum()
}

fn log_records(resource: &ResourceLogs) -> usize {
    resource.scope_logs.iter().map(|scope| scope.log_records.len()).sum()
}

fn data_points(resource: &ResourceMetrics) -> usize {
    let all = resource.scope_metrics.iter().flat_map(|scope| &scope.metrics);
    all.map(|metric| match &metric.data {
        Some(metric::Data::Gauge(data)) => data.data_points.len(),
        Some(metric::Data::Sum(data)) => data.data_points.len(),
        Some(metric::Data::Histogram(data)) => data.data_points.len(),
        Some(metric::Data::ExponentialHistogram(data)) => data.data_points.len(),
        Some(metric::Data::Summary(data)) => data.data_points.len(),
        None => 0,
    })
    .sum()
}

/// Starts the batch task of one signal.
fn batch<R, F>(count: fn(&R) -> usize, export: impl Fn(Vec<R>) -> F + Send + 'static) -> Intake<R>
where
    R: Send + 'static,
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    let (sender, mut receiver) = mpsc::channel::<Vec<R>>(1024);
    let permits = Arc::new(Semaphore::new(IN_FLIGHT));
    tokio::spawn(async move {
        let (mut batch, mut items, mut deadline) = (Vec::new(), 0, Instant::now());
        loop {
            let arrived = if items == 0 {
                receiver.recv().await
            } else {
                // Past the deadline the batch goes; nothing that has arrived is lost, it stays in the channel.
                tokio::time::timeout_at(deadline, receiver.recv()).await.unwrap_or(Some(Vec::new()))
            };
            let Some(resources) = arrived else { return };
            if items == 0 {
                deadline = Instant::now() + BATCH_AGE;
            }
            items += resources.iter().map(count).sum::<usize>();
            batch.extend(resources);
            if items >= BATCH_ITEMS || (items > 0 && Instant::now() >= deadline) {
                let Ok(permit) = permits.clone().acquire_owned().await else { return };
                let sending = export(std::mem::take(&mut batch));
                items = 0;
                tokio::spawn(async move {
                    if let Err(status) = sending.await {
                        eprintln!("naive: a batch was lost: {status}");
                    }
                    drop(permit);
                });
            }
        }
    });
    Intake(sender)
}

async fn run(listen: SocketAddr, to: SocketAddr, gzip: bool) -> Result<(), Box<dyn Error>> {
    let channel = Channel::from_shared(format!("http://{to}"))?.tcp_nodelay(true).connect().await?;

    let mut client = trace::trace_service_client::TraceServiceClient::new(channel.clone());
    if gzip {
        client = client.send_compressed(Gzip);
    }
    let intake = batch(spans, move |resource_spans| {
        let mut client = client.clone();
        async move { client.export(trace::ExportTraceServiceRequest { resource_spans }).await.map(drop) }
    });
    let trace = trace::trace_service_server::TraceServiceServer::new(intake)
        .max_decoding_message_size(LARGEST_MESSAGE)
        .accept_compressed(Gzip);

    let mut client = metrics::metrics_service_client::MetricsServiceClient::new(channel.clone());
    if gzip {
        client = client.send_compressed(Gzip);
    }
    let intake = batch(data_points, move |resource_metrics| {
        let mut client = client.clone();
        async move { client.export(metrics::ExportMetricsServiceRequest { resource_metrics }).await.map(drop) }
    });
    let metrics = metrics::metrics_service_server::MetricsServiceServer::new(intake)
        .max_decoding_message_size(LARGEST_MESSAGE)
        .accept_compressed(Gzip);

    let mut client = logs::logs_service_client::LogsServiceClient::new(channel);
    if gzip {
        client = client.send_compressed(Gzip);
    }
    let intake = batch(log_records, move |resource_logs| {
        let mut client = client.clone();
        async move { client.export(logs::ExportLogsServiceRequest { resource_logs }).await.map(drop) }
    });
    let logs = logs::logs_service_server::LogsServiceServer::new(intake)
        .max_decoding_message_size(LARGEST_MESSAGE)
        .accept_compressed(Gzip);

    let incoming = TcpIncoming::bind(listen)?.with_nodelay(Some(true));
    eprintln!("listening on {}", incoming.local_addr()?);
    tonic::transport::Server::builder()
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .max_frame_size(Some(256 * 1024))
        .add_service(trace)
        .add_service(metrics)
        .add_service(logs)
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut listen, mut to, mut gzip) = (None, None, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--listen" => listen = arguments.next(),
            "--to" => to = arguments.next(),
            "--gzip" => gzip = true,
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    let listen: SocketAddr = listen.ok_or("--listen is missing")?.parse()?;
    let to: SocketAddr = to.ok_or("--to is missing")?.parse()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(listen, to, gzip))
}
