//! Whether the gateway itself grows without end: memory, and buffers that never come back to their pool.

use std::time::{Duration, Instant};

use aqueduct::metrics::{Desc, Exposition, LeakDetector, Trend, Verdict};

pub(super) const VERDICT: Desc = Desc::gauge(
    "aqueduct_leak_verdict",
    "1",
    "1 for what the last nine minutes say about growth of memory or buffers: too_early, steady, fading or leaking; 0 for the others. What queues hold is no leak.",
)
.with_attributes(&["resource", "verdict"]);
pub(super) const SLOPE: Desc = Desc::gauge(
    "aqueduct_leak_slope_bytes_per_second",
    "By/s",
    "How quickly the floor of the resident memory rises, queues included; absent in the first minute.",
);
pub(super) const BUFFERS: Desc = Desc::gauge(
    "aqueduct_slab_pool_checked_out_buffers",
    "{buffer}",
    "Buffers of open batches, and of batches on their way, that are out of their pool.",
);

/// How often readings are taken: some for each of the detector's windows of 30 s, of which the smallest counts.
pub(super) const EVERY: Duration = Duration::from_secs(5);

/// The smallest slab. A buffer that holds less than is charged for it counts as explained.
const SLAB: u64 = 4096;

const VERDICTS: [(Verdict, &str); 4] = [
    (Verdict::TooEarly, "too_early"),
    (Verdict::Steady, "steady"),
    (Verdict::Fading, "fading"),
    (Verdict::Leaking, "leaking"),
];

/// The gateway at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reading {
    /// Resident memory, where the platform tells.
    pub(super) rss_bytes: Option<u64>,
    /// What budgets account for: queues, and traces that wait for their decision.
    pub(super) held_bytes: u64,
    /// The most that budgets allow.
    pub(super) capacity_bytes: u64,
    /// Buffers that the pool handed out so far.
    pub(super) taken: u64,
    /// Those that came back.
    pub(super) returned: u64,
}

/// Watches over a gateway's memory.
///
/// A queue that fills for minutes looks like a leak, and memory that the allocator keeps while a queue drains looks like one beside the queue. So there are two
/// detectors, one with the memory as it is and one without what is held, and only what both call a leak is one.
#[derive(Debug, Default)]
pub(super) struct LeakWatch {
    all: LeakDetector,
    unexplained: LeakDetector,
    out: u64,
    /// What was told of memory, and of buffers. Once is enough: `/metrics` says how it goes on.
    told: [bool; 2],
}

/// What growth says of a resource.
#[derive(Debug, Clone, Copy)]
struct Finding {
    resource: &'static str,
    verdict: Verdict,
    /// Of the readings as they are.
    trend: Trend,
}

impl LeakWatch {
    /// Takes a reading. What is to be said about it, the first time that memory or buffers leak.
    pub(super) fn observe(&mut self, now: Instant, reading: &Reading) -> Vec<String> {
        let Reading { rss_bytes, held_bytes, capacity_bytes, taken, returned } = *reading;
        if let Some(rss) = rss_bytes {
            self.all.observe(now, rss);
            // The capacity keeps it above zero, where what is held is not in RAM.
            self.unexplained.observe(now, rss.saturating_add(capacity_bytes).saturating_sub(held_bytes));
        }
        self.all.checked_out(now, taken, returned);
        self.unexplained.checked_out(
            now,
            taken.saturating_add(capacity_bytes / SLAB),
            returned.saturating_add(held_bytes / SLAB),
        );
        self.out = taken.saturating_sub(returned);
        let found = self.findings();
        let mut lines = Vec::new();
        for (told, finding) in self.told.iter_mut().zip(found) {
            if finding.verdict == Verdict::Leaking && !std::mem::replace(told, true) {
                lines.push(finding.says());
            }
        }
        lines
    }

    fn findings(&self) -> [Finding; 2] {
        let (all, unexplained) = (self.all.report(), self.unexplained.report());
        [("memory", all.memory, unexplained.memory), ("buffers", all.checked_out, unexplained.checked_out)]
            .map(|(resource, trend, beside)| {
                let suspect = trend.verdict == Verdict::Leaking;
                Finding { resource, verdict: if suspect { beside.verdict } else { trend.verdict }, trend }
            })
    }

    pub(super) fn write(&self, page: &mut Exposition) {
        let found = self.findings();
        for finding in found {
            for (verdict, name) in VERDICTS {
                let labels = [("resource", finding.resource), ("verdict", name)];
                page.family(&VERDICT).sample(&labels, u64::from(finding.verdict == verdict));
            }
        }
        // Two windows: of one there is no slope.
        let mut slope = page.family(&SLOPE);
        if found[0].trend.minutes >= 1.0 {
            slope.sample(&[], found[0].trend.per_minute / 60.0);
        }
        page.family(&BUFFERS).sample(&[], self.out);
    }
}

