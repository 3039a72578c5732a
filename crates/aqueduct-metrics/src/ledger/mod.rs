//! The counters of one pipeline and destination, and the argument why a reading of them always adds up.
//!
//! # Protocol
//!
//! An item is counted twice in its life: once when it comes in (`accepted` or `recovered`) and once when its fate is known
//! (`delivered`, `rejected` or one of `dropped`). What came in and has no fate yet is *held*. `held` is no counter: it is the
//! difference, so it cannot drift.
//!
//! # Orderings
//!
//! A reading must never show more fates than arrivals, or `held` would be negative. Counting in is `Relaxed`; counting a fate is
//! `Release`; a snapshot loads all fates with `Acquire` first and the arrivals last. The story has two cases for each
//! arrival `A` of an item and its fate `F`:
//!
//! - *The snapshot saw `F`.* `A` happens before `F`: both belong to one receipt, which is made by `A`, reaches the thread of `F`
//!   by some synchronising hand-over (it is not `Clone`), and is consumed by `F`. All writes to a fate counter are
//!   read-modify-writes, so the value that the snapshot loaded belongs to the release sequence headed by `F`, and the `Acquire`
//!   load synchronises with `F`. Hence `A` happens before the later load of the arrivals, which by coherence returns a value
//!   that includes `A`. This needs no ordering on `A` itself and none on the arrival load, and it holds for each cell of the sharded
//!   counter by itself.
//! - *The snapshot did not see `F`.* Then the item adds nothing to the fates, and `A` may be seen or not: `held` is 1 or 0.
//!
//! Summed over all items, fates never exceed arrivals. The other direction is loose by design: what moved while the snapshot was
//! being read may still show as held.

mod account;

use std::fmt;
use std::iter::Sum;
use std::ops::AddAssign;
use std::sync::Arc;

pub(crate) use self::account::Account;
use self::account::Owner;
use crate::{DropReason, Receipt};

/// The account of one pipeline and destination: everything that came in, and what became of it.
///
/// A ledger is changed only through [`Receipt`]s, which is what makes its law hold:
///
/// > accepted + recovered = delivered + rejected + dropped + held
///
/// Clones share the same counters.
///
/// # Examples
///
/// ```
/// use aqueduct_metrics::{DropReason, Ledger};
///
/// let ledger = Ledger::new();
/// let receipt = ledger.accept(100);
/// assert_eq!(ledger.snapshot().held(), 100);
///
/// receipt.dropped(DropReason::MaxAge);
/// let now = ledger.snapshot();
/// assert_eq!((now.accepted, now.dropped(DropReason::MaxAge), now.held()), (100, 100, 0));
/// ```
#[derive(Clone)]
pub struct Ledger {
    owner: Arc<Owner>,
}

impl Ledger {
    /// An empty ledger.
    pub fn new() -> Self {
        Ledger { owner: Arc::new(Owner::new()) }
    }

    /// Counts `items` as taken in and returns the receipt that answers for them.
    ///
    /// # Allocation
    ///
    /// None.
    pub fn accept(&self, items: u64) -> Receipt {
        let account = self.owner.0;
        account.accepted(items);
        Receipt::new(account, items)
    }

    /// Counts `items` as found again after a restart (they were accepted by an earlier process) and returns their receipt.
    ///
    /// # Allocation
    ///
    /// None.
    pub fn recovered(&self, items: u64) -> Receipt {
        let account = self.owner.0;
        account.recovered(items);
        Receipt::new(account, items)
    }

    /// Reads all counters: the fates first, the arrivals last, so that [`LedgerSnapshot::held`] is never negative.
    ///
    /// Whatever moves while it reads may still show as held. At rest the reading is exact.
    pub fn snapshot(&self) -> LedgerSnapshot {
        self.owner.0.snapshot()
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ledger").field(&self.snapshot()).finish()
    }
}

/// One reading of a [`Ledger`], in items.
///
/// Snapshots of several ledgers can be summed: the law holds for the sum as well.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerSnapshot {
    /// Items taken in since the ledger was made.
    pub accepted: u64,
    /// Items found again after a restart.
    pub recovered: u64,
    /// Items the destination took.
    pub delivered: u64,
    /// Items the destination refused for good (partial success, or an answer that refuses the whole request).
    pub rejected: u64,
    dropped: [u64; DropReason::COUNT],
}

impl LedgerSnapshot {
    /// Items given up for `reason`.
    pub const fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason.index()]
    }

    /// Items given up for any reason.
    pub fn dropped_total(&self) -> u64 {
        // Wrapping here and below: 2^64 items take centuries, and a library does not panic on a caller's number.
        self.dropped.iter().fold(0, |sum, count| sum.wrapping_add(*count))
    }

    /// Everything that came in: accepted and recovered.
    pub const fn arrived(&self) -> u64 {
        self.accepted.wrapping_add(self.recovered)
    }

    /// Everything whose fate is known: delivered, rejected and dropped.
    pub fn settled(&self) -> u64 {
        self.delivered.wrapping_add(self.rejected).wrapping_add(self.dropped_total())
    }

    /// Items that came in and whose fate is not known yet: what a pipeline still holds.
    pub fn held(&self) -> u64 {
        self.arrived().wrapping_sub(self.settled())
    }
}

impl AddAssign for LedgerSnapshot {
    fn add_assign(&mut self, other: Self) {
        self.accepted = self.accepted.wrapping_add(other.accepted);
        self.recovered = self.recovered.wrapping_add(other.recovered);
        self.delivered = self.delivered.wrapping_add(other.delivered);
        self.rejected = self.rejected.wrapping_add(other.rejected);
        for (mine, theirs) in self.dropped.iter_mut().zip(other.dropped) {
            *mine = mine.wrapping_add(theirs);
        }
    }
}

impl Sum for LedgerSnapshot {
    fn sum<I: Iterator<Item = Self>>(snapshots: I) -> Self {
        snapshots.fold(Self::default(), |mut sum, snapshot| {
            sum += snapshot;
            sum
        })
    }
}

/// Reasons that never occurred are left out: a healthy ledger prints as one short line.
impl fmt::Debug for LedgerSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("LedgerSnapshot");
        out.field("accepted", &self.accepted)
            .field("recovered", &self.recovered)
            .field("delivered", &self.delivered)
            .field("rejected", &self.rejected);
        for reason in DropReason::ALL.into_iter().filter(|reason| self.dropped(*reason) > 0) {
            out.field(reason.as_str(), &self.dropped(reason));
        }
        out.field("held", &self.held()).finish()
    }
}
