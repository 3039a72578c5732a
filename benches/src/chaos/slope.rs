//! How a series grows, without being led astray by single points.

/// The Theil-Sen slope: the median of the slopes between all pairs of points (Sen 1968). A few outliers, such as a look
/// during a burst, do not move it. Zero for less than two distinct abscissas.
#[must_use]
pub fn theil_sen(points: &[(f64, f64)]) -> f64 {
    // All pairs of a thousand points are half a million slopes; more points say no more.
    let step = points.len().div_ceil(1000).max(1);
    let points: Vec<_> = points.iter().step_by(step).collect();
    let mut slopes = Vec::new();
    for (index, (x, y)) in points.iter().enumerate() {
        let later = points[index + 1..].iter().filter(|(later, _)| later != x);
        slopes.extend(later.map(|(later, value)| (value - y) / (later - x)));
    }
    if slopes.is_empty() {
        return 0.0;
    }
    let middle = slopes.len() / 2;
    *slopes.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against an estimator that one spike can fool, and against a growth that it overlooks.
    #[test]
    fn outliers_do_not_move_the_slope() {
        let mut line: Vec<_> = (0..100).map(|x| (f64::from(x), 3.0 + 0.5 * f64::from(x))).collect();
        line[7].1 = 1e9;
        line[60].1 = -1e9;
        assert!((theil_sen(&line) - 0.5).abs() < 1e-9);
        assert_eq!(theil_sen(&[(1.0, 5.0)]), 0.0);
        assert_eq!(theil_sen(&[(1.0, 5.0), (1.0, 9.0)]), 0.0);
    }
}
