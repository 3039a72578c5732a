//! Which core does what.

use std::fs;

/// The cores of a process benchmark; `None` leaves the choice to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// For the generator and the sink.
    pub generator: Option<usize>,
    /// For the gateway under test, alone.
    pub gateway: Option<usize>,
}

impl Cores {
    /// The first two cores that this process may use; no pinning where there is only one.
    #[must_use]
    pub fn allowed() -> Cores {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let list =
            status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
        match *cores(list) {
            [first, second, ..] => Cores { generator: Some(first), gateway: Some(second) },
            _ => Cores { generator: None, gateway: None },
        }
    }
}

/// Reads `0-2,5`.
fn cores(list: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse::<usize>().ok()?..=last.trim().parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the kernel's list syntax, gaps included.
    #[test]
    fn lists_of_cores() {
        assert_eq!(cores("\t0-2,5\n"), [0, 1, 2, 5]);
        assert_eq!(cores("7"), [7]);
        assert!(cores("").is_empty());
    }
}
