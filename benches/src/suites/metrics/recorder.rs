//! What recording a latency costs, alone and beside others, and how exact its quantiles are.

use std::hint::black_box;
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use aqueduct_metrics::Distribution;
use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};

use crate::Failure;
use crate::harness::{Run, Samples};

pub(super) const PEER: &str = "hdrhistogram behind a mutex";
pub(super) const LOOP: &str = "record: the loop alone";
pub(super) const CPU: [&str; 4] =
    ["record: cpu, 1 thread", "record: cpu, 2 threads", "record: cpu, 4 threads", "record: cpu, 8 threads"];
pub(super) const WALL: [&str; 2] = ["record: wall, 1 thread", "record: wall, 2 threads"];
pub(super) const PEER_CPU: &str = "record: cpu beside the mutex, 2 threads";
pub(super) const ERROR: &str = "percentile error: six distributions, all quantiles";
pub(super) const READ: &str = "read a distribution of 2 threads";

/// What one call costs each of some threads.
#[derive(Clone, Copy, Debug)]
struct Cost {
    wall: f64,
    cpu: f64,
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// So many threads that make so many calls each with latencies of 0 to 67 ms, at the same time.
fn cost(threads: u32, calls: u64, call: impl Fn(u64) + Sync) -> Cost {
    let start = Barrier::new(threads as usize);
    let work = || {
        // The first call of a thread makes its cell.
        call(1);
        start.wait();
        let (wall, cpu) = (Instant::now(), cpu_time());
        let mut value = 12_345_u64;
        for _ in 0..calls {
            value = (value + 977_000) & 0x3ff_ffff;
            call(value);
        }
        let (wall, cpu) = (wall.elapsed(), cpu_time() - cpu);
        (wall, cpu)
    };
    thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let each = all.into_iter().map(|thread| thread.join().expect("it only records"));
        let (wall, cpu) =
            each.fold((Duration::ZERO, Duration::ZERO), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let per_call = |time: Duration| time.as_nanos() as f64 / (u64::from(threads) * calls) as f64;
        Cost { wall: per_call(wall), cpu: per_call(cpu) }
    })
}

pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let calls: u64 = run.effort().pick(100, 2_000_000, 5_000_000);
    let rounds: usize = run.effort().pick(1, 9, 25);
    if run.wants_group("record: ") {
        let alone = (0..rounds).map(|_| cost(1, calls, |value| _ = black_box(value)).cpu).collect();
        run.record(LOOP, &Samples { ours: alone, peer: Vec::new() })?;
        let mut beside = Vec::new();
        for (index, name) in CPU.into_iter().enumerate() {
            let threads = 1 << index;
            let ours = Distribution::new();
            let theirs = Mutex::new(Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, 2)?);
            let record = |value| ours.record(value);
            let lock = |value| {
                theirs.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(value);
            };
            let (mut own, mut other) = (Vec::new(), Vec::new());
            for _ in 0..rounds {
                own.push(cost(threads, calls, record));
                if index < WALL.len() {
                    other.push(cost(threads, calls / 10, lock));
                }
            }
            run.record(name, &Samples { ours: own.iter().map(|cost| cost.cpu).collect(), peer: Vec::new() })?;
            if let Some(wall) = WALL.get(index) {
                let walls = |costs: &[Cost]| costs.iter().map(|cost| cost.wall).collect();
                run.record(wall, &Samples { ours: walls(&own), peer: walls(&other) })?;
                beside = vec![own, other];
            }
        }
        if let [own, other] = &beside[..] {
            let cpus = |costs: &[Cost]| costs.iter().map(|cost| cost.cpu).collect();
            run.record(PEER_CPU, &Samples { ours: cpus(own), peer: cpus(other) })?;
        }
    }
    errors(run)?;

    if run.wants(READ) {
        let shared = Distribution::new();
        let _ = cost(2, 10_000, |value| shared.record(value));
        shared.record(1);
        let mut times = Vec::new();
        for _ in 0..rounds {
            let begun = Instant::now();
            let _ = black_box(shared.read().quantile(0.99));
            times.push(begun.elapsed().as_nanos() as f64 / 1e3);
        }
        run.record(READ, &Samples { ours: times, peer: Vec::new() })?;
    }
    Ok(())
}

/// The largest error of any quantile of any of six distributions, against the exact value.
fn errors(run: &mut Run<'_>) -> Result<(), Failure> {
    if !run.wants(ERROR) {
        return Ok(());
    }
    let values = run.effort().pick(1000, 100_000, 1_000_000);
    let (mut ours, mut theirs) = (0.0_f64, 0.0_f64);
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut unit = move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        ((state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) + 1) as f64 / (1_u64 << 53) as f64
    };
    for kind in 0..6 {
        let mut value = || match kind {
            0 => unit() * 1e9,
            1 => -5e6 * unit().ln(),
            2 => (14.0 + 1.5 * (-2.0 * unit().ln()).sqrt() * (std::f64::consts::TAU * unit()).cos()).exp(),
            3 if unit() < 0.9 => 1.5e6 + 1e6 * unit(),
            3 => 7e8 + 2e8 * unit(),
            4 => 1_234_567.0,
            _ => 1e5 * unit().powf(-1.0 / 1.1),
        };
        let mut exact: Vec<u64> = (0..values).map(|_| value() as u64).collect();
        let distribution = Distribution::new();
        let mut histogram = Histogram::<u64>::new(3)?;
        for value in &exact {
            distribution.record(*value);
            histogram.saturating_record(*value);
        }
        exact.sort_unstable();
        let read = distribution.read();
        for step in 1..=10_000 {
            let q = f64::from(step) / 10_000.0;
            let rank = ((q * exact.len() as f64 * (1.0 - 1e-15)).ceil() as usize).clamp(1, exact.len());
            let truth = exact[rank - 1] as f64;
            let error = |answer: u64| 100.0 * (answer as f64 - truth).abs() / truth.max(1.0);
            ours = ours.max(error(read.quantile(q)));
            // It rounds ranks otherwise; where values are far apart the next one is as good an answer.
            let near = [rank.saturating_sub(2), rank - 1, rank.min(exact.len() - 1)];
            let answer = histogram.value_at_quantile(q) as f64;
            let theirs_here = near
                .map(|at| 100.0 * (answer - exact[at] as f64).abs() / (exact[at] as f64).max(1.0))
                .into_iter()
                .fold(f64::INFINITY, f64::min);
            theirs = theirs.max(theirs_here);
        }
    }
    run.record(ERROR, &Samples { ours: vec![ours], peer: vec![theirs] })
}
