//! Running other programs: with their output shown, or kept in a log with a time limit.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};

/// The cargo that runs us, so that `cargo +toolchain xtask` stays with its toolchain.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    // Variables that cargo sets for us describe this package, not the one the child is about.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" {
            command.env_remove(name);
        }
    }
    command
}

/// The command as one would type it.
pub(crate) fn spell(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy());
    std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// Runs a command on our own terminal and passes its exit code on.
pub(crate) fn hand_over(mut command: Command) -> Result<ExitCode> {
    let status = command.status().map_err(|error| Failure::new(format!("{}: {error}", spell(&command))))?;
    // A death by signal has no code; 1 says failure as well as any.
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}

/// The trimmed output of a command that must succeed.
pub(crate) fn read(mut command: Command) -> Result<String> {
    let output = command.output().map_err(|error| Failure::new(format!("{}: {error}", spell(&command))))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Failure::new(format!("{}: {reason}", spell(&command))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// Where a sequence of commands writes, one file for all that they print.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
}

impl Log {
    /// An empty log in a file, whose folder is created.
    pub(crate) fn create(path: PathBuf) -> Result<Self> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(|error| Failure::at(dir, error))?;
        }
        File::create(&path).map_err(|error| Failure::at(&path, error))?;
        Ok(Self { path })
    }

    /// Adds a line of our own.
    pub(crate) fn note(&self, line: impl std::fmt::Display) -> Result<()> {
        use std::io::Write as _;
        writeln!(self.file()?, "{line}").map_err(|error| Failure::at(&self.path, error))
    }

    /// A log beside this one, for a command that runs beside others; to be [taken](Self::take) when it has ended.
    pub(crate) fn part(&self, number: usize) -> Result<Self> {
        Self::create(self.path.with_extension(format!("{number}.log")))
    }

    /// Adds all that another log has, and removes that.
    pub(crate) fn take(&self, part: Self) -> Result<()> {
        let at_fault = |error| Failure::at(&part.path, error);
        let mut from = File::open(&part.path).map_err(at_fault)?;
        std::io::copy(&mut from, &mut self.file()?).map_err(at_fault)?;
        std::fs::remove_file(&part.path).map_err(at_fault)
    }

    /// Runs a command without input, within `limit`; what it prints goes to the log.
    ///
    /// # Errors
    ///
    /// If it cannot start, fails, or takes longer: then it is killed.
    pub(crate) fn run(&self, command: &mut Command, limit: Duration) -> Result<()> {
        let file = self.file()?;
        self.spawn_and_wait(command, limit, Stdio::from(file))
    }

    /// Like [`run`](Self::run), and returns what the command wrote to its standard output.
    pub(crate) fn output(&self, command: &mut Command, limit: Duration) -> Result<String> {
        let path = self.path.with_extension("out");
        let out = File::create(&path).map_err(|error| Failure::at(&path, error))?;
        let result = self.spawn_and_wait(command, limit, Stdio::from(out));
        let text = std::fs::read_to_string(&path).map_err(|error| Failure::at(&path, error))?;
        self.note(text.trim_end())?;
        result.map(|()| text)
    }

    /// The last lines.
    pub(crate) fn tail(&self, lines: usize) -> String {
        // Programs may print anything, so the log need not be UTF-8.
        let text = String::from_utf8_lossy(&std::fs::read(&self.path).unwrap_or_default()).into_owned();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    fn file(&self) -> Result<File> {
        OpenOptions::new().append(true).open(&self.path).map_err(|error| Failure::at(&self.path, error))
    }

    fn spawn_and_wait(&self, command: &mut Command, limit: Duration, out: Stdio) -> Result<()> {
        let spelled = spell(command);
        self.note(format_args!("$ {spelled}"))?;
        command.stdin(Stdio::null()).stdout(out).stderr(self.file()?);
        let mut child = command.spawn().map_err(|error| Failure::new(format!("{spelled}: {error}")))?;
        match wait(&mut child, limit) {
            Ok(Some(status)) if status.success() => Ok(()),
            Ok(Some(status)) => Err(Failure::new(format!("`{spelled}` ended with {status}"))),
            Ok(None) => Err(Failure::new(format!(
                "`{spelled}` took longer than {} s and was killed",
                limit.as_secs()
            ))),
            Err(error) => Err(Failure::new(format!("{spelled}: {error}"))),
        }
    }
}

/// Waits for a child; after `limit` kills it and returns nothing.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    // The standard library can only wait for ever or not at all. The first looks are close to each other because
    // many commands find nothing to do and end at once.
    let mut pause = Duration::from_millis(5);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    fn log(fixture: &Fixture) -> Log {
        Log::create(fixture.path("target/ci/step.log")).expect("temporary folder is writable")
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// Guards what a failed step shows: both outputs, the failure, and only the end of it.
    #[test]
    fn a_failure_leaves_its_output_in_the_log() {
        let fixture = Fixture::sound();
        let log = log(&fixture);
        let failure = log.run(&mut shell("echo first; echo second >&2; exit 3"), Duration::from_secs(60));
        assert!(failure.expect_err("exit code 3").to_string().contains("exit status: 3"));
        assert_eq!(log.tail(2), "first\nsecond");
        assert!(log.tail(9).starts_with("$ sh -c"));
    }

    /// Guards CI against a step that hangs for ever.
    #[test]
    fn a_command_beyond_its_limit_is_killed() {
        let fixture = Fixture::sound();
        let start = Instant::now();
        let failure = log(&fixture).run(&mut shell("exec sleep 600"), Duration::from_millis(50));
        assert!(failure.expect_err("killed").to_string().contains("was killed"));
        assert!(start.elapsed() < Duration::from_secs(60));
    }

    /// Guards the steps that read an answer: standard output apart from the noise, and no input to wait for.
    #[test]
    fn output_is_standard_output_only() {
        let fixture = Fixture::sound();
        let log = log(&fixture);
        let text = log.output(&mut shell("cat; echo noise >&2; echo answer"), Duration::from_secs(60));
        assert_eq!(text.expect("succeeds"), "answer\n");
        assert!(log.tail(9).contains("noise"));
    }
}
