//! What comes out: decided traces, and how all policies together decide one.

use std::sync::Arc;

use super::compile::compile;
use super::error::PolicyError;
use super::evaluate::{Chance, Decision, Node, Refusals, View, Vote};
use super::policy::Policy;
use super::span::TailSpan;
use super::stats::PolicyStats;
use crate::Threshold;

/// A trace that was decided, or a span that came after its trace was.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Decided<T> {
    /// Which trace.
    pub trace_id: [u8; 16],
    /// What becomes of it.
    pub verdict: Verdict,
    /// Why it was decided now.
    pub trigger: Trigger,
    /// Who decided it so.
    pub cause: Cause,
    /// Its spans, in the order in which they were offered. They are handed back even if they are not sampled, so that what they own can be settled.
    pub spans: Vec<T>,
}

/// Sampled or not. Complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Kept: pass the spans on, each with the threshold that [`Odds::apply`] gives.
    Sampled(Odds),
    /// Not kept.
    NotSampled,
}

impl Verdict {
    /// Whether it is sampled.
    #[must_use]
    pub fn is_sampled(self) -> bool {
        matches!(self, Verdict::Sampled(_))
    }
}

/// How likely it was that a trace like this is sampled: what its spans' `ot=th` must say now. Complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odds {
    /// Certain: chance had no part in it, so `th` stays as it is.
    Certain,
    /// As likely as this threshold says.
    AtLeast(Threshold),
    /// Unknown, as after a rate limit: there must be no `th`.
    Unknown,
}

impl Odds {
    /// The new threshold of a span, given that it has: it never gets a smaller one, for what was lost before is lost. `None` is no `th`.
    ///
    /// A span without a threshold counts as one that was kept with certainty so far.
    #[must_use]
    pub fn apply(self, own: Option<Threshold>) -> Option<Threshold> {
        match self {
            Odds::Certain => own,
            Odds::AtLeast(threshold) => Some(own.map_or(threshold, |own| own.max(threshold))),
            Odds::Unknown => None,
        }
    }
}

/// Why a trace was decided when it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trigger {
    /// Its root span had come and the grace was over.
    Root,
    /// It was held for the whole `decision_wait`.
    Timeout,
    /// There was no room, in bytes or traces, and it was the oldest.
    Pressure,
    /// All were decided, by [`drain`](super::TailSampler::drain).
    Drain,
    /// The trace had been decided before; this is a span that came late.
    Late,
}

/// Who decided.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The policy of this name: the first of those that voted so.
    Policy(Arc<str>),
    /// No policy sampled it.
    NoPolicy,
    /// No policy sampled it, but under pressure its randomness did.
    PressureSampling,
    /// The decision on its trace before.
    EarlierDecision,
}

/// The policies of a sampler, checked and ready to vote.
///
/// See the [module](super) for how their votes make a decision.
#[derive(Debug)]
pub struct Policies {
    // Those that drop come first.
    asked: Vec<Asked>,
}

#[derive(Debug)]
struct Asked {
    node: Node,
    /// Where it stood in the list.
    place: usize,
    stats: PolicyStats,
}

/// A decision, with the place of the policy that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ruling {
    pub(super) verdict: Verdict,
    by: By,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Policy(usize),
    Nobody,
    Pressure,
}

impl Policies {
    /// Checks and prepares policies. None at all sample nothing.
    ///
    /// # Errors
    /// The first policy that cannot be meant, with its name and what is wrong with it.
    pub fn new(policies: &[Policy]) -> Result<Self, PolicyError> {
        let ready =
            |(place, node)| Asked { node, place, stats: PolicyStats::new(policies[place].name.as_str()) };
        Ok(Policies { asked: compile(policies)?.into_iter().map(ready).collect() })
    }

