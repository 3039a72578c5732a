//! Where batches go: the OTLP client, or whatever a user supplies.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use aqueduct_transport::{Client, Compression, Encoding, Outcome, Request};
use aqueduct_wire::Merged;

/// A boxed future of one attempt; one allocation per batch, not per item.
pub type Attempt<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// Sends batches somewhere. [`Client`] is the OTLP implementation; a file or a debug printer is another.
///
/// The pipeline decides when to send and what to do with the outcome; an exporter makes one attempt at a time and
/// keeps no queue.
pub trait Exporter: Send + Sync + 'static {
    /// Turns a batch into what is sent, once; every retry sends the same request. The place to compress.
    fn prepare(&self, batch: &Merged) -> Request {
        Request::plain(batch)
    }

    /// Makes one attempt. It must end by itself: the pipeline sets no time-out of its own.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped when the pipeline's shutdown deadline passes.
    fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a>;

    /// Whether a protobuf request in this encoding may be sent as it is. If so, batches that the pipeline keeps compressed are sent without being inflated
    /// and prepared first. By default nothing but what [`prepare`](Self::prepare) made is sent.
    fn speaks(&self, encoding: Encoding) -> bool {
        let _ = encoding;
        false
    }

    /// How [`prepare`](Self::prepare) compresses, if it does.
    fn compression(&self) -> Option<Compression> {
        None
    }

    /// Compresses otherwise from now on; see [`Pipeline::apply`](crate::Pipeline::apply).
    ///
    /// # Errors
    ///
    /// Why not, in words. By default there is nothing to change.
    fn set_compression(&self, compression: Compression) -> Result<(), String> {
        Err(format!("this exporter's compression cannot be changed to {compression}"))
    }

    /// Connections at most, if it has any.
    fn connections(&self) -> Option<usize> {
        None
    }

    /// Has at most so many connections from now on; see [`Pipeline::apply`](crate::Pipeline::apply).
    ///
    /// # Errors
    ///
    /// Why not, in words. By default there is nothing to change.
    fn set_connections(&self, connections: usize) -> Result<(), String> {
        Err(format!("this exporter does not have {connections} connections, nor any other number"))
    }

    /// The same exporter for a process that was forked from this one's, where its connections and threads do not exist. Called there, with locks
    /// that may be held for ever: it may look at settings only. `None`, the default, if there is none: the pipeline then refuses
    /// ([`Refused::Forked`](crate::Refused::Forked)) in the child.
    fn rebuild(&self) -> Option<Box<dyn Exporter>> {
        None
    }
}

impl Exporter for Client {
    fn prepare(&self, batch: &Merged) -> Request {
        Client::prepare(self, batch)
    }

    fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
        Box::pin(Client::send(self, request))
    }

    fn speaks(&self, encoding: Encoding) -> bool {
        Client::speaks(self, encoding)
    }

    fn compression(&self) -> Option<Compression> {
        Some(self.codec())
    }

    fn set_compression(&self, compression: Compression) -> Result<(), String> {
        self.set_codec(compression).map_err(|error| error.to_string())
    }

    fn connections(&self) -> Option<usize> {
        Some(self.max_connections())
    }

    fn set_connections(&self, connections: usize) -> Result<(), String> {
        self.set_max_connections(connections).map_err(|error| error.to_string())
    }

    fn rebuild(&self) -> Option<Box<dyn Exporter>> {
        // An error would be one of files that have changed since.
        self.fresh().ok().map(|client| Box::new(client) as Box<dyn Exporter>)
    }
}

/// So that whoever made an exporter can go on looking at it.
impl<E: Exporter> Exporter for Arc<E> {
    fn prepare(&self, batch: &Merged) -> Request {
        E::prepare(self, batch)
    }

    fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
        E::send(self, request)
    }

    fn speaks(&self, encoding: Encoding) -> bool {
        E::speaks(self, encoding)
    }

    fn compression(&self) -> Option<Compression> {
        E::compression(self)
    }

    fn set_compression(&self, compression: Compression) -> Result<(), String> {
        E::set_compression(self, compression)
    }

    fn connections(&self) -> Option<usize> {
        E::connections(self)
    }

    fn set_connections(&self, connections: usize) -> Result<(), String> {
        E::set_connections(self, connections)
    }

    fn rebuild(&self) -> Option<Box<dyn Exporter>> {
        E::rebuild(self)
    }
}
