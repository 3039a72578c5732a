//! The handle.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_pipeline::{Pipeline, WaitError};
use aqueduct_sampling::TraceIdRatio;
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::BaggagePropagator;
use opentelemetry_sdk::trace::SpanLimits;

use crate::builder::Builder;
use crate::env::{PropagatorSetting, Settings};
use crate::error::BuildError;
use crate::health::Health;
use crate::ids::RandomIds;
use crate::inner::Inner;
use crate::log::{LogExporter, LogProcessor};
use crate::metric::MetricExporter;
use crate::propagator::Propagator;
use crate::report::Report;
use crate::sampler::{Sampler, SamplerSetting};
use crate::span::{SpanExporter, SpanProcessor};
use crate::tail::{LocalTailConfig, LocalTailError, LocalTailProcessor};

/// The way of a program's telemetry to its collector: what the SDK's providers are given comes from here, and here it is flushed, looked at and ended.
///
/// One handle serves all three signals. A signal that is used has a pipeline, which is made when the first processor or exporter of it is; the pipelines share
/// a thread, and the connections too where they send to the same place. Clone it (a reference count) to wherever it is needed.
///
/// When the last of the handle, its clones, its processors and its exporters is dropped, what is still held is delivered, for at most
/// [`Builder::drop_deadline`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use opentelemetry::trace::{Tracer, TracerProvider};
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// # let peer = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
/// # let server = peer.block_on(aqueduct_testkit::ScriptedPeer::start())?;
/// # let endpoint = server.http_endpoint();
/// let telemetry = aqueduct_opentelemetry::Aqueduct::builder().service_name("shop").endpoint(endpoint).build()?;
/// let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
///
/// provider.tracer("till").in_span("sale", |_| ());
///
/// let report = telemetry.shutdown(Duration::from_secs(5));
/// assert_eq!((report.complete, report.delivered(), report.lost()), (true, 1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "OTEL_SDK_DISABLED")]
#[doc(alias = "OTEL_SERVICE_NAME")]
#[doc(alias = "OTEL_BSP_MAX_QUEUE_SIZE")]
#[doc(alias = "TracerProvider")]
#[doc(alias = "opentelemetry_otlp")]
pub struct Aqueduct {
    pub(crate) inner: Arc<Inner>,
    settings: Arc<Settings>,
    sampler: Option<SamplerSetting>,
    propagators: Arc<[PropagatorSetting]>,
}

impl Aqueduct {
    pub(crate) fn new(
        inner: Inner,
        settings: Settings,
        sampler: Option<SamplerSetting>,
        propagators: &[PropagatorSetting],
    ) -> Aqueduct {
        Aqueduct {
            inner: Arc::new(inner),
            settings: Arc::new(settings),
            sampler,
            propagators: propagators.into(),
        }
    }

    /// A handle as the environment says: `Aqueduct::builder().build()`.
    ///
    /// # Errors
    ///
    /// As [`Builder::build`]. A variable that makes no sense is no error: it is ignored, and told by [`Aqueduct::settings`].
    pub fn from_env() -> Result<Aqueduct, BuildError> {
        Builder::new().build()
    }

    /// Begins a handle. What the program says comes before what the environment says, and that before the defaults.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A span processor, for `SdkTracerProvider::builder().with_span_processor(..)`.
    #[must_use]
    pub fn span_processor(&self) -> SpanProcessor {
        SpanProcessor::new(&self.inner)
    }

