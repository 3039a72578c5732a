//! A child process of the demo: this very program with other arguments.

use std::io::{self, BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Runs until it is dropped, and is killed then if it still runs.
#[derive(Debug)]
pub(crate) struct Child {
    name: String,
    process: std::process::Child,
    /// The lines of its standard output (or of standard error, see [`Child::start_for_log`]).
    lines: Receiver<String>,
    last_json: Option<Value>,
}

impl Child {
    /// Starts this program with these arguments and reads its standard output.
    pub(crate) fn start(name: &str, arguments: &[String]) -> io::Result<Self> {
        let mut process = command(arguments)?.stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
        Ok(Self { name: name.to_owned(), process, lines: read_lines(output, false)?, last_json: None })
    }

    /// Starts this program with these arguments and reads its standard error, which is passed on.
    pub(crate) fn start_for_log(name: &str, arguments: &[String]) -> io::Result<Self> {
        let mut process = command(arguments)?.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let output = process.stderr.take().ok_or_else(|| io::Error::other("no standard error"))?;
        Ok(Self { name: name.to_owned(), process, lines: read_lines(output, true)?, last_json: None })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits for a line that `find` recognizes.
    pub(crate) fn line<T>(&mut self, patience: Duration, find: impl Fn(&str) -> Option<T>) -> io::Result<T> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    if let Some(found) = find(&line) {
                        return Ok(found);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        format!("`aqueduct {}` did not say what was waited for", self.name),
                    ));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
            }
        }
    }

    /// Its last JSON line once it has ended; `None` when it still runs after `patience`.
    pub(crate) fn poll_json(&mut self, patience: Duration) -> io::Result<Option<Value>> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    if let Ok(value) = serde_json::from_str(&line) {
                        self.last_json = Some(value);
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => {
                    return self.last_json.take().map(Some).ok_or_else(|| self.ended());
                }
            }
        }
    }

    /// Waits for the end and returns the last JSON line.
    pub(crate) fn last_json(&mut self, patience: Duration) -> io::Result<Value> {
        self.poll_json(patience)?.ok_or_else(|| {
            io::Error::new(io::ErrorKind::TimedOut, format!("`aqueduct {}` did not end", self.name))
        })
    }

    /// Waits until it has closed its output.
    pub(crate) fn wait_ended(&mut self, patience: Duration) -> io::Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return self.process.wait().map(drop),
                Err(RecvTimeoutError::Timeout) => {
                    let message = format!("`aqueduct {}` did not end", self.name);
                    return Err(io::Error::new(io::ErrorKind::TimedOut, message));
                }
            }
        }
    }

    /// Asks it to end; nothing happens if it has.
    pub(crate) fn terminate(&mut self) -> io::Result<()> {
        if self.process.try_wait()?.is_some() {
            return Ok(());
        }
        terminate(self.process.id())
    }

    fn ended(&mut self) -> io::Error {
        let how = self.process.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        io::Error::other(format!("`aqueduct {}` ended early ({how})", self.name))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Ended already is the usual case, and then there is nothing to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(arguments: &[String]) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).stdin(Stdio::null());
    Ok(command)
}

#[cfg(unix)]
fn terminate(pid: u32) -> io::Result<()> {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(kill_process(pid, Signal::TERM)?)
}

#[cfg(not(unix))]
fn terminate(_pid: u32) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "the demo needs signals to stop its processes"))
}

/// Reads lines on a thread until the output is closed.
fn read_lines(output: impl io::Read + Send + 'static, pass_on: bool) -> io::Result<Receiver<String>> {
    let (tell, lines) = mpsc::channel();
    std::thread::Builder::new().name("read-child".to_owned()).spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if pass_on {
                eprintln!("{line}");
            }
            if tell.send(line).is_err() {
                break;
            }
        }
    })?;
    Ok(lines)
}
