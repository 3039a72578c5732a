//! Tests over real sockets: against tonic's server as the interoperating peer, and against scripted servers for
//! everything a good server does not do.

mod batches;
mod bodies;
mod connections;
mod grpc_hostile;
mod grpc_server;
mod http_hostile;
mod http_server;
mod interop;
#[cfg(feature = "json")]
mod json;
mod status;
mod tables;
#[cfg(feature = "tonic")]
mod tonic_channel;
