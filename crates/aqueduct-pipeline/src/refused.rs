//! Why something was not taken.

use std::fmt;
use std::time::Duration;

use crate::home::Absent;

/// Why a chunk or an item was not taken. Its items are in no ledger: whoever offered them still owns them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// A lane's byte budget is full; it is worth offering again after this time, computed from the drain rate.
    Full {
        /// From 100 ms to 30 s.
        retry_after: Duration,
    },
    /// The pipeline is shutting down.
    Closed,
    /// The chunk, or what an encoder wrote, is of another signal than the pipeline.
    WrongSignal,
    /// The encoder panicked; only of an [`EncodingIntake`](crate::EncodingIntake). What it was writing was left out, what it had written before was taken.
    EncoderPanicked,
    /// A delivery was to be followed through a pipeline that samples whole traces ([`Builder::tail_sampling`](crate::Builder::tail_sampling)): its spans may be
    /// held for minutes before anybody knows. Use [`Intake::offer`](crate::Intake::offer).
    NotFollowed,
    /// This process was forked from the pipeline's, and an exporter cannot be made anew in it ([`Exporter::rebuild`](crate::Exporter::rebuild)), or the
    /// operating system refuses a thread. Nothing sends here: build a pipeline in the child.
    Forked,
}

impl Refused {
    #[cold]
    pub(crate) fn of(absent: Absent) -> Self {
        match absent {
            Absent::Closed => Refused::Closed,
            Absent::Exporter | Absent::Worker(_) => Refused::Forked,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Full { retry_after } => {
                write!(f, "the pipeline's byte budget is full; offer again in {} ms", retry_after.as_millis())
            }
            Refused::Closed => f.write_str("the pipeline is shutting down"),
            Refused::WrongSignal => f.write_str("what was offered is of another signal than the pipeline"),
            Refused::NotFollowed => f.write_str("a pipeline that samples whole traces follows no deliveries"),
            Refused::EncoderPanicked => f.write_str("the encoder panicked on this item"),
            Refused::Forked => {
                f.write_str("the pipeline cannot be made anew in this forked process; build one here")
            }
        }
    }
}

impl std::error::Error for Refused {}
