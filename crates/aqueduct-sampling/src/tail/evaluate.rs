//! Policies at work: how each votes on a trace, and what it owes to chance.

use super::bucket::TokenBucket;
use super::span::{AttributeValue, TailSpan};
use super::state;
use crate::{Randomness, Threshold};

/// A trace as the policies see it.
#[derive(Debug)]
pub(super) struct View<'a, T> {
    pub(super) id: &'a [u8; 16],
    pub(super) spans: &'a [T],
    /// Bits of [`StatusCode::bit`](super::StatusCode).
    pub(super) statuses: u8,
    pub(super) nanos: u64,
    pub(super) encoded_bytes: u64,
    pub(super) randomness: Randomness,
    /// Nanoseconds since some moment.
    pub(super) now: u64,
}

/// What a vote depended on, apart from the trace itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chance {
    /// Nothing: a trace like this is always voted on like this.
    None,
    /// The randomness is not below this. Of votes to sample only.
    AtLeast(Threshold),
    /// On what no threshold can tell.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Sampled,
    NotSampled,
    InvertSampled,
    InvertNotSampled,
    Dropped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vote {
    pub(super) decision: Decision,
    pub(super) chance: Chance,
}

impl Vote {
    fn sure(decision: Decision) -> Vote {
        Vote { decision, chance: Chance::None }
    }

    fn sampled_if(sampled: bool) -> Vote {
        Vote::sure(if sampled { Decision::Sampled } else { Decision::NotSampled })
    }

    fn by_luck(sampled: bool) -> Vote {
        Vote { chance: Chance::Other, ..Vote::sampled_if(sampled) }
    }

    fn samples(self) -> bool {
        matches!(self.decision, Decision::Sampled | Decision::InvertSampled)
    }
}

/// Whether somebody wants to know what a vote not to sample owes to chance: only those that turn it round do, and it may cost a look at more policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusals {
    Plain,
    Explained,
}

/// A policy ready to vote.
#[derive(Debug)]
pub(super) enum Node {
    Always,
    /// At least the first, without an upper bound; above it and at most the second otherwise. Nanoseconds.
    Latency(u64, Option<u64>),
    Status(u8),
    /// Nothing at all without a threshold.
    Consistent(Option<Threshold>),
    Hashed(Hashed),
    Attribute {
        key: Box<str>,
        test: Test,
        invert: bool,
    },
    Spans(TokenBucket),
    Bytes(TokenBucket),
    Count(u64, u64),
    TraceState {
        key: Box<str>,
        values: Box<[Box<str>]>,
    },
    And(Box<[Node]>),
    Not(Box<Node>),
    Drop(Box<[Node]>),
    Composite(Shares),
}

impl Node {
    pub(super) fn vote<T: TailSpan>(&mut self, trace: &View<'_, T>, refusals: Refusals) -> Vote {
        match self {
            Node::Always => Vote::sure(Decision::Sampled),
            Node::Latency(least, None) => Vote::sampled_if(trace.nanos >= *least),
            Node::Latency(above, Some(most)) => {
                Vote::sampled_if(trace.nanos > *above && trace.nanos <= *most)
            }
            Node::Status(wanted) => Vote::sampled_if(*wanted & trace.statuses != 0),
            Node::Consistent(threshold) => match threshold {
                Some(Threshold::ALWAYS) => Vote::sure(Decision::Sampled),
                None => Vote::sure(Decision::NotSampled),
                Some(threshold) if threshold.keeps(trace.randomness) => {
                    Vote { decision: Decision::Sampled, chance: Chance::AtLeast(*threshold) }
                }
                Some(_) => Vote::by_luck(false),
            },
            Node::Hashed(hashed) => Vote::by_luck(hashed.keeps(trace.id)),
            Node::Attribute { key, test, invert } => attribute(trace.spans, key, test, *invert),
            Node::Spans(bucket) => Vote::by_luck(bucket.take(trace.spans.len() as u64, trace.now)),
            Node::Bytes(bucket) => Vote::by_luck(bucket.take(trace.encoded_bytes, trace.now)),
            Node::Count(least, most) => {
                Vote::sampled_if((*least..=*most).contains(&(trace.spans.len() as u64)))
            }
            Node::TraceState { key, values } => Vote::sampled_if(trace.spans.iter().any(|span| {
                state::member(span.trace_state(), key)
                    .is_some_and(|value| values.iter().any(|one| **one == *value))
            })),
            Node::And(nodes) => all(nodes, trace, refusals),
            Node::Not(node) => not(node.vote(trace, Refusals::Explained)),
            Node::Drop(nodes) => match all(nodes, trace, Refusals::Explained) {
                Vote { decision: Decision::Sampled, chance } => Vote { decision: Decision::Dropped, chance },
                vote => vote,
            },
            Node::Composite(shares) => shares.vote(trace),
        }
    }

    /// Whether being asked changes it.
    fn is_stateful(&self) -> bool {
        match self {
            Node::Spans(_) | Node::Bytes(_) | Node::Composite(_) => true,
            Node::And(nodes) | Node::Drop(nodes) => nodes.iter().any(Node::is_stateful),
            Node::Not(node) => node.is_stateful(),
            _ => false,
        }
    }
}

