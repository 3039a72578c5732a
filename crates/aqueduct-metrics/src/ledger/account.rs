//! The counters behind a ledger, and how a receipt refers to them for nothing.
//!
//! A receipt is made and consumed once per request. If it held an `Arc`, two of the three atomic operations in its life would
//! count references, and all intake threads would write that count. So an [`Account`] is a `&'static` reference, and its memory is reused
//! rather than freed:
//!
//! - *in use*: some `Ledger` handle exists. Only handles count arrivals.
//! - *retired*: the last handle is gone ([`Owner`] was dropped), so arrivals are final. Receipts may still be out, and settle as ever.
//! - *free*: retired, and nothing is held. No receipt with items is left, so nothing will write here again, and the next
//!   `Ledger::new` takes it over.
//!
//! A receipt of *no* items may outlive that change. It never touches a counter, so all it can do is join or be joined by receipts of the
//! ledger that took over, which carry their own items to their own counters.
//!
//! The memory in play is thus bounded by the largest number of ledgers that had receipts out at one time, some 640 bytes each and 512 more for each core.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread;

use aqueduct_lockfree::ShardedCounter;

use super::LedgerSnapshot;
use crate::DropReason;

/// Accounts without a ledger, some of them still waiting for their last receipts.
static RETIRED: Mutex<Vec<Account>> = Mutex::new(Vec::new());

/// A reference to the counters of one ledger.
#[derive(Clone, Copy)]
pub(crate) struct Account(&'static Counters);

/// The life of a ledger's account: made with its first handle, dropped with its last.
pub(super) struct Owner(pub(super) Account);

/// Arrivals and fates are written by different threads (intake and exporter); 128 bytes keep them apart also where the
/// processor fetches cache lines in pairs. Arrivals come from all intake threads at once, request by request, so each has a cell of its own;
/// fates come batch by batch from one thread.
#[derive(Default)]
struct Counters {
    arrivals: Arrivals,
    fates: Fates,
}

#[derive(Default)]
#[repr(align(128))]
struct Arrivals {
    /// Items taken in. Added to by `Ledger::accept`, read by snapshots.
    accepted: ShardedCounter,
    /// Items found again after a restart. Written by `Ledger::recovered`, read by snapshots.
    recovered: AtomicU64,
}

#[derive(Default)]
#[repr(align(128))]
struct Fates {
    /// Items the destination took. All three fields are written when a receipt is settled and read by snapshots.
    delivered: AtomicU64,
    /// Items the destination refused for good.
    rejected: AtomicU64,
    /// Items given up, by `DropReason::index`.
    dropped: [AtomicU64; DropReason::COUNT],
}

/// The list, if it can be had. Whoever holds its lock does so for some nanoseconds, so after this many looks it is held by a thread that does not exist: this
/// is a process that was forked at such a moment. It does without, and without the memory of an account or two.
fn retired() -> Option<MutexGuard<'static, Vec<Account>>> {
    for _ in 0..10_000 {
        match RETIRED.try_lock() {
            Ok(retired) => return Some(retired),
            // The list is only ever pushed to and taken from, so a poisoned one is still whole.
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => thread::yield_now(),
        }
    }
    None
}

impl Owner {
    pub(super) fn new() -> Self {
        let reused = retired().and_then(|mut retired| {
            let free = retired.iter().position(|account| account.snapshot().held() == 0)?;
            Some(retired.swap_remove(free))
        });
        Owner(match reused {
            Some(account) => {
                account.clear();
                account
            }
            None => Account(Box::leak(Box::default())),
        })
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(mut retired) = retired() {
            retired.push(self.0);
        }
    }
}

impl Account {
    pub(crate) fn is(self, other: Account) -> bool {
        std::ptr::eq(self.0, other.0)
    }

    pub(super) fn accepted(self, items: u64) {
        // A counter without an ordering of its own will do: see the header of `ledger`; the happens-before edge comes from the receipt.
        self.0.arrivals.accepted.add(items);
    }

    pub(super) fn recovered(self, items: u64) {
        // Relaxed: as in `accepted`.
        self.0.arrivals.recovered.fetch_add(items, Ordering::Relaxed);
    }

    pub(crate) fn delivered(self, items: u64) {
        // Release: see the header of `ledger`, "the snapshot saw F".
        self.0.fates.delivered.fetch_add(items, Ordering::Release);
    }

    pub(crate) fn rejected(self, items: u64) {
        // Release: as in `delivered`.
        self.0.fates.rejected.fetch_add(items, Ordering::Release);
    }

    pub(crate) fn dropped(self, reason: DropReason, items: u64) {
        // Release: as in `delivered`.
        self.0.fates.dropped[reason.index()].fetch_add(items, Ordering::Release);
    }

    pub(super) fn snapshot(self) -> LedgerSnapshot {
        let Counters { arrivals, fates } = self.0;
        // Acquire: partner of the Release in `delivered`, `rejected` and `dropped`; it also keeps the loads of the arrivals below
        // from moving up.
        let delivered = fates.delivered.load(Ordering::Acquire);
        let rejected = fates.rejected.load(Ordering::Acquire);
        let dropped = std::array::from_fn(|index| fates.dropped[index].load(Ordering::Acquire));
        // Relaxed: ordered after the Acquire loads above, which is all the argument needs.
        let recovered = arrivals.recovered.load(Ordering::Relaxed);
        let accepted = arrivals.accepted.sum();
        LedgerSnapshot { accepted, recovered, delivered, rejected, dropped }
    }

    /// Relaxed stores: nobody else refers to a free account, and the lock of `RETIRED`, or whatever hands the new ledger on, orders
    /// them before its first use.
    fn clear(self) {
        let Counters { arrivals, fates } = self.0;
        arrivals.accepted.take();
        for counter in
            [&arrivals.recovered, &fates.delivered, &fates.rejected].into_iter().chain(&fates.dropped)
        {
            counter.store(0, Ordering::Relaxed);
        }
    }
}
