//! When traces are decided, what happens to spans that come late, and what bounds hold whatever comes.

use super::*;

#[test]
fn a_trace_is_decided_a_grace_after_its_root() {
    let mut sampler = sampler(small(), &[always()]);
    let start = Instant::now();
    let mut out = Vec::new();
    assert_eq!(sampler.next_deadline(), None);
    sampler.offer(TestSpan::of(1), start, |decided| out.push(decided));
    assert_eq!(sampler.next_deadline(), Some(start + seconds(30)));
    sampler.offer(TestSpan::of(1).root(), start + seconds(5), |decided| out.push(decided));
    assert_eq!(sampler.next_deadline(), Some(start + seconds(7)));
    sampler.offer(TestSpan::of(1).serial(3), start + seconds(6), |decided| out.push(decided));
    sampler.poll(start + seconds(7) - Duration::from_nanos(1), |decided| out.push(decided));
    assert!(out.is_empty());
    sampler.poll(start + seconds(7), |decided| out.push(decided));
    assert_eq!((out.len(), out[0].trigger, out[0].spans.len()), (1, Trigger::Root, 3));
    assert_eq!(out[0].cause, Cause::Policy("always".into()));
    assert_eq!(sampler.next_deadline(), None);
}

#[test]
fn a_trace_without_a_root_is_decided_in_time() {
    let mut sampler = sampler(small(), &[]);
    let start = Instant::now();
    let mut out = Vec::new();
    sampler.offer(TestSpan::of(1), start, |decided| out.push(decided));
    sampler.offer(TestSpan::of(1), start + seconds(29), |decided| out.push(decided));
    sampler.poll(start + seconds(30), |decided| out.push(decided));
    assert_eq!((out.len(), out[0].trigger, out[0].verdict), (1, Trigger::Timeout, Verdict::NotSampled));
    assert_eq!((out[0].cause.clone(), out[0].spans.len()), (Cause::NoPolicy, 2));
}

#[test]
fn roots_may_be_ignored_and_waits_endless() {
    let config = small().with_root_grace(None).with_decision_wait(Duration::MAX);
    let mut sampler = sampler(config, &[always()]);
    let start = Instant::now();
    sampler.offer(TestSpan::of(1).root(), start, |_| panic!("nothing is due"));
    assert_eq!(sampler.next_deadline(), None);
    sampler.poll(start + seconds(1 << 40), |_| panic!("nothing is due"));
    assert_eq!(sampler.stats().held_spans, 1);
}

#[test]
fn without_a_grace_the_next_call_decides() {
    let mut sampler = sampler(small().with_root_grace(Some(Duration::ZERO)), &[always()]);
    let start = Instant::now();
    let mut out = Vec::new();
    sampler.offer(TestSpan::of(1).root(), start, |_| panic!("it is held"));
    assert_eq!(sampler.next_deadline(), Some(start));
    sampler.offer(TestSpan::of(2), start, |decided| out.push(decided));
    assert_eq!((out.len(), out[0].trigger), (1, Trigger::Root));
}

#[test]
fn late_spans_follow_the_decision() {
    let mut sampler = sampler(small(), &[errors()]);
    let start = Instant::now();
    let mut out = Vec::new();
    sampler.offer(TestSpan::of(1).status(StatusCode::Error), start, |decided| out.push(decided));
    sampler.offer(TestSpan::of(2), start, |decided| out.push(decided));
    sampler.poll(start + seconds(30), |decided| out.push(decided));
    out.clear();
    sampler.offer(TestSpan::of(1), start + seconds(31), |decided| out.push(decided));
    // The trace was let go: an error that comes too late does not bring it back.
    sampler
        .offer(TestSpan::of(2).status(StatusCode::Error), start + seconds(31), |decided| out.push(decided));
    assert_eq!(out.len(), 2);
    assert_eq!((out[0].verdict, out[1].verdict), (Verdict::Sampled(Odds::Certain), Verdict::NotSampled));
    assert!(
        out.iter().all(|decided| decided.trigger == Trigger::Late && decided.cause == Cause::EarlierDecision)
    );
    let stats = sampler.stats();
    assert_eq!(stats.late, Outcomes { sampled: 1, not_sampled: 1 });
    assert_eq!((stats.offered_spans, stats.sampled_spans, stats.not_sampled_spans), (4, 2, 2));
}

