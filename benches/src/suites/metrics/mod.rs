//! `aqueduct-metrics`: what accounting costs.

mod leaks;
mod recorder;
pub mod share;

use std::fmt::Write;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aqueduct_metrics::{Desc, Exposition, LatencyHistogram, Ledger, ResourceProbe};
use hdrhistogram::Histogram;

use crate::Failure;
use crate::harness::{Declared, Run, Suite};

/// Receipts, histograms, exposition, probes.
pub(super) const SUITE: Suite = Suite {
    name: "metrics",
    about: "A receipt's life is one accept and one settlement; the peer adds to one atomic counter at each end, which counts \
            but can prove nothing. `on two threads` is what one arrival costs each of two intake threads. The histogram stands beside hdrhistogram used directly, the text beside `write!`. `record` is a latency recorded in a distribution \
            that all threads share; the peer is an hdrhistogram behind a mutex. `wall` is what a record costs each thread, `cpu` what it costs in CPU time, both with \
            the loop that makes the values, which is `record: the loop alone`. `self-measurement` is the share of a pipeline's instructions, counted by valgrind, that goes into \
            what it records to be looked at: as many values as it records, and looks at the clock for them, at what one costs alone. `ledger` is the same of the receipts by which no item is lost \
            unnoticed, an accept and a settlement for each chunk, though the pipeline settles a batch at a time.",
    rows: &[
        Declared::lower("receipt: accept and settle", "ns").against("two atomic additions").bar("ours<=100"),
        Declared::lower(CONTENDED, "ns").against("one atomic addition").bar("ratio<=0.5"),
        Declared::lower("receipt: accept, split in two, settle both", "ns"),
        Declared::lower("ledger: snapshot", "ns"),
        Declared::lower("histogram: record", "ns").against("hdrhistogram").bar("ratio<=1.5"),
        Declared::lower(recorder::LOOP, "CPU ns"),
        Declared::lower(recorder::CPU[0], "CPU ns").bar("ours<=2"),
        Declared::lower(recorder::CPU[1], "CPU ns").bar("ours<=2"),
        Declared::lower(recorder::CPU[2], "CPU ns").bar("ours<=2"),
        Declared::lower(recorder::CPU[3], "CPU ns").bar("ours<=2"),
        Declared::lower(recorder::WALL[0], "ns").against(recorder::PEER).bar("ratio<=0.4"),
        Declared::lower(recorder::WALL[1], "ns").against(recorder::PEER).bar("ratio<=0.05"),
        Declared::lower(recorder::PEER_CPU, "CPU ns").against(recorder::PEER),
        Declared::lower(recorder::ERROR, "%").against("hdrhistogram, 3 digits").bar("ours<=1"),
        Declared::lower(recorder::READ, "us"),
        Declared::lower(leaks::FALSE_ALARMS, "alarms").bar("ours<=0"),
        Declared::higher(leaks::FOUND, "leaks of 40").bar("ours>=40"),
        Declared::lower(leaks::REPORT, "us"),
        share::ROWS[0],
        share::ROWS[1],
        share::ROWS[2],
        share::ROWS[3],
        share::ROWS[4],
        share::ROWS[5],
        Declared::lower("prometheus text: 100 samples", "ns/sample").against("write!"),
        Declared::lower("resource probe: sample", "ns"),
    ],
    measure,
};

const CONTENDED: &str = "ledger: accept, on two threads";

const DESC: Desc = Desc::counter("aqueduct_accepted_items_total", "{item}", "Items accepted.")
    .with_attributes(&["pipeline"]);

fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let ledger = Ledger::new();
    let (accepted, delivered) = (AtomicU64::new(0), AtomicU64::new(0));
    let count = || {
        accepted.fetch_add(1, Ordering::Relaxed);
        delivered.fetch_add(1, Ordering::Relaxed)
    };
    run.compare("receipt: accept and settle", 1, || ledger.accept(1).delivered(), count)?;
    if run.wants(CONTENDED) {
        let arrivals = run.effort().pick(100, 200_000, 1_000_000);
        let rounds = run.effort().pick(1, 5, 15);
        let ours = || {
            Ok(on_two_threads(arrivals, &|| {
                // Of no items, so that the receipts need no settling: what is added makes no difference to the cost.
                let _ = std::hint::black_box(ledger.accept(0));
            }))
        };
        let theirs = || {
            Ok(on_two_threads(arrivals, &|| {
                accepted.fetch_add(1, Ordering::Relaxed);
            }))
        };
        run.alternate(CONTENDED, rounds, ours, theirs)?;
    }
    let split = || {
        let mut receipt = ledger.accept(2);
        receipt.split(1).delivered();
        receipt.delivered();
    };
    run.alone("receipt: accept, split in two, settle both", 1, split)?;
    run.alone("ledger: snapshot", 1, || ledger.snapshot())?;

    let mut ours = LatencyHistogram::new();
    let mut theirs: Histogram<u64> = Histogram::new_with_bounds(1, 3_600_000_000, 3)?;
    let (mut turn, mut their_turn) = (0_u64, 0_u64);
    let record = || {
        turn = (turn + 977) % 50_000;
        ours.record(Duration::from_micros(turn));
    };
    let record_theirs = || {
        their_turn = (their_turn + 977) % 50_000;
        theirs.record(their_turn)
    };
    run.compare("histogram: record", 1, record, record_theirs)?;

    recorder::measure(run)?;
    leaks::measure(run)?;
    share::measure(run)?;

    let labels: Vec<String> = (0..100).map(|index| format!("traces/{index}")).collect();
    let text = || {
        let mut page = Exposition::new();
        let mut family = page.family(&DESC);
        for label in &labels {
            family.sample(&[("pipeline", label)], 42_u64);
        }
        page.prometheus_text()
    };
    let plain = || {
        let mut text = String::new();
        for label in &labels {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}{{pipeline=\"{label}\"}} {}", DESC.name, 42_u64);
        }
        text
    };
    run.compare("prometheus text: 100 samples", 100, text, plain)?;

    let mut probe = ResourceProbe::new();
    run.alone("resource probe: sample", 1, || probe.sample())
}

/// Nanoseconds for each call, when two threads make so many each at the same time.
fn on_two_threads(calls: u64, call: &(dyn Fn() + Sync)) -> f64 {
    let start = Barrier::new(2);
    let thread = || {
        start.wait();
        let begun = Instant::now();
        (0..calls).for_each(|_| call());
        begun.elapsed().as_nanos() as f64 / calls as f64
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(thread);
        let mine = thread();
        // A panic there would have been one here: the calls are the same.
        other.join().map_or(mine, |theirs| (mine + theirs) / 2.0)
    })
}
