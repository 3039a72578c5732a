//! `aqueduct run` and `aqueduct validate`: from a configuration to a running gateway and back to rest.

mod build;
mod client;
mod debug_exporter;
mod drain;
mod file_exporter;
mod handler;
mod inspect;
mod leak;
mod log;
mod periodic;
mod samplers;
mod signals;
mod status;
mod tuning;
mod workers;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use aqueduct::exec::{Affinity, CoreSet, Timing, WorkerPool, WorkerPoolConfig};
use aqueduct::receiver::{ReceiveBudget, ShutdownTrigger};
use tokio::net::TcpListener;

pub(crate) use status::METRICS;
pub(crate) use tuning::METRICS as TUNER_METRICS;
pub use workers::RuntimeKind;

use self::build::StartError;
use self::drain::Drain;
use self::log::Log;
use self::periodic::Periodic;
use self::signals::StopSignals;
use self::status::GatewayStatus;
use self::workers::Workers;
use crate::config::Config;

/// The exit code when the configuration is unusable.
const EXIT_CONFIG: u8 = 2;
/// How often the debug exporter prints.
const SUMMARY_EVERY: Duration = Duration::from_secs(1);

/// Arguments of `aqueduct run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Configuration file, YAML in the OpenTelemetry Collector's structure. Without one: OTLP/gRPC on 127.0.0.1:4317,
    /// OTLP/HTTP on 127.0.0.1:4318, batches, and the debug exporter.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Threads that receive; default one per core this process may use.
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,
    /// How these threads share the work.
    #[arg(long, value_enum, default_value_t = RuntimeKind::PerCore)]
    runtime: RuntimeKind,
    /// Pin each receiving thread of `per-core` to a core of its own, in turn, among those that this process may use.
    #[arg(long)]
    pin: bool,
    /// Seconds that a stop may take to deliver what is held.
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = parse_seconds)]
    drain_seconds: f64,
}

/// Arguments of `aqueduct validate`.
#[derive(Debug, clap::Args)]
pub struct ValidateArgs {
    /// Configuration file, YAML in the OpenTelemetry Collector's structure.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 =
        text.parse().map_err(|_| "expected a number of seconds, such as 10 or 2.5".to_owned())?;
    if (0.0..=86_400.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("expected 0 to 86400 seconds".to_owned())
    }
}

/// Checks a configuration file and prints what would run.
#[must_use]
#[expect(clippy::print_stdout, reason = "the summary is what the command is for")]
pub fn validate(args: &ValidateArgs) -> ExitCode {
    match Config::load(&args.config) {
        Ok(config) => {
            config.warning_lines().for_each(|line| eprintln!("aqueduct: warning: {}", line.trim_end()));
            print!("{}", config.summary());
            ExitCode::SUCCESS
        }
        Err(errors) => {
            eprintln!("{errors}");
            ExitCode::from(EXIT_CONFIG)
        }
    }
}

