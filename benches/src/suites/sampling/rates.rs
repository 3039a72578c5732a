//! Shares and rates: what comes of what was asked for.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use aqueduct_sampling::{Parent, ProbabilitySampler, RateSampler, Sampler};
use rand::Rng;
use rand::rngs::Xoshiro256PlusPlus;

use super::Span;
use super::operations::{ids, random};
use crate::Failure;
use crate::harness::{Run, Samples};

pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let shares = "share of 1e6 ids, worst of 0.5, 0.1, 0.01, 1e-4";
    if run.wants(shares) {
        let worst = [0.5, 0.1, 0.01, 1e-4]
            .into_iter()
            .map(|share| deviation(share, 1_000_000))
            .collect::<Result<Vec<_>, _>>()?;
        run.record(shares, &Samples::one(worst.into_iter().fold(0.0, f64::max)))?;
    }
    let divisor = run.effort().pick(50.0, 1.0, 1.0);
    for (group, low, spans) in
        [("rate, 10x steps: ", 2_000.0, 1), ("rate, 10x steps, 100 spans a trace: ", 400.0, 100)]
    {
        if !run.wants_group(group) {
            continue;
        }
        let worst = steps(low / divisor, spans)?;
        run.record(&format!("{group}error after 5 s"), &Samples::one(worst.settling))?;
        run.record(&format!("{group}steady error"), &Samples::one(worst.steady))?;
        run.record(&format!("{group}swing"), &Samples::one(worst.swing))?;
    }
    Ok(())
}

/// By how many standard deviations the kept ones of so many ids miss the share.
fn deviation(share: f64, count: usize) -> Result<f64, Failure> {
    let sampler = ProbabilitySampler::new(share)?;
    let kept = ids(5, count).iter().filter(|id| sampler.keeps(id, "")).count() as f64;
    let count = count as f64;
    Ok((kept - share * count).abs() / (count * share * (1.0 - share)).sqrt())
}

/// Percent.
#[derive(Debug, Default)]
struct Worst {
    settling: f64,
    steady: f64,
    swing: f64,
}

/// A tenth of a second: the time between two ticks.
const TICK: Duration = Duration::from_millis(100);

/// Traces that arrive evenly, whose spans come in ten equal parts, a tenth of a second apart.
struct Load {
    sampler: RateSampler,
    random: Xoshiro256PlusPlus,
    spans: u32,
    now: Instant,
    due: VecDeque<Vec<([u8; 16], bool)>>,
    owed: f64,
}

impl Load {
    /// The mean probability in a second of this many traces.
    fn second(&mut self, traces: f64) -> f64 {
        let handle = self.sampler.handle();
        let mut unused = random(0);
        let mut sum = 0.0;
        for _ in 0..10 {
            self.owed += traces / 10.0;
            let mut begun = Vec::new();
            while self.owed >= 1.0 {
                self.owed -= 1.0;
                let id = (u128::from(self.random.next_u64()) << 64 | u128::from(self.random.next_u64()))
                    .to_be_bytes();
                begun.push((id, self.sampler.decide(&Span::root(id), &mut unused).is_sampled()));
            }
            if self.spans > 1 {
                self.due.push_front(begun);
                self.due.truncate(10);
            }
            for (id, sampled) in self.due.iter().flatten() {
                let child = Span { parent: Some(Parent::local(*sampled)), ..Span::root(*id) };
                for _ in 0..self.spans / 10 {
                    let _ = self.sampler.decide(&child, &mut unused);
                }
            }
            sum += handle.probability() / 10.0;
            self.now += TICK;
            handle.tick(self.now);
        }
        sum
    }

    fn seconds(&mut self, traces: f64, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.second(traces)).collect()
    }
}

fn steps(low: f64, spans: u32) -> Result<Worst, Failure> {
    let target = low / 4.0 * f64::from(spans);
    let sampler = RateSampler::items_per_second(target)?;
    let mut load =
        Load { sampler, random: random(3), spans, now: Instant::now(), due: VecDeque::new(), owed: 0.0 };
    load.seconds(low, 8);
    let mut worst = Worst::default();
    // A root, and ten parts of a tenth of the spans each.
    let items = f64::from(if spans > 1 { spans / 10 * 10 + 1 } else { 1 });
    for traces in [10.0 * low, low, 10.0 * low, low] {
        let right = target / (traces * items);
        let percent = |probability: f64| 100.0 * (probability / right - 1.0).abs();
        load.seconds(traces, 5);
        let settled = load.seconds(traces, 20);
        worst.settling = worst.settling.max(percent(settled[0]));
        worst.steady = worst.steady.max(percent(settled.iter().sum::<f64>() / settled.len() as f64));
        worst.swing = settled.iter().fold(worst.swing, |worst, probability| worst.max(percent(*probability)));
    }
    Ok(worst)
}
