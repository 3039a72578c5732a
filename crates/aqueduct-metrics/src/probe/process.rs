//! The files of one process under `/proc`. Source: `proc(5)` and its relatives `proc_pid_stat(5)`, `proc_pid_status(5)`.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use super::cgroup::Cgroups;

/// Where the files of a process are.
#[derive(Debug)]
pub(super) struct Process {
    dir: PathBuf,
    /// `None` for the process that runs this code.
    other: Option<u32>,
}

/// What is used of `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// User and system time of all threads, living and ended, each rounded down to a tick.
    pub(super) cpu: Duration,
    /// When the process started, in ticks since boot.
    pub(super) started: u64,
}

/// What is used of `/proc/PID/status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) rss_bytes: u64,
    pub(super) peak_rss_bytes: u64,
    pub(super) threads: u64,
}

impl Process {
    pub(super) fn this() -> Self {
        Process { dir: PathBuf::from("/proc/self"), other: None }
    }

    pub(super) fn other(pid: u32) -> Self {
        Process { dir: PathBuf::from(format!("/proc/{pid}")), other: Some(pid) }
    }

    pub(super) fn is_other(&self) -> bool {
        self.other.is_some()
    }

    /// The error for a process whose id names another one by now.
    pub(super) fn gone(&self) -> io::Error {
        let text = format!("{}: the process has ended, and its id was given to another", self.dir.display());
        io::Error::new(io::ErrorKind::NotFound, text)
    }

    pub(super) fn stat(&self) -> io::Result<Stat> {
        let text = self.read("stat")?;
        parse_stat(&text, ticks_per_second()).ok_or_else(|| self.unreadable("stat"))
    }

    pub(super) fn status(&self) -> io::Result<Status> {
        Ok(parse_status(&self.read("status")?))
    }

    /// The sum of what the scheduler charged each living thread with, in nanoseconds where `stat` has ticks of 10 ms. `None` if the kernel
    /// keeps no such statistics.
    pub(super) fn living_threads_cpu(&self) -> Option<Duration> {
        let mut sum = None;
        for thread in fs::read_dir(self.dir.join("task")).ok()?.flatten() {
            // A thread may end between being listed and being read; `stat` counts it on.
            if let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) {
                *sum.get_or_insert(0) += text.split_ascii_whitespace().next()?.parse::<u64>().ok()?;
            }
        }
        sum.map(Duration::from_nanos)
    }

    /// The same for each thread whose name begins so, by the thread's id. `None` if the kernel keeps no such statistics.
    pub(super) fn threads_cpu(&self, begins: &[u8]) -> Option<HashMap<OsString, Duration>> {
        let mut threads = HashMap::new();
        for thread in fs::read_dir(self.dir.join("task")).ok()?.flatten() {
            let path = thread.path();
            if !fs::read(path.join("comm")).is_ok_and(|name| name.starts_with(begins)) {
                continue;
            }
            match fs::read_to_string(path.join("schedstat")) {
                Ok(text) => {
                    let nanos = text.split_ascii_whitespace().next()?.parse().ok()?;
                    threads.insert(thread.file_name(), Duration::from_nanos(nanos));
                }
                // It has ended meanwhile.
                Err(_) if !path.exists() => {}
                Err(_) => return None,
            }
        }
        Some(threads)
    }

    /// Linux 6.2 and later say the number as the size of the directory, without listing it and without asking whose process it is.
    pub(super) fn open_fds(&self) -> io::Result<u64> {
        let dir = self.dir.join("fd");
        let count = fs::metadata(&dir).map_err(|error| self.explain("fd", error))?.len();
        if count > 0 {
            return Ok(count);
        }
        let listed = fs::read_dir(&dir).map_err(|error| self.explain("fd", error))?.count() as u64;
        // Listing one's own descriptors takes one, which is in the list.
        let ours = self.other.is_none_or(|pid| pid == std::process::id());
        Ok(if ours { listed.saturating_sub(1) } else { listed })
    }

    /// How long ago the process started; zero if that cannot be told.
    pub(super) fn age(&self, stat: &Stat) -> Duration {
        let uptime = fs::read_to_string("/proc/uptime").ok();
        let uptime = uptime.as_deref().and_then(|text| text.split_ascii_whitespace().next()?.parse().ok());
        let uptime = Duration::try_from_secs_f64(uptime.unwrap_or(0.0)).unwrap_or_default();
        uptime.saturating_sub(ticks(stat.started, ticks_per_second()))
    }

    /// What `stat` rounds down to.
    pub(super) fn tick(&self) -> Duration {
        ticks(1, ticks_per_second())
    }

    /// The groups are told as this process sees them, hence its own mounts also for another process.
    pub(super) fn cgroups(&self) -> Cgroups {
        let groups = self.read("cgroup").unwrap_or_default();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        Cgroups::locate(&groups, &mounts)
    }

    fn read(&self, file: &str) -> io::Result<String> {
        // The name of a program in `stat` may be any bytes.
        let bytes = fs::read(self.dir.join(file)).map_err(|error| self.explain(file, error))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn explain(&self, file: &str, error: io::Error) -> io::Error {
        // A process that ends between the opening and the reading of a file is "no such process", for which std has no kind.
        let ended = error.raw_os_error() == Some(ESRCH);
        let kind = if ended { io::ErrorKind::NotFound } else { error.kind() };
        io::Error::new(kind, format!("{}: {error}", self.dir.join(file).display()))
    }

    fn unreadable(&self, file: &str) -> io::Error {
        self.explain(
            file,
            io::Error::new(io::ErrorKind::InvalidData, "not in the form that proc(5) describes"),
        )
    }
}

