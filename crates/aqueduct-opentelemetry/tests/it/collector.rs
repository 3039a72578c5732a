//! A collector within the process that does what the test says and remembers what it got.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use aqueduct_opentelemetry::{Aqueduct, Builder};
use aqueduct_pipeline::{Attempt, Destination, Exporter};
use aqueduct_transport::{Failure, FailureKind, Outcome, Request, RetryPolicy};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// No test waits this long unless it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// For a collector that does not answer.
pub(crate) const SHORT: Duration = Duration::from_millis(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Healthy,
    Refusing,
    Hanging,
    /// Takes nothing, for good.
    Rejecting,
}

#[derive(Clone, Debug)]
pub(crate) struct Collector(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    manner: Mutex<Manner>,
    /// The bodies of the requests that were taken.
    taken: Mutex<Vec<Vec<u8>>>,
    changed: Condvar,
}

impl Collector {
    pub(crate) fn new(manner: Manner) -> Collector {
        Collector(Arc::new(Inner {
            manner: Mutex::new(manner),
            taken: Mutex::default(),
            changed: Condvar::new(),
        }))
    }

    pub(crate) fn healthy() -> Collector {
        Collector::new(Manner::Healthy)
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.0.manner.lock().unwrap() = manner;
    }

    /// A handle that sends here, and reads no environment.
    pub(crate) fn builder(&self) -> Builder {
        let destination = Destination::new("test", self.clone(), RetryPolicy::default());
        Aqueduct::builder().variables(|_| None).destination(Arc::new(destination))
    }

    pub(crate) fn handle(&self) -> Aqueduct {
        self.builder().build().unwrap()
    }

    pub(crate) fn requests(&self) -> Vec<Vec<u8>> {
        self.0.taken.lock().unwrap().clone()
    }

    /// Blocks until so many requests were taken.
    pub(crate) fn wait_for(&self, requests: usize) {
        let taken = self.0.taken.lock().unwrap();
        let enough = |taken: &mut Vec<Vec<u8>>| taken.len() < requests;
        let (taken, timeout) = self.0.changed.wait_timeout_while(taken, PATIENCE, enough).unwrap();
        assert!(!timeout.timed_out(), "only {} of {requests} requests came", taken.len());
    }

    /// All that was taken as one request: concatenation is a merge.
    pub(crate) fn traces(&self) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest::decode(self.requests().concat().as_slice()).unwrap()
    }

    pub(crate) fn logs(&self) -> ExportLogsServiceRequest {
        ExportLogsServiceRequest::decode(self.requests().concat().as_slice()).unwrap()
    }

    pub(crate) fn metrics(&self) -> ExportMetricsServiceRequest {
        ExportMetricsServiceRequest::decode(self.requests().concat().as_slice()).unwrap()
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        let resources = self.traces().resource_spans;
        resources
            .into_iter()
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans)
            .collect()
    }

    pub(crate) fn span_names(&self) -> Vec<String> {
        self.spans().into_iter().map(|span| span.name).collect()
    }
}

impl Exporter for Collector {
    fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
        let manner = *self.0.manner.lock().unwrap();
        Box::pin(async move {
            match manner {
                Manner::Healthy => {
                    self.0.taken.lock().unwrap().push(request.pieces().concat());
                    self.0.changed.notify_all();
                    Outcome::Delivered
                }
                Manner::Refusing => {
                    Outcome::Retry { after: None, failure: Failure::new(FailureKind::Connect, "refused") }
                }
                Manner::Hanging => std::future::pending().await,
                Manner::Rejecting => Outcome::Permanent(Failure::new(FailureKind::Http(400), "bad data")),
            }
        })
    }

    fn rebuild(&self) -> Option<Box<dyn Exporter>> {
        Some(Box::new(Collector::new(*self.0.manner.lock().unwrap())))
    }
}
