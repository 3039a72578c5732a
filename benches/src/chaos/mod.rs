//! Faults under load: real processes over real sockets, judged by loss and accounting.
//!
//! A scenario starts a sink, a gateway and a generator, breaks something, lets everything come to rest and holds the result
//! against what it must be: nothing lost that was acknowledged (by identity, not by counting), and the gateway's ledger exact.
//! Latency is not judged: machines are noisy, and the suites measure it.
//!
//! - [`scenarios`]: what is broken, and what must hold nevertheless;
//! - [`Arena`]: what the scenarios share; [`Row`]: what one comes to;
//! - [`gateway`], [`sink`], [`load`]: the processes; [`watch`] looks at a gateway while it works;
//! - [`books`]: the ledger as `/statusz`, `/metrics` and the drain report tell it;
//! - [`wire`]: single requests by hand, for answers that the generator does not keep.
//!
//! Scenarios wait for events: a line of output, the end of a process. The admin endpoint has none to wait for, so it is asked
//! every few milliseconds where only it knows the answer.

mod arena;
pub mod books;
pub mod gateway;
pub mod load;
mod row;
pub mod scenarios;
pub mod sink;
mod slope;
pub mod watch;
pub mod wire;

pub use arena::Arena;
pub use row::Row;
pub use slope::theil_sen;
