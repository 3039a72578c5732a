//! Instructions per operation, counted by valgrind: a gate against regressions that a busy machine cannot move.
//!
//! Without arguments it runs itself once for each operation and two counts under callgrind, and compares the difference with the operation's budget;
//! with `OPERATION COUNT` it does the operation that often. With `self-measurement` it tells which share of its instructions a pipeline spends on
//! measuring itself, and with a row of that and a count it is such a run.

use std::hint::black_box;
use std::io::Write;
use std::process::{Command, ExitCode, Stdio};

use aqueduct_benches::Failure;
use aqueduct_benches::suites::metrics::share::{self, Costs, WORKLOADS, Workload};
use aqueduct_benches::suites::pipeline::workload::Told;
use aqueduct_benches::suites::{exec, lockfree, pool, sampling};
use aqueduct_lockfree::{HashMap, Queue};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An operation, what it may cost, and how it is done so many times.
struct Operation {
    name: &'static str,
    /// Instructions each, with the loop around it. About a tenth above what was measured when it was set, and at least three: how the compiler
    /// cuts this program into units moves the shortest loops by two.
    budget: f64,
    run: fn(u64) -> Result<(), Failure>,
}

const OPERATIONS: &[Operation] = &[
    Operation {
        name: "lanes/push+drain",
        budget: 34.0,
        run: |n| done(lockfree::instructions::lanes_push_drain(n)),
    },
    Operation {
        name: "lanes/push+drain, thread-local",
        budget: 37.5,
        run: |n| done(lockfree::instructions::lanes_local_push_drain(n)),
    },
    Operation {
        name: "ring/push+pop",
        budget: 50.0,
        run: |n| done(lockfree::instructions::ring_push_pop(n)),
    },
    Operation { name: "queue/push+pop", budget: 205.0, run: queue },
    Operation { name: "map/get", budget: 163.0, run: map },
    Operation { name: "counter/inc", budget: 12.0, run: |n| done(lockfree::instructions::counter_inc(n)) },
    Operation { name: "pool/take+drop, 4 KiB", budget: 86.0, run: buffer },
    Operation { name: "pool/block", budget: 119.0, run: block },
    Operation { name: "pool/object", budget: 282.0, run: object },
    Operation { name: "exec/push+pop", budget: 60.0, run: own_push_pop },
    Operation { name: "exec/fork generation", budget: 9.0, run: generation },
    Operation { name: RECORD, budget: 52.0, run: record },
    Operation { name: CLOCK, budget: 36.0, run: clock },
    Operation { name: RECEIPT, budget: 76.0, run: receipt },
    Operation { name: "sampling/head decision", budget: 26.0, run: sampling::operations::head },
    Operation { name: "sampling/rate decision", budget: 77.0, run: sampling::operations::rate },
    Operation { name: "sampling/th", budget: 850.0, run: sampling::operations::th },
];

const RECORD: &str = "metrics/record";
const CLOCK: &str = "metrics/clock";
const RECEIPT: &str = "metrics/receipt";

fn done<T>(value: T) -> Result<(), Failure> {
    black_box(value);
    Ok(())
}

fn record(count: u64) -> Result<(), Failure> {
    share::record(count);
    Ok(())
}

fn clock(count: u64) -> Result<(), Failure> {
    share::clock(count);
    Ok(())
}

fn receipt(count: u64) -> Result<(), Failure> {
    share::receipt(count);
    Ok(())
}

fn own_push_pop(count: u64) -> Result<(), Failure> {
    exec::operations::push_pop(count);
    Ok(())
}

fn generation(count: u64) -> Result<(), Failure> {
    exec::operations::generation(count);
    Ok(())
}

fn queue(count: u64) -> Result<(), Failure> {
    let queue = Queue::new();
    (0..count).for_each(|_| lockfree::queue::push_pop(&queue));
    Ok(())
}

