//! Building a handle: what the program says.

mod assemble;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_pipeline::{Destination, Notice, NoticeHandler, PipelineConfig, Preset};
use aqueduct_transport::{ClientConfig, Protocol, RetryPolicy};
use aqueduct_wire::Signal;
use aqueduct_wire::encode::ValueRef;
use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLogRecord;
use opentelemetry_sdk::trace::SpanData;

use crate::cardinality::CardinalityLimiter;
use crate::env::{Lookup, masked};
use crate::limits::Limits;
use crate::log::LogFilter;
use crate::redact::{Redaction, Redactor};
use crate::span::{SpanFilter, Verdict};
use crate::temporality::TemporalityPreference;

/// Builds an [`Aqueduct`](crate::Aqueduct); see [`Aqueduct::builder`](crate::Aqueduct::builder).
#[must_use]
pub struct Builder {
    variables: Box<Lookup>,
    resource: Option<Resource>,
    service_name: Option<String>,
    client: Option<ClientConfig>,
    endpoint: Option<String>,
    protocol: Option<Protocol>,
    destination: Option<Arc<Destination>>,
    retry: RetryPolicy,
    preset: Option<Preset>,
    memory_limit: Option<u64>,
    limits: Option<Limits>,
    temporality: Option<TemporalityPreference>,
    flush_timeout: Option<Duration>,
    drop_deadline: Duration,
    notices: Option<NoticeHandler>,
    redactor: Redactor,
    span_filter: SpanFilter,
    log_filter: LogFilter,
    export_unsampled: bool,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            // It may hold credentials, though it is refused then.
            .field("endpoint", &self.endpoint.as_deref().map(masked))
            .field("protocol", &self.protocol)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Builder {
    pub(crate) fn new() -> Builder {
        Builder {
            // One that is not UTF-8 counts as not set.
            variables: Box::new(|name| std::env::var(name).ok()),
            resource: None,
            service_name: None,
            client: None,
            endpoint: None,
            protocol: None,
            destination: None,
            retry: RetryPolicy::default(),
            preset: None,
            memory_limit: None,
            limits: None,
            temporality: None,
            flush_timeout: None,
            drop_deadline: PipelineConfig::default().drop_deadline,
            notices: None,
            redactor: Redactor::default(),
            span_filter: SpanFilter::default(),
            log_filter: LogFilter::default(),
            export_unsampled: false,
        }
    }

    /// Asks this function for environment variables instead of the process: `|_| None` for a handle that no variable changes.
    pub fn variables(mut self, lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.variables = Box::new(lookup);
        self
    }

    /// `service.name`. Before `OTEL_SERVICE_NAME`.
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.service_name = Some(name.into());
        self
    }

    /// Adds the attributes of this resource. They come before those of `OTEL_RESOURCE_ATTRIBUTES`, and what a provider says before these.
    pub fn resource(mut self, resource: Resource) -> Self {
        self.resource = Some(resource);
        self
    }

    /// Where the collector is, for all signals: for HTTP the URL to which `/v1/<signal>` is appended. Before `OTEL_EXPORTER_OTLP_ENDPOINT` and its variants
    /// for single signals.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// How OTLP is spoken, for all signals. Before `OTEL_EXPORTER_OTLP_PROTOCOL`; an endpoint that is not said either is then the usual one of the protocol.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// All there is to say about the client, for all signals. No variable `OTEL_EXPORTER_OTLP_*` is looked at then.
    pub fn client(mut self, config: ClientConfig) -> Self {
        self.client = Some(config);
        self
    }

    /// Sends all signals through this instead of an OTLP client: an exporter of one's own.
    pub fn destination(mut self, destination: Arc<Destination>) -> Self {
        self.destination = Some(destination);
        self
    }

    /// How failed requests are tried again. What is retried is kept for as long as the memory limit has room for it.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Batches, memory and time-outs that belong together, for each signal; see [`Preset`]. Before `OTEL_BSP_*`, `OTEL_BLRP_*` and
    /// `OTEL_EXPORTER_OTLP_TIMEOUT`. Default: the batches and the memory of [`Preset::balanced`], with the time-out of the specification, 10 s, all of which those variables
    /// change. A preset that is given brings its own time-out: 30 s, if it was not changed.
    pub fn preset(mut self, preset: Preset) -> Self {
        self.preset = Some(preset);
        self
    }

