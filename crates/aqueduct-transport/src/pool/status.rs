//! What a pool tells about itself.

/// A snapshot of a [`ConnectionPool`](crate::ConnectionPool). Totals are since it was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStatus {
    /// Connections that are up and take new uses.
    pub open: usize,
    /// Those of them that nobody uses.
    pub idle: usize,
    /// Connections that are being opened.
    pub connecting: usize,
    /// Connections that have retired and are closed when their last use has ended.
    pub draining: usize,
    /// Uses in progress, on open and on draining connections.
    pub in_use: usize,
    /// Acquires that wait for a connection with room.
    pub waiting: usize,
    /// Connections that came about, in total.
    pub connects: u64,
    /// Connections that did not come about, in total.
    pub connect_failures: u64,
    /// Acquires that gave up after the acquire timeout, in total.
    pub exhausted: u64,
    /// Connections that the pool has parted with, by reason.
    pub retired: Retired,
}

/// Connections that a pool has parted with, in total, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retired {
    /// Nobody used them for the idle timeout.
    pub idle: u64,
    /// They reached the maximum age.
    pub aged: u64,
    /// They said that they were not usable any more.
    pub unusable: u64,
    /// The active check failed or did not end in time.
    pub unhealthy: u64,
    /// A user said that they were broken.
    pub discarded: u64,
    /// The pool was made smaller.
    pub resized: u64,
    /// The runtime that they lived on has ended.
    pub runtime_ended: u64,
}

/// Why a connection retires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Idle,
    Aged,
    Unusable,
    Unhealthy,
    Discarded,
    Resized,
    RuntimeEnded,
}

impl Retired {
    pub(super) fn count(&mut self, reason: Reason) {
        let counter = match reason {
            Reason::Idle => &mut self.idle,
            Reason::Aged => &mut self.aged,
            Reason::Unusable => &mut self.unusable,
            Reason::Unhealthy => &mut self.unhealthy,
            Reason::Discarded => &mut self.discarded,
            Reason::Resized => &mut self.resized,
            Reason::RuntimeEnded => &mut self.runtime_ended,
        };
        *counter += 1;
    }

    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.idle
            + self.aged
            + self.unusable
            + self.unhealthy
            + self.discarded
            + self.resized
            + self.runtime_ended
    }
}
