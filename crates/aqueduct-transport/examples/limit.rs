//! The adaptive limit against every fixed one from 1 to 64, in simulations of backends: a table.
//!
//! `cargo run --release -p aqueduct-transport --example limit`

#![allow(clippy::print_stdout)]

#[allow(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../tests/it/sim/mod.rs"]
mod sim;

use std::time::Duration;

use aqueduct_transport::ConcurrencyLimit;
use sim::scenarios;

/// A build without optimization takes twenty times as long.
const SEEDS: u64 = if cfg!(debug_assertions) { 1 } else { 3 };

fn main() {
    println!(
        "batches a second         best fixed limit        half of it    64    adaptive   share  its limit  its wait"
    );
    let all = [
        scenarios::quick(),
        scenarios::distant(),
        scenarios::rate_limited(None),
        scenarios::rate_limited(Some(Duration::from_millis(100))),
        scenarios::jittery(0.5),
        scenarios::jittery(1.0),
        scenarios::outage(),
    ];
    for scenario in all {
        for seed in 1..=SEEDS {
            let (best, report) = scenario.best_fixed(1..=64, seed);
            let fixed = |limit| scenario.run(ConcurrencyLimit::fixed(limit), seed).throughput();
            let adaptive = scenario.run(ConcurrencyLimit::default(), seed);
            println!(
                "{:31} {:7.1} at {best:2} {:14.1} {:7.1} {:9.1} {:5.1} % {:9} {:9.1?}",
                scenario.name,
                report.throughput(),
                fixed(best.div_ceil(2)),
                fixed(64),
                adaptive.throughput(),
                adaptive.throughput() / report.throughput() * 100.0,
                adaptive.limits[0],
                adaptive.mean_wait(),
            );
        }
    }
}
