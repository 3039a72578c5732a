//! The bytes of a connection, whatever carries them.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
#[cfg(feature = "tls")]
use tokio_rustls::client::TlsStream;

/// A connection to a peer.
#[derive(Debug)]
pub(crate) struct Stream {
    carrier: Carrier,
    /// Whether the peer has said anything.
    heard: bool,
}

#[derive(Debug)]
enum Carrier {
    /// In clear text.
    Tcp(TcpStream),
    /// On this machine, in clear text.
    #[cfg(unix)]
    Unix(UnixStream),
    /// Boxed, being a kilobyte of state.
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<TcpStream>>),
}

/// The first byte of a TLS alert, with which a TLS server answers what is no TLS (RFC 8446 section 5.1). No answer of
/// HTTP/1.1 begins so, and in HTTP/2 it would be a first frame of more than a megabyte, which is not allowed.
const ALERT: u8 = 21;

impl Stream {
    pub(super) fn tcp(tcp: TcpStream) -> Self {
        Self { carrier: Carrier::Tcp(tcp), heard: false }
    }

    #[cfg(unix)]
    pub(super) fn unix(unix: UnixStream) -> Self {
        Self { carrier: Carrier::Unix(unix), heard: false }
    }

    #[cfg(feature = "tls")]
    pub(super) fn tls(tls: TlsStream<TcpStream>) -> Self {
        Self { carrier: Carrier::Tls(Box::new(tls)), heard: false }
    }

    /// Whether the peer has agreed to speak HTTP/2 (ALPN). Never without TLS.
    #[cfg(any(feature = "http", feature = "tls"))]
    pub(crate) fn alpn_h2(&self) -> bool {
        match &self.carrier {
            Carrier::Tcp(_) => false,
            #[cfg(unix)]
            Carrier::Unix(_) => false,
            #[cfg(feature = "tls")]
            Carrier::Tls(tls) => tls.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }

    /// The address that this is connected to: the peer's, or that of the proxy on the way to it.
    pub(crate) fn peer_address(&self) -> Option<SocketAddr> {
        match &self.carrier {
            Carrier::Tcp(tcp) => tcp.peer_addr().ok(),
            #[cfg(unix)]
            Carrier::Unix(_) => None,
            #[cfg(feature = "tls")]
            Carrier::Tls(tls) => tls.get_ref().0.peer_addr().ok(),
        }
    }

    /// An error of the first read, or what was read first, if that means that the peer refused to talk.
    fn first(&self, read: io::Result<()>, bytes: &[u8]) -> io::Result<()> {
        match &self.carrier {
            #[cfg(feature = "tls")]
            Carrier::Tls(_) => read.map_err(crate::tls::refused_late),
            _ if bytes.first() == Some(&ALERT) => {
                let reason = "the peer speaks TLS; use https://";
                Err(io::Error::new(io::ErrorKind::ConnectionRefused, reason))
            }
            _ => read,
        }
    }
}

impl Carrier {
    fn read(&mut self) -> Pin<&mut (dyn AsyncRead + Unpin)> {
        match self {
            Self::Tcp(stream) => Pin::new(stream),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(&mut **stream),
        }
    }

    fn write(&mut self) -> Pin<&mut (dyn AsyncWrite + Unpin)> {
        match self {
            Self::Tcp(stream) => Pin::new(stream),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(&mut **stream),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        if stream.heard {
            return stream.carrier.read().poll_read(cx, room);
        }
        let before = room.filled().len();
        let read = ready!(stream.carrier.read().poll_read(cx, room));
        stream.heard = true;
        Poll::Ready(stream.first(read, &room.filled()[before..]))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().carrier.write().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().carrier.write().poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.carrier {
            Carrier::Tcp(stream) => stream.is_write_vectored(),
            #[cfg(unix)]
            Carrier::Unix(stream) => stream.is_write_vectored(),
            #[cfg(feature = "tls")]
            Carrier::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().carrier.write().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().carrier.write().poll_shutdown(cx)
    }
}
