//! Which probability of roots meets a target.

use super::Target;
use super::counts::Tally;

/// An operation with a floor: its share of all roots, and the probability that it has at least.
#[derive(Clone, Copy, Debug)]
pub(super) struct Floor {
    pub(super) share: f64,
    pub(super) probability: f64,
}

/// The probability for roots without a floor of their own. `None` if no trace has begun here, so that there is nothing to steer.
pub(super) fn probability(window: &Tally, seconds: f64, target: Target, floors: &[Floor]) -> Option<f64> {
    let (own, others_sampled) = split(window);
    let budget = match target {
        Target::Ratio(ratio) => ratio * window.offered() as f64,
        Target::ItemsPerSecond(items) => items * seconds,
    };
    let share = (budget - others_sampled) / own;
    (own > 0.0 && share.is_finite()).then(|| under_floors(share, floors).clamp(0.0, 1.0))
}

/// Items of traces that began here, and sampled items of the other ones.
///
/// A child does not tell where its trace began. But traces of the two kinds are as large as they are (`m` children each on average), sampled or not, so
/// their numbers and those of sampled ones give two equations:
///
/// ```text
/// children         = roots         * m_root + entries         * m_entry
/// children sampled = roots sampled * m_root + entries sampled * m_entry
/// ```
///
/// They are solved by least squares, each with the weight of its counts. Where they say little, because both kinds are sampled alike or are few, a
/// third one of small weight holds the two sizes together.
fn split(window: &Tally) -> (f64, f64) {
    let (roots, entries, children) = (window.roots, window.entries, window.children);
    let [r, e, c] = [roots.offered, entries.offered, children.offered].map(|count| count as f64);
    if entries.offered == 0 {
        return (r + c, 0.0);
    }
    let [rs, es, cs] = [roots.sampled, entries.sampled, children.sampled].map(|count| count as f64);
    if roots.offered == 0 {
        return (0.0, es + cs);
    }
    // The variance of a count of things that come in clumps.
    let clump = (c / (r + e)).max(1.0);
    let (all, sampled) = (1.0 / (clump * c.max(1.0)), 1.0 / (clump * cs.max(1.0)));
    let together = 1.0 / (clump * clump);
    let a = all * r * r + sampled * rs * rs + together;
    let b = all * r * e + sampled * rs * es - together;
    let d = all * e * e + sampled * es * es + together;
    let (x, y) = (all * r * c + sampled * rs * cs, all * e * c + sampled * es * cs);
    let determinant = a * d - b * b;
    let of_root = if determinant > 0.0 { (x * d - y * b) / determinant } else { c / (r + e) };
    let of_root = of_root.clamp(0.0, c / r);
    let of_entry = (c - r * of_root) / e;
    (r * (1.0 + of_root), es * (1.0 + of_entry))
}

/// The probability `q` at which the roots have this share on average, where those with a floor have at least it.
fn under_floors(share: f64, floors: &[Floor]) -> f64 {
    let covered: f64 = floors.iter().map(|floor| floor.share).sum();
    if covered <= 0.0 {
        return share;
    }
    let rest = (1.0 - covered).max(0.0);
    let at =
        |q: f64| rest * q + floors.iter().map(|floor| floor.share * q.max(floor.probability)).sum::<f64>();
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        if at(middle) < share { low = middle } else { high = middle }
    }
    high
}