    /// Bytes of encoded telemetry that are held at most, over all signals: half of it for traces, three eighths for logs, an eighth for metrics.
    /// Before `OTEL_BSP_MAX_QUEUE_SIZE` and `OTEL_BLRP_MAX_QUEUE_SIZE`. Default 64 MiB.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// How much of an item is kept. Before the variables for limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// What metrics are relative to. Before `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`. Default cumulative.
    pub fn temporality(mut self, preference: TemporalityPreference) -> Self {
        self.temporality = Some(preference);
        self
    }

    /// How long a flush takes at most that nobody gives a deadline, which is what a provider's `force_flush` asks for. Before `OTEL_BSP_EXPORT_TIMEOUT` and
    /// `OTEL_BLRP_EXPORT_TIMEOUT`. Default 30 s.
    pub fn flush_timeout(mut self, timeout: Duration) -> Self {
        self.flush_timeout = Some(timeout);
        self
    }

    /// How long the end of a handle that was not shut down may take to deliver what is held. Default 5 s.
    pub fn drop_deadline(mut self, deadline: Duration) -> Self {
        self.drop_deadline = deadline;
        self
    }

    /// Sends notices here: that a destination fails, that items are dropped. One for each cause now and then, with totals. Called on the pipelines' thread.
    pub fn notices(mut self, handler: impl Fn(Signal, &str, &Notice) + Send + Sync + 'static) -> Self {
        self.notices = Some(Arc::new(handler));
        self
    }

    /// Decides about each span that is to be exported, before it is encoded, and may change it: it is the processor's own. Spans of a trace are decided one by
    /// one, so that the children of one that is left out have no parent. There is one filter: the last that was given.
    ///
    /// ```
    /// use aqueduct_opentelemetry::{Aqueduct, Verdict};
    ///
    /// let builder = Aqueduct::builder()
    ///     .filter_spans(|span| if span.name == "/healthz" { Verdict::Drop } else { Verdict::Export });
    /// # let _ = builder;
    /// ```
    pub fn filter_spans(mut self, filter: impl Fn(&mut SpanData) -> Verdict + Send + Sync + 'static) -> Self {
        self.span_filter = SpanFilter::new(filter);
        self
    }

    /// Decides about each log record, before it is encoded. There is one filter: the last that was given.
    pub fn filter_logs(
        mut self,
        filter: impl Fn(&SdkLogRecord, &InstrumentationScope) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        self.log_filter = LogFilter::new(filter);
        self
    }

    /// Decides about each attribute of spans, their events and links, and log records as it is encoded, by its key and its value after limits: also
    /// within maps, and about the body of a log record under the key `log.body`. A list is one value. There is one redactor: the last that was given.
    ///
    /// ```
    /// use aqueduct_opentelemetry::{Aqueduct, Redaction};
    ///
    /// let builder = Aqueduct::builder().redact(|key, _| match key {
    ///     "http.request.header.authorization" => Redaction::Omit,
    ///     "user.email" => Redaction::Replace("****".into()),
    ///     _ => Redaction::Keep,
    /// });
    /// # let _ = builder;
    /// ```
    pub fn redact(
        mut self,
        redactor: impl Fn(&str, &ValueRef<'_>) -> Redaction + Send + Sync + 'static,
    ) -> Self {
        self.redactor.call(redactor);
        self
    }

    /// Keeps the values of the limiter's keys few, in attributes of spans, their events and links, and log records, also within maps: what it does not admit leaves as its overflow
    /// value. It is asked before [`redact`](Self::redact), which sees what it has left. Several are asked one after the other, until one does not admit the value. Texts and whole numbers are limited, after limits on lengths. Metrics are not: their
    /// streams are made before; the SDK has a cardinality limit for them.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use aqueduct_opentelemetry::{Aqueduct, CardinalityConfig, CardinalityLimiter};
    ///
    /// let users = Arc::new(CardinalityLimiter::new(["user.id"], CardinalityConfig::default().with_max_values(100)));
    /// let telemetry = Aqueduct::builder().limit_cardinality(Arc::clone(&users)).build()?;
    /// // Later, on a page for operators:
    /// println!("{:?}", users.stats());
    /// # drop(telemetry);
    /// # Ok::<(), aqueduct_opentelemetry::BuildError>(())
    /// ```
    pub fn limit_cardinality(mut self, limiter: Arc<CardinalityLimiter>) -> Self {
        self.redactor.limit(limiter);
        self
    }

    /// Exports spans that are recorded and not sampled, too. The specification says that exporters should not get them.
    pub fn export_unsampled(mut self) -> Self {
        self.export_unsampled = true;
        self
    }
}
