//! A web service with and without telemetry, and the load on it.
//!
//! The service (axum over HTTP/1.1) has one core, the load and the sink of the telemetry share the other. Each is a process of its own (`web`).

mod drive;
mod service;
mod stand;
mod tracing;

pub use drive::{Drive, Driven};
pub use service::Service;
pub use stand::{Running, Stand, ended};
pub use tracing::{Keep, Telemetry};

use std::io::Write;

use serde::{Deserialize, Serialize};

use crate::Failure;

/// What a process is to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Role {
    /// The service; it says where it listens, and serves until its standard input ends.
    Service(Service),
    /// The load; it ends by itself.
    Drive(Drive),
}

/// The program `web`: plays the role that its argument describes.
///
/// # Errors
/// The argument is no [`Role`], or what it asks for could not be set up.
pub fn program() -> Result<(), Failure> {
    let text = std::env::args().nth(1).ok_or("the only argument is a role in JSON")?;
    match serde_json::from_str(&text).map_err(|error| format!("`{text}`: {error}"))? {
        Role::Service(service) => service::run(&service),
        Role::Drive(drive) => say(&drive::run(&drive)?),
    }
}

/// A line on standard output, at once: the other side waits for it.
fn say<T: Serialize>(what: &T) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(what)?)?;
    Ok(out.flush()?)
}
