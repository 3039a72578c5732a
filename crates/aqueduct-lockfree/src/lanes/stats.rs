//! What went through.

/// What went through a [`Lanes`](crate::Lanes) so far, over all producers that ever were: exact at rest.
///
/// While items move, each figure is true of some moment during the reading, and `accepted` is not behind the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LanesStats {
    /// Items accepted. With `refused`, all that were offered.
    pub accepted: u64,
    /// Items refused, and given back: full or closed.
    pub refused: u64,
    /// Items that the consumer took.
    pub taken: u64,
    /// Items that nobody takes, because the consumer was dropped: those that waited then, and those that were being pushed then. The latter
    /// are dropped with their producer, the others with the consumer.
    pub discarded: u64,
}

impl LanesStats {
    /// Items accepted and neither taken nor discarded; none once the consumer was dropped.
    pub fn waiting(&self) -> usize {
        self.accepted.saturating_sub(self.taken + self.discarded) as usize
    }
}