fn attribute<T: TailSpan>(spans: &[T], key: &str, test: &Test, invert: bool) -> Vote {
    let matches = |value: Option<AttributeValue<'_>>| value.is_some_and(|value| test.matches(value));
    let found =
        spans.iter().any(|span| matches(span.attribute(key)) || matches(span.resource_attribute(key)));
    Vote::sure(match (found, invert) {
        (true, false) => Decision::Sampled,
        (false, false) => Decision::NotSampled,
        (true, true) => Decision::InvertNotSampled,
        (false, true) => Decision::InvertSampled,
    })
}

/// Sampled if all sample. Those after the first that does not are not asked, unless it is to be found out whether one of them never samples a trace
/// like this: then chance did not matter.
fn all<T: TailSpan>(nodes: &mut [Node], trace: &View<'_, T>, refusals: Refusals) -> Vote {
    let mut whole = Chance::None;
    let mut nodes = nodes.iter_mut();
    while let Some(node) = nodes.next() {
        let vote = node.vote(trace, refusals);
        if !vote.samples() {
            let never = |vote: Vote| !vote.samples() && vote.chance == Chance::None;
            let mut others = nodes.filter(|node| refusals == Refusals::Explained && !node.is_stateful());
            let sure = never(vote) || others.any(|node| never(node.vote(trace, refusals)));
            return if sure { Vote::sampled_if(false) } else { Vote::by_luck(false) };
        }
        whole = match (whole, vote.chance) {
            (Chance::Other, _) | (_, Chance::Other) => Chance::Other,
            (Chance::None, chance) | (chance, Chance::None) => chance,
            (Chance::AtLeast(one), Chance::AtLeast(other)) => Chance::AtLeast(one.max(other)),
        };
    }
    Vote { decision: Decision::Sampled, chance: whole }
}

fn not(vote: Vote) -> Vote {
    let decision = match vote.decision {
        Decision::Sampled => Decision::NotSampled,
        Decision::NotSampled => Decision::Sampled,
        other => other,
    };
    // What is kept where the randomness is *below* a threshold has no threshold.
    let chance = if vote.chance == Chance::None { Chance::None } else { Chance::Other };
    Vote { decision, chance }
}

/// What an attribute is compared with.
#[derive(Debug)]
pub(super) enum Test {
    Texts(Box<[Box<str>]>),
    #[cfg(feature = "regex")]
    Patterns(regex::RegexSet),
    /// From, to; both included.
    Range(i64, i64),
    Truth(bool),
}

impl Test {
    fn matches(&self, value: AttributeValue<'_>) -> bool {
        match (self, value) {
            (Test::Texts(texts), AttributeValue::Str(value)) => texts.iter().any(|text| **text == *value),
            #[cfg(feature = "regex")]
            (Test::Patterns(patterns), AttributeValue::Str(value)) => {
                !value.is_empty() && patterns.is_match(value)
            }
            (Test::Range(from, to), AttributeValue::Int(value)) => (*from..=*to).contains(&value),
            // The ends of the whole range stand for no bound.
            (Test::Range(from, to), AttributeValue::Double(value)) => {
                let above = *from == i64::MIN || value >= *from as f64;
                above && (*to == i64::MAX || value <= *to as f64) && !value.is_nan()
            }
            (Test::Truth(wanted), AttributeValue::Bool(value)) => *wanted == value,
            _ => false,
        }
    }
}

/// The collector's probabilistic policy: FNV-1a of salt and trace id, up to a share of 2^64.
#[derive(Debug)]
pub(super) struct Hashed {
    salted: u64,
    most: Option<u64>,
}

impl Hashed {
    pub(super) fn new(salt: &str, percentage: f64) -> Self {
        // The conversion saturates: 100 % and more is every hash.
        let most = (percentage > 0.0).then(|| (percentage / 100.0 * 2f64.powi(64)) as u64);
        Hashed { salted: fnv(0xcbf2_9ce4_8422_2325, salt.as_bytes()), most }
    }

    fn keeps(&self, id: &[u8; 16]) -> bool {
        self.most.is_some_and(|most| fnv(self.salted, id) <= most)
    }
}

fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A composite policy: each member may sample so many spans within a second.
#[derive(Debug)]
pub(super) struct Shares {
    pub(super) members: Box<[Share]>,
    pub(super) most: u64,
    pub(super) taken: u64,
    pub(super) second: u64,
}

#[derive(Debug)]
pub(super) struct Share {
    pub(super) node: Node,
    pub(super) most: u64,
    pub(super) taken: u64,
}

impl Shares {
    fn vote<T: TailSpan>(&mut self, trace: &View<'_, T>) -> Vote {
        let second = trace.now / 1_000_000_000;
        if self.second != second {
            self.second = second;
            self.taken = 0;
            self.members.iter_mut().for_each(|member| member.taken = 0);
        }
        let Some(member) = self.members.iter_mut().find_map(|member| {
            let vote = member.node.vote(trace, Refusals::Plain);
            vote.samples().then_some(member)
        }) else {
            return Vote::by_luck(false);
        };
        let spans = trace.spans.len() as u64;
        let (mine, whole) = (member.taken.saturating_add(spans), self.taken.saturating_add(spans));
        let room = mine <= member.most && whole <= self.most;
        if room {
            (member.taken, self.taken) = (mine, whole);
        }
        Vote::by_luck(room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the list of test vectors of the hash's authors.
    #[test]
    fn the_hash_is_fnv_1a() {
        let hash = |text: &str| fnv(0xcbf2_9ce4_8422_2325, text.as_bytes());
        assert_eq!(
            (hash(""), hash("a"), hash("foobar")),
            (0xcbf29ce484222325, 0xaf63dc4c8601ec8c, 0x85944171f73967e8)
        );
    }
}
