//! From what was said to a handle: the program before the environment, the environment before the defaults.

use std::sync::Arc;
use std::time::Duration;

use aqueduct_pipeline::{Destination, LaneConfig, PipelineConfig, Preset, Worker};
use aqueduct_transport::{Client, ClientConfig, Protocol};
use aqueduct_wire::Signal;
use opentelemetry::{Context, Key, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{ResourceDetector, TelemetryResourceDetector};

use super::Builder;
use crate::aqueduct::Aqueduct;
use crate::env::{Batching, Environment, Settings, client, queue_bytes};
use crate::error::BuildError;
use crate::inner::Inner;
use crate::outlet::{Outlet, Recipe};
use crate::resource::{Configured, SERVICE_NAME};
use crate::tail::Tails;
use crate::telemetry::{Durations, Peer, Timed};

/// Of the memory limit, in eighths, by [`Signal::index`]: traces, metrics, logs.
const SHARES: [u64; Signal::ALL.len()] = [4, 1, 3];

/// How long a flush takes at most that nobody gives a deadline, as `OTEL_BSP_EXPORT_TIMEOUT` has it by default.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(30);

impl Builder {
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
            tails: Tails::default(),
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
        let name = environment.service_name.iter().map(|name| (Key::new(SERVICE_NAME), name.clone()));
        Configured::new(resource.build(), environment.raw.iter().cloned().chain(name).collect())
    }

    fn client_of(&self, signal: Signal, environment: &Environment) -> ClientConfig {
        let mut config = match (&self.client, self.protocol) {
            (Some(config), _) => config.clone(),
            // Read again: what else the variables mean depends on it.
            (None, Some(protocol)) => self.client_over(signal, protocol),
            (None, None) => environment.clients[signal.index()].clone(),
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

    fn client_over(&self, signal: Signal, protocol: Protocol) -> ClientConfig {
        let lookup = |name: &str| match name {
            "OTEL_EXPORTER_OTLP_PROTOCOL" => Some(protocol.as_str().to_owned()),
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
            | "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"
            | "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL" => None,
            other => (self.variables)(other),
        };
        client(signal, lookup)
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
                        let timed = Timed::new(Arc::clone(&client), config.protocol, Arc::clone(durations));
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
