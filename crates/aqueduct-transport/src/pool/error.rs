//! Why a pool gave no connection.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why [`ConnectionPool::acquire`](crate::ConnectionPool::acquire) gave no connection.
///
/// ```
/// use std::io;
/// use std::time::Duration;
/// use aqueduct_transport::PoolError;
///
/// let error: PoolError<io::Error> = PoolError::Exhausted(Duration::from_secs(5));
/// assert_eq!(error.to_string(), "no connection became free within 5s");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum PoolError<E> {
    /// All connections were fully used for as long as the acquire timeout, which this is, or none was open yet.
    #[doc(alias = "PoolExhausted")]
    Exhausted(Duration),
    /// No connection was open, and opening one failed.
    Connect(Arc<E>),
    /// No connection was open, and opening one took longer than the connect timeout, which this is.
    ConnectTimeout(Duration),
    /// No connection was open, and the task that was opening one is gone: it panicked, or its runtime is shutting
    /// down.
    Aborted,
    /// The pool's first use was outside a tokio runtime.
    NoRuntime,
}

impl<E> Clone for PoolError<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Exhausted(timeout) => Self::Exhausted(*timeout),
            Self::Connect(error) => Self::Connect(error.clone()),
            Self::ConnectTimeout(timeout) => Self::ConnectTimeout(*timeout),
            Self::Aborted => Self::Aborted,
            Self::NoRuntime => Self::NoRuntime,
        }
    }
}

impl<E: fmt::Display> fmt::Display for PoolError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exhausted(timeout) => write!(f, "no connection became free within {timeout:?}"),
            Self::Connect(error) => write!(f, "connecting failed: {error}"),
            Self::ConnectTimeout(timeout) => write!(f, "connecting took longer than {timeout:?}"),
            Self::Aborted => {
                f.write_str("connecting was aborted: it panicked, or its runtime is shutting down")
            }
            Self::NoRuntime => f.write_str("a connection pool needs a tokio runtime"),
        }
    }
}

impl<E: Error + 'static> Error for PoolError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Connect(error) => Some(&**error),
            _ => None,
        }
    }
}
