//! What cannot be built says why.

use aqueduct_pipeline::{BuildError, LaneConfig, Pipeline, PipelineConfig};
use aqueduct_wire::Signal;

use crate::scripted::{Scripted, destination};

#[test]
fn unusable_settings_are_named() {
    let exporter = Scripted::default();
    let error = Pipeline::builder(Signal::Traces).build().unwrap_err();
    assert!(matches!(error, BuildError::NoDestination));

    let error = Pipeline::builder(Signal::Traces)
        .destination(destination("a", &exporter), LaneConfig::default())
        .destination(destination("a", &exporter), LaneConfig::default())
        .build()
        .unwrap_err();
    assert_eq!(error.to_string(), "two destinations are named \"a\"");

    let error = Pipeline::builder(Signal::Traces)
        .destination(destination("a", &exporter), LaneConfig::default().with_max_in_flight(0))
        .build()
        .unwrap_err();
    assert_eq!(error.to_string(), "max_in_flight must be at least 1");

    let mut config = PipelineConfig::default();
    config.shards = 0;
    let error = Pipeline::builder(Signal::Traces)
        .config(config)
        .destination(destination("a", &exporter), LaneConfig::default())
        .build()
        .unwrap_err();
    assert_eq!(error.to_string(), "shards must be at least 1");

    let mut config = PipelineConfig::default();
    config.chunk_bytes = 0;
    let error = Pipeline::builder(Signal::Traces)
        .config(config)
        .destination(destination("a", &exporter), LaneConfig::default())
        .build()
        .unwrap_err();
    assert_eq!(error.to_string(), "chunk_bytes must be at least 1");
}

/// Each description has samples and each sample a description.
#[test]
fn every_metric_is_written() {
    let exporter = Scripted::default();
    let pipeline = crate::scripted::pipeline(&exporter, 1);
    pipeline.intake().offer(crate::scripted::chunk(1)).unwrap();
    pipeline.shutdown(crate::scripted::PATIENCE).unwrap();
    let mut page = aqueduct_metrics::Exposition::new();
    aqueduct_pipeline::write_metrics(&pipeline.status(), &mut page);
    aqueduct_pipeline::write_distributions(&pipeline.distributions(), &mut page);
    let tail = crate::tail::idle().tail_status().unwrap();
    aqueduct_pipeline::write_tail_metrics([("traces", &tail)], &mut page);
    let sampler = aqueduct_sampling::DownstreamSampler::new(&Default::default()).unwrap();
    let sampler = aqueduct_pipeline::ProbabilisticSampler::new(sampler);
    aqueduct_pipeline::write_sampler_metrics([("traces", "half", &sampler)], &mut page);
    let text = page.prometheus_text();
    for desc in aqueduct_pipeline::METRICS {
        let ends: &[&str] = if desc.kind == aqueduct_metrics::Kind::Histogram {
            &["_bucket", "_sum", "_count"]
        } else {
            &[""]
        };
        for end in ends {
            let begins = format!("{}{end}{{", desc.name);
            assert!(text.lines().any(|line| line.starts_with(&begins)), "{begins}");
        }
    }
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().unwrap();
        let described = aqueduct_pipeline::METRICS.iter().chain(aqueduct_metrics::METRICS);
        assert_eq!(described.filter(|desc| desc.name == name).count(), 1, "{name}");
    }
    let delivered = "aqueduct_delivered_items_total{signal=\"traces\",destination=\"test\"} 1\n";
    assert!(text.contains(delivered), "{text}");
}
