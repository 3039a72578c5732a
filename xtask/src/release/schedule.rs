//! How long the registry makes us wait.

/// The limits of crates.io, in words for the plan.
pub(super) const LIMITS: &str =
    "5 new crates at once and then one every 10 minutes, 30 new versions at once and then one a minute";

const NEW_BURST: u64 = 5;
const NEW_MINUTES: u64 = 10;
const VERSION_BURST: u64 = 30;
const VERSION_MINUTES: u64 = 1;

/// The minutes at which crates may be published one after the other.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    new_crates: u64,
    versions: u64,
    last: u64,
}

impl Schedule {
    /// The minute, counted from the first, at which the next crate can go. Order is kept: a crate that could go
    /// earlier waits for those it needs.
    pub(super) fn next(&mut self, is_new: bool) -> u64 {
        let earliest = if is_new {
            self.new_crates += 1;
            self.new_crates.saturating_sub(NEW_BURST) * NEW_MINUTES
        } else {
            self.versions += 1;
            self.versions.saturating_sub(VERSION_BURST) * VERSION_MINUTES
        };
        self.last = self.last.max(earliest);
        self.last
    }

    /// The minute of the last crate.
    pub(super) fn minutes(&self) -> u64 {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the plan against the registry's limit: the sixth new crate is the first that waits.
    #[test]
    fn new_crates_wait_after_the_fifth() {
        let mut schedule = Schedule::default();
        let starts: Vec<u64> = (0..8).map(|_| schedule.next(true)).collect();
        assert_eq!(starts, [0, 0, 0, 0, 0, 10, 20, 30]);
        assert_eq!(schedule.next(false), 30, "a later crate waits for those before it");
        assert_eq!(schedule.minutes(), 30);
    }
}
