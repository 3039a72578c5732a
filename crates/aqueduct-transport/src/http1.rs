//! OTLP/HTTP over HTTP/1.1.

mod answer;
mod connections;
mod peer;

pub(crate) use peer::Peer;
