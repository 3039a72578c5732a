//! The `aqueduct` command line.

use std::process::ExitCode;

use aqueduct_gateway::{catalogue, demo, doctor, load, run, sink};
use clap::{Parser, Subcommand};

// Buffers are allocated on the receiving threads and freed on the pipeline's; the peers that we measure against use the
// same allocator.
#[cfg(all(feature = "mimalloc", not(feature = "dhat")))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// The system's allocator, with every allocation recorded while `run` profiles the heap.
#[cfg(feature = "dhat")]
#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// A small, fast OTLP gateway: receives, validates, batches and forwards telemetry with every item accounted for.
#[derive(Debug, Parser)]
#[command(name = "aqueduct", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway.
    Run(run::RunArgs),
    /// Check a configuration file and print what would run, without starting anything.
    Validate(run::ValidateArgs),
    /// Send generated telemetry and measure the answers.
    Load(load::LoadArgs),
    /// Receive telemetry and account for every id.
    Sink(sink::SinkArgs),
    /// Run load, gateway and sink as three processes and report.
    Demo(demo::DemoArgs),
    /// Say what is wrong with a running gateway or with a configuration, and what to do. Exits with 1 if something fails, 2 if it cannot look.
    Doctor(doctor::DoctorArgs),
    /// List every metric that the gateway publishes.
    Metrics(catalogue::MetricsArgs),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Validate(args) => run::validate(&args),
        Command::Load(args) => load::run(&args),
        Command::Sink(args) => sink::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Metrics(args) => catalogue::run(&args),
    }
}
