//! `aqueduct-metrics`: what accounting costs.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aqueduct_metrics::{Desc, LatencyHistogram, Ledger, PrometheusText, ResourceProbe};
use hdrhistogram::Histogram;

use crate::Failure;
use crate::harness::{Declared, Run, Suite};

/// Receipts, histograms, exposition, probes.
pub(super) const SUITE: Suite = Suite {
    name: "metrics",
    about: "A receipt's life is one accept and one settlement; the peer adds to one atomic counter at each end, which counts \
            but can prove nothing. The histogram stands beside hdrhistogram used directly, the text beside `write!`.",
    rows: &[
        Declared::lower("receipt: accept and settle", "ns").against("two atomic additions").bar("ours<=100"),
        Declared::lower("receipt: accept, split in two, settle both", "ns"),
        Declared::lower("ledger: snapshot", "ns"),
        Declared::lower("histogram: record", "ns").against("hdrhistogram").bar("ratio<=1.5"),
        Declared::lower("prometheus text: 100 samples", "ns/sample").against("write!"),
        Declared::lower("resource probe: sample", "ns"),
    ],
    measure,
};

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

    let labels: Vec<String> = (0..100).map(|index| format!("traces/{index}")).collect();
    let text = || {
        let mut text = PrometheusText::new();
        let mut family = text.family(&DESC);
        for label in &labels {
            family.sample(&[("pipeline", label)], 42_u64);
        }
        text.finish()
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
