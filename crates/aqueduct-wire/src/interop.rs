//! Between chunks and the messages of `opentelemetry-proto` (feature `prost`).
//!
//! For users who have those structs, or want them. The rest of this crate never builds them.
//!
//! ```
//! use aqueduct_wire::{Chunk, Signal, interop};
//! use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
//!
//! let chunk = Chunk::from_message(&ExportTraceServiceRequest::default());
//! assert_eq!((chunk.signal(), chunk.items()), (Signal::Traces, 0));
//! let request: ExportTraceServiceRequest = chunk.to_message()?;
//! # Ok::<(), interop::ConvertError>(())
//! ```

use crate::{Chunk, Signal};
use core::fmt;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;

/// An export request of `opentelemetry-proto`. Implemented for the three there are; not meant to be
/// implemented elsewhere.
pub trait ExportRequest: prost::Message + Default + sealed::Sealed {
    /// The signal that the request carries.
    const SIGNAL: Signal;

    /// How many spans, data points or log records it holds.
    fn items(&self) -> u64;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ExportTraceServiceRequest {}
    impl Sealed for super::ExportMetricsServiceRequest {}
    impl Sealed for super::ExportLogsServiceRequest {}
}

impl ExportRequest for ExportTraceServiceRequest {
    const SIGNAL: Signal = Signal::Traces;

    fn items(&self) -> u64 {
        let scopes = self.resource_spans.iter().flat_map(|record| &record.scope_spans);
        scopes.map(|scope| scope.spans.len() as u64).sum()
    }
}

impl ExportRequest for ExportLogsServiceRequest {
    const SIGNAL: Signal = Signal::Logs;

    fn items(&self) -> u64 {
        let scopes = self.resource_logs.iter().flat_map(|record| &record.scope_logs);
        scopes.map(|scope| scope.log_records.len() as u64).sum()
    }
}

impl ExportRequest for ExportMetricsServiceRequest {
    const SIGNAL: Signal = Signal::Metrics;

    fn items(&self) -> u64 {
        let scopes = self.resource_metrics.iter().flat_map(|record| &record.scope_metrics);
        let points = scopes.flat_map(|scope| &scope.metrics).map(|metric| match &metric.data {
            None => 0,
            Some(Data::Gauge(data)) => data.data_points.len(),
            Some(Data::Sum(data)) => data.data_points.len(),
            Some(Data::Histogram(data)) => data.data_points.len(),
            Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
            Some(Data::Summary(data)) => data.data_points.len(),
        });
        points.map(|points| points as u64).sum()
    }
}

impl Chunk {
    /// Encodes a request.
    ///
    /// The result is well-formed, but as valid as the message: a span whose id has seven bytes stays one.
    /// Where the message does not come from a source that you trust, pass the bytes through
    /// [`Chunk::validate`].
    #[must_use]
    pub fn from_message<M: ExportRequest>(message: &M) -> Chunk {
        Chunk::from_valid(M::SIGNAL, message.items(), message.encode_to_vec().into())
    }

    /// Decodes the chunk into a request.
    ///
    /// # Errors
    ///
    /// If the chunk is of another signal, or holds bytes that were not validated.
    pub fn to_message<M: ExportRequest>(&self) -> Result<M, ConvertError> {
        if self.signal() != M::SIGNAL {
            return Err(ConvertError::Signal { expected: M::SIGNAL, found: self.signal() });
        }
        M::decode(self.bytes().clone()).map_err(ConvertError::Decode)
    }
}

/// Why a chunk did not become a message.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum ConvertError {
    /// The message is that of another signal.
    Signal {
        /// What the message carries.
        expected: Signal,
        /// What the chunk holds.
        found: Signal,
    },
    /// The chunk's bytes are not valid; they came from [`Chunk::from_valid`].
    Decode(prost::DecodeError),
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConvertError::Signal { expected, found } => write!(f, "expected {expected}, found {found}"),
            ConvertError::Decode(_) => f.write_str("chunk holds invalid bytes"),
        }
    }
}

impl core::error::Error for ConvertError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            ConvertError::Decode(error) => Some(error),
            ConvertError::Signal { .. } => None,
        }
    }
}
