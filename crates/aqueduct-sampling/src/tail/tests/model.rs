//! Against a model that keeps everything in vectors and looks through them.

use proptest::prelude::*;

use super::*;

/// What a decision looks like from outside: serial numbers instead of spans.
type Seen = ([u8; 16], bool, Trigger, Vec<u64>);

struct Model {
    config: TailConfig,
    list: Vec<Policy>,
    /// In the order of their first spans.
    traces: Vec<(u64, u64, Option<u64>, Vec<TestSpan>)>,
    /// In the order in which their roots came.
    roots: Vec<u64>,
    /// Those unseen for longest first.
    sampled: Vec<u64>,
    not_sampled: Vec<u64>,
    now: u64,
    seen: Vec<Seen>,
}

const WAIT: u64 = 30;
const GRACE: u64 = 4;

impl Model {
    fn bytes(&self) -> usize {
        let trace = |spans: &Vec<TestSpan>| {
            let capacity =
                [4, 10, 19, 32, 52, 82, 127].into_iter().find(|capacity| *capacity >= spans.len()).unwrap();
            16 + capacity * size_of::<TestSpan>() + spans.iter().map(|span| span.held).sum::<usize>()
        };
        self.config.reserved_bytes() + self.traces.iter().map(|(_, _, _, spans)| trace(spans)).sum::<usize>()
    }

    fn votes(&self, spans: &[TestSpan]) -> bool {
        // One vote each: some(true) samples, some(false) drops or objects.
        let mut sampled = false;
        for policy in &self.list {
            match &*policy.name {
                "errors" => sampled |= spans.iter().any(|span| span.status == StatusCode::Error),
                "many" => sampled |= spans.len() >= 5,
                "slow" => {
                    let start = spans.iter().map(|span| span.start).filter(|start| *start > 0).min();
                    let end = spans.iter().map(|span| span.end).max().unwrap();
                    sampled |= start.is_some_and(|start| end >= start + 50);
                }
                "not health"
                    if spans
                        .iter()
                        .any(|span| span.attributes.contains(&("path", Value::Text("health")))) =>
                {
                    return false;
                }
                "drop" if spans.iter().any(|span| span.state == "debug=no") => return false,
                _ => {}
            }
        }
        sampled
    }

    fn decide(&mut self, trace: u64, trigger: Trigger) {
        let at = self.traces.iter().position(|(id, ..)| *id == trace).unwrap();
        let (_, _, _, spans) = self.traces.remove(at);
        self.roots.retain(|id| *id != trace);
        let sampled = self.votes(&spans);
        let (cache, size) = match sampled {
            true => (&mut self.sampled, self.config.sampled_cache_size),
            false => (&mut self.not_sampled, self.config.non_sampled_cache_size),
        };
        cache.push(trace);
        if cache.len() > size {
            cache.remove(0);
        }
        self.seen.push((id(trace), sampled, trigger, spans.iter().map(|span| span.serial).collect()));
    }

    fn recall(&mut self, trace: u64) -> Option<bool> {
        for (sampled, cache) in [(true, &mut self.sampled), (false, &mut self.not_sampled)] {
            if let Some(at) = cache.iter().position(|id| *id == trace) {
                cache.remove(at);
                cache.push(trace);
                return Some(sampled);
            }
        }
        None
    }

    fn poll(&mut self, now: u64) {
        self.now = self.now.max(now);
        let due: Vec<_> = self.roots.clone();
        for trace in due {
            let (.., rooted, _) = self.traces.iter().find(|(id, ..)| *id == trace).unwrap();
            if rooted.unwrap() + GRACE <= self.now {
                self.decide(trace, Trigger::Root);
            }
        }
        while let Some((trace, ..)) = self.traces.iter().find(|(_, first, ..)| first + WAIT <= self.now) {
            self.decide(*trace, Trigger::Timeout);
        }
    }

    fn deadline(&self) -> Option<u64> {
        let due = self
            .traces
            .iter()
            .map(|(_, first, rooted, _)| (first + WAIT).min(rooted.map_or(u64::MAX, |at| at + GRACE)));
        due.min()
    }

