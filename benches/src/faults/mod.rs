//! Applications against a sink that fails by a script: what arrives, what is lost, and whether the books say so.
//!
//! An application (`app`, with our pipeline alone or behind the SDK's tracer, or with the SDK alone) ends spans at a steady rate and sends them to a sink (`faulty-sink`) that
//! counts every span by its identity, so losses and duplicates are exact. Each is a process of its own.
//!
//! - [`Script`] says what the sink does with each request; [`Director`] decides it, request by request;
//! - [`Uniques`] counts spans by the numbers that their ids stand for;
//! - [`chunks`] are spans encoded beforehand;
//! - [`Job`] and [`Told`] are what an application is asked for and what it tells afterwards;
//! - [`Stage`] runs both and holds what they say against each other ([`Round`]).

mod carrier;
mod door;
mod ids;
mod job;
mod ours;
mod pace;
mod sample;
mod script;
mod sink;
mod stage;
mod storm;
mod traced;

pub use ids::{Random, Uniques, origin, span_id};
pub use job::{Books, Carrier, Content, Job, Side, Told};
pub use pace::Pace;
pub use sample::chunks;
pub use script::{Act, Director, FAULTS, Script};
pub use sink::{Second, Tally};
pub use stage::{Round, Stage};
pub use storm::Recovery;

use std::io::Write;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Failure;

/// The program `app`: does the job that its argument describes and prints what it tells.
///
/// # Errors
/// The argument is no [`Job`], or the application could not be set up.
pub fn app() -> Result<(), Failure> {
    let job: Job = argument()?;
    let told = match job.side {
        Side::Ours => ours::run(&job),
        Side::Sdk(carrier) => traced::run(&job, carrier),
    }?;
    say(&told)
}

/// The program `faulty-sink`: does what the script in its argument says until it is told to end, and prints its tally.
///
/// # Errors
/// The argument is no [`Script`], or nothing can be listened at.
pub fn faulty_sink() -> Result<(), Failure> {
    let tally = sink::run(argument()?)?;
    say(&tally)
}

fn argument<T: DeserializeOwned>() -> Result<T, Failure> {
    let text = std::env::args().nth(1).ok_or("the only argument is a description in JSON")?;
    serde_json::from_str(&text).map_err(|error| format!("`{text}`: {error}").into())
}

/// A line on standard output, at once: the other side waits for it.
fn say<T: Serialize>(what: &T) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(what)?)?;
    Ok(out.flush()?)
}
