//! What a process has used, read from `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::Duration;

/// A reading of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Nanoseconds on a core by thread id, from `/proc/PID/task/*/schedstat`.
    threads: BTreeMap<u32, u64>,
    /// User and system time of the process, ended threads included, in ticks of 10 ms, from `/proc/PID/stat`.
    ticks: u64,
    /// Resident bytes now.
    pub rss: u64,
    /// The most resident bytes there ever were.
    pub peak_rss: u64,
    /// Open descriptors.
    pub descriptors: usize,
}

impl Usage {
    /// Reads a process.
    ///
    /// # Errors
    /// The process is gone, or `/proc` is not readable.
    pub fn of(pid: u32) -> io::Result<Usage> {
        let mut usage =
            Usage { descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count(), ..Usage::default() };
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let task = task?;
            // A thread may end between the listing and the reading.
            let Ok(schedstat) = fs::read_to_string(task.path().join("schedstat")) else { continue };
            let id = task.file_name().to_string_lossy().parse().map_err(io::Error::other)?;
            usage.threads.insert(id, number(schedstat.split_whitespace().next()));
        }
        // The second field is the command in parentheses and may hold anything: count from behind it.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        let fields: Vec<_> = fields.split_whitespace().collect();
        usage.ticks = number(fields.get(11).copied()) + number(fields.get(12).copied());
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        usage.rss = kibibytes(&status, "VmRSS:");
        usage.peak_rss = kibibytes(&status, "VmHWM:");
        Ok(usage)
    }

    /// How many threads there are.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// The CPU time spent since an earlier reading of the same process: exact if no thread ended in between, otherwise to
    /// the 10 ms of the kernel's tick.
    #[must_use]
    pub fn cpu_since(&self, earlier: &Usage) -> Duration {
        if earlier.threads.keys().any(|id| !self.threads.contains_key(id)) {
            return Duration::from_millis(10 * self.ticks.saturating_sub(earlier.ticks));
        }
        let spent = self.threads.iter().map(|(id, now)| now - earlier.threads.get(id).unwrap_or(&0));
        Duration::from_nanos(spent.sum())
    }
}

fn number(field: Option<&str>) -> u64 {
    field.and_then(|field| field.parse().ok()).unwrap_or(0)
}

fn kibibytes(status: &str, key: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    number(line.and_then(|line| line.split_whitespace().next())) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;
    use std::time::Instant;

    /// Guards that CPU time is that of this process and in the right unit: a busy loop costs what the clock says, or
    /// less where others take the core away.
    #[test]
    fn a_busy_loop_is_seen() {
        let before = Usage::of(std::process::id()).unwrap();
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(60) {
            black_box(1);
        }
        let after = Usage::of(std::process::id()).unwrap();
        let spent = after.cpu_since(&before);
        assert!(spent > Duration::from_millis(2), "{spent:?}");
        assert!(after.rss > 1 << 20 && after.peak_rss >= after.rss / 2);
        assert!(after.threads() >= 1 && after.descriptors >= 1);
    }

    /// Guards the two ways of counting.
    #[test]
    fn an_ended_thread_falls_back_to_ticks() {
        let earlier = Usage { threads: [(1, 500), (2, 100)].into(), ticks: 3, ..Usage::default() };
        let grown = Usage { threads: [(1, 900), (2, 150), (3, 50)].into(), ticks: 4, ..Usage::default() };
        assert_eq!(grown.cpu_since(&earlier), Duration::from_nanos(500));
        let ended = Usage { threads: [(1, 900)].into(), ticks: 5, ..Usage::default() };
        assert_eq!(ended.cpu_since(&earlier), Duration::from_millis(20));
    }

    /// Guards against a reading of a process that does not exist.
    #[test]
    fn a_missing_process_is_an_error() {
        assert!(Usage::of(u32::MAX).is_err());
    }
}
