//! Whether a change helped.

use crate::series::{Noise, Series};
use crate::tuner::TunerConfig;

/// What can be said about a change so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It helped.
    Better,
    /// It did not help.
    NoBetter,
    /// The load is another one: nobody can tell.
    LoadMoved,
    /// More windows are needed.
    Open,
}

/// A loss so large that there is no need to look on: a third. As all scores here, in logarithms.
const BURNS: f64 = -0.4;
/// A gain so large that it does not matter where it ends.
const LEAPS: f64 = 0.25;

/// How much the score may change with the load where all is carried, as an exponent: batches fill quicker, fixed costs are shared by more.
const GENTLE: f64 = 0.5;

/// Compares the windows before a change with those since; `windows` is how many there were since, of which the series keeps the last.
///
/// What a load that fell may have done by itself is not put down to the change: `steepness` is the exponent by which the score may grow as the load falls.
pub(crate) fn judge(
    before: &Series,
    after: &Series,
    windows: usize,
    noise: &Noise,
    load_noise: &Noise,
    steepness: f64,
    config: &TunerConfig,
) -> Judgement {
    let per_window = 1.0 / before.len().max(1) as f64 + 1.0 / after.len().max(1) as f64;
    let deviation = noise.deviation(before.scores(), after.scores());
    let error = deviation * per_window.sqrt();
    let load_error = load_noise.deviation(before.loads(), after.loads()) * per_window.sqrt();
    let shift = after.load() - before.load();
    let alone = GENTLE * shift.abs() + steepness * (-shift).max(0.0);
    let moved = shift.abs() > config.max_load_shift.max(3.0 * load_error);
    let gain = after.mean() - before.mean();
    if windows < config.min_windows {
        // No need to look on while it burns.
        let burns = !moved && gain < BURNS && gain < -5.0 * error;
        return if burns { Judgement::NoBetter } else { Judgement::Open };
    }
    if moved {
        return Judgement::LoadMoved;
    }
    let wanted = config.min_gain;
    let last = windows >= config.max_windows;
    if gain > 3.0 * error + alone && gain >= wanted {
        // While a queue still fills or drains, what counts is where that ends.
        return if last || after.is_level(deviation, config.min_gain) || gain > LEAPS {
            Judgement::Better
        } else {
            Judgement::Open
        };
    }
    let hopeless = gain + 3.0 * error < wanted;
    if last || (hopeless && after.is_level(deviation, config.min_gain)) {
        return Judgement::NoBetter;
    }
    Judgement::Open
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(score: f64, load: f64) -> Series {
        let mut series = Series::default();
        (0..6).for_each(|_| series.push(score, load));
        series
    }

    fn judged(gain: f64, shift: f64, windows: usize, steepness: f64) -> Judgement {
        let (before, after) = (series(0.0, 10.0), series(gain, 10.0 + shift));
        let noise = Noise::default();
        judge(&before, &after, windows, &noise, &noise, steepness, &TunerConfig::default())
    }

    /// Guards what counts as better, and as nothing.
    #[test]
    fn what_helps_is_kept_and_what_does_not_is_not() {
        assert_eq!(judged(0.05, 0.0, 6, 0.0), Judgement::Better);
        assert_eq!(judged(0.015, 0.0, 12, 0.0), Judgement::NoBetter, "beyond noise, but too little");
        assert_eq!(judged(-0.05, 0.0, 6, 0.0), Judgement::NoBetter);
        assert_eq!(judged(0.05, 0.0, 2, 0.0), Judgement::Open, "too early");
        assert_eq!(judged(-0.5, 0.0, 1, 0.0), Judgement::NoBetter, "too bad to look on");
    }

    /// Guards the comparison at the same load, whichever way it moved, and however good or bad the change looks.
    #[test]
    fn another_load_is_another_matter() {
        for shift in [-0.5, 0.5] {
            assert_eq!(judged(9.0, shift, 6, 0.0), Judgement::LoadMoved);
            assert_eq!(judged(-9.0, shift, 6, 0.0), Judgement::LoadMoved);
        }
        // A tenth less load, where the score goes with its third power: 0.2 may be the load's doing, 0.4 is not.
        assert_eq!(judged(0.2, -0.1, 12, 3.0), Judgement::NoBetter);
        assert_eq!(judged(0.4, -0.1, 12, 3.0), Judgement::Better);
        assert_eq!(judged(0.2, -0.1, 12, 0.0), Judgement::Better);
    }
}
