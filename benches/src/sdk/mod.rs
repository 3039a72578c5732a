//! Applications with the OpenTelemetry SDK in front, and what stands behind it: nothing, our processors, or the SDK's own.
//!
//! Each is a process of its own (`sdk`) with the system's allocator, so that its CPU time and its memory are those of the telemetry alone.
//!
//! - [`Order`] is what the program is asked for: a [`Load`], or a sink;
//! - [`Told`] is what a load has measured;
//! - [`Spread`] are services whose attributes have many values, and [`Consumed`] what that took;
//! - [`Clocked`] is an application whose spans come by the clock, and [`Timed`] what it has measured;
//! - [`Theatre`] starts the processes.

mod behind;
mod clocked;
mod items;
mod load;
mod order;
mod sink;
mod spread;
mod theatre;

pub(crate) use behind::stock_exporter;
pub use clocked::{Clocked, Timed};
pub use order::{Behind, Item, Load, Order, Shape, Told};
pub use spread::{Consumed, Spread};
pub use theatre::{Counter, Delivered, Theatre};

use std::io::Write;

use serde::Serialize;

use crate::Failure;

/// The program `sdk`: does what its argument says and prints what it has measured.
///
/// # Errors
/// The argument is no [`Order`], or what it asks for could not be set up.
pub fn program() -> Result<(), Failure> {
    let text = std::env::args().nth(1).ok_or("the only argument is an order in JSON")?;
    match serde_json::from_str(&text).map_err(|error| format!("`{text}`: {error}"))? {
        Order::Load(load) => say(&load::run(&load)?),
        Order::Sink => sink::run(),
        Order::Spread(spread) => say(&spread::run(&spread)?),
        Order::Clocked(clocked) => say(&clocked::run(&clocked)?),
    }
}

/// A line on standard output, at once: the other side waits for it.
fn say<T: Serialize>(what: &T) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(what)?)?;
    Ok(out.flush()?)
}
