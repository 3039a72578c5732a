//! The three kinds of numbers that the SDK aggregates.

use aqueduct_wire::encode::Number;

pub(super) trait Numeric: Copy {
    /// As a value.
    fn number(self) -> Number;

    /// As the sums of histograms are.
    fn float(self) -> f64;
}

impl Numeric for i64 {
    fn number(self) -> Number {
        Number::Int(self)
    }

    fn float(self) -> f64 {
        self as f64
    }
}

impl Numeric for u64 {
    /// The protocol has no larger ones.
    fn number(self) -> Number {
        Number::Int(i64::try_from(self).unwrap_or(i64::MAX))
    }

    fn float(self) -> f64 {
        self as f64
    }
}

impl Numeric for f64 {
    fn number(self) -> Number {
        Number::Double(self)
    }

    fn float(self) -> f64 {
        self
    }
}
