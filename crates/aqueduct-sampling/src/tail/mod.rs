//! Tail sampling: a trace is kept or not when it is complete, by what is in it.
//!
//! # Example
//!
//! ```
//! use std::time::{Duration, Instant};
//! use aqueduct_sampling::tail::{
//!     AttributeValue, Decided, Policies, Policy, PolicyKind, StatusCode, TailConfig, TailSampler, TailSpan, Trigger,
//! };
//!
//! struct Span { trace: u8, root: bool, status: StatusCode }
//!
//! impl TailSpan for Span {
//!     fn trace_id(&self) -> [u8; 16] { [self.trace; 16] }
//!     fn is_root(&self) -> bool { self.root }
//!     fn start_unix_nano(&self) -> u64 { 0 }
//!     fn end_unix_nano(&self) -> u64 { 0 }
//!     fn status(&self) -> StatusCode { self.status }
//!     fn attribute(&self, _key: &str) -> Option<AttributeValue<'_>> { None }
//!     fn trace_state(&self) -> &str { "" }
//!     fn held_bytes(&self) -> usize { 0 }
//! }
//!
//! let policies = Policies::new(&[
//!     Policy::new("errors", PolicyKind::StatusCode { status_codes: vec![StatusCode::Error] }),
//! ])?;
//! let mut sampler = TailSampler::new(TailConfig::default(), policies)?;
//!
//! let start = Instant::now();
//! let mut kept = Vec::new();
//! let mut keep = |decided: Decided<Span>| if decided.verdict.is_sampled() { kept.push(decided) };
//! sampler.offer(Span { trace: 1, root: false, status: StatusCode::Error }, start, &mut keep);
//! sampler.offer(Span { trace: 2, root: true, status: StatusCode::Ok }, start, &mut keep);
//! sampler.offer(Span { trace: 1, root: true, status: StatusCode::Ok }, start, &mut keep);
//!
//! // The grace after the roots.
//! assert_eq!(sampler.next_deadline(), Some(start + Duration::from_secs(2)));
//! sampler.poll(start + Duration::from_secs(2), &mut keep);
//! assert_eq!((kept.len(), kept[0].spans.len(), kept[0].trigger), (1, 2, Trigger::Root));
//! assert_eq!(sampler.stats().not_sampled_spans, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Decisions
//!
//! A trace is decided once: when its root came and a grace is over, when it was held for `decision_wait`, when memory is wanted and
//! it is the oldest, or when the sampler is drained. Every policy votes, and then, as in the OpenTelemetry Collector:
//!
//! 1. If a policy drops it, it is not sampled.
//! 2. If a policy with `invert_match` found a match, it is not sampled.
//! 3. If a policy samples it, it is sampled.
//! 4. If a policy with `invert_match` found no match and no other policy voted against it, it is sampled. A drop policy that
//!    does not drop votes against it here.
//! 5. Otherwise it is not sampled.
//!
//! Inside `and`, `drop` and `composite` a policy with `invert_match` votes like any other; `not` leaves its vote as it is.
//! Spans that come after the decision follow it, for as long as the decision cache remembers.
//!
//! # Thresholds
//!
//! What is sampled says how likely that was ([`Odds`]), so that counts computed from samples stay right on average. A
//! trace that a policy samples for what it is, keeps its `th`. One that only `probabilistic` samples gets its threshold; of several the smallest, as
//! any of them would have kept it; under `and` the largest. Rates, salts and the opposite of a share cannot be told by a threshold: what only they
//! sampled loses its `th`. A span never gets a smaller threshold than it has.
//!
//! # Guarantees
//!
//! - *Conservation.* Each span that is offered comes out once, or is held: [`TailStats`].
//! - *Bounds.* What is held never exceeds `max_bytes`, bookkeeping included, nor `num_traces`.
//! - *Pressure.* What has to be decided early is decided by the policies first: a trace in which an error was seen is kept by a policy that wants
//!   errors. Of those that no policy samples a share is kept, by randomness.
//! - *Time.* `poll(t)` decides something if and only if `next_deadline()` is not after `t`. Time that goes backwards stands still.
//! - *Hostile input.* Ids cannot be chosen so that they collide. A trace that never ends, or is larger than all memory, is decided and its later spans
//!   follow; traces of one span each push each other out, the oldest first; a span larger than the budget passes through and pushes nobody out.
//!
//! # Limitations
//!
//! - All spans of a trace must come to one sampler.
//! - A span that comes after its trace was decided changes nothing: an error in it is lost if the trace was not sampled.
//! - Held bytes are what [`TailSpan::held_bytes`] says. What the allocator adds to them, or keeps after they are gone, is not counted.
//! - The collector's `ottl_condition`, `trace_flags` and `sample_on_first_match` have no counterpart.

mod bucket;
mod clock;
mod compile;
mod config;
mod decision;
mod error;
mod evaluate;
mod held;
mod policy;
mod sampler;
mod span;
mod state;
mod stats;
mod table;

#[cfg(test)]
mod tests;

pub use config::TailConfig;
pub use decision::{Cause, Decided, Odds, Policies, Trigger, Verdict};
pub use error::{PolicyError, PolicyProblem, TailConfigError};
pub use policy::{Composite, Policy, PolicyKind, TextMatching};
pub use sampler::TailSampler;
pub use span::{AttributeValue, StatusCode, TailSpan};
pub use stats::{Outcomes, PolicyStats, TailStats};
