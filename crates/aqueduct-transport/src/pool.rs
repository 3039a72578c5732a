//! A pool of connections over anything that can connect.
//!
//! ```text
//!  acquire --> roster --> a connection with room        (least used first)
//!                |   \--> or the end of the line        (first come, first served)
//!                v
//!             effects: connect, check, close, hand over (done by tasks of the pool's runtime)
//! ```
//!
//! `roster` is the state machine: who has which connection, who waits, what is to be opened or closed. It does no I/O and
//! takes the time as an argument. `shared` puts a lock around it and carries out what it decides; `keeper` is the task
//! that comes when a time is up.

mod config;
mod connect;
mod error;
mod guard;
mod keeper;
mod roster;
mod shared;
mod status;

use std::fmt;
use std::sync::Arc;

pub use config::PoolConfig;
pub use connect::Connect;
pub use error::PoolError;
pub use guard::PooledConnection;
pub use status::{PoolStatus, Retired};

use crate::error::ConfigError;
use shared::Shared;

/// A pool of connections that are opened, shared, checked and closed as its [`PoolConfig`] says.
///
/// It is lazy: nothing happens before the first [`acquire`](Self::acquire). From then on it keeps at least
/// `min_connections` up, opens more while all of them are fully used, and never more than `max_connections`; a connection
/// that retires with uses in progress takes no new ones, is closed when the last has ended, and does not count.
///
/// What it opens and checks runs as tasks of the tokio runtime on which it was first used. When that runtime ends,
/// the next `acquire` starts anew on its own runtime. Dropping the pool closes what is idle; uses in progress end in peace.
///
/// # Cancel safety
///
/// Dropping an `acquire` gives its place in the line to the next and leaks nothing. A connection that was being opened
/// for it is finished and kept.
///
/// ```
/// use std::convert::Infallible;
/// use aqueduct_transport::{Connect, ConnectionPool, PoolConfig};
///
/// struct Letters;
///
/// impl Connect for Letters {
///     type Connection = String;
///     type Error = Infallible;
///
///     async fn connect(&self) -> Result<String, Infallible> {
///         Ok("hello".to_owned())
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let pool = ConnectionPool::new(Letters, PoolConfig::default())?;
/// {
///     let connection = pool.acquire().await?;
///     assert_eq!((connection.len(), pool.status().in_use), (5, 1));
/// }
/// assert_eq!((pool.status().idle, pool.status().connects), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "HighPerformanceConnectionPool")]
#[doc(alias = "OtlpClientPool")]
pub struct ConnectionPool<C: Connect> {
    shared: Arc<Shared<C>>,
}

impl<C: Connect> ConnectionPool<C> {
    /// A pool without connections yet. No I/O, no task, no runtime needed.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Range`] names the option that makes no sense.
    pub fn new(connector: C, config: PoolConfig) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self { shared: Arc::new(Shared::new(connector, config)) })
    }

    /// One use of a connection, which ends when the guard is dropped.
    ///
    /// Waits behind those who came before if all connections are fully used and no more may be opened.
    ///
    /// # Errors
    ///
    /// [`PoolError::Exhausted`] when the wait took longer than the acquire timeout; otherwise why no connection came about.
    pub async fn acquire(&self) -> Result<PooledConnection<C>, PoolError<C::Error>> {
        shared::acquire(&self.shared).await
    }

    /// Changes how many connections there are, while the pool is in use: opens what is missing to `min`, and retires
    /// what is beyond `max`, the idle and the least used first. Never ends a use in progress.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Range`] unless `min <= max` and `max` is from 1 to 1,024. Nothing has changed then.
    pub fn resize(&self, min: usize, max: usize) -> Result<(), ConfigError> {
        config::check_limits(min, max)?;
        self.shared.resize(min, max);
        Ok(())
    }

    /// A snapshot of the counts. Takes one uncontended lock.
    #[must_use]
    pub fn status(&self) -> PoolStatus {
        self.shared.status()
    }

    /// What connects.
    #[must_use]
    pub fn connector(&self) -> &C {
        &self.shared.connector
    }
}

impl<C: Connect> Drop for ConnectionPool<C> {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl<C: Connect> fmt::Debug for ConnectionPool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionPool").field("status", &self.status()).finish_non_exhaustive()
    }
}