    /// The same behind a tail sampler: local traces with errors and slow ones leave in full, and a share of the others, when their local root has ended.
    ///
    /// What it holds is its own until then: [`flush`](Self::flush) and [`shutdown`](Self::shutdown) do not deliver it, but say how much it is
    /// ([`Report::held_in_tails`]), and `otel.sdk.span.live` counts it as live. Flush and
    /// end the provider, which decides it, and then the handle.
    ///
    /// # Errors
    ///
    /// A policy or a limit that cannot be meant.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use aqueduct_opentelemetry::{Aqueduct, LocalTailConfig};
    /// use opentelemetry_sdk::trace::SdkTracerProvider;
    ///
    /// let telemetry = Aqueduct::from_env()?;
    /// let keep = LocalTailConfig::new(Duration::from_secs(1), 0.05);
    /// let provider = SdkTracerProvider::builder().with_span_processor(telemetry.local_tail(&keep)?).build();
    /// // ... the program ...
    /// provider.shutdown()?;
    /// telemetry.shutdown(Duration::from_secs(5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn local_tail(
        &self,
        config: &LocalTailConfig,
    ) -> Result<LocalTailProcessor<SpanProcessor>, LocalTailError> {
        let processor = LocalTailProcessor::new(self.span_processor(), config)?.counted(&self.inner);
        self.inner.tails.add(&processor.tail());
        Ok(processor)
    }

    /// A log processor, for `SdkLoggerProvider::builder().with_log_processor(..)`.
    #[must_use]
    pub fn log_processor(&self) -> LogProcessor {
        LogProcessor::new(&self.inner)
    }

    /// An exporter of metrics, for `SdkMeterProvider::builder().with_periodic_exporter(..)`.
    #[must_use]
    pub fn metric_exporter(&self) -> MetricExporter {
        MetricExporter::new(&self.inner)
    }

    /// An exporter of spans, for those who keep the SDK's processors: `SdkTracerProvider::builder().with_batch_exporter(..)`.
    #[must_use]
    pub fn span_exporter(&self) -> SpanExporter {
        SpanExporter::new(&self.inner)
    }

    /// An exporter of log records, for those who keep the SDK's processors: `SdkLoggerProvider::builder().with_batch_exporter(..)`.
    #[must_use]
    pub fn log_exporter(&self) -> LogExporter {
        LogExporter::new(&self.inner)
    }

    /// The resource as it is configured, for the providers' `with_resource`. They need not be given it: what they do not know is added to theirs.
    #[must_use]
    pub fn resource(&self) -> Resource {
        self.inner.resource().clone()
    }

    /// The limits on counts, for `SdkTracerProvider::builder().with_span_limits(..)`. The SDK has limits of its own, which apply before ours: without these
    /// it cuts at 128 what may be larger here.
    #[must_use]
    pub fn span_limits(&self) -> SpanLimits {
        let limits = &self.inner.limits;
        SpanLimits {
            max_events_per_span: limits.span_events,
            max_attributes_per_span: limits.span_attributes,
            max_links_per_span: limits.span_links,
            max_attributes_per_event: limits.event_attributes,
            max_attributes_per_link: limits.link_attributes,
        }
    }

    /// The sampler that the environment names, for `SdkTracerProvider::builder().with_sampler(..)`; without it `parentbased_always_on`, as the specification has it.
    #[must_use]
    pub fn sampler(&self) -> Sampler {
        let keep_all = || Sampler::new(TraceIdRatio::new(1.0)).erased();
        // What has no sampler is a share that no variable can say.
        self.sampler_setting().unwrap_or_default().sampler().unwrap_or_else(|_| keep_all())
    }

    /// What the environment says about the sampler, if it does.
    #[must_use]
    pub fn sampler_setting(&self) -> Option<SamplerSetting> {
        self.sampler
    }

    /// A generator of ids, for `SdkTracerProvider::builder().with_id_generator(..)`: random as the W3C's level 2 has it, and others in a forked child.
    #[must_use]
    pub fn id_generator(&self) -> RandomIds {
        RandomIds::default()
    }

    /// The propagators that the environment names, for `opentelemetry::global::set_text_map_propagator(..)`; without it trace context and baggage.
    #[must_use]
    pub fn propagator(&self) -> TextMapCompositePropagator {
        let propagators =
            self.propagators.iter().map(|setting| -> Box<dyn TextMapPropagator + Send + Sync> {
                match setting {
                    PropagatorSetting::TraceContext => Box::new(Propagator::new()),
                    PropagatorSetting::Baggage => Box::new(BaggagePropagator::new()),
                }
            });
        TextMapCompositePropagator::new(propagators.collect())
    }

    /// What the environment says about propagators; without it trace context and baggage.
    #[must_use]
    pub fn propagators(&self) -> &[PropagatorSetting] {
        &self.propagators
    }

    /// What was read from the environment, what was not, and why.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How the pipelines are that were needed so far: one entry each. Takes some locks for moments; for pages and checks.
    #[must_use]
    pub fn health(&self) -> Health {
        Health { lanes: self.inner.pipelines().flat_map(|pipeline| pipeline.health().lanes).collect() }
    }

    /// Waits until everything that was handed over before is delivered, or dropped with a reason, for at most this long. From any thread, inside any
    /// runtime or none.
    pub fn flush(&self, deadline: Duration) -> Report {
        self.inner.wait(deadline, Pipeline::flush)
    }

    /// As [`flush`](Self::flush), for asynchronous code on any runtime. What is to be flushed is decided by the call; the future waits, and ends by the deadline.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing but that nobody waits.
    pub fn flush_async(&self, deadline: Duration) -> impl Future<Output = Report> + Send + use<> {
        let start = Instant::now();
        let inner = Arc::clone(&self.inner);
        let begun: Vec<_> = inner.pipelines().map(|pipeline| pipeline.flush_async(deadline)).collect();
        async move {
            let (mut complete, mut error) = (true, None::<WaitError>);
            for flush in begun {
                match flush.await {
                    Ok(report) => complete &= report.complete,
                    Err(why) => (complete, error) = (false, Some(why)),
                }
            }
            inner.report(complete, start, error)
        }
    }

    /// Takes nothing more, delivers what is held, and ends. What could not be delivered by the deadline is dropped and counted. From any thread, inside any
    /// runtime or none. A second call returns at once.
    ///
    /// Local tails ([`local_tail`](Self::local_tail)) are the provider's: what they still hold makes the report incomplete, see [`Report::held_in_tails`].
    pub fn shutdown(&self, deadline: Duration) -> Report {
        let mut report = self.inner.wait(deadline, Pipeline::shutdown);
        report.complete &= report.held_in_tails == 0;
        report
    }
}
