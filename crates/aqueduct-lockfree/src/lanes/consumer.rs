//! The reading end of all lanes.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::time::Instant;

use super::credit::Credit;
use super::lane::Lane;
use super::shared::Shared;
use super::{Lanes, LanesStats};
use crate::sync::Arc;

/// The one consumer of a [`Lanes`]: takes batches, and sleeps until one is worth it.
///
/// It can be sent to another thread, but there is only one. Dropping it closes the queue and drops what waits, which is counted as
/// [discarded](LanesStats::discarded).
///
/// # Examples
/// A thread that takes batches of up to 512 as they fill, and whatever there is each 100 ms:
/// ```
/// use std::time::{Duration, Instant};
/// use aqueduct_lockfree::Lanes;
///
/// let (lanes, mut consumer) = Lanes::bounded(2048);
/// let worker = std::thread::spawn(move || {
///     let (mut batch, mut sum) = (Vec::with_capacity(512), 0);
///     while !consumer.is_finished() {
///         consumer.wait_drain(Instant::now() + Duration::from_millis(100), 512, &mut batch);
///         sum += batch.drain(..).sum::<u64>();
///     }
///     sum
/// });
/// let producer = lanes.producer();
/// (0..1000).for_each(|n| producer.push(n).expect("there is room"));
/// drop(producer);
/// lanes.close();
/// assert_eq!(worker.join().unwrap(), 499_500);
/// ```
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<aqueduct_lockfree::Consumer<u64>>();
/// ```
pub struct Consumer<T> {
    shared: Arc<Shared<T>>,
    /// The lanes that this side knows of; all that were on the list when it had `version` entries in its history.
    lanes: Vec<Arc<Lane<T>>>,
    version: usize,
    /// Where the next drain begins.
    turn: usize,
    /// Not shared between threads: `len` and the like read what only this side writes.
    _not_sync: PhantomData<Cell<()>>,
}

/// Gives credit back, also if growing the vector panics.
struct Refund<'a> {
    credit: &'a Credit,
    items: usize,
}

impl Drop for Refund<'_> {
    fn drop(&mut self) {
        self.credit.give(self.items);
    }
}

impl<T> Consumer<T> {
    pub(super) fn new(shared: Arc<Shared<T>>) -> Consumer<T> {
        Consumer { shared, lanes: Vec::new(), version: 0, turn: 0, _not_sync: PhantomData }
    }

    /// Takes up to `max` waiting items, appends them to `out`, and returns how many. Does not wait.
    ///
    /// The items of one producer come in their order. Lanes take turns: the next call begins behind the lane where this one stopped.
    ///
    /// # Allocation
    /// `out` grows if it has to.
    #[doc(alias = "pop_batch")]
    pub fn drain(&mut self, max: usize, out: &mut Vec<T>) -> usize {
        self.look_for_new_lanes();
        let Consumer { shared, lanes, turn, .. } = self;
        let mut refund = Refund { credit: &shared.credit, items: 0 };
        let mut ended = false;
        for _ in 0..lanes.len() {
            if refund.items == max {
                break;
            }
            if *turn >= lanes.len() {
                *turn = 0;
            }
            let lane = &lanes[*turn];
            *turn += 1;
            // SAFETY: there is one consumer, borrowed exclusively.
            let taken = unsafe { lane.take(max - refund.items, out) };
            refund.items += taken;
            // Relaxed: a hint; `forget_ended` looks again.
            ended |= taken == 0 && lane.write.done.load(Relaxed);
        }
        let taken = refund.items;
        drop(refund);
        if ended {
            self.forget_ended();
        }
        taken
    }

    /// Waits until a batch is worth it or `deadline` has come, then takes up to `max` items as [`drain`](Consumer::drain) does.
    ///
    /// The wait ends when between half of the [threshold](crate::LanesConfig::with_threshold) and the threshold waits, when the queue is closed, and when
    /// somebody calls [`Lanes::wake`]. It does not begin if that is so already. Zero means that nothing waited.
    ///
    /// # Allocation
    /// As [`drain`](Consumer::drain).
    #[doc(alias = "recv_timeout")]
    pub fn wait_drain(&mut self, deadline: Instant, max: usize, out: &mut Vec<T>) -> usize {
        if !self.is_worth_draining() {
            self.shared.wake.announce(false);
            if self.is_worth_draining() {
                self.shared.wake.stay_awake();
            } else {
                self.shared.wake.sleep(deadline);
            }
        }
        // The nudge that ended this wait does not end the next.
        self.shared.wake.take_nudge();
        self.drain(max, out)
    }

