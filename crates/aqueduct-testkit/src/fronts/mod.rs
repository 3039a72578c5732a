//! What may stand before a server: whatever carries bytes, a socket in the file system, and (feature `tls`) a server that ends TLS.
//!
//! None of them knows the protocol that passes. They run on the tokio runtime they are started in, until it ends.
//!
//! ```
//! use aqueduct_testkit::{Folder, fronts};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! use tokio::net::{TcpListener, UnixStream};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let server = TcpListener::bind("127.0.0.1:0").await?;
//! let folder = Folder::create();
//! let path = folder.path("socket");
//! fronts::socket(&path, server.local_addr()?);
//!
//! let mut client = UnixStream::connect(&path).await?;
//! let (mut served, _) = server.accept().await?;
//! client.write_all(b"hello").await?;
//! let mut heard = [0; 5];
//! served.read_exact(&mut heard).await?;
//! assert_eq!(&heard, b"hello");
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "tls")]
pub mod tls;

use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixListener;

/// Carries bytes between a client and the server at this address, until both have ended or one has broken off.
///
/// # Panics
///
/// If nobody listens at the address.
pub async fn forward(mut client: impl AsyncRead + AsyncWrite + Unpin, behind: SocketAddr) {
    let mut server = TcpStream::connect(behind).await.expect("listening");
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}

/// A socket in the file system before the server at this address.
///
/// # Panics
///
/// If the path is taken, or too long for a socket; and without a runtime.
#[cfg(unix)]
pub fn socket(path: &Path, behind: SocketAddr) {
    let listener = UnixListener::bind(path).expect("a free path");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(forward(stream, behind));
        }
    });
}