fn map(count: u64) -> Result<(), Failure> {
    let map = HashMap::new();
    (0..1000).for_each(|key| lockfree::map::replace(&map, key, key));
    done((0..count).map(|at| lockfree::map::get(&map, at % 1000)).sum::<u64>())
}

fn buffer(count: u64) -> Result<(), Failure> {
    let (buffers, ..) = pool::warm()?;
    done((0..count).map(|_| pool::take_buffer(&buffers)).sum::<usize>())
}

fn block(count: u64) -> Result<(), Failure> {
    let (_, blocks, _) = pool::warm()?;
    done((0..count).map(|_| pool::take_block(&blocks)).sum::<usize>())
}

fn object(count: u64) -> Result<(), Failure> {
    let (.., objects) = pool::warm()?;
    (0..count).for_each(|_| pool::get_object(&objects));
    Ok(())
}

/// How often an operation is done in the shorter of two runs; the longer one does it twice as often.
const COUNT: u64 = 20_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.as_slice() {
        [] => compare(),
        [what] if what == "self-measurement" => self_measurement(),
        [name, count] => perform(name, count),
        _ => Err("usage: instructions [OPERATION COUNT]".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("instructions: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn perform(name: &str, count: &str) -> Result<(), Failure> {
    if let Some(workload) = WORKLOADS.iter().find(|workload| workload.name == name) {
        let Told { records, clocks, receipts } = (workload.run)(count.parse()?)?;
        writeln!(std::io::stdout(), "{records} {clocks} {receipts}")?;
        return Ok(());
    }
    let operation = OPERATIONS.iter().find(|operation| operation.name == name);
    (operation.ok_or("no such operation")?.run)(count.parse()?)
}

fn compare() -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let mut over = Vec::new();
    for Operation { name, budget, .. } in OPERATIONS {
        let each = each(name)?;
        let verdict = if each <= *budget { "" } else { "  OVER" };
        writeln!(out, "{name:<32} {each:>8.1} instructions, budget {budget:>6.1}{verdict}")?;
        if each > *budget {
            over.push(*name);
        }
    }
    if over.is_empty() { Ok(()) } else { Err(format!("over budget: {}", over.join(", ")).into()) }
}

/// Instructions of an operation.
fn each(name: &str) -> Result<f64, Failure> {
    Ok((counted(name, 2 * COUNT)?.0 - counted(name, COUNT)?.0) / COUNT as f64)
}

fn self_measurement() -> Result<(), Failure> {
    let costs = Costs { record: each(RECORD)?, clock: each(CLOCK)?, receipt: each(RECEIPT)? };
    for Workload { name, count, .. } in WORKLOADS {
        // Starting takes much and measures nothing: it would only make the share smaller.
        let ((start, few), (whole, told)) = (counted(name, count)?, counted(name, 3 * count)?);
        let more = Told {
            records: told.records.saturating_sub(few.records),
            clocks: told.clocks.saturating_sub(few.clocks),
            receipts: told.receipts.saturating_sub(few.receipts),
        };
        for (row, percent) in costs.shares(name, more, whole - start) {
            writeln!(std::io::stdout(), "{row}: {percent:.3}")?;
        }
    }
    Ok(())
}

/// Instructions of a whole run, and what it has told.
fn counted(name: &str, count: u64) -> Result<(f64, Told), Failure> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(std::env::current_exe()?).args([name, &count.to_string()]).stdin(Stdio::null());
    let output =
        command.output().map_err(|error| format!("valgrind: {error}; it is in the package of that name"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{name}: {said}").into());
    }
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    let collected = collected.ok_or_else(|| format!("callgrind has counted nothing: {said}"))?.1;
    let told = String::from_utf8(output.stdout)?;
    let mut told = told.split_whitespace().map(str::parse);
    let mut next = || told.next().unwrap_or(Ok(0));
    Ok((collected.trim().parse()?, Told { records: next()?, clocks: next()?, receipts: next()? }))
}
