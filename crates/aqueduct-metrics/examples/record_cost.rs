//! What recording a latency costs: `cargo run --release -p aqueduct-metrics --example record_cost`.
#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use std::hint::black_box;
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Instant;

use aqueduct_metrics::Distribution;
use hdrhistogram::Histogram;

const CALLS: u64 = 20_000_000;

/// Wall nanoseconds for each call, the best of some rounds, when so many threads make calls at the same time.
fn cost(threads: usize, calls: u64, call: impl Fn(u64) + Sync) -> f64 {
    let round = || {
        let start = Barrier::new(threads);
        thread::scope(|scope| {
            let work = || {
                start.wait();
                let begun = Instant::now();
                let mut value = 12_345_u64;
                for _ in 0..calls {
                    value = (value + 977_000) & 0x3ff_ffff;
                    call(black_box(value));
                }
                begun.elapsed().as_nanos() as f64 / calls as f64
            };
            let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            all.into_iter().map(|thread| thread.join().unwrap_or(f64::NAN)).sum::<f64>() / threads as f64
        })
    };
    (0..5).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn main() {
    for threads in [1, 2] {
        let ours = Distribution::new();
        let empty = cost(threads, CALLS, |_| ());
        let recording = cost(threads, CALLS, |value| ours.record(value));
        let locked =
            Mutex::new(Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, 2).expect("good bounds"));
        let locking = cost(threads, CALLS / 10, |value| {
            let mut histogram = locked.lock().expect("nobody panics");
            histogram.saturating_record(value);
        });
        println!(
            "{threads} threads: empty loop {empty:.2} ns, ours {recording:.2} ns, hdrhistogram behind a mutex {locking:.2} ns, ratio {:.3}",
            recording / locking
        );
    }
}
