//! The gateway under test: its configuration, its log, its admin endpoint.

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::books::{Account, Books, accounts};
use super::{Arena, wire};
use crate::Failure;
use crate::process::{Ended, Process, Usage};

const START: Duration = Duration::from_secs(20);
/// How often the admin endpoint is asked for what it alone knows.
pub(super) const ASK_EVERY: Duration = Duration::from_millis(20);

/// What an exporter of the configuration is like; everything else is the default.
#[derive(Clone, Debug)]
pub struct Exporter {
    /// `otlp`, `otlphttp`, or with a name behind it: `otlp/slow`.
    pub name: &'static str,
    /// Where it sends to.
    pub to: SocketAddr,
    /// `sending_queue.queue_size`; the default without.
    pub queue: Option<&'static str>,
}

/// A configuration: the defaults, except for what is said here.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to take OTLP over gRPC.
    pub grpc: SocketAddr,
    /// Where to take OTLP over HTTP.
    pub http: SocketAddr,
    /// Whether to acknowledge after the export.
    pub exported: bool,
    /// Where to send to.
    pub exporters: Vec<Exporter>,
    /// How long a stop may take; 10 s by default.
    pub drain: Duration,
}

impl Settings {
    /// Over gRPC to one sink, on ports of the system's choice.
    #[must_use]
    pub fn to(sink: SocketAddr) -> Settings {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Settings {
            grpc: any,
            http: any,
            exported: false,
            exporters: vec![Exporter { name: "otlp", to: sink, queue: None }],
            drain: Duration::from_secs(10),
        }
    }

    /// As a file.
    #[must_use]
    pub fn yaml(&self) -> String {
        let mut exporters = String::new();
        for Exporter { name, to, queue } in &self.exporters {
            let _ = write!(exporters, "  {name}:\n    endpoint: http://{to}\n");
            if let Some(queue) = queue {
                let _ = write!(exporters, "    sending_queue:\n      queue_size: {queue}\n");
            }
        }
        let names: Vec<_> = self.exporters.iter().map(|exporter| exporter.name).collect();
        format!(
            "receivers:
  otlp:
    acknowledge: {}
    protocols:
      grpc:
        endpoint: {}
      http:
        endpoint: {}
processors:
  batch:
exporters:
{exporters}service:
  telemetry:
    metrics:
      address: 127.0.0.1:0
  pipelines:
    traces:
      receivers: [otlp]
      processors: [batch]
      exporters: [{}]
",
            if self.exported { "exported" } else { "enqueued" },
            self.grpc,
            self.http,
            names.join(", ")
        )
    }
}

/// A configuration file. Dropped, it is deleted.
#[derive(Debug)]
pub struct Config(pub PathBuf);

impl Config {
    /// Writes a configuration to the temporary folder.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(yaml: &str) -> Result<Config, Failure> {
        // A plain counter: names must differ, nothing else.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("aqueduct-chaos-{}-{number}.yaml", std::process::id()));
        fs::write(&path, yaml)?;
        Ok(Config(path))
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        // A file too many in the temporary folder is nobody's trouble.
        let _ = fs::remove_file(&self.0);
    }
}

/// Starts `aqueduct run` without waiting for anything.
///
/// # Errors
/// It cannot be started.
pub fn spawn(arena: &Arena, config: &Config, drain: Duration) -> Result<Process, Failure> {
    let arguments = [
        "run".to_owned(),
        "--config".to_owned(),
        config.0.display().to_string(),
        "--drain-seconds".to_owned(),
        drain.as_secs_f64().to_string(),
    ];
    Process::start("aqueduct run", None, &arena.aqueduct, &arguments)
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    process: Process,
    /// Where it takes OTLP over gRPC.
    pub grpc: SocketAddr,
    /// Where it takes OTLP over HTTP.
    pub http: SocketAddr,
    /// Where its admin endpoint is.
    pub admin: SocketAddr,
    settings: Settings,
    _config: Config,
}