    /// Asks for one call of the [notifier](crate::LanesConfig::with_notifier) as soon as a batch is worth it, as [`wait_drain`](Consumer::wait_drain)
    /// would wait for; `false` if one is already, and then there may be a call or none.
    ///
    /// For a consumer that must not block its thread: drain, arm, and wait for the notification in its own way, with a timer beside it.
    ///
    /// # Examples
    /// ```
    /// use std::sync::mpsc;
    /// use aqueduct_lockfree::LanesConfig;
    ///
    /// let (notify, notified) = mpsc::channel();
    /// let config = LanesConfig::default().with_capacity(64).with_threshold(8).with_notifier(move || drop(notify.send(())));
    /// let (lanes, mut consumer) = config.build()?;
    /// assert!(consumer.arm());
    /// let producer = lanes.producer();
    /// (0..8).for_each(|n| producer.push(n).expect("there is room"));
    /// notified.recv().expect("one call");
    /// assert!(consumer.drain(64, &mut Vec::new()) >= 4);
    /// # Ok::<(), aqueduct_lockfree::ConfigError>(())
    /// ```
    pub fn arm(&mut self) -> bool {
        self.shared.wake.announce(true);
        let worth = self.is_worth_draining();
        if worth {
            self.shared.wake.stay_awake();
            self.shared.wake.take_nudge();
        }
        !worth
    }

    /// Whether no item can come any more: the queue is closed, every producer was dropped or has been refused since, and nothing waits.
    ///
    /// A producer that is neither dropped nor used keeps this `false`: it might be in the middle of a push.
    pub fn is_finished(&mut self) -> bool {
        if !self.shared.is_closed() {
            return false;
        }
        // Under the lock, whatever the version: a producer that is made after this sees the closing.
        self.copy_list();
        self.forget_ended();
        self.lanes.is_empty()
    }

    /// How many items wait.
    pub fn len(&self) -> usize {
        self.shared.registry(|registry| registry.lanes.iter().map(|lane| lane.waiting() as usize).sum())
    }

    /// Whether no item waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many waiting items wake the consumer.
    pub fn threshold(&self) -> usize {
        self.shared.wake.threshold
    }

    /// Refuses further pushes: as [`Lanes::close`].
    pub fn close(&self) {
        self.shared.close();
    }

    /// Another handle that makes producers.
    pub fn lanes(&self) -> Lanes<T> {
        Lanes::of(self.shared.clone())
    }

    /// As [`Lanes::stats`].
    pub fn stats(&self) -> LanesStats {
        self.shared.stats()
    }

    fn is_worth_draining(&mut self) -> bool {
        self.look_for_new_lanes();
        let enough = self.shared.wake.enough() as u64;
        let waiting: u64 = self.lanes.iter().map(|lane| lane.waiting()).sum();
        waiting >= enough || self.ends(waiting) || self.shared.wake.take_nudge()
    }

    /// Whether the queue was closed and there is something to do about it: not if all that is left are producers that do nothing.
    fn ends(&self, waiting: u64) -> bool {
        // Relaxed: a hint, made fresh by the fence of `announce`.
        let ended = |lane: &Arc<Lane<T>>| lane.write.done.load(Relaxed);
        self.shared.is_closed() && (waiting > 0 || self.lanes.is_empty() || self.lanes.iter().any(ended))
    }

    fn look_for_new_lanes(&mut self) {
        // Acquire: pairs with the release in `register`.
        if self.shared.version.load(Acquire) != self.version {
            self.copy_list();
        }
    }

    #[cold]
    fn copy_list(&mut self) {
        let Consumer { shared, lanes, version, .. } = self;
        shared.registry(|registry| {
            lanes.clone_from(&registry.lanes);
            // Relaxed: written under the lock.
            *version = shared.version.load(Relaxed);
        });
    }

    #[cold]
    fn forget_ended(&mut self) {
        let mut ended = Vec::new();
        self.lanes.retain(|lane| {
            // Acquire: pairs with the release in `retire`; the tail read after it is final.
            let over = lane.write.done.load(Acquire) && lane.waiting() == 0;
            if over {
                ended.push(lane.clone());
            }
            !over
        });
        self.shared.registry(|registry| ended.iter().for_each(|lane| registry.forget(lane)));
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        /// Drops what waits in the lanes, and goes on after a destructor's panic.
        struct Rest<T>(Vec<Arc<Lane<T>>>);
        impl<T> Rest<T> {
            fn go(&mut self) {
                while let Some(lane) = self.0.last().cloned() {
                    // SAFETY: there is one consumer, and it is being dropped.
                    unsafe { lane.discard() };
                    self.0.pop();
                }
            }
        }
        impl<T> Drop for Rest<T> {
            fn drop(&mut self) {
                self.go();
            }
        }
        self.shared.close();
        self.lanes.clear();
        // Under the lock nothing is dropped: the list that comes out has all the lanes.
        Rest(self.shared.registry(|registry| registry.consumer_goes())).go();
    }
}

impl<T> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("threshold", &self.threshold())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
