//! What it costs to begin a span and to pass it on: ids, decisions and headers, beside the SDK's. Nanoseconds, best of ten runs, on one thread.
//!
//! `cargo run --release -p aqueduct-opentelemetry --example span_start_cost`

#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use aqueduct_opentelemetry::{Propagator, RandomIds, Sampler, SamplerSetting};
use aqueduct_sampling::{RateConfig, Target};
use opentelemetry::Context;
use opentelemetry::propagation::{Injector, TextMapPropagator};
use opentelemetry::trace::{SpanKind, TraceId, TraceState};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, Sampler as SdkSampler, ShouldSample};

/// A build without optimization is for finding out whether it runs.
const CALLS: u32 = if cfg!(debug_assertions) { 100 } else { 200_000 };

fn main() {
    let (ours, theirs) = (RandomIds::new(), RandomIdGenerator::default());
    let pair = |ids: &dyn IdGenerator| {
        black_box((ids.new_trace_id(), ids.new_span_id()));
    };
    time("ids: SDK", || pair(&theirs));
    time("ids: RandomIds", || pair(&ours));

    let ratio = Box::new(SdkSampler::TraceIdRatioBased(0.1));
    let (rate, _handle) =
        Sampler::rate(&RateConfig::new(Target::ItemsPerSecond(1e9))).expect("a rate that can be meant");
    let samplers: [(&str, Box<dyn ShouldSample>); 5] = [
        ("SDK, parent-based ratio", SdkSampler::ParentBased(ratio).into()),
        ("the same preset", preset(SamplerSetting::ParentBasedTraceIdRatio(0.1))),
        ("probability", preset(SamplerSetting::Probability(0.1))),
        ("probability 1", preset(SamplerSetting::Probability(1.0))),
        ("rate", rate.into()),
    ];
    let (dropped, kept) = (TraceId::from(1_u128 << 63), TraceId::from(u128::from(u64::MAX >> 1)));
    for (name, sampler) in &samplers {
        for (kind, id) in [("low id", dropped), ("high id", kept)] {
            let context = Context::new();
            time(&format!("sampler: {name}, root, {kind}"), || {
                let result = sampler.should_sample(Some(&context), id, "name", &SpanKind::Server, &[], &[]);
                black_box(result);
            });
        }
    }

    let made = || TraceState::NONE.insert("ot", "th:e666").expect("it is valid");
    let state = made();
    time("trace state: made", || {
        black_box(made());
    });
    time("trace state: cloned", || {
        black_box(state.clone());
    });

    let header = |flags| format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
    let headers = |flags| HashMap::from([("traceparent".to_owned(), header(flags))]);
    let (theirs, ours) = (TraceContextPropagator::new(), Propagator::new());
    let propagators: [(&str, &dyn TextMapPropagator); 2] = [("SDK", &theirs), ("Propagator", &ours)];
    for (name, propagator) in propagators {
        for flags in ["01", "03"] {
            let headers = headers(flags);
            time(&format!("extract, flags {flags}: {name}"), || {
                black_box(propagator.extract(&headers));
            });
        }
        let context = propagator.extract(&headers("01"));
        time(&format!("inject: {name}"), || propagator.inject_context(&context, &mut Nowhere));
    }
}

fn preset(setting: SamplerSetting) -> Box<dyn ShouldSample> {
    setting.sampler().expect("a share that a threshold has").into()
}

/// A carrier that costs nothing.
struct Nowhere;

impl Injector for Nowhere {
    fn set(&mut self, _: &str, value: String) {
        black_box(value);
    }
}

fn time(name: &str, mut call: impl FnMut()) {
    let run = |_| {
        let start = Instant::now();
        (0..CALLS).for_each(|_| call());
        start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
    };
    let best = (0..10).map(run).fold(f64::INFINITY, f64::min);
    println!("{name:<48} {best:>7.1}");
}
