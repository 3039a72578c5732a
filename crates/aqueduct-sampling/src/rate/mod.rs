//! A share or a rate that is kept under a changing load.
//!
//! # How it is steered
//!
//! Deciding counts what is offered and compares with a threshold; [`RateHandle::tick`] moves the threshold, from what was *offered* and not from which
//! traces happened to be kept: a threshold that depended on the randomness of the traces would bias their adjusted counts.
//!
//! 1. Counts (`counts`): roots, children of spans in other processes, children of spans in this one, each with how many were sampled.
//! 2. A window (`window`) of the last 8 s. It ends earlier where the load has visibly changed: what was before a step has no influence from then on.
//! 3. What can be steered (`balance`): the items of traces that begin here. Those of others are sampled as others have decided, and count.
//! 4. Floors (`operations`): what is seldom gets a threshold of its own.

mod balance;
mod counts;
mod operations;
mod window;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rand::Rng;

use crate::head::follow;
use crate::{ConfigError, Decision, OtelTraceState, Randomness, Sampler, Threshold, TraceFacts};
use counts::{Counts, Tally};
use operations::Operations;
use window::Window;

/// The least time between two movements of the threshold.
const TICK: Duration = Duration::from_millis(100);

/// What a [`RateSampler`] aims at.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Target {
    /// This share of all items, from 0 to 1.
    Ratio(f64),
    /// So many items a second.
    ItemsPerSecond(f64),
}

impl Target {
    fn check(self) -> Result<Self, ConfigError> {
        match self {
            Target::Ratio(value) if !(0.0..=1.0).contains(&value) => {
                Err(ConfigError::Probability { field: "ratio", value })
            }
            Target::ItemsPerSecond(value) if !(value >= 0.0 && value.is_finite()) => {
                Err(ConfigError::Rate { field: "items_per_second", value })
            }
            target => Ok(target),
        }
    }
}

/// What a [`RateSampler`] is to do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RateConfig {
    /// What it aims at.
    pub target: Target,
    /// So many roots a second of each operation (name of a root) are kept if there are as many, whatever the target says; a floor for what is
    /// seldom. They count towards the target, and all else makes room for them. Default 0, which is no floor.
    pub floor_per_operation: f64,
    /// Operations that floors are kept for, at most; about 40 bytes each. Further ones have none until one of these was not seen for 10 s. Default 128.
    pub max_operations: usize,
    /// The lowest probability that the target can push it to. Default 1e-6. At least 2^-56.
    pub min_probability: f64,
}

impl RateConfig {
    /// The defaults, and this target.
    #[must_use]
    pub fn new(target: Target) -> Self {
        RateConfig { target, floor_per_operation: 0.0, max_operations: 128, min_probability: 1e-6 }
    }
}

/// Keeps a share of all items, or a number of them a second, whatever the load is, and adapts to it.
///
/// It has to be asked about every span, children included: they follow their parents, and count. (So it is not for the slot of roots in a
/// [`ParentBased`](crate::ParentBased).) Roots are kept by a threshold that all of them share (but for floors), so decisions are consistent in
/// a trace, and `th` says how many spans one stands for. What was sampled by others counts: with a
/// target of 1 % and half a percent that arrives sampled, half a percent is sampled here.
///
/// Deciding needs no clock. Somebody has to call [`RateHandle::tick`], ten times a second or so: the threshold stays where it is without.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// use aqueduct_sampling::{ItemFacts, Parent, RateSampler, Sampler, TraceFacts};
/// # use rand::{Rng, SeedableRng, rngs::Xoshiro256PlusPlus};
///
/// struct Root(u128);
/// impl ItemFacts for Root {
///     fn trace_id(&self) -> [u8; 16] {
///         self.0.to_be_bytes()
///     }
/// }
/// impl TraceFacts for Root {
///     fn parent(&self) -> Option<Parent> {
///         None
///     }
/// }
///
/// let sampler = RateSampler::items_per_second(100.0)?;
/// let handle = sampler.handle();
/// let start = Instant::now();
/// # let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
/// # let mut ids = Xoshiro256PlusPlus::seed_from_u64(8);
/// for tenth in 0..50 {
///     handle.tick(start + tenth * Duration::from_millis(100));
///     for _ in 0..1_000 {
///         let root = Root(u128::from(ids.next_u64()));
///         let _ = sampler.decide(&root, &mut rng);
///     }
/// }
/// // 10,000 a second are offered.
/// assert!((0.009..0.011).contains(&handle.probability()));
/// # Ok::<(), aqueduct_sampling::ConfigError>(())
/// ```
#[doc(alias = "AdaptiveSampler")]
#[derive(Clone)]
pub struct RateSampler {
    shared: Arc<Shared>,
}

