//! Starts services, loads and the sink of the telemetry.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{Drive, Driven, Role, Service, Telemetry};
use crate::Failure;
use crate::process::{Cores, Process, Profile, Usage, program};
use crate::sdk::{Counter, Theatre};

/// Longer than a start takes, even in a debug build on a busy machine.
const START: Duration = Duration::from_secs(20);

/// Where the programs are, and on which cores they run.
#[derive(Clone, Debug)]
pub struct Stand {
    program: PathBuf,
    sinks: Theatre,
    cores: Cores,
}

/// A service that runs, with the sink of its telemetry.
#[derive(Debug)]
pub struct Running {
    service: Process,
    address: SocketAddr,
    sink: Counter,
}

impl Stand {
    /// Builds the programs, if they are not up to date, and picks the cores.
    ///
    /// # Errors
    /// Something does not compile.
    pub fn prepare(profile: Profile) -> Result<Stand, Failure> {
        Ok(Stand {
            program: program(profile, "web")?,
            sinks: Theatre::prepare(profile)?,
            cores: Cores::allowed(),
        })
    }

    /// Starts a service.
    ///
    /// # Errors
    /// It does not listen.
    pub fn start(&self, telemetry: Telemetry) -> Result<Running, Failure> {
        let sink = self.sinks.sink(self.cores.generator)?;
        let role = Role::Service(Service { telemetry, endpoint: sink.endpoint() });
        let mut service = self.process("service", self.cores.gateway, &role)?;
        let address = service.wait_for(START, |line| serde_json::from_str(line).ok())?;
        Ok(Running { service, address, sink })
    }

    /// Starts a load.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn load(
        &self,
        running: &Running,
        connections: u32,
        seconds: f64,
        rate: Option<f64>,
    ) -> Result<Process, Failure> {
        let drive = Drive { to: running.address, connections, seconds, rate };
        self.process("load", self.cores.generator, &Role::Drive(drive))
    }

    /// Runs a load to its end.
    ///
    /// # Errors
    /// It does not do what it should.
    pub fn drive(
        &self,
        running: &Running,
        connections: u32,
        seconds: f64,
        rate: Option<f64>,
    ) -> Result<Driven, Failure> {
        ended(self.load(running, connections, seconds, rate)?, seconds)
    }

    fn process(&self, name: &str, core: Option<usize>, role: &Role) -> Result<Process, Failure> {
        Process::start(name, core, &self.program, &[serde_json::to_string(role)?])
    }
}

/// Waits for a load of so many seconds.
///
/// # Errors
/// It does not end, or ended with an error.
pub fn ended(load: Process, seconds: f64) -> Result<Driven, Failure> {
    Ok(serde_json::from_str(&load.finish(START + Duration::from_secs_f64(seconds))?)?)
}

impl Running {
    /// What the service has used so far.
    ///
    /// # Errors
    /// It is gone.
    pub fn usage(&self) -> Result<Usage, Failure> {
        self.service.usage()
    }

    /// Spans that the sink has.
    ///
    /// # Errors
    /// It does not answer.
    pub fn spans(&mut self) -> Result<u64, Failure> {
        self.sink.count()
    }
}