    fn offer(&mut self, span: TestSpan, now: u64) {
        self.poll(now);
        let alone = self.config.reserved_bytes() + 16 + 4 * size_of::<TestSpan>() + span.held;
        let huge = alone > self.config.max_bytes;
        loop {
            if self.traces.iter().all(|(id, ..)| *id != span.trace)
                && let Some(sampled) = self.recall(span.trace)
            {
                self.seen.push((id(span.trace), sampled, Trigger::Late, vec![span.serial]));
                return;
            }
            // Try it, and look whether it was too much.
            let before = self.traces.clone();
            match self.traces.iter_mut().find(|(id, ..)| *id == span.trace) {
                Some((.., spans)) => spans.push(span.clone()),
                None => self.traces.push((span.trace, self.now, None, vec![span.clone()])),
            }
            let fits = (huge || self.bytes() <= self.config.max_bytes)
                && self.traces.len() <= self.config.num_traces;
            if fits || before.is_empty() {
                break;
            }
            self.traces = before;
            let (oldest, ..) = self.traces[0];
            self.decide(oldest, Trigger::Pressure);
        }
        let (.., rooted, _) = self.traces.iter_mut().find(|(id, ..)| *id == span.trace).unwrap();
        if span.root && rooted.is_none() {
            *rooted = Some(self.now);
            self.roots.push(span.trace);
        }
        if huge {
            self.decide(span.trace, Trigger::Pressure);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Offer(TestSpan),
    Poll,
    Drain,
    Policies(Vec<Policy>),
    Wait(u64),
    Back(u64),
}

fn spans() -> impl Strategy<Value = TestSpan> {
    let status = prop_oneof![5 => Just(StatusCode::Unset), 1 => Just(StatusCode::Error)];
    let state = prop_oneof![9 => Just(""), 1 => Just("debug=no")];
    let held = prop_oneof![6 => 0usize..200, 3 => 500usize..3000, 1 => Just(100_000usize)];
    (
        0u64..14,
        prop::bool::weighted(0.15),
        0u64..100,
        0u64..60,
        status,
        state,
        held,
        prop::bool::weighted(0.1),
    )
        .prop_map(|(trace, root, start, length, status, state, held, health)| {
            let span = TestSpan { root, ..TestSpan::of(trace) }
                .times(start, start + length)
                .status(status)
                .state(state)
                .held(held);
            if health { span.with("path", Value::Text("health")) } else { span }
        })
}

fn lists() -> impl Strategy<Value = Vec<Policy>> {
    let debug = PolicyKind::TraceState { key: "debug".into(), values: vec!["no".into()] };
    let slow = PolicyKind::Latency { threshold: Duration::from_nanos(50), upper_threshold: None };
    let all = vec![
        errors(),
        Policy::new("many", PolicyKind::SpanCount { min_spans: 5, max_spans: None }),
        Policy::new("slow", slow),
        drop_all("drop", vec![Policy::new("debug", debug)]),
        // Always with one that may vote against it, as the model knows no inverted vote to sample.
        text("not health", "path", "health", true),
    ];
    prop::sample::subsequence(all, 0..=5).prop_map(|mut list| {
        list.push(not("never", always()));
        list
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        30 => spans().prop_map(Step::Offer),
        3 => Just(Step::Poll),
        1 => Just(Step::Drain),
        1 => lists().prop_map(Step::Policies),
        8 => (0u64..12).prop_map(Step::Wait),
        1 => (0u64..50).prop_map(Step::Back),
    ];
    prop::collection::vec(step, 0..250)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_the_model_does(
        list in lists(), steps in steps(), traces in 1usize..12, sampled in 0usize..6, not_sampled in 0usize..6, room in 0usize..12_000,
    ) {
        let config = TailConfig::default()
            .with_decision_wait(seconds(WAIT))
            .with_root_grace(Some(seconds(GRACE)))
            .with_num_traces(traces)
            .with_decision_cache(sampled, not_sampled)
            .with_pressure_sampling_percentage(0.0);
        let max_bytes = 2 * config.reserved_bytes() + room;
        let config = config.with_max_bytes(max_bytes);
        let mut model = Model {
            config: config.clone(), list: list.clone(), traces: vec![], roots: vec![], sampled: vec![], not_sampled: vec![],
            now: 0, seen: vec![],
        };
        let mut sampler = TailSampler::new(config, policies(&list)).unwrap();
        // A clock that may be turned back, which starts late enough.
        let origin = Instant::now();
        let mut clock = 0u64;
        sampler.poll(origin, |_: Decided<TestSpan>| {});
        let mut offered = 0;
        for step in steps {
            let mut seen = Vec::new();
            let mut see = |decided: Decided<TestSpan>| {
                let serials = decided.spans.iter().map(|span| span.serial).collect();
                seen.push((decided.trace_id, decided.verdict.is_sampled(), decided.trigger, serials));
            };
            let now = origin + seconds(clock);
            match step {
                Step::Offer(span) => {
                    let span = span.serial(offered);
                    offered += 1;
                    sampler.offer(span.clone(), now, &mut see);
                    model.offer(span, clock);
                }
                Step::Poll => {
                    sampler.poll(now, &mut see);
                    model.poll(clock);
                }
                Step::Drain => {
                    sampler.drain(now, &mut see);
                    model.poll(clock);
                    while let Some((oldest, ..)) = model.traces.first() {
                        model.decide(*oldest, Trigger::Drain);
                    }
                }
                Step::Policies(list) => {
                    sampler.set_policies(policies(&list));
                    model.list = list;
                }
                Step::Wait(more) => clock += more,
                Step::Back(less) => clock = clock.saturating_sub(less),
            }
            prop_assert_eq!(&seen, &model.seen[..]);
            model.seen.clear();
            let deadline = model.deadline().map(|due| origin + seconds(due));
            prop_assert_eq!(sampler.next_deadline(), deadline);

            let stats = sampler.stats();
            let held: usize = model.traces.iter().map(|(.., spans)| spans.len()).sum();
            prop_assert_eq!(stats.held_spans, held as u64);
            prop_assert_eq!(stats.held_traces, model.traces.len() as u64);
            prop_assert_eq!(stats.held_bytes, model.bytes() as u64);
            prop_assert!(stats.held_bytes <= max_bytes as u64);
            prop_assert_eq!(stats.offered_spans, offered);
            prop_assert_eq!(stats.offered_spans, stats.sampled_spans + stats.not_sampled_spans + stats.held_spans);
        }
    }
}
