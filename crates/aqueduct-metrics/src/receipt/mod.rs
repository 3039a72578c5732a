//! The receipt: who answers for items between their arrival and their fate.

mod waiters;

use std::fmt;
use std::mem;
use std::sync::Arc;

use self::waiters::Waiters;
use crate::ledger::Account;
use crate::{Acknowledge, DropReason, Settled};

/// The obligation to settle a number of items: made by [`Ledger::accept`](crate::Ledger::accept), consumed by exactly one outcome.
///
/// A receipt travels with the data it stands for. Where data is joined, receipts are [absorbed](Receipt::absorb); where data is cut,
/// they are [split](Receipt::split). Neither creates nor loses an item. A receipt that is dropped unsettled counts its items
/// as `dropped{leaked}` and tells its waiters so: forgetting one is a bug, but never a silent one.
///
/// # Order
///
/// A receipt stands for a *sequence* of items. `absorb` appends, `split` takes from the front, and each waiter covers the range of items that were
/// there when it was attached. So a waiter hears of its own items as long as data is joined and cut in the same order.
///
/// # Allocation
///
/// None without waiters, and none for the first waiter of a receipt. Receipts that have waiters on both sides of an `absorb`
/// share one growing list; a split through the middle of a waiter's items allocates once for that waiter.
#[must_use = "a receipt that is dropped unsettled counts its items as leaked"]
pub struct Receipt {
    account: Account,
    items: u64,
    waiters: Waiters,
}

impl Receipt {
    pub(crate) fn new(account: Account, items: u64) -> Self {
        Receipt { account, items, waiters: Waiters::None }
    }

    /// How many items this receipt answers for. It may be zero.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Attaches a waiter to all items that the receipt holds now; it is told exactly once, when the last of them is settled.
    ///
    /// Items absorbed later are not the waiter's. Several waiters may be attached to the same items, and the same
    /// waiter several times: it is told once per attachment.
    pub fn attach(&mut self, waiter: Arc<dyn Acknowledge>) {
        self.waiters.attach(waiter, self.items);
    }

    /// Appends the items and waiters of `other`.
    ///
    /// # Errors
    ///
    /// Gives `other` back, unchanged, if it belongs to another ledger: joining them would move items from one account to another.
    pub fn absorb(&mut self, mut other: Receipt) -> Result<(), Receipt> {
        if !self.account.is(other.account) {
            return Err(other);
        }
        if !other.waiters.is_empty() {
            self.waiters.append(mem::take(&mut other.waiters), self.items);
        }
        // Wrapping: 2^64 items take centuries, and a library does not panic on a caller's number.
        self.items = self.items.wrapping_add(mem::take(&mut other.items));
        Ok(())
    }

    /// Takes the first `items` items off into a receipt of their own; all of them if there are fewer, which
    /// [`items`](Receipt::items) of the result tells.
    ///
    /// A waiter whose items fall on both sides is told once, when both have been settled. It then hears the most serious of the outcomes:
    /// a [loss](DropReason::is_loss) before a refusal before a delivery, so that it never believes more than is true.
    pub fn split(&mut self, items: u64) -> Receipt {
        let items = items.min(self.items);
        // Taking everything takes the waiters of no items as well, so that the rest of a receipt cut to the end may be dropped.
        let waiters =
            if items == self.items { mem::take(&mut self.waiters) } else { self.waiters.split(items) };
        self.items -= items;
        Receipt { account: self.account, items, waiters }
    }

    /// The destination took all items.
    pub fn delivered(mut self) {
        self.close(Settled::Delivered);
    }

    /// The destination took all items but `rejected` of them (partial success); more than there are counts as all.
    ///
    /// What each waiter hears is said at [`Settled::Partial`].
    pub fn partial(mut self, rejected: u64) {
        let how = match rejected {
            0 => Settled::Delivered,
            rejected if rejected >= self.items => Settled::Rejected,
            rejected => Settled::Partial { rejected },
        };
        self.close(how);
    }

    /// The destination refused all items for good.
    pub fn rejected(mut self) {
        self.close(Settled::Rejected);
    }

    /// The items were given up.
    pub fn dropped(mut self, reason: DropReason) {
        self.close(Settled::Dropped(reason));
    }

    /// Moves everything out, counts it, then tells the waiters; `Drop` finds an empty receipt afterwards.
    fn close(&mut self, how: Settled) {
        let items = mem::take(&mut self.items);
        if items > 0 {
            match how {
                Settled::Delivered => self.account.delivered(items),
                Settled::Partial { rejected } => {
                    self.account.rejected(rejected);
                    self.account.delivered(items - rejected);
                }
                Settled::Rejected => self.account.rejected(items),
                Settled::Dropped(reason) => self.account.dropped(reason, items),
            }
        }
        // Nobody, most of the time, and then nothing is moved for them.
        if !self.waiters.is_empty() {
            mem::take(&mut self.waiters).tell(items, how);
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if self.items > 0 || !self.waiters.is_empty() {
            self.close(Settled::Dropped(DropReason::Leaked));
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").field("items", &self.items).field("waiters", &self.waiters.len()).finish()
    }
}
