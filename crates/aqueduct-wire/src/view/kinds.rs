//! The enumerations of OTLP. In proto3 a number that one does not know is kept, and so it is here.

use super::fields::{Field, Scalar};

macro_rules! kinds {
    ($(#[$doc:meta])* $name:ident { $($(#[$kind_doc:meta])* $kind:ident = $number:literal,)* }) => {
        $(#[$doc])*
        #[non_exhaustive]
        #[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$kind_doc])* $kind,)*
            /// A number that this version does not know.
            Unknown(i32),
        }

        impl $name {
            /// The kind with this number.
            #[must_use]
            pub const fn from_number(number: i32) -> Self {
                match number {
                    $($number => Self::$kind,)*
                    unknown => Self::Unknown(unknown),
                }
            }

            /// The number on the wire.
            #[must_use]
            pub const fn number(self) -> i32 {
                match self {
                    $(Self::$kind => $number,)*
                    Self::Unknown(number) => number,
                }
            }
        }

        impl Scalar<'_> for $name {
            #[inline(always)]
            fn read(field: Field<'_>) -> Option<Self> {
                i32::read(field).map(Self::from_number)
            }
        }
    };
}

kinds! {
    /// What a span is to the spans around it (`trace.v1.Span.SpanKind`).
    SpanKind {
        /// Not said; to be taken as internal.
        #[default]
        Unspecified = 0,
        /// An operation inside of an application.
        Internal = 1,
        /// The handling of a remote request.
        Server = 2,
        /// A request to a remote service.
        Client = 3,
        /// The sending of a message to a broker.
        Producer = 4,
        /// The receiving of a message from a broker.
        Consumer = 5,
    }
}

kinds! {
    /// How a span ended (`trace.v1.Status.StatusCode`).
    StatusCode {
        /// Not said.
        #[default]
        Unset = 0,
        /// Found to be good, by the application's developer or operator.
        Ok = 1,
        /// An error.
        Error = 2,
    }
}

kinds! {
    /// What the values of successive points relate to (`metrics.v1.AggregationTemporality`).
    AggregationTemporality {
        /// Not said, which must not be.
        #[default]
        Unspecified = 0,
        /// To the last report.
        Delta = 1,
        /// To a fixed start.
        Cumulative = 2,
    }
}

/// The range that a severity number lies in (`logs.v1.SeverityNumber`).
///
/// Each range has four numbers: [`SeverityNumber::number`] tells them apart. Ordered by the number.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeverityNumber(i32);

/// A range of severity numbers.
#[non_exhaustive]
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// 0: not said.
    Unspecified,
    /// 1 to 4
    Trace,
    /// 5 to 8
    Debug,
    /// 9 to 12
    Info,
    /// 13 to 16
    Warn,
    /// 17 to 20
    Error,
    /// 21 to 24
    Fatal,
    /// A number outside of the ranges.
    Unknown,
}

impl SeverityNumber {
    /// The severity with this number.
    #[must_use]
    pub const fn from_number(number: i32) -> SeverityNumber {
        SeverityNumber(number)
    }

    /// The number on the wire: 1 to 24, or 0 if it is not said.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }

    /// The range that the number lies in.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self.0 {
            0 => Severity::Unspecified,
            1..=4 => Severity::Trace,
            5..=8 => Severity::Debug,
            9..=12 => Severity::Info,
            13..=16 => Severity::Warn,
            17..=20 => Severity::Error,
            21..=24 => Severity::Fatal,
            _ => Severity::Unknown,
        }
    }
}

impl Scalar<'_> for SeverityNumber {
    #[inline(always)]
    fn read(field: Field<'_>) -> Option<SeverityNumber> {
        i32::read(field).map(SeverityNumber)
    }
}
