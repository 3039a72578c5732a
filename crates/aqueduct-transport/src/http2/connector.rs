//! Opens the connections of a pool that speaks nothing but HTTP/2.

use std::sync::Arc;

use tokio::time::Instant;

use super::connection::{Connection, EXPECTED_STREAMS, Settings};
use crate::connect::Dial;
use crate::failure::Failure;
use crate::pool::Connect;
use crate::status::Counters;

#[derive(Debug)]
pub(crate) struct Connector {
    pub(crate) dial: Dial,
    pub(crate) settings: Arc<Settings>,
    pub(crate) counters: Arc<Counters>,
}

impl Connect for Connector {
    type Connection = Connection;
    type Error = Failure;

    async fn connect(&self) -> Result<Connection, Failure> {
        let deadline = Instant::now() + self.dial.timeout;
        let open =
            async { self.settings.open(&self.dial, self.dial.connect(deadline).await?, deadline).await };
        open.await.inspect_err(|_| self.counters.connect_failed())
    }

    fn capacity(&self, connection: &Connection) -> usize {
        connection.streams()
    }

    fn expected_capacity(&self) -> usize {
        EXPECTED_STREAMS
    }

    fn is_usable(&self, connection: &Connection) -> bool {
        connection.is_usable()
    }

    // `check` stays as it is: the keepalive is the active check. An idle connection is pinged at its interval and not usable
    // any more when nobody answers; a ping of the pool's beside it would have servers complain.
}
