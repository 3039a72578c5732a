//! Real processes over real sockets, pinned to cores, with CPU and memory read from `/proc`.

mod build;
mod child;
mod contender;
mod cores;
mod round;
mod usage;

pub use build::{Profile, Programs, cargo_command, program};
pub use child::{Ended, Process};
pub use contender::{Contender, Egress, Gateway};
pub use cores::Cores;
pub use round::{Bench, Load, Look, Measured, Sink};
pub use usage::Usage;
