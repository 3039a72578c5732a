//! What share of a pipeline's instructions its measuring of itself is.

use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::Instant;

use aqueduct_metrics::{Distribution, Ledger};

use crate::Failure;
use crate::harness::{Declared, Effort, Run, Samples};
use crate::process::{Profile, program};
use crate::suites::pipeline::workload::{self, Told};

const UNIT: &str = "% of instructions";

pub(super) const ROWS: [Declared; 6] = [
    Declared::lower("self-measurement: encode and push", UNIT).bar("ours<=2"),
    Declared::lower("self-measurement: chunks of 512 spans", UNIT).bar("ours<=2"),
    Declared::lower("self-measurement: chunks of 1 span", UNIT).bar("ours<=2"),
    Declared::lower("ledger: encode and push", UNIT),
    Declared::lower("ledger: chunks of 512 spans", UNIT),
    Declared::lower("ledger: chunks of 1 span", UNIT),
];

/// A run of a pipeline.
#[derive(Debug)]
pub struct Workload {
    /// What the rows call it.
    pub name: &'static str,
    /// A run of so many spans or chunks.
    pub run: fn(u64) -> Result<Told, Failure>,
    /// How many it takes to tell one run from another.
    pub count: u64,
}

/// The runs whose share is told.
pub const WORKLOADS: [Workload; 3] = [
    Workload { name: "encode and push", run: workload::encode, count: 50_000 },
    Workload { name: "chunks of 512 spans", run: |chunks| workload::offer(512, chunks), count: 1_000 },
    Workload { name: "chunks of 1 span", run: |chunks| workload::offer(1, chunks), count: 20_000 },
];

/// Records values in a distribution.
pub fn record(count: u64) {
    let distribution = Distribution::new();
    (0..count).for_each(|number| distribution.record(black_box((number * 977_000) & 0x3ff_ffff)));
    black_box(distribution.read().count());
}

/// Looks at the clock.
pub fn clock(count: u64) {
    (0..count).for_each(|_| _ = black_box(Instant::now()));
}

/// Accepts items and settles them.
pub fn receipt(count: u64) {
    let ledger = Ledger::new();
    (0..count).for_each(|_| ledger.accept(1).delivered());
    black_box(ledger.snapshot());
}

/// What one of each costs.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// See [`record`].
    pub record: f64,
    /// See [`clock`].
    pub clock: f64,
    /// See [`receipt`].
    pub receipt: f64,
}

impl Costs {
    /// The rows of a run and their percentages, from what the whole run cost.
    #[must_use]
    pub fn shares(self, name: &str, told: Told, whole: f64) -> [(String, f64); 2] {
        let measuring = told.records as f64 * self.record + told.clocks as f64 * self.clock;
        let ledger = told.receipts as f64 * self.receipt;
        [
            (format!("self-measurement: {name}"), 100.0 * measuring / whole),
            (format!("ledger: {name}"), 100.0 * ledger / whole),
        ]
    }
}

pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    if ROWS.iter().all(|row| !run.wants(row.name)) {
        return Ok(());
    }
    let shares = if run.effort() == Effort::Tiny { by_time()? } else { by_instructions()? };
    for (name, percent) in shares {
        run.record(&name, &Samples { ours: vec![percent], peer: Vec::new() })?;
    }
    Ok(())
}

/// As valgrind counts them, in a program of its own: `NAME: PERCENT` on each line.
fn by_instructions() -> Result<Vec<(String, f64)>, Failure> {
    let output = Command::new(program(Profile::Release, "instructions")?)
        .arg("self-measurement")
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned().into());
    }
    let lines = String::from_utf8(output.stdout)?;
    let shares = lines.lines().filter_map(|line| line.rsplit_once(": "));
    shares.map(|(name, percent)| Ok((name.to_owned(), percent.parse()?))).collect()
}

/// Without valgrind, which not every machine has, only so that all of this runs.
fn by_time() -> Result<Vec<(String, f64)>, Failure> {
    const FEW: u64 = 50;
    let each = |work: fn(u64)| {
        let start = Instant::now();
        work(FEW);
        start.elapsed().as_nanos() as f64 / FEW as f64
    };
    let costs = Costs { record: each(record), clock: each(clock), receipt: each(receipt) };
    let mut all = Vec::new();
    for Workload { name, run, .. } in WORKLOADS {
        let start = Instant::now();
        let told = run(FEW)?;
        all.extend(costs.shares(name, told, start.elapsed().as_nanos() as f64));
    }
    Ok(all)
}