#[test]
fn without_a_cache_late_spans_are_a_new_trace() {
    let mut sampler = sampler(small().with_decision_cache(0, 0), &[errors()]);
    let start = Instant::now();
    sampler.offer(TestSpan::of(1).status(StatusCode::Error), start, |_| {});
    sampler.poll(start + seconds(30), |_| {});
    sampler.offer(TestSpan::of(1), start + seconds(30), |_| panic!("it is held"));
    assert_eq!(sampler.stats().held_traces, 1);
}

#[test]
fn the_cache_forgets_what_was_unseen_for_longest() {
    let mut sampler = sampler(small().with_decision_cache(2, 0), &[always()]);
    let start = Instant::now();
    for trace in [1, 2] {
        sampler.offer(TestSpan::of(trace), start, |_| {});
    }
    sampler.drain(start, |_| {});
    let mut late = 0;
    // Seen again, so 2 is forgotten for 3.
    sampler.offer(TestSpan::of(1), start, |_| late += 1);
    sampler.offer(TestSpan::of(3), start, |_| late += 1);
    sampler.drain(start, |_| {});
    for trace in [1, 3, 2] {
        sampler
            .offer(TestSpan::of(trace), start, |decided| late += u32::from(decided.trigger == Trigger::Late));
    }
    assert_eq!((late, sampler.stats().held_traces), (3, 1));
}

#[test]
fn new_policies_hold_for_what_is_held_and_counters_go_on() {
    let mut sampler = sampler(small(), &[errors()]);
    let start = Instant::now();
    sampler.offer(TestSpan::of(1).status(StatusCode::Error), start, |_| {});
    sampler.drain(start, |_| {});
    sampler.offer(TestSpan::of(2), start, |_| {});
    sampler.set_policies(policies(&[always(), errors()]));
    let mut out = Vec::new();
    sampler.drain(start, |decided| out.push(decided));
    assert_eq!(out[0].cause, Cause::Policy("always".into()));
    let stats = sampler.stats();
    let names: Vec<_> =
        stats.policies.iter().map(|policy| (&*policy.name, policy.sampled, policy.decided_spans)).collect();
    assert_eq!(names, [("always", 1, 1), ("errors", 1, 1)]);
}

#[test]
fn under_pressure_the_oldest_goes_first_and_policies_are_heard() {
    let config = small().with_num_traces(2).with_pressure_sampling_percentage(0.0);
    let mut sampler = sampler(config, &[errors()]);
    let start = Instant::now();
    let mut out = Vec::new();
    sampler.offer(TestSpan::of(1).status(StatusCode::Error), start, |decided| out.push(decided));
    for trace in [2, 1, 3, 4] {
        sampler.offer(TestSpan::of(trace), start, |decided| out.push(decided));
    }
    let seen: Vec<_> =
        out.iter().map(|decided| (decided.trace_id, decided.trigger, decided.verdict)).collect();
    assert_eq!(
        seen,
        [
            (id(1), Trigger::Pressure, Verdict::Sampled(Odds::Certain)),
            (id(2), Trigger::Pressure, Verdict::NotSampled),
        ]
    );
    assert_eq!(out[0].spans.len(), 2);
}

#[test]
fn under_pressure_a_share_is_kept_that_says_so() {
    let config = small().with_num_traces(1).with_decision_cache(0, 0).with_pressure_sampling_percentage(25.0);
    let mut sampler = sampler(config, &[errors()]);
    let start = Instant::now();
    let threshold = Threshold::from_probability(0.25).unwrap();
    let mut out = Vec::new();
    for trace in 0..1000u64 {
        let span = TestSpan::of(trace).state(format!("ot=rv:{:014x}", (trace % 100) * ((1 << 56) / 100)));
        sampler.offer(span, start, |decided| out.push(decided));
    }
    assert_eq!(out.len(), 999);
    for decided in &out {
        let trace = decided.spans[0].trace % 100;
        let verdict =
            if trace >= 75 { Verdict::Sampled(Odds::AtLeast(threshold)) } else { Verdict::NotSampled };
        // 75 of 100 is just below the threshold, because 2^56 is no multiple of 100.
        if trace != 75 {
            assert_eq!(decided.verdict, verdict, "{trace}");
        }
    }
    assert_eq!(sampler.stats().pressure_sampled, sampler.stats().pressure.sampled);
}

