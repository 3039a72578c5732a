//! The command: signals, standard input, live line, report.

use super::{Sink, SinkArgs, SinkReport};
use serde_json::json;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Exit code for options that make no sense or cannot be had, as clap uses it.
const USAGE: u8 = 2;

/// Runs `aqueduct sink` to its end: a signal, the end of its time, or the end of standard input if that is watched.
pub fn run(args: &SinkArgs) -> ExitCode {
    let sink = match Sink::start(args) {
        Ok(sink) => sink,
        Err(error) => {
            complain(&error);
            return ExitCode::from(USAGE);
        }
    };
    // Nobody reading any more is no reason to fail in what follows.
    let _ = announce(&sink, args);
    let watched = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(watch(&sink, args)));
    let report = sink.stop();
    let _ = if args.json { print_line(&json!(report)) } else { print_text(&report) };
    match watched {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn complain(error: &dyn std::error::Error) {
    let _ = writeln!(io::stderr(), "aqueduct sink: {error}");
}

fn announce(sink: &Sink, args: &SinkArgs) -> io::Result<()> {
    if args.json {
        let http = sink.http_address().map(|address| address.to_string());
        return print_line(&json!({"listening": {"grpc": sink.grpc_address().to_string(), "http": http}}));
    }
    let mut err = io::stderr();
    writeln!(err, "listening on {} (OTLP/gRPC)", sink.grpc_address())?;
    if let Some(address) = sink.http_address() {
        writeln!(err, "listening on {address} (OTLP/HTTP)")?;
    }
    Ok(())
}

async fn watch(sink: &Sink, args: &SinkArgs) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut input = args.stdin.then(read_input);
    let time = args.seconds.map(|seconds| tokio::time::Instant::now() + Duration::from_secs_f64(seconds));
    let over = async {
        match time {
            Some(time) => tokio::time::sleep_until(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.tick().await;
    let mut before = 0;
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            () = &mut over => return Ok(()),
            line = next_line(&mut input) => match line {
                Some(line) if line.trim() == "report" => {
                    let _ = print_line(&json!({"progress": sink.report()}));
                }
                // Unknown commands are left to later versions.
                Some(_) => {}
                None => return Ok(()),
            },
            _ = second.tick(), if !args.json && !args.quiet => {
                let report = sink.report();
                let _ = writeln!(
                    io::stderr(),
                    "{:>8} requests/s  received {}  duplicates {}  foreign {}  failed {}  hung {}  {:.1} Mbit/s",
                    report.requests - before,
                    report.received,
                    report.duplicates,
                    report.foreign,
                    report.failed_requests,
                    report.hung_requests,
                    report.wire_mbit_per_s,
                );
                before = report.requests;
            }
        }
    }
}

/// Reads standard input on a thread: a read of it cannot be abandoned, and tokio's would keep the process from ending.
fn read_input() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

async fn next_line(input: &mut Option<mpsc::UnboundedReceiver<String>>) -> Option<String> {
    match input {
        Some(lines) => lines.recv().await,
        None => std::future::pending().await,
    }
}

fn print_line(value: &serde_json::Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    writeln!(out)?;
    out.flush()
}

fn print_text(report: &SinkReport) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{} requests, {} received, {} duplicates, {} foreign; {} failed, {} hung; {:.1} MB, {:.1} Mbit/s on the wire",
        report.requests,
        report.received,
        report.duplicates,
        report.foreign,
        report.failed_requests,
        report.hung_requests,
        report.bytes as f64 / 1e6,
        report.wire_mbit_per_s,
    )?;
    for (reason, count) in &report.invalid_requests {
        writeln!(out, "refused as {reason}: {count}")?;
    }
    out.flush()
}
