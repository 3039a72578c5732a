//! Building a handle: what the program says, what the environment says, and what is left to the defaults.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_pipeline::{Destination, LaneConfig, Notice, NoticeHandler, PipelineConfig, Preset, Worker};
use aqueduct_transport::{Client, ClientConfig, Protocol, RetryPolicy};
use aqueduct_wire::Signal;
use aqueduct_wire::encode::ValueRef;
use opentelemetry::{Context, InstrumentationScope, Key, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLogRecord;
use opentelemetry_sdk::resource::{ResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::SpanData;

use crate::aqueduct::Aqueduct;
use crate::env::{Batching, Environment, Lookup, Settings, queue_bytes};
use crate::error::BuildError;
use crate::inner::Inner;
use crate::limits::Limits;
use crate::log::LogFilter;
use crate::outlet::{Outlet, Recipe};
use crate::redact::{Redaction, Redactor};
use crate::resource::Configured;
use crate::span::{SpanFilter, Verdict};
use crate::telemetry::{Durations, Peer, Timed};
use crate::temporality::TemporalityPreference;

/// Of the memory limit, in eighths, by [`Signal::index`]: traces, metrics, logs.
const SHARES: [u64; Signal::ALL.len()] = [4, 1, 3];

/// How long a flush takes at most that nobody gives a deadline, as `OTEL_BSP_EXPORT_TIMEOUT` has it by default.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(30);

/// Builds an [`Aqueduct`]; see [`Aqueduct::builder`].
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
            .field("endpoint", &self.endpoint)
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
    /// `OTEL_EXPORTER_OTLP_TIMEOUT`. Default [`Preset::balanced`], which those variables change.
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
    /// one, so that the children of one that is left out have no parent.
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

    /// Decides about each log record, before it is encoded.
    pub fn filter_logs(
        mut self,
        filter: impl Fn(&SdkLogRecord, &InstrumentationScope) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        self.log_filter = LogFilter::new(filter);
        self
    }

    /// Decides about each attribute of spans, their events and links, and log records as it is encoded, by its key and its value after limits: also
    /// within maps, and about the body of a log record under the key `log.body`.
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
        self.redactor = Redactor::new(redactor);
        self
    }

    /// Exports spans that are recorded and not sampled, too. The specification says that exporters should not get them.
    pub fn export_unsampled(mut self) -> Self {
        self.export_unsampled = true;
        self
    }

    /// Reads the environment, checks the settings, and starts the thread that sends. Certificates for endpoints with TLS are read; nothing is sent.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: what can only be found out by trying, an endpoint that is no URL or a certificate that is not there; or the operating system refuses a thread.
    pub fn build(self) -> Result<Aqueduct, BuildError> {
        let environment = Environment::read(&self.variables);
        let settings = self.settings(&environment);
        let resource = self.configured(&environment);
        let limits = self.limits.unwrap_or(environment.limits);
        let wanted = Signal::ALL.map(|signal| !environment.disabled && environment.exported[signal.index()]);
        let worker = if wanted.contains(&true) { Some(start_worker()?) } else { None };
        let durations = Arc::default();
        let mut shared = Vec::new();
        let mut outlets = Vec::new();
        for signal in Signal::ALL {
            let recipe = if wanted[signal.index()] {
                Some(self.recipe(signal, &environment, &mut shared, &durations)?)
            } else {
                None
            };
            outlets.push(Outlet::new(signal, recipe, worker.clone(), self.notices.clone()));
        }
        let flush_timeouts = Signal::ALL.map(|signal| self.flush_timeout_of(signal, &environment));
        let inner = Inner {
            outlets,
            durations,
            resource,
            limits,
            temporality: self.temporality.or(environment.temporality).unwrap_or_default(),
            redactor: self.redactor,
            span_filter: self.span_filter,
            log_filter: self.log_filter,
            export_unsampled: self.export_unsampled,
            flush_timeouts,
            drop_deadline: self.drop_deadline,
        };
        Ok(Aqueduct::new(inner, settings, environment.sampler, &environment.propagators))
    }

    /// What became of the variables, now that it is known what the program says.
    fn settings(&self, environment: &Environment) -> Settings {
        const TEMPORALITY: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
        let mut settings = Settings { variables: environment.settings.clone() };
        let otlp = |settings: &mut Settings, suffix: &str| {
            for signal in ["", "TRACES_", "METRICS_", "LOGS_"] {
                settings.overridden(&[&format!("OTEL_EXPORTER_OTLP_{signal}{suffix}")]);
            }
        };
        if self.client.is_some() || self.destination.is_some() {
            settings.all_overridden("OTEL_EXPORTER_OTLP_", &[TEMPORALITY]);
        }
        if self.endpoint.is_some() {
            otlp(&mut settings, "ENDPOINT");
            otlp(&mut settings, "INSECURE");
        }
        if self.protocol.is_some() {
            otlp(&mut settings, "PROTOCOL");
        }
        if self.preset.is_some() {
            otlp(&mut settings, "TIMEOUT");
            settings.all_overridden("OTEL_BSP_", &["OTEL_BSP_EXPORT_TIMEOUT"]);
            settings.all_overridden("OTEL_BLRP_", &["OTEL_BLRP_EXPORT_TIMEOUT"]);
        }
        if self.memory_limit.is_some() {
            settings.overridden(&["OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BLRP_MAX_QUEUE_SIZE"]);
        }
        if self.flush_timeout.is_some() {
            settings.overridden(&["OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BLRP_EXPORT_TIMEOUT"]);
        }
        if self.service_name.is_some() {
            settings.overridden(&["OTEL_SERVICE_NAME"]);
        }
        if self.temporality.is_some() {
            settings.overridden(&[TEMPORALITY]);
        }
        if self.limits.is_some() {
            for kind in ["ATTRIBUTE_", "SPAN_", "EVENT_", "LINK_", "LOGRECORD_"] {
                settings.all_overridden(&format!("OTEL_{kind}"), &[]);
            }
        }
        settings
    }

    /// From the least to the most specific: who we are, the environment, the program.
    fn configured(&self, environment: &Environment) -> Configured {
        let mut resource = Resource::builder_empty()
            .with_service_name(unknown_service())
            .with_detector(Box::new(TelemetryResourceDetector) as Box<dyn ResourceDetector>)
            .with_attributes([
                KeyValue::new("telemetry.distro.name", env!("CARGO_PKG_NAME")),
                KeyValue::new("telemetry.distro.version", env!("CARGO_PKG_VERSION")),
            ])
            .with_attributes(
                environment.attributes.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())),
            );
        if let Some(name) = &environment.service_name {
            resource = resource.with_service_name(name.clone());
        }
        if let Some(ours) = &self.resource {
            let attributes = ours.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
            resource = match ours.schema_url() {
                Some(url) => resource.with_schema_url([], url.to_owned()).with_attributes(attributes),
                None => resource.with_attributes(attributes),
            };
        }
        if let Some(name) = &self.service_name {
            resource = resource.with_service_name(name.clone());
        }
        let resource = resource.build();
        // What the program says is not what stands in the environment.
        let raw = environment.raw.iter().filter(|(key, _)| {
            let decoded = environment.attributes.iter().find(|(name, _)| name == key.as_str());
            decoded
                .is_some_and(|(_, value)| resource.get(&Key::new(key.clone())) == Some(value.clone().into()))
        });
        let raw = raw.cloned().collect();
        Configured::new(resource, raw)
    }

    fn client_of(&self, signal: Signal, environment: &Environment) -> ClientConfig {
        let mut config = match (&self.client, self.protocol) {
            (Some(config), _) => config.clone(),
            (None, Some(protocol)) if protocol != environment.clients[signal.index()].protocol => {
                // The environment's endpoint is one of another protocol.
                let found = environment.clients[signal.index()].clone();
                let port = if protocol == Protocol::Grpc { 4317 } else { 4318 };
                let mut config = ClientConfig::new(format!("http://localhost:{port}"), protocol);
                config.headers = found.headers;
                config.compression = found.compression;
                config.tls = found.tls;
                config.proxy = found.proxy;
                config.timeout = found.timeout;
                config
            }
            (None, _) => environment.clients[signal.index()].clone(),
        };
        if let Some(endpoint) = &self.endpoint {
            config.endpoint.clone_from(endpoint);
            config.signal_endpoints = Default::default();
        }
        if let Some(preset) = &self.preset
            && self.client.is_none()
        {
            config.timeout = preset.export_timeout;
        }
        config
            .user_agent
            .get_or_insert_with(|| format!("{}/{}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")));
        config
    }

    /// What a signal's pipeline is made of. Signals with equal clients share one, with its connections and its pauses.
    fn recipe(
        &self,
        signal: Signal,
        environment: &Environment,
        shared: &mut Vec<(ClientConfig, Arc<Destination>, Arc<Client>)>,
        durations: &Arc<Durations>,
    ) -> Result<Recipe, BuildError> {
        let (destination, client, peer) = match &self.destination {
            Some(destination) => (Arc::clone(destination), None, None),
            None => {
                let config = self.client_of(signal, environment);
                let known = shared.iter().find(|(other, ..)| *other == config);
                let (destination, client) = match known {
                    Some((_, destination, client)) => (Arc::clone(destination), Arc::clone(client)),
                    None => {
                        let client = Client::new(config.clone())
                            .map_err(|error| BuildError::Client { signal, error })?;
                        let client = Arc::new(client);
                        let peer = Peer::of(signal, &config);
                        let timed = Timed::new(Arc::clone(&client), peer, Arc::clone(durations));
                        let destination = Arc::new(Destination::new("otlp", timed, self.retry.clone()));
                        shared.push((config.clone(), Arc::clone(&destination), Arc::clone(&client)));
                        (destination, client)
                    }
                };
                (destination, Some(client), Some(Peer::of(signal, &config)))
            }
        };
        let (lane, pipeline) = self.sizes(signal, environment);
        pipeline
            .batch
            .validate()
            .map_err(|error| BuildError::Pipeline(aqueduct_pipeline::BuildError::Batch(error)))?;
        if lane.queue_bytes == 0 {
            return Err(BuildError::Pipeline(aqueduct_pipeline::BuildError::Zero("memory_limit")));
        }
        Ok(Recipe { destination, client, peer, lane, pipeline })
    }

    fn sizes(&self, signal: Signal, environment: &Environment) -> (LaneConfig, PipelineConfig) {
        let Preset { mut lane, mut pipeline, .. } = self.preset.clone().unwrap_or_else(Preset::balanced);
        pipeline.drop_deadline = self.drop_deadline;
        let all = self.memory_limit.unwrap_or(lane.queue_bytes);
        lane.queue_bytes = (all / 8).saturating_mul(SHARES[signal.index()]);
        if self.preset.is_some() {
            return (lane, pipeline);
        }
        let batching = batching_of(signal, environment);
        if let (Some(items), None) = (batching.queue_items, self.memory_limit) {
            lane.queue_bytes = queue_bytes(items);
        }
        if let Some(requests) = batching.requests {
            lane.max_in_flight = requests;
        }
        if let Some(delay) = batching.delay {
            pipeline.batch = pipeline.batch.with_max_age(delay);
        }
        if let Some(items) = batching.batch_items {
            pipeline.batch = pipeline.batch.with_max_items(items);
        }
        (lane, pipeline)
    }

    fn flush_timeout_of(&self, signal: Signal, environment: &Environment) -> Duration {
        self.flush_timeout.or(batching_of(signal, environment).timeout).unwrap_or(FLUSH_TIMEOUT)
    }
}

fn batching_of(signal: Signal, environment: &Environment) -> Batching {
    match signal {
        Signal::Traces => environment.spans,
        Signal::Logs => environment.logs,
        _ => Batching::default(),
    }
}

/// The thread of the pipelines, on which nothing that happens becomes telemetry.
fn start_worker() -> Result<Arc<Worker>, BuildError> {
    let quiet = || -> Box<dyn std::any::Any> { Box::new(Context::enter_telemetry_suppressed_scope()) };
    Worker::start_with("aqueduct-otel", quiet).map(Arc::new).map_err(BuildError::Worker)
}

/// The name of a service that nobody has named (OpenTelemetry specification, "Resource SDK").
fn unknown_service() -> String {
    let path = std::env::current_exe().ok();
    let name = path.as_deref().and_then(|path| path.file_name()).and_then(|name| name.to_str());
    name.map_or_else(|| "unknown_service".to_owned(), |name| format!("unknown_service:{name}"))
}
