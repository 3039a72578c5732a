//! What is kept: `aqueduct::sampling`.
//!
//! # Which sampler
//!
//! | wanted | take |
//! |---|---|
//! | a fixed share of traces | [`ProbabilitySampler`](crate::sampling::ProbabilitySampler) in a [`ParentThreshold`](crate::sampling::ParentThreshold) |
//! | a share, or spans a second, that a budget bears under any load | [`RateSampler`](crate::sampling::RateSampler) |
//! | more of what matters, less of what does not | [`RuleSampler`](crate::sampling::RuleSampler) in a [`ParentThreshold`](crate::sampling::ParentThreshold) |
//! | other samplers for other spans | [`RuleBased`](crate::sampling::RuleBased) |
//! | a mark on each span of which of them it was | [`Annotating`](crate::sampling::Annotating) around each |
//! | what the SDK did until now, bit for bit | [`TraceIdRatio`](crate::sampling::TraceIdRatio) in a [`ParentBased`](crate::sampling::ParentBased) |
//! | less of what has arrived in a gateway | [`DownstreamSampler`](crate::sampling::DownstreamSampler) |
//!
//! What is known only at the end of a span, that it failed or took long, cannot be asked for at its beginning.
//!
//! # How many each one stands for
//!
//! A span that was kept with probability 1/100 stands for a hundred. The threshold `th` in its trace state says so, through every further tier: whoever counts
//! adds up adjusted counts instead of spans, and is right on average, for each subset as well.
//!
//! ```
//! use aqueduct::sampling::{DownstreamConfig, DownstreamMode, DownstreamSampler, ItemFacts, OtelTraceState, Threshold};
//!
//! /// A span that has arrived.
//! struct Span<'a>(u128, &'a str);
//! impl ItemFacts for Span<'_> {
//!     fn trace_id(&self) -> [u8; 16] {
//!         self.0.to_be_bytes()
//!     }
//!     fn ot(&self) -> &str {
//!         self.1
//!     }
//! }
//!
//! // An application keeps a quarter, and a gateway keeps a fifth of all: what was sampled before counts.
//! let mut config = DownstreamConfig::default();
//! config.percentage = 20.0;
//! config.mode = DownstreamMode::Equalizing;
//! let gateway = DownstreamSampler::new(&config)?;
//! let application: Threshold = "c".parse()?;
//! let mut counted = 0.0;
//! for trace in 0..10_000_u128 {
//!     // Ids that are as good as random.
//!     let id = trace.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
//!     let span = Span(id, "th:c");
//!     if !application.keeps(OtelTraceState::parse("").randomness(&span.trace_id())) {
//!         continue;
//!     }
//!     let verdict = gateway.span(&span);
//!     counted += verdict.threshold.map_or(0.0, Threshold::adjusted_count);
//! }
//! assert!((9_500.0..10_500.0).contains(&counted), "{counted}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Two things make `th` a lie and are avoided by all samplers here: a decision by something else than the trace's randomness, and a threshold that is moved by what
//! happened to be kept. The [`RateSampler`](crate::sampling::RateSampler) moves its threshold by what is offered.
//!
//! # A budget
//!
//! Somebody ticks the [`RateHandle`](crate::sampling::RateHandle) with the time, ten times a second; the sampler is asked about every span, children included.
//! The handle changes the target while it runs, and a tuner can set the probability itself, for instance to keep a share of the CPU.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use aqueduct::sampling::{ItemFacts, Parent, RateConfig, RateSampler, Sampler, Target, TraceFacts};
//! # use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};
//!
//! struct Root(u128, &'static str);
//! impl ItemFacts for Root {
//!     fn trace_id(&self) -> [u8; 16] {
//!         self.0.to_be_bytes()
//!     }
//!     fn name(&self) -> &str {
//!         self.1
//!     }
//! }
//! impl TraceFacts for Root {
//!     fn parent(&self) -> Option<Parent> {
//!         None
//!     }
//! }
//!
//! let mut config = RateConfig::new(Target::ItemsPerSecond(50.0));
//! config.floor_per_operation = 1.0; // of what is seldom, one a second at least
//! let sampler = RateSampler::new(&config)?;
//! let handle = sampler.handle();
//! # let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
//! let begin = Instant::now();
//! let mut seldom = 0;
//! for tenth in 0..100_u32 {
//!     handle.tick(begin + tenth * Duration::from_millis(100));
//!     for at in 0..500_u128 {
//!         let id = (u128::from(tenth) * 500 + at).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
//!         let _ = sampler.decide(&Root(id, "GET /"), &mut rng);
//!     }
//!     if tenth % 20 == 0 {
//!         seldom += u32::from(sampler.decide(&Root(1, "POST /refund"), &mut rng).is_sampled());
//!     }
//! }
//! assert_eq!(seldom, 5, "all of them, one in two seconds");
//! assert!((0.009..0.011).contains(&handle.probability()), "50 of 5,000 a second");
//! handle.set_target(Target::Ratio(0.05))?;
//! # Ok::<(), aqueduct::sampling::ConfigError>(())
//! ```
