//! A child process on a core of its own, with its output line by line.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::usage::Usage;
use crate::Failure;

/// A running child. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<(Stream, String)>,
    seen: Vec<(Stream, String)>,
}

/// How a child ended, whatever its exit code.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Everything it said, both streams in the order in which it arrived.
    pub lines: Vec<String>,
}

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

impl Process {
    /// Starts a program; with a core, only on that core.
    ///
    /// # Errors
    /// The program or `taskset` cannot be started.
    pub fn start(
        name: &str,
        core: Option<usize>,
        program: &Path,
        arguments: &[String],
    ) -> Result<Process, Failure> {
        let mut command = match core {
            // taskset replaces itself by the program, so the child's id is the program's.
            Some(core) => {
                let mut command = Command::new("taskset");
                command.arg("-c").arg(core.to_string()).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|error| format!("{name}: {} cannot be started: {error}", program.display()))?;
        let (sender, lines) = mpsc::channel();
        if let Some(out) = child.stdout.take() {
            forward(out, Stream::Out, sender.clone());
        }
        if let Some(err) = child.stderr.take() {
            forward(err, Stream::Err, sender);
        }
        let stdin = child.stdin.take();
        Ok(Process { name: name.to_owned(), child, stdin, lines, seen: Vec::new() })
    }

    /// Writes a line to the child's standard input.
    ///
    /// # Errors
    /// The child reads no more.
    pub fn say(&mut self, line: &str) -> Result<(), Failure> {
        let stdin = self.stdin.as_mut().ok_or("the child has no standard input")?;
        Ok(writeln!(stdin, "{line}")?)
    }

    /// Waits for a line of output (either stream) of which `pick` makes something.
    ///
    /// # Errors
    /// The time is over, or the child has closed its output; the text holds what it said last.
    pub fn wait_for<T>(
        &mut self,
        timeout: Duration,
        mut pick: impl FnMut(&str) -> Option<T>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok((stream, line)) => {
                    let picked = pick(&line);
                    self.seen.push((stream, line));
                    if let Some(picked) = picked {
                        return Ok(picked);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(self.complaint("said nothing of what was expected"));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.complaint("ended early")),
            }
        }
    }

    /// Waits until the child has ended by itself and returns its last line of standard output.
    ///
    /// # Errors
    /// The time is over, or it ended with an error.
    pub fn finish(mut self, timeout: Duration) -> Result<String, Failure> {
        let status = self.wait(timeout)?;
        self.drain();
        if !status.success() {
            return Err(self.complaint(&format!("ended with {status}")));
        }
        let last = self.seen.iter().rev().find(|(stream, line)| *stream == Stream::Out && !line.is_empty());
        last.map(|(_, line)| line.clone()).ok_or_else(|| self.complaint("printed nothing"))
    }

    /// Waits until the child has ended, successfully or not.
    ///
    /// # Errors
    /// The time is over.
    pub fn end(mut self, timeout: Duration) -> Result<Ended, Failure> {
        let status = self.wait(timeout)?;
        self.drain();
        let lines = std::mem::take(&mut self.seen).into_iter().map(|(_, line)| line).collect();
        Ok(Ended { code: status.code(), lines })
    }

    /// Ends the child without asking it (SIGKILL).
    pub fn kill(self) {
        // Dropping it is what does that, and waits.
    }

    /// Everything it has said so far, both streams in the order in which it arrived.
    pub fn lines(&mut self) -> impl Iterator<Item = &str> {
        while let Ok(line) = self.lines.try_recv() {
            self.seen.push(line);
        }
        self.seen.iter().map(|(_, line)| line.as_str())
    }

    /// Asks the child to end (SIGTERM) and waits for it; afterwards as [`Process::finish`].
    ///
    /// # Errors
    /// As [`Process::finish`].
    pub fn stop(self, timeout: Duration) -> Result<String, Failure> {
        self.terminate()?;
        self.finish(timeout)
    }

    /// Asks the child to end (SIGTERM) and returns at once.
    ///
    /// # Errors
    /// `kill` cannot be started.
    pub fn terminate(&self) -> Result<(), Failure> {
        Command::new("kill").arg("-TERM").arg(self.id().to_string()).stderr(Stdio::null()).status()?;
        Ok(())
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the child has used so far.
    ///
    /// # Errors
    /// It is gone.
    pub fn usage(&self) -> Result<Usage, Failure> {
        Usage::of(self.id())
            .map_err(|error| format!("{}: its usage cannot be read: {error}", self.name).into())
    }

    /// Whether the child still runs.
    #[must_use]
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn wait(&mut self, timeout: Duration) -> Result<ExitStatus, Failure> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(self.complaint("did not end in time"));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Takes what is left in the pipes; a grandchild may hold them open, so not for ever.
    fn drain(&mut self) {
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(2)) {
            self.seen.push(line);
        }
    }

    fn complaint(&mut self, what: &str) -> Failure {
        while let Ok(line) = self.lines.try_recv() {
            self.seen.push(line);
        }
        let last = self.seen.iter().rev().take(10).rev().map(|(_, line)| format!("\n  {line}"));
        format!("{} {what}; its last lines:{}", self.name, last.collect::<String>()).into()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; either way nobody is left to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn forward(pipe: impl Read + Send + 'static, stream: Stream, sender: Sender<(Stream, String)>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let Ok(line) = line else { return };
            if sender.send((stream, line)).is_err() {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        let arguments = ["-c".to_owned(), script.to_owned()];
        Process::start("shell", None, Path::new("/bin/sh"), &arguments).unwrap()
    }

    /// Guards the readiness protocol: a line on either stream, and the last line of standard output at the end.
    #[test]
    fn lines_are_picked_up() {
        let mut child =
            shell("echo warming up >&2; echo listening on 7 >&2; echo one; echo two; echo noise >&2");
        let port = child
            .wait_for(Duration::from_secs(5), |line| line.strip_prefix("listening on ").map(str::to_owned));
        assert_eq!(port.unwrap(), "7");
        assert_eq!(child.finish(Duration::from_secs(5)).unwrap(), "two");
    }

    /// Guards that a child which dies or fails is an error that quotes it, not a hang.
    #[test]
    fn failures_quote_the_child() {
        let mut child = shell("echo no such thing >&2; exit 3");
        let error = child.wait_for(Duration::from_secs(5), |_| None::<()>).unwrap_err();
        assert!(error.to_string().contains("no such thing"), "{error}");
        let error = child.finish(Duration::from_secs(5)).unwrap_err();
        assert!(error.to_string().contains("exit status: 3"), "{error}");
    }

    /// Guards that an end with an error can be looked at, with everything that was said.
    #[test]
    fn an_end_is_told_with_its_code() {
        let mut child = shell("echo one >&2; echo two >&2; sleep 0.05; exit 2");
        child.wait_for(Duration::from_secs(5), |line| (line == "two").then_some(())).unwrap();
        assert_eq!(child.lines().collect::<Vec<_>>(), ["one", "two"]);
        let ended = child.end(Duration::from_secs(5)).unwrap();
        assert_eq!((ended.code, ended.lines.len()), (Some(2), 2));
    }

    /// Guards the graceful end.
    #[test]
    fn stopping_lets_the_child_report() {
        let mut child = shell("trap 'echo done; exit 0' TERM; echo ready; while :; do sleep 0.01; done");
        child.wait_for(Duration::from_secs(5), |line| (line == "ready").then_some(())).unwrap();
        assert_eq!(child.stop(Duration::from_secs(5)).unwrap(), "done");
    }
}
