//! Valid OTLP of every kind, from a seed.

mod logs;
mod metrics;
mod parts;
mod traces;

use crate::random::Random;
use aqueduct_wire::{Chunk, Limits, Signal};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};
use prost::Message;

/// Makes valid requests in which, over a few dozen items, every field of the protocol occurs, set and unset.
///
/// The same seed and calls give the same requests. Every item has an identifier that no other item of this generator has (its span
/// id; of a data point, its time), so that equal items cannot hide a loss. The fields that only profiles use (`key_strindex`,
/// `string_value_strindex`) are left out.
#[derive(Clone, Debug)]
pub struct Generator {
    random: Random,
    /// Counts items, for their identifiers.
    made: u64,
}

impl Generator {
    /// A generator of its own sequence for each seed.
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), made: 0 }
    }

    /// A request with exactly `items` items, as protobuf.
    pub fn request(&mut self, signal: Signal, items: usize) -> Bytes {
        match signal {
            Signal::Traces => self.traces(items).encode_to_vec(),
            Signal::Metrics => self.metrics(items).encode_to_vec(),
            _ => self.logs(items).encode_to_vec(),
        }
        .into()
    }

    /// A request with exactly `items` items, validated.
    pub fn chunk(&mut self, signal: Signal, items: usize) -> Chunk {
        let request = self.request(signal, items);
        Chunk::validate(signal, request, &Limits::default()).expect("generated requests are valid")
    }

    /// A request with exactly `items` spans, in one to three resources.
    pub fn traces(&mut self, items: usize) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest {
            resource_spans: self.spread(items, 3, |generator, items| generator.resource_spans(items)),
        }
    }

    /// A request with exactly `items` data points, in one to three resources.
    pub fn metrics(&mut self, items: usize) -> ExportMetricsServiceRequest {
        ExportMetricsServiceRequest {
            resource_metrics: self.spread(items, 3, |generator, items| generator.resource_metrics(items)),
        }
    }

    /// A request with exactly `items` log records, in one to three resources.
    pub fn logs(&mut self, items: usize) -> ExportLogsServiceRequest {
        ExportLogsServiceRequest {
            resource_logs: self.spread(items, 3, |generator, items| generator.resource_logs(items)),
        }
    }

    /// Splits `items` over one to `most` groups, none of them empty.
    fn spread<T>(&mut self, items: usize, most: u64, mut make: impl FnMut(&mut Self, usize) -> T) -> Vec<T> {
        let mut groups = Vec::new();
        let mut left = items;
        while left > 0 {
            let last = groups.len() as u64 + 1 >= most;
            let take = if last { left } else { 1 + self.random.below(left as u64) as usize };
            groups.push(make(self, take));
            left -= take;
        }
        groups
    }

    /// A number that no other item has.
    fn number(&mut self) -> u64 {
        self.made += 1;
        self.made
    }
}
