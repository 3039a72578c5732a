//! An OTLP server as a library: gRPC and HTTP, admission by bytes, and the specification's answers

mod accept;
mod budget;
mod config;
mod grpc;
mod head;
mod held;
mod http;
mod http1;
mod http2;
mod inflate;
mod io;
mod judge;
mod metrics;
mod refusal;
mod said;
mod server;
mod shutdown;
mod stats;
mod tasks;

pub use accept::{Accept, Answer, Incoming, Protocol, Reply};
pub use budget::{ReceiveBudget, Reservation};
pub use config::ReceiverConfig;
pub use metrics::METRICS;
pub use refusal::http_status;
pub use server::{Entry, Server};
pub use shutdown::{Shutdown, ShutdownTrigger};
pub use stats::{ReceiverStats, RefuseReason, SignalSnapshot, StatsSnapshot};
