//! The gateway's own metrics, sent by OTLP at intervals.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aqueduct::batch::BatchConfig;
use aqueduct::metrics::Exposition;
use aqueduct::pipeline::{
    Destination, Intake, LaneConfig, Overflow, Pipeline, PipelineConfig, Worker, encode_exposition,
};
use aqueduct::transport::ProxyConfig;
use aqueduct::wire::Signal;
use aqueduct::wire::encode::{ResourcePrefix, ScopePrefix, ValueRef};

use super::build::{StartError, retry_policy};
use super::client;
use super::log::Log;
use super::status::GatewayStatus;
use crate::config::{Periodic as Settings, Telemetry};

/// Who sends, in notices and in the names of the resource.
const SERVICE: &str = "aqueduct";
/// What sending is called in the log, where destinations have the names of exporters.
const DESTINATION: &str = "service.telemetry";

/// Sends metrics through a pipeline of its own, so that neither takes the other's memory and none counts itself.
pub(crate) struct Periodic {
    pipeline: Pipeline,
    intake: Intake,
    resource: ResourcePrefix,
    scope: ScopePrefix,
    started: SystemTime,
    interval: Duration,
}

impl Periodic {
    /// What the configuration asks for, on the thread of the other pipelines.
    pub(crate) fn start(
        telemetry: &Telemetry,
        worker: &Arc<Worker>,
        log: &Log,
    ) -> Result<Option<Periodic>, StartError> {
        let Some(Settings { interval, exporter, .. }) = &telemetry.periodic else { return Ok(None) };
        let client = Arc::new(client::open_alone(exporter, &ProxyConfig::from_env())?);
        let destination = Arc::new(Destination::new(DESTINATION, client, retry_policy(&exporter.retry)));
        // One page is one request. Newer counts say more than older ones.
        let mut settings = PipelineConfig::default();
        settings.batch = BatchConfig::default().with_max_items(1).with_max_age(Duration::from_millis(1));
        settings.overflow = Overflow::DropOldest;
        let lane = LaneConfig::default().with_queue_bytes(exporter.queue.max_bytes).with_max_in_flight(1);
        let log = log.clone();
        let pipeline = Pipeline::builder(Signal::Metrics)
            .config(settings)
            .worker(Arc::clone(worker))
            .notices(move |signal, destination, notice| log.notice(signal, destination, notice))
            .destination(destination, lane)
            .build()
            .map_err(|error| StartError::Pipeline { name: DESTINATION.to_owned(), error })?;
        Ok(Some(Periodic {
            intake: pipeline.intake(),
            pipeline,
            resource: resource(&telemetry.resource),
            scope: ScopePrefix::new(SERVICE, env!("CARGO_PKG_VERSION")),
            started: SystemTime::now(),
            interval: *interval,
        }))
    }

    /// Sends what the gateway says, at every interval from now on.
    pub(crate) async fn run(self: Arc<Self>, status: Arc<GatewayStatus>) {
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + self.interval, self.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.send(&status.exposition());
        }
    }

    fn send(&self, page: &Exposition) {
        let chunk = encode_exposition(page, &self.resource, &self.scope, self.started, SystemTime::now());
        // What is refused is counted there, and told as a notice; the next page says all of it again.
        let _ = self.intake.offer(chunk);
    }

    /// Sends the last page and waits for it until then.
    pub(crate) fn finish(&self, page: &Exposition, deadline: Instant) {
        self.send(page);
        // Told as a notice if it does not arrive.
        let _ = self.pipeline.shutdown(deadline.saturating_duration_since(Instant::now()));
    }
}

/// The attributes of the semantic conventions for a service, and those of the file over them.
fn resource(given: &[(String, String)]) -> ResourcePrefix {
    let instance = instance_id();
    let own = [
        ("service.name", SERVICE),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", &instance),
    ];
    ResourcePrefix::new(|out| {
        let kept = own.iter().filter(|(name, _)| given.iter().all(|(other, _)| other != name));
        kept.for_each(|(name, value)| out.push(name, ValueRef::Str(value)));
        given.iter().for_each(|(name, value)| out.push(name, ValueRef::Str(value)));
    })
}

/// A random UUID, version 4 (RFC 9562, 5.4), as the semantic conventions recommend it.
fn instance_id() -> String {
    let random = rand::random::<u128>();
    let uuid = (random & !(0xf << 76) & !(0b11 << 62)) | 4 << 76 | 0b10 << 62;
    let hex = format!("{uuid:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the form of the id, in which backends look for the version and the variant.
    #[test]
    fn an_instance_has_a_random_uuid() {
        let (one, two) = (instance_id(), instance_id());
        assert_ne!(one, two);
        for id in [one, two] {
            let lengths: Vec<usize> = id.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
            assert_eq!(&id[14..15], "4", "{id}");
            assert!("89ab".contains(&id[19..20]), "{id}");
        }
    }
}
