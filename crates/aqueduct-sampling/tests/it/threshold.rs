//! Thresholds and randomness as numbers and as texts.

use aqueduct_sampling::{ParseHexError, Randomness, Threshold};
use proptest::prelude::*;

const SCALE: f64 = (1_u64 << 56) as f64;

fn rounded(probability: f64, digits: u32) -> String {
    Threshold::from_probability_rounded(probability, digits).expect("in range").to_string()
}

/// Guards the table of the specification, and of OTEP 235.
#[test]
fn the_specifications_examples() {
    for (probability, text) in [
        (1.0, "0"),
        (0.5, "8"),
        (0.25, "c"),
        (0.1, "e666"),
        (0.01, "fd70a"),
        (1.0 / 3.0, "aaab"),
        (2.0 / 3.0, "5555"),
    ] {
        assert_eq!(rounded(probability, 4), text, "{probability}");
    }
    assert_eq!(rounded(0.1, 14), "e6666666666666");
    assert_eq!(rounded(0.1, 3), "e66");
    assert_eq!(rounded(1.0 - 1.0 / 65536.0, 4), "0001");
    assert_eq!(rounded(1.0 / SCALE, 4), "ffffffffffffff");
    assert_eq!(Threshold::from_probability(1.0 / SCALE), Ok(Threshold::MAX));
}

/// Guards the range, what is no number included.
#[test]
fn probabilities_out_of_range_are_refused() {
    for probability in [0.0, -0.1, 1.000001, f64::NAN, f64::INFINITY, 0.4 / SCALE] {
        let error = Threshold::from_probability(probability).expect_err("out of range");
        assert!(error.to_string().contains("2^-56 to 1"), "{error}");
        assert!(Threshold::from_probability_rounded(probability, 4).is_err());
    }
}

/// Guards the syntax: lower case, 1 to 14 digits, zeros at the end left out.
#[test]
fn texts_are_read_strictly() {
    assert_eq!("c".parse(), Ok(Threshold::from_probability(0.25).expect("in range")));
    assert_eq!("0".parse(), Ok(Threshold::ALWAYS));
    assert_eq!("00000000000000".parse(), Ok(Threshold::ALWAYS));
    for bad in ["", "C", "g", " c", "c ", "0x8", "+8", "e66666666666666", "é"] {
        assert_eq!(bad.parse::<Threshold>(), Err(ParseHexError::Threshold), "{bad:?}");
    }
    assert_eq!("00000000000001".parse(), Ok(Randomness::new(1).expect("in range")));
    for bad in ["", "1", "0000000000000", "000000000000000", "0000000000000A", "0000000000000é"] {
        assert_eq!(bad.parse::<Randomness>(), Err(ParseHexError::Randomness), "{bad:?}");
    }
    assert_eq!((Threshold::new(1 << 56), Randomness::new(1 << 56)), (None, None));
}

/// Guards which bytes are the random ones.
#[test]
fn randomness_is_in_the_last_seven_bytes() {
    let id: [u8; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
    assert_eq!(Randomness::from_trace_id(&id).to_string(), "0a0b0c0d0e0f10");
    assert_eq!(Randomness::from_trace_id(&[0xff; 16]), Randomness::MAX);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards the texts of both against those that the standard library makes.
    #[test]
    fn texts_are_those_of_the_numbers(value in 0..1_u64 << 56, shift in 0..14_u32) {
        let value = value >> (4 * shift) << (4 * shift);
        let threshold = Threshold::new(value).expect("in range");
        let whole = format!("{value:014x}");
        let trimmed = match whole.trim_end_matches('0') { "" => "0", trimmed => trimmed };
        prop_assert_eq!(threshold.to_string(), trimmed);
        let digits = threshold.digits();
        prop_assert_eq!(digits.as_ref(), trimmed);
        prop_assert_eq!(trimmed.parse(), Ok(threshold));
        let randomness = Randomness::new(value).expect("in range");
        prop_assert_eq!(randomness.to_string(), &whole[..]);
        prop_assert_eq!(whole.parse(), Ok(randomness));
    }

    /// Guards the arithmetic over all magnitudes: there and back, the product with the adjusted count, and rounding to within half a digit.
    #[test]
    fn probabilities_go_there_and_back(exponent in -56.0..0.0_f64, digits in 1..20_u32) {
        let probability = exponent.exp2();
        let exact = Threshold::from_probability(probability).expect("in range");
        prop_assert!((exact.probability() - probability).abs() <= 0.51 / SCALE);
        prop_assert!((exact.probability() * exact.adjusted_count() - 1.0).abs() < 1e-12);
        let rounded = Threshold::from_probability_rounded(probability, digits).expect("in range");
        let error = (rounded.probability() / exact.probability() - 1.0).abs();
        prop_assert!(error <= 8.0 * 16.0_f64.powi(-(digits as i32)) + 1e-16, "{} for {}", error, probability);
        // Digits `f` or `0` at the front are free, the others are counted.
        let text = rounded.to_string();
        let front = ['f', '0'].map(|free| text.len() - text.trim_start_matches(free).len());
        prop_assert!(text.len() - front[0].max(front[1]) <= digits as usize, "{}", text);
    }

    /// Guards the order: more probable is never less kept.
    #[test]
    fn thresholds_are_ordered_as_probabilities(a in 0.0..1.0_f64, b in 0.0..1.0_f64, value in 0..1_u64 << 56) {
        let (a, b) = (a.max(1e-9), b.max(1e-9));
        let randomness = Randomness::new(value).expect("in range");
        let [less, more] = [a.min(b), a.max(b)].map(|p| Threshold::from_probability(p).expect("in range"));
        prop_assert!(less >= more);
        prop_assert!(!less.keeps(randomness) || more.keeps(randomness));
    }
}
