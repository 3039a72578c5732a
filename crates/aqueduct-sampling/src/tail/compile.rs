//! From what users write to what votes.

use std::collections::HashSet;
use std::time::Duration;

use super::bucket::TokenBucket;
use super::error::{PolicyError, PolicyProblem};
use super::evaluate::{Hashed, Node, Share, Shares, Test};
use super::policy::{Composite, Policy, PolicyKind, TextMatching};
use crate::Threshold;

const MAX_DEPTH: usize = 16;

/// A policy of the top level, and where it stands in the list.
pub(super) fn compile(policies: &[Policy]) -> Result<Vec<(usize, Node)>, PolicyError> {
    unique(policies, &mut Vec::new())?;
    let compiled = policies.iter().enumerate().map(|(at, policy)| {
        let mut path = vec![policy.name.as_str()];
        let node = match &policy.kind {
            PolicyKind::Drop(policies) => Node::Drop(several(policies, "drop_sub_policy", &mut path)?),
            kind => node(kind, &mut path)?,
        };
        Ok((at, node))
    });
    let mut compiled = compiled.collect::<Result<Vec<_>, PolicyError>>()?;
    // Those that drop are asked first: nothing can follow a drop.
    compiled.sort_by_key(|(_, node)| !matches!(node, Node::Drop(_)));
    Ok(compiled)
}

fn error(path: &[&str], problem: PolicyProblem) -> PolicyError {
    PolicyError { policy: path.join(" > "), problem }
}

fn unique<'a>(policies: &'a [Policy], path: &mut Vec<&'a str>) -> Result<(), PolicyError> {
    let mut seen = HashSet::new();
    for Policy { name, .. } in policies {
        path.push(name);
        if name.is_empty() {
            return Err(error(path, PolicyProblem::NoName));
        }
        if !seen.insert(name) {
            return Err(error(path, PolicyProblem::DuplicateName));
        }
        path.pop();
    }
    Ok(())
}

fn several<'a>(
    policies: &'a [Policy],
    key: &'static str,
    path: &mut Vec<&'a str>,
) -> Result<Box<[Node]>, PolicyError> {
    if policies.is_empty() {
        return Err(error(path, PolicyProblem::Empty(key)));
    }
    unique(policies, path)?;
    policies.iter().map(|policy| inner(policy, path)).collect()
}

fn inner<'a>(policy: &'a Policy, path: &mut Vec<&'a str>) -> Result<Node, PolicyError> {
    path.push(&policy.name);
    if path.len() > MAX_DEPTH {
        return Err(error(path, PolicyProblem::TooDeep));
    }
    let node = node(&policy.kind, path)?;
    path.pop();
    Ok(node)
}

fn node<'a>(kind: &'a PolicyKind, path: &mut Vec<&'a str>) -> Result<Node, PolicyError> {
    let fails = |path: &[&str], problem| Err(error(path, problem));
    Ok(match kind {
        PolicyKind::AlwaysSample => Node::Always,
        PolicyKind::Latency { threshold, upper_threshold } => {
            if upper_threshold.is_some_and(|upper| upper <= *threshold) {
                return fails(path, PolicyProblem::Range("duration"));
            }
            Node::Latency(nanos(*threshold), upper_threshold.map(nanos))
        }
        PolicyKind::StatusCode { status_codes } => {
            if status_codes.is_empty() {
                return fails(path, PolicyProblem::Empty("status_codes"));
            }
            Node::Status(status_codes.iter().fold(0, |bits, status| bits | status.bit()))
        }
        PolicyKind::Probabilistic { sampling_percentage, hash_salt } => {
            if sampling_percentage.is_nan() || *sampling_percentage < 0.0 {
                return fails(path, PolicyProblem::Percentage(*sampling_percentage));
            }
            match hash_salt {
                None => Node::Consistent(threshold_of(*sampling_percentage)),
                Some(salt) => Node::Hashed(Hashed::new(salt, *sampling_percentage)),
            }
        }
        PolicyKind::StringAttribute { key, values, matching, invert_match } => {
            if values.is_empty() {
                return fails(path, PolicyProblem::Empty("values"));
            }
            let test = match matching {
                TextMatching::Exact => Test::Texts(texts(values)),
                TextMatching::Regex => patterns(values, path)?,
            };
            Node::Attribute { key: key.as_str().into(), test, invert: *invert_match }
        }
        PolicyKind::NumericAttribute { key, min_value, max_value, invert_match } => {
            if min_value.is_none() && max_value.is_none() {
                return fails(path, PolicyProblem::Empty("min_value and max_value"));
            }
            let (from, to) = (min_value.unwrap_or(i64::MIN), max_value.unwrap_or(i64::MAX));
            if from > to {
                return fails(path, PolicyProblem::Range("value"));
            }
            Node::Attribute { key: key.as_str().into(), test: Test::Range(from, to), invert: *invert_match }
        }
        PolicyKind::BooleanAttribute { key, value, invert_match } => {
            Node::Attribute { key: key.as_str().into(), test: Test::Truth(*value), invert: *invert_match }
        }
        PolicyKind::RateLimiting { spans_per_second, burst_capacity } => {
            Node::Spans(bucket(*spans_per_second, *burst_capacity))
        }
        PolicyKind::BytesLimiting { bytes_per_second, burst_capacity } => {
            Node::Bytes(bucket(*bytes_per_second, *burst_capacity))
        }
        PolicyKind::SpanCount { min_spans, max_spans } => {
            let most = max_spans.unwrap_or(u64::MAX);
            if *min_spans > most {
                return fails(path, PolicyProblem::Range("number of spans"));
            }
            Node::Count(*min_spans, most)
        }
        PolicyKind::TraceState { key, values } => {
            if values.is_empty() {
                return fails(path, PolicyProblem::Empty("values"));
            }
            Node::TraceState { key: key.as_str().into(), values: texts(values) }
        }
        PolicyKind::And(policies) => Node::And(several(policies, "and_sub_policy", path)?),
        PolicyKind::Not(policy) => Node::Not(Box::new(inner(policy, path)?)),
        PolicyKind::Drop(_) => return fails(path, PolicyProblem::NestedDrop),
        PolicyKind::Composite(composite) => Node::Composite(shares(composite, path)?),
    })
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn bucket(rate: u64, burst: Option<u64>) -> TokenBucket {
    TokenBucket::new(rate, burst.unwrap_or(rate.saturating_mul(2)))
}