/// Looks at a [`RateSampler`] and changes it while it runs. Clones speak of the same sampler.
#[derive(Clone)]
pub struct RateHandle {
    shared: Arc<Shared>,
}

struct Shared {
    /// The value of the threshold for roots without a floor of their own. Written under the lock of `control`, read by every decision; it guards no other
    /// memory, so relaxed access is enough.
    threshold: AtomicU64,
    counts: Counts,
    operations: Option<Operations>,
    control: Mutex<Control>,
}

/// What only ticks and changes of the target touch.
struct Control {
    target: Target,
    floor: f64,
    min_probability: f64,
    /// Set from outside.
    fixed: Option<f64>,
    /// What steering has arrived at.
    probability: f64,
    window: Window,
    last: Option<Instant>,
    total: Tally,
}

/// What a [`RateSampler`] has done up to its last tick.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RateStats {
    /// Items that a decision was asked for.
    pub offered: u64,
    /// Those that were sampled.
    pub sampled: u64,
    /// Items a second in the window that steers, sampled or not.
    pub offered_per_second: f64,
    /// Sampled items a second in that window.
    pub sampled_per_second: f64,
}

impl RateSampler {
    /// Keeps this share of all items, from 0 to 1; parents that were sampled elsewhere count.
    ///
    /// # Errors
    ///
    /// It is not a number from 0 to 1.
    pub fn ratio(share: f64) -> Result<Self, ConfigError> {
        Self::new(&RateConfig::new(Target::Ratio(share)))
    }

    /// Keeps so many items a second; all, if there are fewer. Until the second tick it keeps everything.
    ///
    /// # Errors
    ///
    /// It is negative, infinite or no number.
    pub fn items_per_second(items: f64) -> Result<Self, ConfigError> {
        Self::new(&RateConfig::new(Target::ItemsPerSecond(items)))
    }

    /// A sampler that does this.
    ///
    /// # Errors
    ///
    /// Names the first field that cannot be meant.
    pub fn new(config: &RateConfig) -> Result<Self, ConfigError> {
        let target = config.target.check()?;
        let floor = config.floor_per_operation;
        if !(floor >= 0.0 && floor.is_finite()) {
            return Err(ConfigError::Rate { field: "floor_per_operation", value: floor });
        }
        let min_probability = config.min_probability;
        if Threshold::from_probability(min_probability).is_err() {
            return Err(ConfigError::Probability { field: "min_probability", value: min_probability });
        }
        let probability = match target {
            Target::Ratio(ratio) => ratio.max(min_probability),
            Target::ItemsPerSecond(_) => 1.0,
        };
        let shared = Shared {
            threshold: AtomicU64::new(threshold(probability).value()),
            counts: Counts::default(),
            operations: (floor > 0.0 && config.max_operations > 0)
                .then(|| Operations::new(config.max_operations)),
            control: Mutex::new(Control {
                target,
                floor,
                min_probability,
                fixed: None,
                probability,
                window: Window::default(),
                last: None,
                total: Tally::default(),
            }),
        };
        Ok(RateSampler { shared: Arc::new(shared) })
    }

    /// To look at it and to change it.
    #[must_use]
    pub fn handle(&self) -> RateHandle {
        RateHandle { shared: Arc::clone(&self.shared) }
    }
}

impl Sampler for RateSampler {
    /// Decides, from any number of threads: lock-free, one addition to a counter that few others touch, and with floors a second one.
    ///
    /// # Allocation
    ///
    /// None.
    #[inline]
    fn decide(&self, facts: &dyn TraceFacts, _: &mut dyn Rng) -> Decision {
        self.shared.decide(facts)
    }
}

impl Shared {
    #[inline]
    fn decide(&self, facts: &dyn TraceFacts) -> Decision {
        let trace_id = facts.trace_id();
        let stripe = self.counts.stripe(&trace_id);
        let Some(parent) = facts.parent() else {
            let threshold = self.threshold(facts);
            let ot = facts.ot();
            let randomness = if ot.is_empty() {
                Randomness::from_trace_id(&trace_id)
            } else {
                OtelTraceState::parse(ot).randomness(&trace_id)
            };
            let decision = Decision::compare(threshold, randomness);
            stripe.root(decision.is_sampled());
            return decision;
        };
        if parent.remote {
            stripe.entry(parent.sampled);
        } else {
            stripe.child(parent.sampled);
        }
        if parent.sampled { follow(facts) } else { Decision::DROP }
    }

