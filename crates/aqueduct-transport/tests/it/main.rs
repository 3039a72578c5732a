//! Tests over real sockets: against tonic's server as the interoperating peer, and against scripted servers for
//! everything a good server does not do. And simulations of the delivery policies, without sockets.

mod addresses;
mod auth;
mod batches;
mod bodies;
mod churn;
mod connections;
mod env;
mod grpc_hostile;
mod grpc_server;
mod health;
mod http2;
mod http_hostile;
mod http_server;
mod interop;
#[cfg(feature = "json")]
mod json;
mod limit;
mod pool;
mod proxy;
mod sim;
mod status;
mod storm;
mod tables;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tonic")]
mod tonic_channel;
#[cfg(unix)]
mod unix;
mod watch;
