//! The statistics that rows are made of.

/// The median; NaN of nothing.
#[must_use]
pub fn median(samples: &[f64]) -> f64 {
    quantile(samples, 0.5)
}

/// The interquartile range divided by the median: how far apart the middle half of the samples lies. 0 for one sample.
#[must_use]
pub fn spread(samples: &[f64]) -> f64 {
    let middle = median(samples);
    let range = quantile(samples, 0.75) - quantile(samples, 0.25);
    if range == 0.0 { 0.0 } else { range / middle.abs() }
}

/// A quantile by linear interpolation between the two samples around it.
fn quantile(samples: &[f64], q: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = q * last as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards odd, even and unsorted input.
    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[7.0]), 7.0);
        assert!(median(&[]).is_nan());
    }

    /// Guards that one outlier does not move the spread, and that a constant has none.
    #[test]
    fn the_spread_is_that_of_the_middle_half() {
        assert_eq!(spread(&[5.0, 5.0, 5.0]), 0.0);
        assert_eq!(spread(&[0.0, 0.0]), 0.0);
        assert_eq!(spread(&[9.0, 10.0, 10.0, 11.0, 1000.0]), 0.1);
        assert_eq!(spread(&[1.0]), 0.0);
    }
}