    /// That of a root.
    #[inline]
    fn threshold(&self, facts: &dyn TraceFacts) -> Threshold {
        let general = read(&self.threshold);
        match &self.operations {
            Some(operations) => operations.threshold(facts.name()).map_or(general, |own| own.min(general)),
            None => general,
        }
    }
}

impl RateHandle {
    /// Moves the threshold after what was offered since the last time. True if it did so.
    ///
    /// Ten times a second is enough and as often as has an effect; earlier calls, and those while another thread is at it, do nothing. The first one
    /// only takes note of the time. Time going backwards is harmless.
    pub fn tick(&self, now: Instant) -> bool {
        let mut control = match self.shared.control.try_lock() {
            Ok(control) => control,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        let Some(last) = control.last else {
            control.last = Some(now);
            let tally = self.shared.counts.take();
            control.total.add(&tally);
            return false;
        };
        let elapsed = now.saturating_duration_since(last);
        if elapsed < TICK {
            return false;
        }
        control.last = Some(now);
        let tally = self.shared.counts.take();
        control.total.add(&tally);
        control.window.push(elapsed, tally);
        if let Some(operations) = &self.shared.operations {
            operations.measure(elapsed.as_secs_f64());
        }
        self.steer(&mut control);
        true
    }

    /// The probability of roots without a floor of their own.
    #[must_use]
    pub fn probability(&self) -> f64 {
        read(&self.shared.threshold).probability()
    }

    /// What it aims at.
    #[must_use]
    pub fn target(&self) -> Target {
        self.control().target
    }

    /// Aims at something else from now on.
    ///
    /// # Errors
    ///
    /// It cannot be meant; the old one stays.
    pub fn set_target(&self, target: Target) -> Result<(), ConfigError> {
        let target = target.check()?;
        let mut control = self.control();
        control.target = target;
        self.steer(&mut control);
        Ok(())
    }

    /// Sets the probability of roots from outside, for a tuner with a target of its own, such as a share of the CPU; with `None` it follows
    /// its target again. Floors stay. A probability of 0 is the lowest.
    ///
    /// # Errors
    ///
    /// It is not a number from 0 to 1; everything stays as it was.
    pub fn set_probability(&self, probability: Option<f64>) -> Result<(), ConfigError> {
        if let Some(value) = probability.filter(|value| !(0.0..=1.0).contains(value)) {
            return Err(ConfigError::Probability { field: "probability", value });
        }
        let mut control = self.control();
        control.fixed = probability;
        self.steer(&mut control);
        Ok(())
    }

    /// What it has done up to the last tick.
    #[must_use]
    pub fn stats(&self) -> RateStats {
        let control = self.control();
        let (window, seconds) = control.window.sum();
        let per_second = |items: u64| if seconds > 0.0 { items as f64 / seconds } else { 0.0 };
        RateStats {
            offered: control.total.offered(),
            sampled: control.total.sampled(),
            offered_per_second: per_second(window.offered()),
            sampled_per_second: per_second(window.sampled()),
        }
    }

    fn steer(&self, control: &mut Control) {
        let (window, seconds) = control.window.sum();
        let roots = if seconds > 0.0 { window.roots.offered as f64 / seconds } else { 0.0 };
        let floors =
            self.shared.operations.as_ref().map(|operations| operations.shares(control.floor, roots));
        let floors = floors.as_deref().unwrap_or_default();
        if let Some(wanted) = balance::probability(&window, seconds, control.target, floors) {
            control.probability = wanted;
        }
        let probability = control.fixed.unwrap_or(control.probability).max(control.min_probability);
        self.shared.threshold.store(threshold(probability).value(), Ordering::Relaxed);
        if let Some(operations) = &self.shared.operations {
            operations.set_thresholds(control.floor);
        }
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        // Nothing in it is half done when a panic could happen.
        self.shared.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RateSampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateSampler")
            .field("threshold", &read(&self.shared.threshold))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RateHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateHandle").field("threshold", &read(&self.shared.threshold)).finish_non_exhaustive()
    }
}

#[inline]
fn read(threshold: &AtomicU64) -> Threshold {
    Threshold::new(threshold.load(Ordering::Relaxed)).unwrap_or(Threshold::MAX)
}

/// The threshold of a probability that may be anything.
fn threshold(probability: f64) -> Threshold {
    // A maximum and a minimum with what is no number is the other one.
    let probability = probability.max(Threshold::MAX.probability()).min(1.0);
    Threshold::from_probability_rounded(probability, 4).unwrap_or(Threshold::MAX)
}
