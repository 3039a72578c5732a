//! `aqueduct demo`: load generator, gateway and sink as three processes over real sockets, and a report.

mod child;
mod gateway;
mod report;
mod tune;

use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::Value;

use self::child::Child;
use self::gateway::Gateway;
use self::report::{Facts, Report};

/// How long a process may take until it says that it listens.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// An acknowledged item that has not arrived this long after the load ended is lost.
const LOST_AFTER: Duration = Duration::from_secs(10);
/// How long a process may take to end and to print its last line.
const END_PATIENCE: Duration = Duration::from_secs(30);

/// Arguments of `aqueduct demo`.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Requests a second, offered open loop: by the clock, whatever the answers [default: 50000, with --tune 2000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// How long to offer them; with --tune, how long the tuner searches from each start [default: 10, with --tune 60]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: Option<u32>,
    /// Spans in a request [default: 1, with --tune 25]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    spans: Option<u32>,
    /// What goes wrong, from a third of the time on.
    #[arg(long, value_enum)]
    fault: Option<Fault>,
    /// Measure a grid of settings against a sink that answers after 20 ms, and have the tuner find its way from three bad ones and the defaults: 8 minutes
    #[arg(long, conflicts_with = "fault")]
    tune: bool,
    /// Print the report as one JSON object, the last line of standard output.
    #[arg(long)]
    json: bool,
}

/// What goes wrong in the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Fault {
    /// The sink is gone for 10 seconds: connections are reset, new ones refused.
    SinkDown,
    /// The sink answers a fifth of the requests with UNAVAILABLE, for 10 seconds.
    Unavailable,
    /// The sink accepts requests and does not answer, for 5 seconds.
    Hang,
    /// The gateway gets a SIGTERM in the middle of the load.
    Stop,
}

/// Runs the demo. Success means that nothing that was acknowledged was lost.
#[must_use]
#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
pub fn run(args: &DemoArgs) -> ExitCode {
    if args.tune {
        return match tune::tune(args) {
            Ok(report) => {
                let holds = report.holds();
                println!("{}", if args.json { report.to_json() } else { report.to_string() });
                if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(error) => failed(&error),
        };
    }
    match demo(args) {
        Ok(report) => {
            if args.json {
                println!("{}", report.to_json());
            } else {
                println!("{report}");
            }
            if report.nothing_lost() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &io::Error) -> ExitCode {
    eprintln!("aqueduct: the demo failed: {error}");
    ExitCode::FAILURE
}

impl DemoArgs {
    fn rate(&self) -> u32 {
        self.rate.unwrap_or(50_000)
    }

    fn seconds(&self) -> u32 {
        self.seconds.unwrap_or(10)
    }

    fn spans(&self) -> u32 {
        self.spans.unwrap_or(1)
    }
}

fn demo(args: &DemoArgs) -> io::Result<Report> {
    let mut sink = Child::start("sink", &sink_arguments(args))?;
    let listening = sink.line(START_PATIENCE, listening)?;
    let mut gateway = Gateway::start(&listening)?;
    let before = gateway.resources()?;
    let started = Instant::now();
    let mut load = Child::start("load", &load_arguments(args, &gateway.grpc))?;
    let stop_at =
        (args.fault == Some(Fault::Stop)).then(|| started + Duration::from_secs(args.seconds().into()) / 3);
    let mut stopped_after = None;
    let loaded = loop {
        let patience = Duration::from_secs(1);
        match load.poll_json(patience)? {
            Some(loaded) => break loaded,
            None => live_line(args, &mut gateway, started),
        }
        if stop_at.is_some_and(|at| Instant::now() >= at) && stopped_after.is_none() {
            stopped_after = Some(gateway.resources()?);
            gateway.terminate()?;
        }
        if started.elapsed() > Duration::from_secs(u64::from(args.seconds())) + LOST_AFTER + END_PATIENCE {
            return Err(io::Error::other("the load generator does not end"));
        }
    };
    let after = match stopped_after {
        Some(resources) => resources,
        None => {
            let resources = gateway.resources()?;
            gateway.wait_drained(LOST_AFTER);
            resources
        }
    };
    let took = started.elapsed();
    let retries = gateway.retries();
    gateway.terminate()?;
    gateway.wait_ended(END_PATIENCE)?;
    sink.terminate()?;
    let received = sink.last_json(END_PATIENCE)?;
    let facts = Facts { args, loaded: &loaded, received: &received, before, after, took, retries };
    Report::new(&facts)
}

/// Where a sink listens, if this line says so.
fn listening(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    Some(line.get("listening")?.get("grpc")?.as_str()?.to_owned())
}

fn sink_arguments(args: &DemoArgs) -> Vec<String> {
    let mut list = vec!["sink", "--listen", "127.0.0.1:0", "--json"];
    let at = format!("{}s", args.seconds() / 3);
    match args.fault {
        Some(Fault::SinkDown) => list.extend(["--down-at", &at, "--down-for", "10s"]),
        Some(Fault::Unavailable) => list.extend([
            "--fail-share",
            "0.2",
            "--fail-code",
            "UNAVAILABLE",
            "--fail-at",
            &at,
            "--fail-for",
            "10s",
        ]),
        Some(Fault::Hang) => list.extend(["--hang-at", &at, "--hang-for", "5s"]),
        Some(Fault::Stop) | None => {}
    }
    list.into_iter().map(str::to_owned).collect()
}

fn load_arguments(args: &DemoArgs, grpc: &str) -> Vec<String> {
    let list = [
        "load",
        "--endpoint",
        &format!("http://{grpc}"),
        "--rate",
        &args.rate().to_string(),
        "--seconds",
        &args.seconds().to_string(),
        "--spans",
        &args.spans().to_string(),
        "--json",
        "--quiet",
    ];
    list.map(str::to_owned).into()
}

/// One line a second on standard error.
fn live_line(args: &DemoArgs, gateway: &mut Gateway, started: Instant) {
    let Some(status) = gateway.progress() else { return };
    eprintln!(
        "{:>3.0} s  {:>10} spans accepted  {:>10} delivered  {:>8} held  {:>5.1} % of a core  {:>5.1} MB{}",
        started.elapsed().as_secs_f64(),
        status.accepted,
        status.delivered,
        status.held,
        status.cpu_percent,
        status.rss_mb,
        if args.fault.is_some() { format!("  {} retries", status.retries) } else { String::new() },
    );
}
