//! What the scenarios share.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use crate::Failure;

/// The program under test and how hard to try it.
#[derive(Clone, Debug)]
pub struct Arena {
    /// `aqueduct`, which is gateway, generator and sink.
    pub aqueduct: PathBuf,
    /// Requests a second of the usual load, one span each. Default 10,000.
    pub rate: f64,
    /// Whether seconds rather than minutes are to be spent.
    pub quick: bool,
}

impl Arena {
    /// The first in a quick run, the second otherwise.
    #[must_use]
    pub fn pick<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }

    /// An address that nobody listens on now. Somebody else may take it first; then the scenario fails and says so.
    ///
    /// # Errors
    /// The system has no port left.
    pub fn free_address() -> Result<SocketAddr, Failure> {
        Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
    }
}
