//! One use of a connection.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::connect::Connect;
use super::shared::Shared;

/// One use of a connection of a [`ConnectionPool`](crate::ConnectionPool). The use ends when the guard is dropped, on
/// whichever thread, and the connection stays with the pool.
pub struct PooledConnection<C: Connect> {
    pub(super) connection: Arc<C::Connection>,
    pub(super) shared: Arc<Shared<C>>,
    pub(super) id: u64,
    pub(super) reused: bool,
    pub(super) discarded: bool,
}

impl<C: Connect> PooledConnection<C> {
    /// Ends the use and says that the connection is broken: it takes no new uses, and is closed when the last one has
    /// ended.
    pub fn discard(mut self) {
        self.discarded = true;
    }

    /// Whether the connection was in the pool before this use asked for one. Such a connection may have been closed by
    /// the peer without our knowing yet; one that was opened while this use waited has not had the time.
    #[must_use]
    pub const fn is_reused(&self) -> bool {
        self.reused
    }
}

impl<C: Connect> Deref for PooledConnection<C> {
    type Target = C::Connection;

    fn deref(&self) -> &C::Connection {
        &self.connection
    }
}

impl<C: Connect> Drop for PooledConnection<C> {
    fn drop(&mut self) {
        self.shared.ended(self.id, self.discarded);
    }
}

impl<C: Connect> fmt::Debug for PooledConnection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledConnection")
            .field("id", &self.id)
            .field("reused", &self.reused)
            .finish_non_exhaustive()
    }
}
