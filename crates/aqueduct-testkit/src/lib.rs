//! What the tests of the Aqueduct crates share. Never published.
//!
//! | type | for |
//! |---|---|
//! | [`Generator`] | valid OTLP requests of all three signals, every field in use, the same for the same seed (feature `otlp`) |
//! | [`Oracle`] | exact content: every item with its resource and scope, each exactly once (feature `otlp`) |
//! | [`FakeClock`] | a source of `Instant`s that moves only when told to |
//! | [`holds_in_a_child`] | what a forked child makes of what it inherits |
//! | [`CountingAllocator`] | claims about allocations as tests |
//! | [`Folder`] | a place for files that goes when the test ends |
//! | [`linearizability`] | what threads saw of a concurrent structure, checked against a sequential one |
//! | [`ScriptedPeer`] | an OTLP server that answers by a script and keeps everything (feature `peer`) |
//! | [`FaultProxy`] | a TCP proxy that delays, cuts, resets and swallows (feature `peer`) |
//! | [`fronts`] | what may stand before a server: a socket in the file system (feature `fronts`), the end of TLS (feature `tls`) |
//!
//! A unit test inside a crate that this one depends on (wire, receiver) sees that crate twice, once as itself and once through here,
//! and the types differ: use this crate from integration tests there.
//!
//! Without features it depends on nothing, for the crates at the bottom.
//!
//! ```
//! use aqueduct_testkit::{Generator, Oracle};
//! use aqueduct_wire::Signal;
//!
//! let mut generator = Generator::new(1);
//! let mut oracle = Oracle::new();
//! let (first, second) = (generator.request(Signal::Logs, 10), generator.request(Signal::Logs, 20));
//! oracle.expect(Signal::Logs, &first);
//! oracle.expect(Signal::Logs, &second);
//! // Concatenation is a merge: every item must come out as it went in.
//! oracle.receive(Signal::Logs, &[first, second].concat());
//! oracle.assert_exact();
//! ```

mod allocator;
mod clock;
mod folder;
#[cfg(unix)]
mod forks;
#[cfg(feature = "fronts")]
pub mod fronts;
#[cfg(feature = "otlp")]
mod generate;
pub mod linearizability;
#[cfg(feature = "otlp")]
mod oracle;
#[cfg(feature = "peer")]
mod peer;
#[cfg(feature = "peer")]
mod proxy;
#[cfg(feature = "otlp")]
mod random;

pub use allocator::{Allocations, CountingAllocator};
pub use clock::FakeClock;
pub use folder::Folder;
#[cfg(unix)]
pub use forks::holds_in_a_child;
#[cfg(feature = "otlp")]
pub use generate::Generator;
#[cfg(feature = "otlp")]
pub use oracle::{Oracle, Verdict};
#[cfg(feature = "peer")]
pub use peer::{Captured, ScriptedPeer, Step};
#[cfg(feature = "peer")]
pub use proxy::{Fault, FaultProxy};
