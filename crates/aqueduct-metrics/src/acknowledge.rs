//! What a waiting sender is told: the outcome, and the trait it is told through.

use std::fmt::Debug;

use crate::DropReason;

/// What became of the items that a waiter waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Settled {
    /// The destination took all items that it was meant to get.
    Delivered,
    /// The destination took some and refused others for good.
    ///
    /// A destination says how many items of a *batch* it refused, not which. Where the batch joined the items of several senders, `rejected`
    /// is the number that is certain: at least so many of this waiter's items were refused. It is exact for a waiter
    /// that has the batch to itself, and `0` where all refused items may be another's.
    Partial {
        /// Items of this waiter that were certainly refused; never all of them.
        rejected: u64,
    },
    /// The destination refused all items for good.
    Rejected,
    /// The items were given up; some of them may have been delivered before, so sending them again may duplicate them.
    Dropped(DropReason),
}

/// Somebody who waits to hear what became of items: a request that is answered only once its data has been exported, a spool that may
/// forget a record.
///
/// # Contract
///
/// [`settled`](Acknowledge::settled) is called exactly once per [`Receipt::attach`](crate::Receipt::attach), whatever happens to the receipt: settled,
/// joined with others, split, or dropped by mistake. It is called on the thread that settles, after the ledger has
/// been changed; it must be quick, and must neither block nor panic.
pub trait Acknowledge: Send + Sync + Debug {
    /// Tells that the `items` items this waiter was attached to have been settled as `how`.
    fn settled(&self, items: u64, how: &Settled);
}
