//! How long requests take, for a histogram of the program's.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use aqueduct_pipeline::{Attempt, Exporter};
use aqueduct_transport::{Client, Compression, Encoding, FailureKind, Outcome, Request};
use aqueduct_wire::Merged;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Histogram;

use super::Peer;

/// `otel.sdk.exporter.operation.duration`, once a meter was given.
#[derive(Debug, Default)]
pub(crate) struct Durations(OnceLock<Histogram<f64>>);

impl Durations {
    /// The first meter is the one.
    pub(super) fn record_in(&self, histogram: Histogram<f64>) {
        let _ = self.0.set(histogram);
    }

    fn record(&self, peer: &Peer, seconds: f64, outcome: &Outcome) {
        let Some(histogram) = self.0.get() else { return };
        let mut attributes = vec![KeyValue::new("server.address", peer.address.clone())];
        if let Some(port) = peer.port {
            attributes.push(KeyValue::new("server.port", i64::from(port)));
        }
        if let Some(failure) = outcome.failure() {
            let kind = match failure.kind {
                FailureKind::Http(status) => {
                    attributes.push(KeyValue::new("http.response.status_code", i64::from(status)));
                    status.to_string()
                }
                FailureKind::Status(code) => {
                    attributes.push(KeyValue::new("rpc.response.status_code", code.as_str()));
                    code.as_str().to_owned()
                }
                kind => kind.as_str().to_owned(),
            };
            attributes.push(KeyValue::new("error.type", kind));
        }
        histogram.record(seconds, &attributes);
    }
}

/// A client whose requests are timed.
pub(crate) struct Timed {
    client: Arc<Client>,
    peer: Peer,
    durations: Arc<Durations>,
}

impl Timed {
    pub(crate) fn new(client: Arc<Client>, peer: Peer, durations: Arc<Durations>) -> Timed {
        Timed { client, peer, durations }
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
            self.durations.record(&self.peer, start.elapsed().as_secs_f64(), &outcome);
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
        Some(Box::new(Timed::new(client, self.peer.clone(), Arc::clone(&self.durations))))
    }
}
