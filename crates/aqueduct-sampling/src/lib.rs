//! Consistent probability sampling of traces and logs: thresholds, composable samplers, rules, and rates that adapt to the load.
//!
//! ```text
//! L6  aqueduct-gateway
//! L5  aqueduct
//! L4  aqueduct-opentelemetry
//! L3  aqueduct-pipeline
//! L2  aqueduct-batch   aqueduct-transport   aqueduct-receiver   aqueduct-tune
//! L1  aqueduct-exec   aqueduct-wire  [aqueduct-sampling]   aqueduct-metrics
//! L0  aqueduct-pool   aqueduct-lockfree
//! ```
//!
//! # The problem
//!
//! Whoever keeps one trace in a hundred wants whole traces, wants to know how many each one stands for, and wants to sample once more further on
//! without losing either. That takes one random number for a trace, a threshold that travels with its spans, and samplers that say the truth about it.
//! A share is not what most want, though: they want a number of spans a second that their budget bears, more of what matters, and something of
//! what is seldom; each of these, done naively, keeps traces in pieces or makes the counts wrong.
//!
//! # Example
//!
//! ```
//! use aqueduct_sampling::{Composite, ItemFacts, Parent, ParentThreshold, Pattern, Predicate, RuleSampler, Sampler, TraceFacts};
//! # use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};
//!
//! /// What is known of a span that is about to begin.
//! struct Span<'a> {
//!     trace_id: u128,
//!     name: &'a str,
//!     parent: Option<Parent>,
//!     ot: &'a str,
//! }
//!
//! impl ItemFacts for Span<'_> {
//!     fn trace_id(&self) -> [u8; 16] {
//!         self.trace_id.to_be_bytes()
//!     }
//!     fn name(&self) -> &str {
//!         self.name
//!     }
//!     fn ot(&self) -> &str {
//!         self.ot
//!     }
//! }
//!
//! impl TraceFacts for Span<'_> {
//!     fn parent(&self) -> Option<Parent> {
//!         self.parent
//!     }
//! }
//!
//! // Roots by what they are, children as their roots.
//! let rules = RuleSampler::new(0.01)?
//!     .with_rule(Predicate::name(Pattern::glob("GET /health*")), 0.0)?
//!     .with_rule(Predicate::name(Pattern::exact("POST /checkout")), 0.5)?;
//! let sampler = Composite::new(ParentThreshold::new(rules));
//!
//! # let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
//! let root = Span { trace_id: 0xa3ce_929d_0e0e_4736, name: "POST /checkout", parent: None, ot: "" };
//! let decision = sampler.decide(&root, &mut rng);
//! assert_eq!(decision.adjusted_count(), Some(2.0), "it stands for two");
//!
//! // The threshold goes along in the trace state, and the child is kept with it.
//! let mut ot = String::new();
//! decision.write_ot(root.ot, &mut ot);
//! assert_eq!(ot, "th:8");
//! let child = Span { name: "SELECT", parent: Some(Parent::local(true)), ot: &ot, ..root };
//! assert_eq!(sampler.decide(&child, &mut rng), decision);
//! # Ok::<(), aqueduct_sampling::ConfigError>(())
//! ```
//!
//! # Concepts
//!
//! - A [`Threshold`] of 56 bits is compared with the [`Randomness`] of a trace: what is not below it is kept. It is a probability, and the reciprocal is the
//!   adjusted count. Both travel in the member `ot` of the trace state, as `th` and `rv` ([`OtelTraceState`]).
//! - [`ItemFacts`] and [`TraceFacts`] are what a decision may look at, borrowed. Implement them for your spans.
//! - A [`ComposableSampler`] has an [`Intent`]; a [`Composite`] makes a [`Decision`] of it. There are [`AlwaysOn`], [`AlwaysOff`],
//!   [`ProbabilitySampler`], [`ParentThreshold`], [`RuleBased`], [`RuleSampler`] and [`Annotating`].
//! - A [`Sampler`] decides. Besides [`Composite`] there are [`RateSampler`], which adapts to the load, [`ParentBased`] with its five slots, and [`TraceIdRatio`],
//!   which decides as SDKs did before there were thresholds.
//! - A [`DownstreamSampler`] samples what has been sampled before, in a gateway.
//! - A [`tail::TailSampler`] holds whole traces, within a number of bytes, and decides when it has seen them.
//!
//! # Guarantees
//!
//! - *Pure.* No clock, no threads, no randomness of its own: the time and the random numbers are arguments.
//! - *Consistent.* What is kept at a probability is kept at every higher one, in every process, for all samplers that work by threshold.
//! - *Truthful.* `th` is written where the threshold decided, and removed where something else did or the item is dropped. `rv` is never replaced.
//!   Downstream a threshold is never lowered. Adjusted counts are unbiased, adaptive rates included: thresholds are moved by what is offered.
//! - *Allocation.* Decisions make none. Writing an `ot` value makes none but that of the text.
//! - *Bounds.* All memory is taken when a sampler is made. A trace state stays within its 256 bytes.
//! - *Bad input*, from a broken trace state to a probability that is no number, is an error or counts as absent; nothing panics.
//!
//! # Limitations
//!
//! - A sampler at the head does not see errors and durations, which are there when a span ends: that is what [`tail`] is for.
//! - Composable samplers change `th` alone in a trace state, not other sub-keys or members.
//! - The adaptive sampler steers what begins here. If others send more sampled traces than the target allows, it can only go to its lowest
//!   probability. After a sudden rise of the load, traces that were begun until it was noticed are finished, so what comes of them may exceed the
//!   target for as long as a trace takes.
//! - It has to see every span: an SDK that does not ask about children of spans that are not sampled makes shares wrong.
//! - Rules are tried one after the other: for tens of them, not for thousands.
//!
//! # When not to use this crate
//!
//! - If everything fits into the budget, keep everything.
//! - If one fixed share is all you need in one process, the SDK's own sampler does it, without adjusted counts.
//! - A limit that must never be exceeded, not even for a second, needs a rate limiter, which keeps traces in pieces.
//!
//! # Features
//!
//! - `regex`: regular expressions in [`Pattern`]. Without it there are texts and globs, and the only dependency is `rand`.

mod decision;
mod downstream;
mod error;
mod facts;
mod head;
mod hex;
mod randomness;
mod rate;
mod rules;
pub mod tail;
mod threshold;
mod trace_state;

pub use decision::Decision;
pub use downstream::{AttributeSource, DownstreamConfig, DownstreamMode, DownstreamSampler, Fault, Verdict};
pub use error::{ConfigError, ParseHexError, ProbabilityError};
pub use facts::{ItemFacts, Kind, Parent, TraceFacts, Value};
pub use head::{
    AlwaysOff, AlwaysOn, Annotating, Annotation, ComposableSampler, Composite, Intent, ParentBased,
    ParentThreshold, ProbabilitySampler, Sampler, TraceIdRatio,
};
pub use randomness::Randomness;
pub use rate::{RateConfig, RateHandle, RateSampler, RateStats, Target};
pub use rules::{Pattern, Predicate, Rate, RuleBased, RuleSampler, ValueTest};
pub use threshold::Threshold;
pub use trace_state::{MAX_OT_BYTES, OtelTraceState};

/// What is called with each attribute that a sampler adds: its key and its value.
pub type Annotate<'a> = &'a mut dyn FnMut(&str, Value<'_>);
