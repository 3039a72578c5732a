//! OTLP/HTTP over HTTP/1.1 and HTTP/2.

mod answer;
mod connector;
mod gather;
mod http1;
mod http2;
mod peer;

pub(crate) use peer::Peer;
