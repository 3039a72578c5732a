//! The buckets of distributions: which one a value falls into, and which values one stands for.
//!
//! Up to 2^7 each value has a bucket of its own. From there on each power of two is cut into 2^6 buckets of the same width, so that a bucket is
//! at most 1/64 as wide as its values are large, and its middle at most 1/128 (0.8 %) from any of them. 3776 buckets cover all of `u64`.

/// Each power of two is cut into 2^`BITS` buckets.
const BITS: u32 = 6;

/// How many buckets there are.
pub(crate) const COUNT: usize = ((64 - BITS as usize) << BITS) + (1 << BITS);

/// The bucket of a value, below [`COUNT`].
#[inline(always)]
pub(crate) fn index(value: u64) -> usize {
    // How many bits are below those that tell the buckets of this power of two apart.
    let shift = (63 - BITS) - (value | 1 << BITS).leading_zeros();
    ((shift as usize) << BITS) + (value >> shift) as usize
}

/// The smallest value of a bucket.
pub(crate) fn lowest(index: usize) -> u64 {
    let shift = (index >> BITS).saturating_sub(1);
    ((index - (shift << BITS)) as u64) << shift
}

/// The largest value of a bucket.
pub(crate) fn highest(index: usize) -> u64 {
    let shift = (index >> BITS).saturating_sub(1);
    lowest(index) + ((1 << shift) - 1)
}

/// The value that a bucket answers with.
pub(crate) fn middle(index: usize) -> u64 {
    lowest(index) + (highest(index) - lowest(index)) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the tiling: buckets follow each other without gap or overlap from 0 to the largest value, and each value finds its own.
    #[test]
    fn buckets_tile_all_values() {
        assert_eq!((lowest(0), highest(COUNT - 1)), (0, u64::MAX));
        for bucket in 0..COUNT {
            for value in [lowest(bucket), middle(bucket), highest(bucket)] {
                assert_eq!(index(value), bucket, "{value}");
            }
            if bucket > 0 {
                assert_eq!(highest(bucket - 1) + 1, lowest(bucket));
            }
        }
    }

    /// Guards the promise of 1 %: the middle is within 1/128 of both ends.
    #[test]
    fn the_middle_is_within_a_percent() {
        for bucket in 1..COUNT {
            let middle = middle(bucket) as f64;
            for end in [lowest(bucket), highest(bucket)] {
                assert!((middle - end as f64).abs() <= end as f64 / 128.0, "{end} and {middle}");
            }
        }
    }
}
