//! Nanoseconds.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use aqueduct_sampling::{
    Composite, Decision, DownstreamConfig, DownstreamSampler, Parent, ParentThreshold, Pattern, Predicate,
    ProbabilitySampler, RateConfig, RateSampler, RuleSampler, Sampler, Target, Threshold, TraceIdRatio,
};
use opentelemetry::trace::{SpanKind, TraceId};
use opentelemetry_sdk::trace::{Sampler as Sdk, ShouldSample};

use super::Span;
use super::operations::{ids, random};
use crate::Failure;
use crate::harness::Run;

/// Ids of a round: they stay in the cache, and branches on them cannot be learnt.
const IDS: usize = 8192;

pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let ids = ids(1, run.effort().pick(16, IDS, IDS));
    heads(run, &ids)?;
    rules(run, &ids)?;
    rates(run, &ids)?;
    states(run)
}

/// A round of decisions.
fn each<S: Sampler + ?Sized>(sampler: &S, ids: &[[u8; 16]], mut span: Span<'_>) {
    let mut rng = random(1);
    for id in ids {
        span.id = *id;
        let _ = black_box(sampler.decide(&span, &mut rng));
    }
}

fn heads(run: &mut Run<'_>, ids: &[[u8; 16]]) -> Result<(), Failure> {
    let items = ids.len() as u64;
    let root = Span::root([0; 16]);
    let sdk = Sdk::TraceIdRatioBased(0.1);
    let theirs = || {
        for id in ids {
            black_box(sdk.should_sample(
                None,
                TraceId::from_bytes(*id),
                root.name,
                &SpanKind::Server,
                &[],
                &[],
            ));
        }
    };
    let probability = ProbabilitySampler::new(0.1)?;
    let sampler = Composite::new(probability);
    run.compare("head decision", items, || each(&sampler, ids, root), theirs)?;
    run.alone("head decision, absolutely", items, || each(&sampler, ids, root))?;
    let boxed: Box<dyn Sampler> = black_box(Box::new(sampler));
    run.compare("head decision, behind dyn", items, || each(&*boxed, ids, root), theirs)?;
    let ratio = TraceIdRatio::new(0.1);
    run.compare("TraceIdRatio, bit for bit as the SDK", items, || each(&ratio, ids, root), theirs)?;
    let children = Composite::new(ParentThreshold::new(probability));
    let child = Span { ot: "th:e666", parent: Some(Parent::remote(true)), ..root };
    run.alone("child by its parent's th", items, || each(&children, ids, child))
}

fn rules(run: &mut Run<'_>, ids: &[[u8; 16]]) -> Result<(), Failure> {
    let words =
        ["health", "ready", "login", "search", "cart", "metrics", "static", "admin", "orders", "users"];
    let mut rules = RuleSampler::new(0.01)?;
    for word in words {
        rules = rules.with_rule(Predicate::name(Pattern::glob(&format!("GET /{word}*"))), 0.1)?;
    }
    let sampler = Composite::new(rules);
    let threshold = Threshold::from_probability(0.1)?;
    let substrings: Vec<(String, Threshold)> =
        words.iter().map(|word| (format!("/{word}"), threshold)).collect();
    let span = Span::root([0; 16]);
    let theirs = || {
        for id in ids {
            let found = substrings.iter().find(|(word, _)| black_box(span.name).contains(word.as_str()));
            black_box(
                found.is_some_and(|(_, threshold)| threshold.value() <= u128::from_be_bytes(*id) as u64 >> 8),
            );
        }
    };
    let ours = || each(&sampler, ids, Span { name: black_box(span.name), ..span });
    run.compare("rule sampler, the last of 10 rules", ids.len() as u64, ours, theirs)
}

fn rates(run: &mut Run<'_>, ids: &[[u8; 16]]) -> Result<(), Failure> {
    let items = ids.len() as u64;
    let root = Span::root([0; 16]);
    let sampler = RateSampler::ratio(0.1)?;
    run.alone("rate sampler: root", items, || each(&sampler, ids, root))?;
    let mut config = RateConfig::new(Target::Ratio(0.1));
    config.floor_per_operation = 1.0;
    let floors = RateSampler::new(&config)?;
    run.alone("rate sampler: root, floors for operations", items, || each(&floors, ids, root))?;
    let two = "rate sampler: root, on two threads";
    if run.wants(two) {
        let rounds = run.effort().pick(1, 100, 500);
        let barrier = Barrier::new(2);
        let thread = || {
            barrier.wait();
            let begun = Instant::now();
            (0..rounds).for_each(|_| each(&sampler, ids, root));
            begun.elapsed().as_nanos() as f64 / (rounds * items) as f64
        };
        let both = || {
            std::thread::scope(|scope| {
                let other = scope.spawn(thread);
                let mine = thread();
                // A panic there would have been one here: the work is the same.
                other.join().map_or(mine, |theirs| (mine + theirs) / 2.0)
            })
        };
        let samples = run.effort().pick(1, 5, 15);
        let ours = (0..samples).map(|_| both()).collect();
        run.record(two, &crate::harness::Samples { ours, peer: Vec::new() })?;
    }
    let (handle, mut now) = (sampler.handle(), Instant::now());
    let tick = || {
        now += Duration::from_millis(100);
        handle.tick(now)
    };
    run.alone("rate sampler: tick", 1, tick)
}

fn states(run: &mut Run<'_>) -> Result<(), Failure> {
    let threshold: Threshold = "fd70a".parse()?;
    let decision = Decision::sample(Some(threshold));
    let mut out = String::with_capacity(512);
    let write = |out: &mut String, before: &str| {
        out.clear();
        black_box(decision).write_ot(black_box(before), out);
        black_box(out.len())
    };
    run.alone("th: into an empty value", 1, || write(&mut out, ""))?;
    let before = "rv:6e6d1a75832a2f;th:8;vendor:1";
    let plain = || {
        let kept: Vec<&str> =
            black_box(before).split(';').filter(|field| !field.starts_with("th:")).collect();
        format!("th:{threshold};{}", kept.join(";"))
    };
    run.compare("th: into rv and another field", 1, || write(&mut out, before), plain)?;
    let mut config = DownstreamConfig::default();
    config.percentage = 10.0;
    let downstream = DownstreamSampler::new(&config)?;
    let span = Span { ot: "th:8;rv:fe6d1a75832a2f", ..Span::root([7; 16]) };
    run.alone("downstream: span with th and rv", 1, || downstream.span(black_box(&span)))
}
