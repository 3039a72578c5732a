//! HTTP/2, over the h2 crate: connections, and requests whose body is a list of pieces.

mod call;
mod connection;
#[cfg(feature = "grpc")]
mod connector;
mod keepalive;
mod upload;
mod writer;

pub(crate) use call::Call;
pub(crate) use connection::Settings;
#[cfg(feature = "http")]
pub(crate) use connection::{Connection, EXPECTED_STREAMS};
#[cfg(feature = "grpc")]
pub(crate) use connector::Connector;

/// How often one attempt may find that the connection it was given has just ended. Nothing was sent then, so going on
/// to the next is no retry.
#[cfg(feature = "grpc")]
pub(crate) const HANDLES: usize = 3;