/// Fields 14, 15 and 22 (`utime`, `stime`, `starttime`); the second is the program's name in parentheses and may
/// contain anything, parentheses and spaces too, so counting starts after the last `)`.
pub(super) fn parse_stat(text: &str, per_second: u64) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(14 - 3);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    let started = fields.nth(22 - 16)?.parse().ok()?;
    Some(Stat { cpu: ticks(user.saturating_add(system), per_second), started })
}

/// Sizes are in KiB, whatever the file calls them. A process without memory (a zombie) has no such lines.
pub(super) fn parse_status(text: &str) -> Status {
    let mut status = Status::default();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let number =
            || value.split_ascii_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0);
        match key {
            "VmRSS" => status.rss_bytes = number() * 1024,
            "VmHWM" => status.peak_rss_bytes = number() * 1024,
            "Threads" => status.threads = number(),
            _ => {}
        }
    }
    status
}

fn ticks(count: u64, per_second: u64) -> Duration {
    let seconds = Duration::from_secs(count / per_second);
    seconds + Duration::from_nanos((count % per_second) * 1_000_000_000 / per_second)
}

/// Ticks per second of the times in `/proc`: the kernel tells each program in its auxiliary vector, where `sysconf` has it from as well.
fn ticks_per_second() -> u64 {
    static TICKS: OnceLock<u64> = OnceLock::new();
    *TICKS.get_or_init(|| {
        fs::read("/proc/self/auxv").ok().and_then(|auxv| clock_ticks(&auxv)).unwrap_or(USER_HZ)
    })
}

/// What every architecture that Rust supports has, for processes that may not read their own vector.
const USER_HZ: u64 = 100;

/// "No such process", the same on all Linux architectures.
const ESRCH: i32 = 3;

/// Pairs of machine words (key, value) in the machine's byte order: `getauxval(3)`.
pub(super) fn clock_ticks(auxv: &[u8]) -> Option<u64> {
    const AT_CLKTCK: usize = 17;
    const WORD: usize = size_of::<usize>();
    let (pairs, _) = auxv.as_chunks::<{ 2 * WORD }>();
    pairs.iter().find_map(|pair| {
        let key = usize::from_ne_bytes(pair.first_chunk().copied()?);
        let value = usize::from_ne_bytes(pair.last_chunk().copied()?);
        (key == AT_CLKTCK && value > 0).then_some(value as u64)
    })
}
