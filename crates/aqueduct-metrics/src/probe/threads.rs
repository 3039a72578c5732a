//! The CPU time of some of the process's threads.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::time::Duration;

use super::process::Process;

/// Reads the CPU time of the threads of this process whose names begin in some way: what a part of the process uses, where that part has threads of its own.
///
/// A sample reads two small files for each thread of the process.
///
/// # Platforms
///
/// Linux (and Android), with a kernel that keeps the scheduler's statistics (nearly all do).
///
/// # Examples
///
/// ```
/// use aqueduct_metrics::ThreadProbe;
///
/// let mut probe = ThreadProbe::new("compress-");
/// if let Ok(cpu) = probe.sample() {
///     println!("compressing took {cpu:?}");
/// }
/// ```
#[derive(Debug)]
pub struct ThreadProbe {
    process: Process,
    begins: Vec<u8>,
    /// What each thread had used at the last sample, by its id.
    seen: HashMap<OsString, Duration>,
    total: Duration,
}

impl ThreadProbe {
    /// A probe of the threads whose names begin so. The kernel keeps 15 bytes of a name, and so many count.
    #[must_use]
    pub fn new(begins: &str) -> Self {
        let begins = begins.as_bytes()[..begins.len().min(15)].to_vec();
        ThreadProbe { process: Process::this(), begins, seen: HashMap::new(), total: Duration::ZERO }
    }

    /// The CPU time of all such threads. Never decreases; what a thread used after the last sample before its end is not in it.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::Unsupported`] where nobody keeps such accounts.
    pub fn sample(&mut self) -> io::Result<Duration> {
        let threads = self.process.threads_cpu(&self.begins).ok_or(io::ErrorKind::Unsupported)?;
        for (id, cpu) in &threads {
            // An id that was given to another thread begins at zero.
            let before = self.seen.get(id).filter(|before| **before <= *cpu).copied().unwrap_or_default();
            self.total += *cpu - before;
        }
        self.seen = threads;
        Ok(self.total)
    }
}
