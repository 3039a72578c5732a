//! What a pool asks of those who connect.

use std::future::{Future, ready};

/// Opens the connections of a [`ConnectionPool`](crate::ConnectionPool) and judges them.
///
/// The uses of a connection share it by reference. What needs `&mut` goes behind a mutex, for which nobody competes when
/// the capacity is 1.
///
/// `capacity`, `expected_capacity` and `is_usable` are called with the pool's lock held: they must be quick and not call
/// the pool.
///
/// ```
/// use std::io;
/// use aqueduct_transport::Connect;
/// use tokio::net::TcpStream;
///
/// /// Connections to one address, one use at a time.
/// struct Tcp(std::net::SocketAddr);
///
/// impl Connect for Tcp {
///     type Connection = TcpStream;
///     type Error = io::Error;
///
///     async fn connect(&self) -> io::Result<TcpStream> {
///         TcpStream::connect(self.0).await
///     }
///
///     fn is_usable(&self, connection: &TcpStream) -> bool {
///         // Nothing to read is good; the end of the stream, or bytes nobody asked for, are not.
///         let read = connection.try_read(&mut [0]);
///         read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
///     }
/// }
/// ```
#[doc(alias = "ConnectionFactory")]
pub trait Connect: Send + Sync + 'static {
    /// An open connection. Dropping it closes it.
    type Connection: Send + Sync + 'static;
    /// Why a connection did not come about; told to everybody who waited for it.
    type Error: Send + Sync + 'static;

    /// Opens one connection. Runs as a task of the pool, which drops it after the connect timeout or when the pool is
    /// dropped.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send;

    /// How many uses this connection bears at the same time; may change while it is open, and counts as 1 at least.
    /// Default 1.
    fn capacity(&self, connection: &Self::Connection) -> usize {
        let _ = connection;
        1
    }

    /// The capacity to expect of a connection that is still being opened: how many connections are opened at once for
    /// those who wait. Default 1.
    fn expected_capacity(&self) -> usize {
        1
    }

    /// Whether the connection can take a new use, as far as can be told without waiting. Asked before and after each
    /// use and at each check. Default true.
    fn is_usable(&self, connection: &Self::Connection) -> bool {
        let _ = connection;
        true
    }

    /// Checks an idle connection actively, say with a ping; it occupies one use of its capacity meanwhile. Whether it
    /// is fit for use. Default: nothing beyond [`is_usable`](Self::is_usable).
    fn check(&self, connection: &Self::Connection) -> impl Future<Output = bool> + Send {
        ready(self.is_usable(connection))
    }
}
