//! What it takes to begin a span, and to pass it on.

use std::collections::HashMap;
use std::hint::black_box;

use aqueduct_opentelemetry::{Propagator, RandomIds, Sampler, SamplerSetting};
use aqueduct_sampling::{RateConfig, Target};
use opentelemetry::Context;
use opentelemetry::propagation::{Injector, TextMapPropagator};
use opentelemetry::trace::{SpanKind, TraceId};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, Sampler as SdkSampler, ShouldSample};

use crate::Failure;
use crate::harness::Run;

pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let (ours, sdk) = (RandomIds::new(), RandomIdGenerator::default());
    let pair = |ids: &dyn IdGenerator| (ids.new_trace_id(), ids.new_span_id());
    run.compare("begin: ids of a root", 1, || pair(&ours), || pair(&sdk))?;
    samplers(run)?;
    propagators(run)
}

fn samplers(run: &mut Run<'_>) -> Result<(), Failure> {
    let ids = RandomIds::new();
    let ids: Vec<_> = (0..1024).map(|_| ids.new_trace_id()).collect();
    let context = Context::new();
    let decide = |sampler: &dyn ShouldSample| {
        ids.iter().for_each(|id| drop(black_box(decision(sampler, &context, *id))))
    };
    let ours = SamplerSetting::ParentBasedTraceIdRatio(0.1).sampler()?;
    let sdk = SdkSampler::ParentBased(Box::new(SdkSampler::TraceIdRatioBased(0.1)));
    let items = ids.len() as u64;
    run.compare("begin: parent-based ratio of 0.1, root", items, || decide(&ours), || decide(&sdk))?;
    let (rate, _handle) = Sampler::rate(&RateConfig::new(Target::ItemsPerSecond(1e5)))?;
    run.alone("begin: rate sampler, root", items, || decide(&rate))
}

fn decision(
    sampler: &dyn ShouldSample,
    context: &Context,
    id: TraceId,
) -> opentelemetry_sdk::trace::SamplingResult {
    sampler.should_sample(Some(context), id, "GET /users", &SpanKind::Server, &[], &[])
}

fn propagators(run: &mut Run<'_>) -> Result<(), Failure> {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = HashMap::from([("traceparent".to_owned(), parent.to_owned())]);
    let (ours, sdk) = (Propagator::new(), TraceContextPropagator::new());
    run.compare("begin: extract", 1, || ours.extract(&headers), || sdk.extract(&headers))?;
    let context = sdk.extract(&headers);
    run.compare(
        "begin: inject",
        1,
        || ours.inject_context(&context, &mut Nowhere),
        || sdk.inject_context(&context, &mut Nowhere),
    )
}

/// A carrier that costs nothing.
struct Nowhere;

impl Injector for Nowhere {
    fn set(&mut self, _: &str, value: String) {
        black_box(value);
    }
}
