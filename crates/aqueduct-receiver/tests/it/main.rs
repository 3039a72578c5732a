//! The server over real sockets: with the reference clients, and with bytes that no client would send.

mod budget;
mod grpc;
mod grpc_bad;
mod health;
mod http;
mod http2;
mod http_bad;
mod interop;
mod later;
mod limits;
mod poison;
mod pressure;
mod rig;
mod shutdown;
