//! Starts applications and their sinks.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::clocked::{Clocked, Timed};
use super::order::{Load, Order, Told};
use super::spread::{Consumed, Spread};
use crate::Failure;
use crate::process::{Process, Profile, program};

/// Longer than either takes, even in a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the program is.
#[derive(Clone, Debug)]
pub struct Theatre {
    program: PathBuf,
}

/// A sink that runs.
#[derive(Debug)]
pub struct Counter {
    process: Process,
    address: SocketAddr,
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
        Ok(serde_json::from_str(&self.start(&name, None, &Order::Load(load.clone()))?.finish(PATIENCE)?)?)
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
        let mut sink = self.sink(None)?;
        let told = self.run(&Load { endpoint: Some(sink.endpoint()), ..load.clone() })?;
        Ok(Delivered { told, received: sink.count()? })
    }

    /// Starts a sink; with a core, only on that core.
    ///
    /// # Errors
    /// It does not listen.
    pub fn sink(&self, core: Option<usize>) -> Result<Counter, Failure> {
        let mut process = self.start("sink", core, &Order::Sink)?;
        let address = process.wait_for(PATIENCE, |line| serde_json::from_str(line).ok())?;
        Ok(Counter { process, address })
    }

    /// Runs services whose attributes have many values.
    ///
    /// # Errors
    /// The process does not do what it should.
    pub fn spread(&self, spread: &Spread) -> Result<Consumed, Failure> {
        let services = self.start("services", None, &Order::Spread(*spread))?;
        Ok(serde_json::from_str(&services.finish(PATIENCE)?)?)
    }

    /// Runs an application whose spans come by the clock; with a core, only on that core.
    ///
    /// # Errors
    /// The process does not do what it should.
    pub fn clocked(&self, core: Option<usize>, clocked: &Clocked) -> Result<Timed, Failure> {
        let application = self.start("application", core, &Order::Clocked(clocked.clone()))?;
        Ok(serde_json::from_str(&application.finish(PATIENCE + Duration::from_secs_f64(clocked.seconds))?)?)
    }

    fn start(&self, name: &str, core: Option<usize>, order: &Order) -> Result<Process, Failure> {
        Process::start(name, core, &self.program, &[serde_json::to_string(order)?])
    }
}

impl Counter {
    /// Where it listens, as an endpoint.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Items that it has.
    ///
    /// # Errors
    /// It does not answer.
    pub fn count(&mut self) -> Result<u64, Failure> {
        self.process.say("count")?;
        self.process.wait_for(PATIENCE, |line| line.parse().ok())
    }
}