impl Finding {
    fn says(&self) -> String {
        const MIB: f64 = 1_048_576.0;
        let Trend { per_minute, minutes, first, last, .. } = self.trend;
        let growth = if self.resource == "memory" {
            let (slope, first, last) = (per_minute / MIB, first as f64 / MIB, last as f64 / MIB);
            format!("{slope:.2} MiB a minute over {minutes:.1} minutes, from {first:.0} to {last:.0} MiB")
        } else {
            format!("{per_minute:.0} a minute over {minutes:.1} minutes, from {first} to {last}")
        };
        format!("{}: growth without end that no queue explains: {growth}", self.resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// Readings each five seconds for so many minutes, from the minute that has passed.
    fn watch(minutes: u64, mut reading: impl FnMut(f64) -> Reading) -> (LeakWatch, Vec<String>) {
        let start = Instant::now();
        let (mut watch, mut said) = (LeakWatch::default(), Vec::new());
        for step in 0..=minutes * 60 / EVERY.as_secs() {
            let at = EVERY * u32::try_from(step).expect("a short time");
            said.extend(watch.observe(start + at, &reading(at.as_secs_f64() / 60.0)));
        }
        (watch, said)
    }

    fn bytes(mib: f64) -> u64 {
        (mib * MIB as f64) as u64
    }

    fn page(watch: &LeakWatch) -> String {
        let mut page = Exposition::new();
        watch.write(&mut page);
        page.prometheus_text()
    }

    fn verdict(watch: &LeakWatch, resource: &str) -> String {
        let of = format!("aqueduct_leak_verdict{{resource=\"{resource}\",verdict=\"");
        let page = page(watch);
        let mut lines = page.lines().filter_map(|line| line.strip_prefix(&of)?.strip_suffix("\"} 1"));
        let found = lines.next().expect("a verdict").to_owned();
        assert_eq!(lines.next(), None, "one at a time");
        found
    }

    fn slope(watch: &LeakWatch) -> Option<f64> {
        let page = page(watch);
        page.lines().find_map(|line| line.strip_prefix("aqueduct_leak_slope_bytes_per_second ")?.parse().ok())
    }

    fn resident(mib: f64) -> Reading {
        Reading { rss_bytes: Some(bytes(mib)), capacity_bytes: 64 * MIB, ..Reading::default() }
    }

    /// Guards the alarm: a mebibyte a minute under a sawtooth is told once, with its slope, and stays on the page.
    #[test]
    fn a_leak_is_told_once() {
        let leaking = |minute: f64| resident(100.0 + minute + (minute * 3.0).fract() * 20.0);
        let (early, said) = watch(5, leaking);
        assert_eq!((verdict(&early, "memory").as_str(), said.len()), ("too_early", 0));
        let (watch, said) = watch(30, leaking);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].starts_with("memory: growth") && said[0].contains("MiB a minute over 8.5 minutes"),
            "{said:?}"
        );
        assert_eq!(
            (verdict(&watch, "memory").as_str(), verdict(&watch, "buffers").as_str()),
            ("leaking", "steady")
        );
        let slope = slope(&watch).expect("it is known");
        assert!((slope * 60.0 / MIB as f64 - 1.0).abs() < 0.1, "{slope}");
    }

    /// Guards against alarms about what the budgets account for: a queue that fills, and one that drains while the allocator keeps its memory.
    #[test]
    fn queues_are_no_leak() {
        let holding = |held: f64, rss: f64| Reading { held_bytes: bytes(held), ..resident(rss) };
        let (filling, said) = watch(20, |minute| holding(2.0 * minute, 100.0 + 2.0 * minute));
        assert_eq!((verdict(&filling, "memory").as_str(), said.len()), ("steady", 0), "{said:?}");
        assert!(slope(&filling).is_some_and(|slope| slope > 1e4), "what it is because of, it rises");
        let (draining, said) = watch(20, |minute| holding(60.0 - 2.0 * minute, 160.0));
        assert_eq!((verdict(&draining, "memory").as_str(), said.len()), ("steady", 0), "{said:?}");
        // More than is held: what is held hides nothing.
        let (both, said) = watch(20, |minute| holding(2.0 * minute, 100.0 + 4.0 * minute));
        assert_eq!((verdict(&both, "memory").as_str(), said.len()), ("leaking", 1), "{said:?}");
    }

    /// Guards a gateway of which much is held and little is in RAM: what is held does not hide a leak.
    #[test]
    fn what_is_swapped_out_hides_nothing() {
        let (watch, said) =
            watch(20, |minute| Reading { held_bytes: 60 * MIB, ..resident(20.0 + 1.5 * minute) });
        assert_eq!((verdict(&watch, "memory").as_str(), said.len()), ("leaking", 1), "{said:?}");
    }

    /// Guards the account of the pool: buffers that never come back, and buffers that wait with their batches.
    #[test]
    fn buffers_that_never_come_back_are_told() {
        let out = |out: f64, held: f64| {
            let (taken, held_bytes) = (1_000 + out as u64, bytes(held));
            Reading { taken, returned: 1_000, held_bytes, ..resident(100.0) }
        };
        let (lost, said) = watch(20, |minute| out(6.0 * minute, 50.0));
        assert_eq!((verdict(&lost, "buffers").as_str(), said.len()), ("leaking", 1));
        assert!(said[0].contains("buffers: growth") && said[0].contains("6 a minute"), "{said:?}");
        assert!(page(&lost).contains("aqueduct_slab_pool_checked_out_buffers 120\n"), "{}", page(&lost));
        // 64 KiB each: 16 of them a mebibyte.
        let (waiting, said) = watch(20, |minute| out(32.0 * minute, 2.0 * minute));
        assert_eq!((verdict(&waiting, "buffers").as_str(), said.len()), ("steady", 0), "{said:?}");
    }

    /// Guards platforms without figures of memory: no verdict, no slope, no alarm.
    #[test]
    fn nothing_is_known_without_readings() {
        let (watch, said) = watch(20, |_| Reading::default());
        assert_eq!((verdict(&watch, "memory").as_str(), slope(&watch), said.len()), ("too_early", None, 0));
    }
}
