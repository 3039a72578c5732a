//! How long requests take, for a histogram of the program's.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use aqueduct_pipeline::{Attempt, Exporter};
use aqueduct_transport::{Client, Compression, Encoding, FailureKind, Outcome, Protocol, Request};
use aqueduct_wire::rpc::Code;
use aqueduct_wire::{Merged, Signal};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Histogram;

/// `otel.sdk.exporter.operation.duration`, once a meter was given.
#[derive(Debug, Default)]
pub(crate) struct Durations(OnceLock<Recording>);

#[derive(Debug)]
struct Recording {
    histogram: Histogram<f64>,
    /// What is said of the exporter of each signal, by [`Signal::index`]: signals that share a client do not share it.
    exporters: [Arc<[KeyValue]>; Signal::ALL.len()],
}

impl Durations {
    /// The first meter is the one.
    pub(super) fn record_in(
        &self,
        histogram: Histogram<f64>,
        exporters: [Arc<[KeyValue]>; Signal::ALL.len()],
    ) {
        let _ = self.0.set(Recording { histogram, exporters });
    }

    fn record(&self, signal: Signal, protocol: Protocol, seconds: f64, outcome: &Outcome) {
        let Some(Recording { histogram, exporters }) = self.0.get() else { return };
        let mut attributes = exporters[signal.index()].to_vec();
        let mut error = |kind: String| attributes.push(KeyValue::new("error.type", kind));
        let kind = outcome.failure().map(|failure| failure.kind);
        match (kind, outcome) {
            (Some(FailureKind::Http(status)), _) => error(status.to_string()),
            (Some(FailureKind::Status(code)), _) => error(code.as_str().to_owned()),
            (Some(kind), _) => error(kind.as_str().to_owned()),
            // Success is that all was taken, if with a warning.
            (None, Outcome::Partial { rejected: 1.., .. }) => error("rejected".to_owned()),
            (None, _) => {}
        }
        match kind {
            Some(FailureKind::Http(status)) => {
                attributes.push(KeyValue::new("http.response.status_code", i64::from(status)));
            }
            Some(FailureKind::Status(code)) => {
                attributes.push(KeyValue::new("rpc.status_code", code.as_str()));
            }
            // Of HTTP any 2xx is one, and nobody says which it was.
            None if protocol == Protocol::Grpc => {
                attributes.push(KeyValue::new("rpc.status_code", Code::Ok.as_str()));
            }
            _ => {}
        }
        histogram.record(seconds, &attributes);
    }
}

/// A client whose requests are timed.
pub(crate) struct Timed {
    client: Arc<Client>,
    protocol: Protocol,
    durations: Arc<Durations>,
}

impl Timed {
    pub(crate) fn new(client: Arc<Client>, protocol: Protocol, durations: Arc<Durations>) -> Timed {
        Timed { client, protocol, durations }
    }
}

impl Exporter for Timed {
    fn prepare(&self, batch: &Merged) -> Request {
        Exporter::prepare(&self.client, batch)
    }

    fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
        Box::pin(async move {
            let start = Instant::now();
            let outcome = self.client.send(request).await;
            self.durations.record(request.signal(), self.protocol, start.elapsed().as_secs_f64(), &outcome);
            outcome
        })
    }

    fn speaks(&self, encoding: Encoding) -> bool {
        Exporter::speaks(&self.client, encoding)
    }

    fn compression(&self) -> Option<Compression> {
        Exporter::compression(&self.client)
    }

    fn set_compression(&self, compression: Compression) -> Result<(), String> {
        Exporter::set_compression(&self.client, compression)
    }

    fn connections(&self) -> Option<usize> {
        Exporter::connections(&self.client)
    }

    fn set_connections(&self, connections: usize) -> Result<(), String> {
        Exporter::set_connections(&self.client, connections)
    }

    fn rebuild(&self) -> Option<Box<dyn Exporter>> {
        // An error would be one of files that have changed since.
        let client = Arc::new(self.client.fresh().ok()?);
        Some(Box::new(Timed::new(client, self.protocol, Arc::clone(&self.durations))))
    }
}