fn texts(values: &[String]) -> Box<[Box<str>]> {
    values.iter().filter(|value| !value.is_empty()).map(|value| value.as_str().into()).collect()
}

#[cfg(feature = "regex")]
fn patterns(values: &[String], path: &[&str]) -> Result<Test, PolicyError> {
    let wrong = |value: String, reason: regex::Error| {
        error(path, PolicyProblem::Regex { value, reason: reason.to_string() })
    };
    for value in values {
        regex::Regex::new(value).map_err(|reason| wrong(value.clone(), reason))?;
    }
    regex::RegexSet::new(values).map(Test::Patterns).map_err(|reason| wrong(values.join(", "), reason))
}

#[cfg(not(feature = "regex"))]
fn patterns(_values: &[String], path: &[&str]) -> Result<Test, PolicyError> {
    Err(error(path, PolicyProblem::NoRegex))
}

fn shares<'a>(composite: &'a Composite, path: &mut Vec<&'a str>) -> Result<Shares, PolicyError> {
    let Composite { max_total_spans_per_second: most, policy_order, policies, rate_allocation } = composite;
    let nodes = several(policies, "composite_sub_policy", path)?;
    let place = |name: &String| policies.iter().position(|policy| policy.name == *name);

    let equal = most / policies.len() as u64;
    let mut limits = vec![equal; policies.len()];
    let mut named = HashSet::new();
    for (name, percent) in rate_allocation {
        let unknown = || error(path, PolicyProblem::Unknown { key: "rate_allocation", name: name.clone() });
        let at = place(name).filter(|at| named.insert(*at)).ok_or_else(unknown)?;
        if *percent > 0 {
            limits[at] = u64::try_from(u128::from(*most) * u128::from(*percent) / 100).unwrap_or(u64::MAX);
        }
    }

    let mut order = Vec::with_capacity(policies.len());
    for name in policy_order {
        let unknown = || error(path, PolicyProblem::Unknown { key: "policy_order", name: name.clone() });
        order.push(place(name).filter(|at| !order.contains(at)).ok_or_else(unknown)?);
    }
    if policy_order.is_empty() {
        order.extend(0..policies.len());
    } else if let Some(left_out) = (0..policies.len()).find(|at| !order.contains(at)) {
        return Err(error(path, PolicyProblem::NotOrdered(policies[left_out].name.clone())));
    }

    let mut members: Vec<(usize, Share)> = nodes
        .into_iter()
        .enumerate()
        .map(|(at, node)| (at, Share { node, most: limits[at], taken: 0 }))
        .collect();
    members.sort_by_key(|(at, _)| order.iter().position(|ordered| ordered == at));
    let members = members.into_iter().map(|(_, member)| member).collect();
    Ok(Shares { members, most: *most, taken: 0, second: 0 })
}

/// The threshold that keeps this share, with the four digits that the specification recommends; `None` keeps nothing.
pub(super) fn threshold_of(percentage: f64) -> Option<Threshold> {
    Threshold::from_probability_rounded((percentage / 100.0).min(1.0), 4).ok()
}
