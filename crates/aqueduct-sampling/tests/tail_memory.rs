//! The memory of a tail sampler, in a process of its own: no other test may allocate meanwhile.

use std::fs;
use std::time::{Duration, Instant};

use aqueduct_sampling::tail::{
    AttributeValue, Decided, Policies, Policy, PolicyKind, StatusCode, TailConfig, TailSampler, TailSpan,
    Trigger,
};

/// A span as bytes: trace id, flags, then whatever there is.
struct Encoded(Box<[u8]>);

const ROOT: u8 = 1;
const ERROR: u8 = 2;

impl Encoded {
    fn new(trace: u64, flags: u8, len: usize) -> Self {
        let mut bytes = vec![7; len.max(17)].into_boxed_slice();
        bytes[..16].copy_from_slice(&id(trace));
        bytes[16] = flags;
        Encoded(bytes)
    }
}

/// SplitMix64: ids that look like ids.
fn mixed(n: u64) -> u64 {
    let n = (n ^ n >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ n >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ n >> 31
}

fn id(trace: u64) -> [u8; 16] {
    let halves = (mixed(trace.wrapping_add(0x9E37_79B9_7F4A_7C15)), mixed(trace ^ 0x5555_5555_5555_5555));
    (u128::from(halves.0) << 64 | u128::from(halves.1)).to_be_bytes()
}

impl TailSpan for Encoded {
    fn trace_id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        id.copy_from_slice(&self.0[..16]);
        id
    }

    fn is_root(&self) -> bool {
        self.0[16] & ROOT != 0
    }

    fn start_unix_nano(&self) -> u64 {
        0
    }

    fn end_unix_nano(&self) -> u64 {
        0
    }

    fn status(&self) -> StatusCode {
        if self.0[16] & ERROR == 0 { StatusCode::Unset } else { StatusCode::Error }
    }

    fn attribute(&self, _key: &str) -> Option<AttributeValue<'_>> {
        None
    }

    fn trace_state(&self) -> &str {
        ""
    }

    fn held_bytes(&self) -> usize {
        // As a general-purpose allocator rounds it, with a header.
        (self.0.len() + 8).next_multiple_of(16)
    }
}

/// Memory in RAM, bytes. `None` where the system does not tell.
fn rss() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

const TRACES: u64 = 100_000;
const SPANS: u64 = 20;
const BYTES: usize = 400;

fn errors() -> Policies {
    Policies::new(&[Policy::new("errors", PolicyKind::StatusCode { status_codes: vec![StatusCode::Error] })])
        .expect("it can be meant")
}

/// Spans of `open` traces at a time, each span in a round of its own; one trace in a hundred has an error. `each` sees them in their order.
fn traffic(open: u64, mut each: impl FnMut(Encoded)) {
    for from in (0..TRACES).step_by(open as usize) {
        for span in 0..SPANS {
            for trace in from..(from + open).min(TRACES) {
                let root = if span == SPANS - 1 { ROOT } else { 0 };
                let error = if trace % 100 == 17 && span == trace % SPANS { ERROR } else { 0 };
                let len = BYTES - 100 + (mixed(trace * SPANS + span) % 200) as usize;
                each(Encoded::new(trace, root | error, len));
            }
        }
    }
}

struct Outcome {
    sampler: TailSampler<Encoded>,
    /// Traces that were sampled with their error.
    error_traces: u64,
    /// Spans that came out.
    spans: u64,
    /// Traces decided for want of room.
    early: u64,
    /// The most memory beyond what there was before the sampler.
    grown: Option<u64>,
}

fn run(before: Option<u64>, budget: usize, open: u64, root_grace: Duration) -> Outcome {
    let config = TailConfig::default()
        .with_max_bytes(budget)
        .with_num_traces(20_000)
        .with_decision_cache(2_000, 50_000)
        .with_root_grace(Some(root_grace));
    let mut sampler = TailSampler::new(config, errors()).expect("it can be meant");
    let start = Instant::now();
    let (mut error_traces, mut spans, mut early, mut most, mut n) = (0, 0, 0, None, 0u64);
    let mut see = |decided: Decided<Encoded>| {
        spans += decided.spans.len() as u64;
        early += u64::from(decided.trigger == Trigger::Pressure);
        let error = decided.spans.iter().any(|span| span.status() == StatusCode::Error);
        error_traces += u64::from(decided.verdict.is_sampled() && error);
    };
    traffic(open, |span| {
        // Ten microseconds from span to span.
        sampler.offer(span, start + Duration::from_micros(10 * n), &mut see);
        n += 1;
        if n.is_multiple_of(10_000) {
            most = most.max(rss());
            assert!(sampler.stats().held_bytes <= budget as u64);
        }
    });
    let grown = most.zip(before).map(|(most, before)| most.saturating_sub(before));
    sampler.drain(start + Duration::from_secs(3600), &mut see);
    Outcome { sampler, error_traces, spans, early, grown }
}

/// 100,000 traces of 20 spans of some 400 bytes each are 800 MB; the sampler may take 32 MiB.
#[test]
fn all_error_traces_are_kept_within_the_budget() {
    const BUDGET: usize = 32 << 20;
    // Before both: what the allocator keeps of the first run is there for the second.
    let before = rss();

    // Two thousand at a time are 16 MB, and as much waits for its grace: all that is needed.
    let calm = run(before, BUDGET, 2_000, Duration::from_millis(200));
    assert_eq!((calm.error_traces, calm.early), (TRACES / 100, 0));
    let stats = calm.sampler.stats();
    assert_eq!((stats.offered_spans, calm.spans, stats.held_spans), (TRACES * SPANS, TRACES * SPANS, 0));
    assert_eq!(stats.sampled_spans, TRACES / 100 * SPANS);
    assert!(stats.peak_bytes > BUDGET as u64 / 2, "it was put to use: {stats:?}");
    within(calm.grown, BUDGET);
    drop(calm.sampler);

    // Five thousand at a time are 40 MB: the oldest have to be decided before they are complete. Where an error was seen by then they are kept; later
    // ones find their trace let go. Nothing is lost without being counted.
    let tight = run(before, BUDGET, 5_000, Duration::from_millis(200));
    let stats = tight.sampler.stats();
    assert_eq!((stats.offered_spans, tight.spans, stats.held_spans), (TRACES * SPANS, TRACES * SPANS, 0));
    assert!(tight.early > TRACES / 10, "there was pressure: {stats:?}");
    assert!(tight.error_traces > TRACES / 200, "{}", tight.error_traces);
    assert!(stats.peak_bytes > BUDGET as u64 * 99 / 100, "{stats:?}");
    within(tight.grown, BUDGET);
}

fn within(grown: Option<u64>, budget: usize) {
    let Some(grown) = grown else { return };
    assert!(grown <= budget as u64 * 11 / 10, "{grown} bytes in RAM for a budget of {budget}");
    assert!(grown >= budget as u64 / 3, "{grown} bytes is too little to be true");
}