impl Gateway {
    /// Starts a gateway and waits until it is ready.
    ///
    /// # Errors
    /// It does not start, or not in time.
    pub fn start(arena: &Arena, settings: &Settings) -> Result<Gateway, Failure> {
        let config = Config::write(&settings.yaml())?;
        let mut process = spawn(arena, &config, settings.drain)?;
        let grpc = process.wait_for(START, |line| address(line, "OTLP/gRPC listens on "))?;
        let http = process.wait_for(START, |line| address(line, "OTLP/HTTP listens on "))?;
        let admin = process.wait_for(START, |line| address(line, "admin listens on "))?;
        process.wait_for(START, |line| line.ends_with("ready").then_some(()))?;
        Ok(Gateway { process, grpc, http, admin, settings: settings.clone(), _config: config })
    }

    /// Starts it again with the same settings on the same addresses, after it was killed.
    ///
    /// # Errors
    /// As [`Gateway::start`].
    pub fn restart(arena: &Arena, killed: &Killed) -> Result<Gateway, Failure> {
        Gateway::start(arena, &killed.0)
    }

    /// Ends it without asking (SIGKILL).
    #[must_use]
    pub fn kill(self) -> Killed {
        self.process.kill();
        Killed(Settings { grpc: self.grpc, http: self.http, ..self.settings })
    }

    /// Sends SIGTERM.
    ///
    /// # Errors
    /// It cannot be sent.
    pub fn terminate(&self) -> Result<(), Failure> {
        self.process.terminate()
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn end(self, timeout: Duration) -> Result<Ended, Failure> {
        self.process.end(timeout)
    }

    /// Asks it to end and demands that it ends well, at rest as it is.
    ///
    /// # Errors
    /// It does not, or not with success.
    pub fn stop(self) -> Result<(), Failure> {
        self.terminate()?;
        let patience = self.settings.drain + START;
        let ended = self.end(patience)?;
        if ended.code == Some(0) {
            return Ok(());
        }
        Err(format!("a gateway at rest ended with {:?}: {}", ended.code, ended.lines.join("\n")).into())
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits for a line of its log.
    ///
    /// # Errors
    /// It does not come in time.
    pub fn wait_for_line(&mut self, timeout: Duration, part: &str) -> Result<String, Failure> {
        self.process.wait_for(timeout, |line| line.contains(part).then(|| line.to_owned()))
    }

    /// The lines of its log so far that contain this.
    pub fn lines_with(&mut self, part: &str) -> Vec<String> {
        self.process.lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// It is gone.
    pub fn usage(&self) -> Result<Usage, Failure> {
        self.process.usage()
    }

    /// A page of its admin endpoint.
    ///
    /// # Errors
    /// It is not answered.
    pub fn page(&self, path: &str) -> Result<wire::HttpAnswer, Failure> {
        wire::get(self.admin, path)
    }

    /// Its accounts now.
    ///
    /// # Errors
    /// The admin endpoint does not answer as it should.
    pub fn accounts(&self) -> Result<Vec<Account>, Failure> {
        accounts(&self.page("/statusz")?.body)
    }

    /// Waits until the accounts satisfy `enough`. The admin endpoint has no events, so it is asked again and again.
    ///
    /// # Errors
    /// They do not in time.
    pub fn wait_until(
        &self,
        timeout: Duration,
        mut enough: impl FnMut(&[Account]) -> bool,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + timeout;
        loop {
            let accounts = self.accounts()?;
            if enough(&accounts) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("the gateway did not get there in {timeout:?}: {accounts:?}").into());
            }
            thread::sleep(ASK_EVERY);
        }
    }

    /// Waits until it holds nothing, for so long at most, and reads its books. What it still holds is among their faults.
    ///
    /// # Errors
    /// The admin endpoint does not answer as it should.
    pub fn at_rest(&self, patience: Duration) -> Result<Books, Failure> {
        let empty = |accounts: &[Account]| accounts.iter().all(|account| account.held == 0);
        // Not at rest in time is a finding, not an error: the books say it.
        let _ = self.wait_until(patience, empty);
        Books::at_rest(&self.page("/statusz")?.body, &self.page("/metrics")?.body)
    }
}

/// What is left of a gateway that was killed.
#[derive(Debug)]
pub struct Killed(Settings);

fn address(line: &str, after: &str) -> Option<SocketAddr> {
    line.split_once(after)?.1.split(' ').next()?.parse().ok()
}
