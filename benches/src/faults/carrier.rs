//! What carries the spans of the SDK's tracer: our processor, the SDK's with our exporter, or the SDK's with its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aqueduct_opentelemetry::{Aqueduct, Completion};
use aqueduct_pipeline::Preset;
use aqueduct_transport::{ClientConfig, Protocol};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter, TracerProviderBuilder};
use tokio::runtime::Runtime;

use super::job::{Carrier, Job, Told};
use crate::Failure;
use crate::sdk::stock_exporter;

/// A provider, and what stands behind it.
pub(super) struct Carried {
    pub(super) provider: SdkTracerProvider,
    behind: Behind,
}

enum Behind {
    Processor(Aqueduct),
    Exporter {
        telemetry: Aqueduct,
        given: Given,
    },
    /// In which the SDK's gRPC exporter has its connection.
    Stock {
        _runtime: Runtime,
    },
}

impl Carried {
    /// Completes a provider. The SDK's processor has its defaults, ours too but for what the job says.
    pub(super) fn new(
        carrier: Carrier,
        job: &Job,
        provider: TracerProviderBuilder,
    ) -> Result<Carried, Failure> {
        let provider = provider.with_resource(Resource::builder().with_service_name("checkout").build());
        let (provider, behind) = match carrier {
            Carrier::Processor => {
                let telemetry = telemetry(job)?;
                (provider.with_span_processor(telemetry.span_processor()), Behind::Processor(telemetry))
            }
            Carrier::OnEnqueue => exporting(provider, job, Completion::OnEnqueue)?,
            Carrier::OnDelivery => exporting(provider, job, Completion::OnDelivery)?,
            Carrier::Stock => stock(provider, job)?,
        };
        Ok(Carried { provider: provider.build(), behind })
    }

    /// Shuts down and adds what came of it. No span may be ended any more, of so many that were.
    pub(super) fn close(self, generated: u64, deadline: Instant, told: &mut Told) {
        let left = || deadline.saturating_duration_since(Instant::now());
        if let Behind::Exporter { telemetry, .. } = &self.behind
            && self.provider.force_flush().is_ok()
        {
            // The SDK's processor has nothing left. It would give its exporter 5 s to end, however long its own shutdown may take.
            telemetry.shutdown(left());
        }
        let ended = self.provider.shutdown_with_timeout(left());
        told.generated += generated;
        let telemetry = match &self.behind {
            // The books say what it did not deliver.
            Behind::Processor(telemetry) => telemetry,
            Behind::Exporter { telemetry, given } => {
                complain(ended);
                told.overflowed += generated.saturating_sub(given.spans());
                telemetry
            }
            Behind::Stock { .. } => return complain(ended),
        };
        let books = told.books.get_or_insert_default();
        for signal in telemetry.shutdown(left()).signals {
            books.add(&signal.lane);
            told.attempts += signal.lane.attempts;
            told.refused += signal.not_taken.iter().map(|(_, spans)| spans).sum::<u64>();
        }
    }
}

/// What could not be sent is missing in the sink, which is where losses are counted.
fn complain(ended: OTelSdkResult) {
    if let Err(error) = ended {
        eprintln!("the SDK's processor: {error}");
    }
}

fn telemetry(job: &Job) -> Result<Aqueduct, Failure> {
    let protocol = if job.http { Protocol::HttpProtobuf } else { Protocol::Grpc };
    let mut builder =
        Aqueduct::builder().variables(|_| None).endpoint(job.endpoint.clone()).protocol(protocol);
    if job.batch_items > 0 || job.compress_above > 0 {
        let mut preset = Preset::balanced();
        // A preset brings a time-out of its own; what was not asked for stays as it is without one.
        preset.export_timeout = ClientConfig::new(job.endpoint.clone(), protocol).timeout;
        if job.batch_items > 0 {
            preset.pipeline.batch = preset.pipeline.batch.with_max_items(job.batch_items);
        }
        if job.compress_above > 0 {
            preset.lane.compress_held_above = job.compress_above;
        }
        builder = builder.preset(preset);
    }
    if job.queue_bytes > 0 {
        // Of which spans have half.
        builder = builder.memory_limit(2 * job.queue_bytes);
    }
    Ok(builder.build()?)
}

fn exporting(
    provider: TracerProviderBuilder,
    job: &Job,
    completion: Completion,
) -> Result<(TracerProviderBuilder, Behind), Failure> {
    let telemetry = telemetry(job)?;
    let given = Given::default();
    let exporter =
        Counted { exporter: telemetry.span_exporter().completion(completion), given: given.clone() };
    Ok((provider.with_batch_exporter(exporter), Behind::Exporter { telemetry, given }))
}

fn stock(provider: TracerProviderBuilder, job: &Job) -> Result<(TracerProviderBuilder, Behind), Failure> {
    if job.http || job.queue_bytes > 0 || job.batch_items > 0 || job.compress_above > 0 {
        return Err("the stock SDK sends over gRPC, with its defaults".into());
    }
    let (exporter, runtime) = stock_exporter(&job.endpoint)?;
    Ok((provider.with_batch_exporter(exporter), Behind::Stock { _runtime: runtime }))
}

/// How many spans an exporter was given.
#[derive(Clone, Debug, Default)]
struct Given(Arc<AtomicU64>);

impl Given {
    fn spans(&self) -> u64 {
        // Relaxed: read when the thread that adds has ended.
        self.0.load(Ordering::Relaxed)
    }
}

/// Our exporter, with an eye on what it is given: what was ended besides is what the queue before it has lost.
#[derive(Debug)]
struct Counted {
    exporter: aqueduct_opentelemetry::SpanExporter,
    given: Given,
}

impl SpanExporter for Counted {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        self.given.0.fetch_add(batch.len() as u64, Ordering::Relaxed);
        self.exporter.export(batch)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
