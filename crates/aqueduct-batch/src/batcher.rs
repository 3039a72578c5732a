//! The state machine: one open batch, four bounds, and the clock as an argument.
//!
//! # States
//!
//! The machine is *empty* or has one *open* batch. An offer opens a batch if there is none. A batch is sealed, and the machine empty
//! again, when it is **full** (items, offers or bytes), when it is **due** (age or idle time), or by a flush. Two laws
//! hold in every state and are what a driver builds on:
//!
//! 1. `poll(t)` seals if and only if `deadline()` is some instant not after `t`. A driver that sleeps until `deadline()`, again after
//!    *every* call, cannot miss a batch.
//! 2. `offer(item, weight, t)` does what `poll(t)` does first. A driver that is late, or polls only when it has nothing else to do, gets
//!    the same batches.
//!
//! Time may go backwards between calls (several threads read the clock, then one of them calls): nothing is due
//! that was not before, and the instants that count are the first offer's and the latest.

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use crate::{BatchConfig, SealReason, Sealed, Sealing};

/// What one offer weighs, or a whole batch.
///
/// Complete: these two are what the bounds are counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Weight {
    /// Items: spans, data points, log records. May be zero.
    pub items: u64,
    /// Bytes. May be zero.
    pub bytes: u64,
}

impl Weight {
    /// A weight of so many items and bytes.
    pub const fn new(items: u64, bytes: u64) -> Self {
        Weight { items, bytes }
    }

