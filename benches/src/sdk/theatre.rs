//! Starts applications and their sinks.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::order::{Load, Order, Told};
use crate::Failure;
use crate::process::{Process, Profile, program};

/// Longer than either takes, even in a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the program is.
#[derive(Clone, Debug)]
pub struct Theatre {
    program: PathBuf,
}

/// What an application and its sink say of the same items.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivered {
    /// The application.
    pub told: Told,
    /// Items that the sink has.
    pub received: u64,
}

impl Delivered {
    /// Items that did not arrive, in per cent of those that were made.
    #[must_use]
    pub fn lost_percent(&self) -> f64 {
        100.0 * self.told.made.saturating_sub(self.received) as f64 / self.told.made.max(1) as f64
    }
}

impl Theatre {
    /// Builds the program, if it is not up to date.
    ///
    /// # Errors
    /// It does not compile.
    pub fn prepare(profile: Profile) -> Result<Theatre, Failure> {
        Ok(Theatre { program: program(profile, "sdk")? })
    }

    /// Runs a load.
    ///
    /// # Errors
    /// The process does not do what it should.
    pub fn run(&self, load: &Load) -> Result<Told, Failure> {
        let name = format!("{:?}", load.behind);
        Ok(serde_json::from_str(&self.start(&name, &Order::Load(load.clone()))?.finish(PATIENCE)?)?)
    }

    /// Runs a load without a sink, and sees that its exporter got everything.
    ///
    /// # Errors
    /// As [`Theatre::run`], and when something was dropped.
    pub fn run_whole(&self, load: &Load) -> Result<Told, Failure> {
        let told = self.run(load)?;
        if told.exported == told.made {
            Ok(told)
        } else {
            Err(format!("{:?}: {} of {} items were exported", load.behind, told.exported, told.made).into())
        }
    }

    /// Runs a load against a sink of its own.
    ///
    /// # Errors
    /// A process does not do what it should; losses are no error.
    pub fn deliver(&self, load: &Load) -> Result<Delivered, Failure> {
        let mut sink = self.start("sink", &Order::Sink)?;
        let address: SocketAddr = sink.wait_for(PATIENCE, |line| serde_json::from_str(line).ok())?;
        let told = self.run(&Load { endpoint: Some(format!("http://{address}")), ..load.clone() })?;
        sink.say("count")?;
        let received = sink.wait_for(PATIENCE, |line| line.parse().ok())?;
        Ok(Delivered { told, received })
    }

    fn start(&self, name: &str, order: &Order) -> Result<Process, Failure> {
        Process::start(name, None, &self.program, &[serde_json::to_string(order)?])
    }
}
