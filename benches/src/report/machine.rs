//! The machine and the versions that a run was made with.

use std::fs;
use std::path::Path;
use std::process::Command;

/// What a published figure depends on besides the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    /// The processor's name.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Memory in GiB, rounded.
    pub memory_gib: u64,
    /// The kernel's version.
    pub kernel: String,
    /// The compiler's version.
    pub compiler: String,
}

impl Machine {
    /// Reads `/proc` and asks the compiler; what cannot be read is `unknown`.
    #[must_use]
    pub(super) fn read() -> Machine {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let compiler = Command::new("rustc").arg("--version").output().map(|output| output.stdout);
        Machine {
            processor: known(value(&cpuinfo, "model name")),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: (kibibytes(value(&meminfo, "MemTotal")) + (1 << 19)) >> 20,
            kernel: known(kernel.trim()),
            compiler: known(String::from_utf8_lossy(&compiler.unwrap_or_default()).trim()),
        }
    }
}

fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix(':'));
    line.unwrap_or_default().trim()
}

fn kibibytes(text: &str) -> u64 {
    text.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn known(text: &str) -> String {
    if text.is_empty() { "unknown".to_owned() } else { text.to_owned() }
}

/// The versions of these packages in `Cargo.lock`, as `name version`; packages that are not in it are left out.
#[must_use]
pub(super) fn versions(workspace: &Path, packages: &[&str]) -> Vec<String> {
    let lock = fs::read_to_string(workspace.join("Cargo.lock")).unwrap_or_default();
    packages.iter().filter_map(|package| Some(format!("{package} {}", locked(&lock, package)?))).collect()
}

fn locked<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')
}

/// A date (UTC) as `2026-01-31`, from seconds since the epoch.
#[must_use]
pub(super) fn date(seconds: u64) -> String {
    // Howard Hinnant's civil_from_days: eras of 400 years that begin on 1 March, so that the leap day is an era's last.
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the calendar at its corners.
    #[test]
    fn dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400), "2000-02-29");
        assert_eq!(date(1_767_225_599), "2025-12-31");
        assert_eq!(date(1_767_225_600), "2026-01-01");
        assert_eq!(date(4_107_542_400), "2100-03-01");
    }

    /// Guards that versions are those of the lock file and that a missing package is not invented.
    #[test]
    fn versions_come_from_the_lock_file() {
        let lock = "[[package]]\nname = \"h2\"\nversion = \"0.4.20\"\n\n[[package]]\nname = \"h2-x\"\nversion = \"1.0.0\"\n";
        assert_eq!(locked(lock, "h2"), Some("0.4.20"));
        assert_eq!(locked(lock, "h2-x"), Some("1.0.0"));
        assert_eq!(locked(lock, "tonic"), None);
    }

    /// Guards that the machine is found on the systems we measure on.
    #[test]
    fn the_machine_is_known() {
        let machine = Machine::read();
        assert!(machine.cores >= 1 && machine.memory_gib >= 1, "{machine:?}");
        assert_ne!(machine.kernel, "unknown");
    }
}