    /// The sum; at the ends of the range it stays there.
    pub(crate) const fn plus(self, other: Weight) -> Weight {
        Weight {
            items: self.items.saturating_add(other.items),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    /// The difference; never less than nothing.
    pub(crate) const fn minus(self, other: Weight) -> Weight {
        Weight {
            items: self.items.saturating_sub(other.items),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }
}

/// Gathers offers of `T` into batches of type `B`, sealed by items, bytes, idle time or age.
///
/// It owns no clock, no thread and no channel: time is an argument, sealed batches are return values. See the
/// [crate documentation](crate) for a driver.
///
/// `B` is whatever joins `T`s: a `Vec<T>`, or a buffer that copies them. It is made when a batch is opened, by [`Default`] or by a function
/// `M` of the user's ([`Batcher::with_maker`]), which may take it from a pool.
pub struct Batcher<T, B = Vec<T>, M = fn() -> B> {
    config: BatchConfig,
    open: Option<Open<B>>,
    make: M,
    /// `T` goes through `offer` into `B`; the machine never holds one.
    offers: PhantomData<fn(T)>,
}

struct Open<B> {
    batch: B,
    weight: Weight,
    /// Like `weight.items`, but an offer of no items counts as one: what is compared with `max_items`.
    fill: u64,
    /// When the first offer came: age counts from here.
    opened: Instant,
    /// When the latest offer came: idle time counts from here.
    touched: Instant,
}

impl<T, B> Batcher<T, B>
where
    B: Default + Extend<T>,
{
    /// An empty machine. Every configuration works; see [`BatchConfig::validate`] for those that make sense.
    pub fn new(config: BatchConfig) -> Self {
        Batcher::with_maker(config, B::default)
    }
}

impl<T, B, M> Batcher<T, B, M>
where
    B: Extend<T>,
    M: FnMut() -> B,
{
    /// An empty machine like [`Batcher::new`], whose batches are made by a function: for batches that need something to begin with, such
    /// as a pool to take memory from.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use aqueduct_batch::{BatchConfig, Batcher, Weight};
    ///
    /// let make = || Vec::with_capacity(100);
    /// let mut batcher: Batcher<u32, Vec<u32>, _> = Batcher::with_maker(BatchConfig::default(), make);
    /// let _ = batcher.offer(7, Weight::new(1, 4), Instant::now());
    /// assert_eq!(batcher.flush().expect("one item").batch.capacity(), 100);
    /// ```
    pub fn with_maker(config: BatchConfig, make: M) -> Self {
        Batcher { config, open: None, make, offers: PhantomData }
    }

    /// Adds an item and returns what that sealed, oldest first.
    ///
    /// First the open batch is sealed if it is due at `now` or if the item does not fit into it any more; then the item is added, to a new batch if
    /// need be; then that batch is sealed if it is full. An item heavier than the bounds is never refused and never split: it
    /// makes a batch of its own.
    ///
    /// # Allocation
    ///
    /// None of its own; what `B` does in [`Extend::extend`].
    pub fn offer(&mut self, item: T, weight: Weight, now: Instant) -> Sealing<B> {
        let before = match &self.open {
            Some(open) => match self.due(open, now).or_else(|| self.overflow(open, weight)) {
                Some(reason) => self.seal(reason),
                None => None,
            },
            None => None,
        };
        let open = self.open.get_or_insert_with(|| Open {
            batch: (self.make)(),
            weight: Weight::default(),
            fill: 0,
            opened: now,
            touched: now,
        });
        open.batch.extend(Some(item));
        open.weight = open.weight.plus(weight);
        open.fill = open.fill.saturating_add(weight.items.max(1));
        open.touched = open.touched.max(now);
        let filled = match full(&self.config, open) {
            Some(reason) => self.seal(reason),
            None => None,
        };
        Sealing { before, filled }
    }

    /// Seals the open batch if it is due at `now`; at most one batch can be.
    pub fn poll(&mut self, now: Instant) -> Option<Sealed<B>> {
        let reason = self.due(self.open.as_ref()?, now)?;
        self.seal(reason)
    }

    /// When [`poll`](Batcher::poll) will seal the open batch if nothing else happens; `None` if there is none, or no bound in time.
    ///
    /// It moves with every offer (idle time) and every sealed batch: ask again after each call rather than arming a timer once.
    pub fn deadline(&self) -> Option<Instant> {
        let open = self.open.as_ref()?;
        self.falls_due(open).map(|(at, _)| at)
    }

    /// Seals what there is, whatever it weighs; `None` if there is nothing.
    pub fn flush(&mut self) -> Option<Sealed<B>> {
        self.seal(SealReason::Flush)
    }

    /// What the open batch weighs; nothing if there is none.
    pub fn weight(&self) -> Weight {
        self.open.as_ref().map_or_else(Weight::default, |open| open.weight)
    }

    /// Whether no batch is open. An item of no weight opens one as well.
    pub fn is_empty(&self) -> bool {
        self.open.is_none()
    }

    /// The bounds at work.
    pub fn config(&self) -> &BatchConfig {
        &self.config
    }

    /// Changes the bounds, for the open batch as well.
    ///
    /// If it is full by the new bounds it is due at once: [`deadline`](Batcher::deadline) says so, and the next poll or offer seals it.
    pub fn reconfigure(&mut self, config: BatchConfig) {
        self.config = config;
    }

    fn due(&self, open: &Open<B>, now: Instant) -> Option<SealReason> {
        self.falls_due(open).filter(|(at, _)| *at <= now).map(|(_, reason)| reason)
    }

    /// The instant at which the batch is to be sealed if nothing is added, and the bound that says so.
    fn falls_due(&self, open: &Open<B>) -> Option<(Instant, SealReason)> {
        // Only a change of the bounds can leave a full batch open. It has been due ever since it was opened.
        if let Some(reason) = full(&self.config, open) {
            return Some((open.opened, reason));
        }
        let age = after(open.opened, self.config.max_age).map(|at| (at, SealReason::Age));
        let idle =
            self.config.max_idle.and_then(|idle| after(open.touched, idle)).map(|at| (at, SealReason::Idle));
        match (age, idle) {
            (Some(age), Some(idle)) => Some(if idle.0 < age.0 { idle } else { age }),
            (age, idle) => age.or(idle),
        }
    }

    /// Which bound the batch would exceed with this weight on top.
    fn overflow(&self, open: &Open<B>, weight: Weight) -> Option<SealReason> {
        if open.fill.saturating_add(weight.items.max(1)) > self.config.max_items.max(1) {
            Some(SealReason::Items)
        } else if open.weight.plus(weight).bytes > self.config.max_bytes.max(1) {
            Some(SealReason::Bytes)
        } else {
            None
        }
    }

    /// The content of the open batch.
    pub(crate) fn open(&self) -> Option<&B> {
        self.open.as_ref().map(|open| &open.batch)
    }

    /// Lets `take` take one offer out of the open batch; it says what the offer weighed. Without offers the batch is no longer open. What
    /// stays is as old as before.
    pub(crate) fn withdraw<R>(&mut self, take: impl FnOnce(&mut B) -> Option<(R, Weight)>) -> Option<R> {
        let open = self.open.as_mut()?;
        let (taken, weight) = take(&mut open.batch)?;
        open.weight = open.weight.minus(weight);
        open.fill = open.fill.saturating_sub(weight.items.max(1));
        if open.fill == 0 {
            self.open = None;
        }
        Some(taken)
    }

    /// Seals what there is, for a reason that the caller has.
    pub(crate) fn seal(&mut self, reason: SealReason) -> Option<Sealed<B>> {
        let Open { batch, weight, opened, .. } = self.open.take()?;
        Some(Sealed { batch, weight, opened, reason })
    }
}

impl<T, B, M> fmt::Debug for Batcher<T, B, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Batcher");
        out.field("config", &self.config);
        match &self.open {
            Some(open) => out.field("weight", &open.weight).field("opened", &open.opened).finish(),
            None => out.field("weight", &Weight::default()).finish(),
        }
    }
}

/// Which bound the batch has reached.
fn full<B>(config: &BatchConfig, open: &Open<B>) -> Option<SealReason> {
    if open.fill >= config.max_items.max(1) {
        Some(SealReason::Items)
    } else if open.weight.bytes >= config.max_bytes.max(1) {
        Some(SealReason::Bytes)
    } else {
        None
    }
}

/// `None` if the sum lies beyond what an [`Instant`] can say, which is never for a `Duration` that means something.
fn after(start: Instant, wait: Duration) -> Option<Instant> {
    start.checked_add(wait)
}
