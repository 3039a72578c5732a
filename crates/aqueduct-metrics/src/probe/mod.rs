//! What a process uses, and what it may use, read from Linux' `/proc` and control groups.

mod cgroup;
mod process;
mod threads;

#[cfg(test)]
mod tests;

use std::io;
use std::time::{Duration, Instant};

use self::cgroup::Cgroups;
use self::process::Process;

pub use self::threads::ThreadProbe;

/// Reads what a process uses: CPU, memory, descriptors, threads, and the limits of its control groups.
///
/// A sample reads some ten small files of that one process and one more per thread: 45 us for a process of one thread (2 virtual cores,
/// x86-64), whatever else runs on the machine. Once a second is a good rate; shares over less than 100 ms are coarse.
///
/// # Platforms
///
/// Linux (and Android). Elsewhere [`sample`](ResourceProbe::sample) returns [`io::ErrorKind::Unsupported`].
///
/// # Examples
///
/// ```
/// use aqueduct_metrics::ResourceProbe;
///
/// let mut probe = ResourceProbe::new();
/// if let Ok(resources) = probe.sample() {
///     println!("{:.0} % of a core, {} MiB", resources.cpu_share * 100.0, resources.rss_bytes >> 20);
/// }
/// ```
#[doc(alias = "cgroup")]
#[derive(Debug)]
pub struct ResourceProbe {
    process: Process,
    cgroups: Option<Cgroups>,
    last: Option<Last>,
}

/// Bytes of memory of the machine, whatever a process may use of it (`MemTotal`); `None` where there is no `/proc/meminfo`.
///
/// ```
/// if let Some(bytes) = aqueduct_metrics::machine_memory_bytes() {
///     assert!(bytes > 1 << 20);
/// }
/// ```
#[must_use]
pub fn machine_memory_bytes() -> Option<u64> {
    memory_total(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

fn memory_total(meminfo: &str) -> Option<u64> {
    let kib = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    kib.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// What the next sample is compared with.
#[derive(Debug)]
struct Last {
    at: Instant,
    /// When the process started, in clock ticks since boot: with the id it names a process for good.
    started: u64,
    cpu: CpuTime,
    cpu_share: f64,
    peak_rss_bytes: u64,
}

/// One sample of a [`ResourceProbe`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Resources {
    /// CPU time of the process since it started, user and system, all threads, also those that have ended.
    ///
    /// Never decreases. Precise to the scheduler's accounting for threads that live (a few ms on other cores), to 20 ms for those that ended.
    pub cpu: Duration,
    /// CPU time per wall time since the sample before, or since the process started for the first one. 1.0 is one core.
    pub cpu_share: f64,
    /// Memory in RAM (`VmRSS`), bytes. Zero for a process that has exited and waits for its parent.
    pub rss_bytes: u64,
    /// The most memory that was in RAM at a time (`VmHWM`), bytes. Never decreases.
    pub peak_rss_bytes: u64,
    /// Open file descriptors.
    pub open_fds: u64,
    /// Threads.
    pub threads: u64,
    /// The smallest memory limit of the process's control groups and their ancestors, bytes; `None` without one.
    pub memory_limit_bytes: Option<u64>,
    /// The smallest CPU quota of the process's control groups and their ancestors, in cores; `None` without one. CPU sets and the
    /// affinity mask are not in here: see [`std::thread::available_parallelism`] for those.
    pub cpu_limit: Option<f64>,
}

impl ResourceProbe {
    /// A probe of this process.
    pub fn new() -> Self {
        Self::over(Process::this())
    }

    /// A probe of another process. It must be visible, and on kernels before 6.2 belong to the same user (for its descriptors).
    pub fn of_process(pid: u32) -> Self {
        Self::over(Process::other(pid))
    }

    fn over(process: Process) -> Self {
        ResourceProbe { process, cgroups: None, last: None }
    }

    /// Takes a sample.
    ///
    /// # Errors
    ///
    /// - [`io::ErrorKind::Unsupported`] where there is no `/proc` as Linux has it;
    /// - [`io::ErrorKind::NotFound`] if the process has ended, also if its id names another process by now;
    /// - whatever else reading its files returns, with the file's name in the message.
    ///
    /// Limits that cannot be read are `None` rather than an error: a missing control group is no limit.
    pub fn sample(&mut self) -> io::Result<Resources> {
        if !cfg!(any(target_os = "linux", target_os = "android")) {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "resource probes read /proc as Linux has it, which this platform lacks",
            ));
        }
        let stat = self.process.stat()?;
        if self.last.as_ref().is_some_and(|last| last.started != stat.started) {
            if self.process.is_other() {
                return Err(self.process.gone());
            }
            // This process became another by forking: what is known belongs to the parent.
            self.last = None;
        }
        // After `stat`: a thread that ends in between is then counted there, and not lost.
        let living = self.process.living_threads_cpu();
        let at = Instant::now();
        let status = self.process.status()?;
        let open_fds = self.process.open_fds()?;

        let known = self.last.as_ref().map_or_else(CpuTime::default, |last| last.cpu);
        let cpu = known.advance(stat.cpu, living, self.process.tick());
        let cpu_share = match &self.last {
            Some(last) => {
                let wall = at - last.at;
                // Two samples in the same instant say nothing new.
                if wall.is_zero() { last.cpu_share } else { share(cpu.total - last.cpu.total, wall) }
            }
            None => share(cpu.total, self.process.age(&stat)),
        };
        // The kernel brings its own peak up to date only now and then.
        let seen = self.last.as_ref().map_or(0, |last| last.peak_rss_bytes);
        let peak_rss_bytes = status.peak_rss_bytes.max(status.rss_bytes).max(seen);
        self.last = Some(Last { at, started: stat.started, cpu, cpu_share, peak_rss_bytes });

        let cgroups = self.cgroups.get_or_insert_with(|| self.process.cgroups());
        Ok(Resources {
            cpu: cpu.total,
            cpu_share,
            rss_bytes: status.rss_bytes,
            peak_rss_bytes,
            open_fds,
            threads: status.threads,
            memory_limit_bytes: cgroups.memory_limit(),
            cpu_limit: cgroups.cpu_limit(),
        })
    }
}

/// The CPU time of a process, put together from a coarse count of everything and a fine count of what lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct CpuTime {
    total: Duration,
    /// CPU time of threads that have ended, as far as it is known for certain.
    ended: Duration,
}

impl CpuTime {
    /// The next reading: `coarse` counts all threads, user and system time each rounded down to a `tick`; `living` counts the threads that live
    /// to the nanosecond, if the kernel tells.
    ///
    /// What the coarse count has and the living threads do not was used by threads that have ended. The sum of that and the fine
    /// count is held to what the coarse count allows (less than two ticks above it), and time never runs backwards.
    fn advance(self, coarse: Duration, living: Option<Duration>, tick: Duration) -> CpuTime {
        let Some(living) = living else {
            return CpuTime { total: coarse.max(self.total), ended: self.ended };
        };
        let ended = self.ended.max(coarse.saturating_sub(living));
        let total = (living + ended).clamp(coarse, coarse + 2 * tick).max(self.total);
        CpuTime { total, ended }
    }
}

impl Default for ResourceProbe {
    fn default() -> Self {
        Self::new()
    }
}

fn share(cpu: Duration, wall: Duration) -> f64 {
    if wall.is_zero() { 0.0 } else { cpu.as_secs_f64() / wall.as_secs_f64() }
}