/// Runs the gateway until it is told to stop.
#[must_use]
pub fn run(args: &RunArgs) -> ExitCode {
    let config = match &args.config {
        Some(path) => Config::load(path),
        None => Ok(Config::default_for_newcomers()),
    };
    let config = match config {
        Ok(config) => config,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    let log = Log::new(config.telemetry.log_level);
    #[cfg(feature = "dhat")]
    let _heap = inspect::heap(&log);
    #[cfg(feature = "tokio-console")]
    inspect::console(&log);
    config.warning_lines().for_each(|line| log.warn(line.trim_end()));
    match serve(&config, args, &log) {
        Ok(complete) if complete => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("aqueduct: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Starts everything, waits for a stop signal, drains. Whether everything that was accepted was delivered.
fn serve(config: &Config, args: &RunArgs, log: &Log) -> Result<bool, StartError> {
    let workers =
        args.workers.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let offload = Arc::new(offload(workers).map_err(StartError::Offload)?);
    let pipelines = build::pipelines(config, workers, &offload, log)?;
    let budget = ReceiveBudget::new(usize::try_from(config.receive_budget).unwrap_or(usize::MAX));
    let doors = build::doors(config, &pipelines, workers, &offload.spawner(), &budget)?;
    let admin = config.telemetry.admin.as_ref().map(build::bind_first).transpose()?;
    for door in &doors {
        if let Ok(address) = door.listener.local_addr() {
            log.info(format_args!("{} listens on {address} ({})", door.name(), door.setting));
        }
    }
    let (stop, shutdown) = ShutdownTrigger::new();
    let debug = pipelines.debug.clone();
    let worker = Arc::clone(&pipelines.worker);
    let periodic = Periodic::start(&config.telemetry, &worker, log)?.map(Arc::new);
    let tuner = config.tuning.as_ref().map(|tuning| {
        log.info(tuning::says(tuning.mode));
        tuning::start(tuning, &pipelines.pipelines)
    });
    let tuner = tuner.transpose().map_err(StartError::Worker)?;
    let status = Arc::new(GatewayStatus::new(pipelines, &doors, budget, tuner));
    let pin = args.pin.then(|| CoreSet::allowed().and_then(Affinity::new)).transpose();
    let pin = pin.map_err(StartError::Pin)?;
    let workers =
        Workers::start(args.runtime, workers, doors, &shutdown, &worker, pin).map_err(StartError::Worker)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Worker)?;
    runtime.block_on(async {
        let mut signals = StopSignals::new().map_err(StartError::Worker)?;
        if let Some(listener) = admin {
            let listener = TcpListener::from_std(listener).map_err(StartError::Worker)?;
            if let Ok(address) = listener.local_addr() {
                log.info(format_args!("admin listens on {address}"));
            }
            tokio::spawn(crate::admin::serve(listener, Arc::clone(&status) as _));
        }
        if let Some(debug) = debug {
            tokio::spawn(print_summaries(debug));
        }
        if let Some(periodic) = &periodic {
            tokio::spawn(Arc::clone(periodic).run(Arc::clone(&status)));
        }
        tokio::spawn(watch_memory(Arc::clone(&status), log.clone()));
        log.info("ready");
        let signal = signals.next().await;
        log.info(format_args!("{signal}: taking no more requests, delivering what is held"));
        status.draining();
        stop.shut_down();
        tokio::spawn(signals.die_at_next());
        let drain =
            Drain { status, workers, periodic, deadline: Duration::from_secs_f64(args.drain_seconds) };
        // On a thread of its own: the admin endpoint and the second signal stay alive meanwhile.
        let drained = tokio::task::spawn_blocking(move || drain.run()).await;
        let report = drained.map_err(|error| StartError::Worker(std::io::Error::other(error)))?;
        for line in report.lines() {
            log.info(line);
        }
        Ok(report.complete)
    })
}

/// For each worker thread so many jobs may wait. A job is a megabyte or more: what comes then is done where it came, which holds that connection back.
const JOBS_WAITING: usize = 8;

/// The threads that inflate, validate and compress what is large, so that those which receive and send do not wait for it.
fn offload(threads: usize) -> Result<WorkerPool, aqueduct::exec::StartError> {
    WorkerPoolConfig::default()
        .with_threads(NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN))
        .with_capacity(JOBS_WAITING * threads)
        .with_timing(Timing::Off)
        .with_name("aqueduct-work")
        .build()
}

/// Looks at the gateway's own memory for as long as it runs.
async fn watch_memory(status: Arc<GatewayStatus>, log: Log) {
    let mut ticks = tokio::time::interval(leak::EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let now = ticks.tick().await;
        status.watch_memory(now.into_std()).iter().for_each(|line| log.warn(line));
    }
}

async fn print_summaries(debug: debug_exporter::DebugExporter) {
    let mut ticks = tokio::time::interval(SUMMARY_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Some(line) = debug.summary() {
            eprintln!("aqueduct: {line}");
        }
    }
}
