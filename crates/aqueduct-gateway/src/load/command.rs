//! The command: signals, live line, report.

use super::{Load, LoadArgs, LoadReport};
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Exit code for settings that make no sense, as clap uses it.
const USAGE: u8 = 2;

/// Runs `aqueduct load` to its end. The exit code is 0 if anything was acknowledged.
pub fn run(args: &LoadArgs) -> ExitCode {
    let load = match Load::start(args) {
        Ok(load) => load,
        Err(error) => {
            complain(&error);
            return ExitCode::from(USAGE);
        }
    };
    let watched = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(watch(&load, args)));
    if let Err(error) = watched {
        complain(&error);
        load.abort();
    }
    match load.finish() {
        Ok(report) => {
            let printed = if args.json { print_json(&report) } else { print_text(&report) };
            // A reader that is gone gets no report; the run is over all the same.
            let _ = printed;
            if report.acknowledged > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn complain(error: &dyn std::error::Error) {
    let _ = writeln!(io::stderr(), "aqueduct load: {error}");
}

/// Waits for the end: the first signal stops the run, a second one aborts it.
async fn watch(load: &Load, args: &LoadArgs) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.tick().await;
    let mut signals = 0;
    let mut before = load.progress();
    let ended = load.ended();
    tokio::pin!(ended);
    let mut elapsed = 0_u64;
    loop {
        let signalled = tokio::select! {
            () = &mut ended => return Ok(()),
            _ = interrupt.recv() => true,
            _ = terminate.recv() => true,
            _ = second.tick() => false,
        };
        if signalled {
            signals += 1;
            if signals == 1 {
                load.stop()
            } else {
                load.abort()
            }
            continue;
        }
        elapsed += 1;
        if args.quiet || args.json {
            continue;
        }
        let now = load.progress();
        let _ = writeln!(
            io::stderr(),
            "{elapsed:>4} s  {:>8} requests/s  {:>8} acknowledged/s  p99 {:>8.2} ms  refused {}  rejected {}  \
             unanswered {}  retries {}",
            now.requests - before.requests,
            now.acknowledged - before.acknowledged,
            now.p99.as_secs_f64() * 1e3,
            now.refused,
            now.rejected,
            now.unanswered,
            now.retries,
        );
        before = now;
    }
}

fn print_json(report: &LoadReport) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, report)?;
    writeln!(out)?;
    out.flush()
}

fn print_text(report: &LoadReport) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{} requests of {} items ({} bytes) in {:.1} s: {:.0} acknowledged a second, {:.2} s of processor time",
        report.requests,
        report.items_per_request,
        report.request_bytes,
        report.seconds,
        report.requests_per_second,
        report.cpu_seconds,
    )?;
    writeln!(
        out,
        "items: {} offered = {} acknowledged + {} refused + {} rejected + {} unanswered; {} retries",
        report.offered,
        report.acknowledged,
        report.refused,
        report.rejected,
        report.unanswered,
        report.retries,
    )?;
    writeln!(
        out,
        "latency: p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms",
        report.p50_ms, report.p90_ms, report.p99_ms, report.p999_ms, report.max_ms,
    )?;
    if report.unsent_requests > 0 {
        writeln!(
            out,
            "{} requests were due and never sent: the target is saturated",
            report.unsent_requests
        )?;
    }
    if let Some(problem) = &report.last_problem {
        writeln!(out, "last problem: {problem}")?;
    }
    out.flush()
}