    /// Asks all. `pressure` holds the threshold below which traces go that no policy samples; `None` lets them all go.
    pub(super) fn rule<T: TailSpan>(&mut self, trace: &View<'_, T>, pressure: Option<Threshold>) -> Ruling {
        let mut tally = Tally::default();
        for (at, asked) in self.asked.iter_mut().enumerate() {
            let vote = asked.node.vote(trace, Refusals::Plain);
            asked.stats.count(vote.decision);
            tally.add(at, vote, matches!(asked.node, Node::Drop(_)));
            if vote.decision == Decision::Dropped {
                break;
            }
        }
        let ruling = tally.ruling(pressure.filter(|threshold| threshold.keeps(trace.randomness)));
        if let By::Policy(at) = ruling.by {
            self.asked[at].stats.decided_traces += 1;
            self.asked[at].stats.decided_spans += trace.spans.len() as u64;
        }
        ruling
    }

    pub(super) fn cause(&self, ruling: Ruling) -> Cause {
        match ruling.by {
            By::Policy(at) => Cause::Policy(self.asked[at].stats.name.clone()),
            By::Nobody => Cause::NoPolicy,
            By::Pressure => Cause::PressureSampling,
        }
    }

    /// In the order of the list.
    pub(super) fn stats(&self) -> Vec<PolicyStats> {
        let mut asked: Vec<_> = self.asked.iter().collect();
        asked.sort_by_key(|asked| asked.place);
        asked.into_iter().map(|asked| asked.stats.clone()).collect()
    }

    /// Goes on counting where policies of the same names stopped.
    pub(super) fn inherit(&mut self, before: &Policies) {
        for asked in &mut self.asked {
            if let Some(same) = before.asked.iter().find(|other| other.stats.name == asked.stats.name) {
                asked.stats = same.stats.clone();
            }
        }
    }
}

#[derive(Debug, Default)]
struct Tally {
    dropped: Option<usize>,
    vetoed: Option<usize>,
    sampled: Option<usize>,
    inverted: Option<usize>,
    not_sampled: bool,
    /// Of the votes to sample: the surest.
    odds: Option<Odds>,
    /// A policy would have dropped it, had chance wanted so.
    escaped: bool,
}

impl Tally {
    fn add(&mut self, at: usize, vote: Vote, drops: bool) {
        match vote.decision {
            Decision::Dropped => _ = self.dropped.get_or_insert(at),
            Decision::InvertNotSampled => _ = self.vetoed.get_or_insert(at),
            Decision::InvertSampled => _ = self.inverted.get_or_insert(at),
            Decision::NotSampled => self.not_sampled = true,
            Decision::Sampled => {
                self.sampled.get_or_insert(at);
                self.odds = Some(surer(self.odds, vote.chance));
            }
        }
        self.escaped |= drops && vote.chance != Chance::None;
    }

    fn ruling(self, pressure: Option<Threshold>) -> Ruling {
        let refused = |by| Ruling { verdict: Verdict::NotSampled, by };
        if let Some(at) = self.dropped.or(self.vetoed) {
            return refused(By::Policy(at));
        }
        let (by, odds) = match (self.sampled, self.inverted, pressure) {
            (Some(at), _, None) => (By::Policy(at), self.odds.unwrap_or(Odds::Unknown)),
            // A trace like this is kept from the smaller of the two thresholds on, whichever of them kept this one.
            (Some(at), _, Some(threshold)) => (By::Policy(at), surer(self.odds, Chance::AtLeast(threshold))),
            (None, Some(at), _) if !self.not_sampled => (By::Policy(at), Odds::Certain),
            (None, _, Some(threshold)) => (By::Pressure, Odds::AtLeast(threshold)),
            (None, _, None) => return refused(By::Nobody),
        };
        Ruling { verdict: Verdict::Sampled(if self.escaped { Odds::Unknown } else { odds }), by }
    }
}

/// Whoever samples for sure makes it sure; otherwise the smallest threshold counts. What has no threshold adds nothing that could be told.
fn surer(odds: Option<Odds>, chance: Chance) -> Odds {
    match (odds, chance) {
        (Some(Odds::Certain), _) | (_, Chance::None) => Odds::Certain,
        (Some(Odds::AtLeast(one)), Chance::AtLeast(other)) => Odds::AtLeast(one.min(other)),
        (Some(Odds::AtLeast(one)), Chance::Other) => Odds::AtLeast(one),
        (_, Chance::AtLeast(threshold)) => Odds::AtLeast(threshold),
        (_, Chance::Other) => Odds::Unknown,
    }
}
