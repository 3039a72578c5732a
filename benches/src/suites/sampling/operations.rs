//! Single operations, for the rows and for counting instructions.

use std::hint::black_box;

use aqueduct_sampling::{Composite, Decision, ProbabilitySampler, RateSampler, Sampler};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

use super::Span;
use crate::Failure;

pub(super) fn random(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

pub(super) fn ids(seed: u64, count: usize) -> Vec<[u8; 16]> {
    let mut random = random(seed);
    (0..count)
        .map(|_| (u128::from(random.next_u64()) << 64 | u128::from(random.next_u64())).to_be_bytes())
        .collect()
}

/// Decides about roots, so many of them.
///
/// # Errors
/// None, but the caller has others.
pub fn head(count: u64) -> Result<(), Failure> {
    let sampler = Composite::new(ProbabilitySampler::new(0.1)?);
    each(count, &sampler);
    Ok(())
}

/// Decides about roots with an adaptive sampler.
///
/// # Errors
/// None, but the caller has others.
pub fn rate(count: u64) -> Result<(), Failure> {
    each(count, &RateSampler::ratio(0.1)?);
    Ok(())
}

fn each(count: u64, sampler: &impl Sampler) {
    let (ids, mut rng) = (ids(1, 1024), random(1));
    for at in 0..count {
        let _ = black_box(sampler.decide(&Span::root(ids[at as usize % ids.len()]), &mut rng));
    }
}

/// Writes a threshold into a trace state.
///
/// # Errors
/// None, but the caller has others.
pub fn th(count: u64) -> Result<(), Failure> {
    let decision = Decision::sample("fd70a".parse().ok());
    let mut out = String::with_capacity(512);
    for _ in 0..count {
        out.clear();
        decision.write_ot(black_box("rv:6e6d1a75832a2f;th:8;vendor:1"), &mut out);
        black_box(&out);
    }
    Ok(())
}