#[test]
fn one_giant_trace_is_decided_when_memory_is_full_and_its_rest_follows() {
    let mut sampler = sampler(small(), &[errors()]);
    let max = sampler.config().max_bytes as u64;
    let start = Instant::now();
    let mut spans = 0;
    for serial in 0..10_000 {
        let status = if serial == 3 { StatusCode::Error } else { StatusCode::Unset };
        sampler.offer(TestSpan::of(7).serial(serial).status(status).held(1000), start, |decided| {
            assert!(decided.verdict.is_sampled(), "an error was seen in it");
            spans += decided.spans.len() as u64;
        });
        assert!(sampler.stats().held_bytes <= max);
    }
    let stats = sampler.stats();
    assert_eq!((stats.pressure.sampled, spans, stats.held_spans), (1, 10_000, 0));
    assert!(stats.late.sampled > 8000 && stats.peak_bytes > max - 2 * 1024 * 52, "{stats:?}");
}

#[test]
fn a_span_larger_than_all_memory_passes_through() {
    let mut sampler = sampler(small(), &[errors()]);
    let start = Instant::now();
    let mut out = Vec::new();
    sampler.offer(TestSpan::of(1), start, |decided| out.push(decided));
    for held in [2 << 20, usize::MAX] {
        let span = TestSpan::of(held as u64).status(StatusCode::Error).held(held);
        sampler.offer(span, start, |decided| out.push(decided));
    }
    let stats = sampler.stats();
    assert_eq!((out.len(), stats.held_spans, stats.pressure.sampled), (2, 1, 2), "it pushes nobody out");
    assert!(out.iter().all(|decided| decided.verdict.is_sampled()));
    // With what was there of its trace.
    sampler.offer(TestSpan::of(1).held(2 << 20), start, |decided| out.push(decided));
    assert_eq!((out.len(), out[2].spans.len()), (3, 2));
    assert_eq!(sampler.stats().held_bytes, sampler.config().reserved_bytes() as u64);
}

#[test]
fn a_million_traces_of_one_span_push_each_other_out() {
    let config = small().with_num_traces(50).with_pressure_sampling_percentage(0.0);
    let mut sampler = sampler(config, &[errors()]);
    let start = Instant::now();
    let mut next = 0;
    for trace in 0..1_000_000 {
        sampler.offer(TestSpan::of(trace), start, |decided| {
            assert_eq!(decided.trace_id, id(next), "the oldest first");
            next += 1;
        });
    }
    let stats = sampler.stats();
    assert_eq!((stats.held_traces, stats.pressure.not_sampled, next), (50, 999_950, 999_950));
    assert!(stats.held_bytes <= sampler.config().max_bytes as u64);
}

#[test]
fn a_trace_that_goes_on_for_ever_is_decided_once() {
    let mut sampler = sampler(small(), &[always()]);
    let start = Instant::now();
    let mut triggers = std::collections::HashMap::new();
    for tick in 0..100_000 {
        let now = start + Duration::from_millis(10 * tick);
        sampler.offer(TestSpan::of(5), now, |decided| *triggers.entry(decided.trigger).or_insert(0) += 1);
    }
    assert_eq!(triggers.get(&Trigger::Timeout), Some(&1));
    // The first three thousand were held; the one at thirty seconds came just after the decision.
    assert_eq!(triggers.get(&Trigger::Late), Some(&97_000));
}

#[test]
fn time_that_goes_back_stands_still() {
    let mut sampler = sampler(small(), &[always()]);
    let start = Instant::now() + seconds(1000);
    sampler.offer(TestSpan::of(1), start, |_| panic!("nothing is due"));
    sampler.offer(TestSpan::of(2), start - seconds(500), |_| panic!("nothing is due"));
    assert_eq!(sampler.next_deadline(), Some(start + seconds(30)));
    let mut out = 0;
    sampler.poll(start + seconds(30), |_| out += 1);
    sampler.poll(start - seconds(900), |_| panic!("nothing is due"));
    assert_eq!((out, sampler.stats().held_traces), (2, 0));
}

#[test]
fn bad_configurations_are_explained() {
    let error = |config: TailConfig| config.validate().unwrap_err().to_string();
    assert_eq!(error(small().with_num_traces(0)), "num_traces is zero, the least is 1");
    assert!(
        error(small().with_num_traces(100_000)).starts_with("num_traces and the decision cache reserve ")
    );
    assert!(error(small().with_decision_cache(0, 1 << 31)).contains("non_sampled_cache_size is 2147483648"));
    for bad in [-1.0, 100.5, f64::NAN, f64::INFINITY] {
        assert!(error(small().with_pressure_sampling_percentage(bad)).contains("must be from 0 to 100"));
    }
    assert!(TailConfig::default().validate().is_ok());
    assert!(TailConfig::default().reserved_bytes() < 24 << 20, "{}", TailConfig::default().reserved_bytes());
}
