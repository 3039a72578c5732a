//! Peers on this machine, behind a socket in the file system.

use std::path::Path;

use tokio::net::UnixStream;
use tokio::time::{Instant, timeout_at};

use super::Dial;
use crate::failure::Failure;

impl Dial {
    pub(super) async fn connect_unix(&self, path: &Path, deadline: Instant) -> Result<UnixStream, Failure> {
        match timeout_at(deadline, UnixStream::connect(path)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(self.failure(&error.to_string())),
            Err(_) => Err(self.failure("timed out")),
        }
    }
}
