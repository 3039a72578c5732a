//! What a configuration says about the ten points of production.

use std::time::Duration;

use aqueduct::metrics::{ResourceProbe, machine_memory_bytes};
use aqueduct::tune::ProductionFacts;

use crate::config::{Compression, Config, ExportProtocol, ExporterKind, OtlpExporter};

/// What is known from a configuration, whose text may have comments, and from the process that reads it. What only people know (alerts, load tests, attributes) stays open.
pub(super) fn facts(config: &Config, text: &str) -> ProductionFacts {
    let exporters: Vec<&OtlpExporter> = config
        .exporters
        .iter()
        .filter_map(|exporter| match &exporter.kind {
            ExporterKind::Otlp(otlp) => Some(&**otlp),
            ExporterKind::Debug | ExporterKind::File(_) => None,
        })
        .collect();
    let batches = || config.pipelines.iter().map(|pipeline| pipeline.batch.as_ref());
    let grpc = || exporters.iter().filter(|otlp| otlp.protocol == ExportProtocol::Grpc);
    let mut facts = ProductionFacts::default();
    facts.sampling_rate = sampling(config);
    // Without batching every request leaves as it came.
    facts.batch_items =
        batches().map(|batch| batch.map_or(1, |batch| batch.send_batch_size.unwrap_or(u64::MAX))).min();
    facts.batch_delay = batches().map(|batch| batch.map_or(Duration::ZERO, |batch| batch.timeout)).max();
    facts.queue_bytes = Some(config.queued_bytes().saturating_add(config.receive_budget));
    facts.memory_limit_bytes = memory();
    facts.export_timeout = exporters.iter().map(|otlp| otlp.timeout).max();
    facts.connections = grpc().map(|otlp| u64::from(otlp.connections)).max();
    facts.keepalive = grpc().map(|otlp| otlp.keepalive.time).max();
    if !exporters.is_empty() {
        facts.compressed = Some(exporters.iter().all(|otlp| otlp.compression != Compression::None));
        let near = exporters.iter().all(|otlp| otlp.urls().all(is_here));
        // Whether another machine is in the same rack an address does not say.
        facts.destination_is_near = near.then_some(true);
        facts.retry = Some(exporters.iter().all(|otlp| otlp.retry.enabled));
        // Every destination has one: it is paused while it fails, and asked by single requests.
        facts.breaker = Some(true);
    }
    // Whether somebody scrapes it is not in the file.
    facts.monitored = config.telemetry.admin.is_none().then_some(false);
    facts.documented =
        Some(text.lines().any(|line| line.trim_start().starts_with('#') || line.contains(" #")));
    facts
}

/// The share of traces that is kept, of the pipeline that keeps the most; `None` if policies decide, or there are no traces.
fn sampling(config: &Config) -> Option<f64> {
    let traces = config.pipelines.iter().filter(|pipeline| pipeline.signal == crate::config::Signal::Traces);
    let mut most: Option<f64> = None;
    for pipeline in traces {
        if pipeline.tail.is_some() {
            return None;
        }
        let share = |percentage: f32| (f64::from(percentage) / 100.0).min(1.0);
        let kept = pipeline.samplers.iter().map(|sampler| share(sampler.sampling_percentage)).product();
        most = Some(most.map_or(kept, |most| most.max(kept)));
    }
    most
}

fn memory() -> Option<u64> {
    let limit = ResourceProbe::new().sample().ok().and_then(|process| process.memory_limit_bytes);
    limit.or_else(machine_memory_bytes)
}

/// Whether an address is on this machine.
fn is_here(url: &str) -> bool {
    let place = url.split_once("://").map_or(url, |(_, place)| place);
    if url.starts_with("unix:") {
        return true;
    }
    let host = place.split('/').next().unwrap_or(place);
    let host = host
        .strip_prefix('[')
        .and_then(|rest| rest.split(']').next())
        .unwrap_or_else(|| host.rsplit_once(':').map_or(host, |(host, _)| host));
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use aqueduct::tune::{ProductionChecklist, Status};

    use super::*;

    fn facts_of(text: &str) -> ProductionFacts {
        let config = Config::parse("test.yaml", text, &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
        facts(&config, text)
    }

    const GOOD: &str = "\
# A tenth, as the errors are kept by the services.
receivers: {otlp: {protocols: {grpc: }}}
processors:
  batch: {send_batch_size: 4096, timeout: 100ms}
  probabilistic_sampler: {sampling_percentage: 10}
exporters:
  otlp: {endpoint: 'https://collector.example:4317', compression: zstd, sending_queue: {queue_size: 8MiB}}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [probabilistic_sampler, batch], exporters: [otlp]}
";

    /// Guards what a good file is found to say: nothing fails, and what it cannot say is a warning.
    #[test]
    fn a_good_file() {
        let facts = facts_of(GOOD);
        assert!(facts.sampling_rate.is_some_and(|share| (share - 0.1).abs() < 1e-9), "{facts:?}");
        assert_eq!(facts.batch_items, Some(4_096));
        assert_eq!((facts.batch_delay, facts.compressed), (Some(Duration::from_millis(100)), Some(true)));
        assert_eq!(facts.queue_bytes, Some((8 + 128) << 20));
        let checklist = ProductionChecklist::of(&facts);
        assert_eq!(checklist.status(), Status::Warn, "{checklist}");
        let warned = checklist.checks().iter().filter(|check| check.status == Status::Warn);
        let warned: Vec<_> = warned.map(|check| check.id).collect();
        assert_eq!(warned, ["cardinality", "monitoring", "load_test"], "{checklist}");
    }

    /// Guards each point against a file that gets it wrong.
    #[test]
    fn what_is_wrong_is_found() {
        let failed = |change: &dyn Fn(&str) -> String| {
            let text = change(GOOD);
            assert_ne!(text, GOOD);
            let checklist = ProductionChecklist::of(&facts_of(&text));
            let failed = checklist.checks().iter().filter(|check| check.status == Status::Fail);
            failed.map(|check| check.id).collect::<Vec<_>>()
        };
        assert_eq!(
            failed(&|text| text.replace(
                "processors: [probabilistic_sampler, batch]",
                "processors: [probabilistic_sampler]"
            )),
            ["batching"]
        );
        assert_eq!(failed(&|text| text.replace("timeout: 100ms", "timeout: 1m")), ["batching"]);
        assert_eq!(failed(&|text| text.replace("queue_size: 8MiB", "queue_size: 1000GiB")), ["queue"]);
        assert_eq!(
            failed(&|text| text.replace("zstd,", "zstd, retry_on_failure: {enabled: false},")),
            ["degradation"]
        );
        assert_eq!(failed(&|text| text.replace("zstd,", "zstd, connections: 64,")), ["connections"]);
        assert_eq!(
            failed(&|text| text.replace("service:\n", "service:\n  telemetry: {metrics: {level: none}}\n")),
            ["monitoring"]
        );
        assert_eq!(failed(&|text| text.lines().skip(1).collect::<Vec<_>>().join("\n")), ["documentation"]);
    }

    /// Guards which addresses are this machine.
    #[test]
    fn near_is_this_machine() {
        for url in
            ["http://localhost:4317", "http://127.0.0.1/x", "https://[::1]:4317", "unix:/run/otel.sock"]
        {
            assert!(is_here(url), "{url}");
        }
        for url in ["http://10.0.0.1:4317", "https://localhost.example", "http://[fe80::1]:4317"] {
            assert!(!is_here(url), "{url}");
        }
    }
}
