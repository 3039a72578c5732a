//! A scripted HTTP/1.1 server on bare sockets.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server and what it counts.
#[derive(Clone, Debug)]
pub(crate) struct HttpServer {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

/// One connection that was accepted.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
    /// Counts from 0.
    pub(crate) number: usize,
}

/// One request that arrived in full.
pub(crate) struct Incoming {
    /// Request line and headers.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl HttpServer {
    /// Gives every connection to this function.
    pub(crate) async fn start<F, R>(serve: F) -> Self
    where
        F: Fn(Peer) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("nodelay");
                let number = counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(Peer { stream, read: Vec::new(), number }));
            }
        });
        Self { address, connections }
    }

    /// Answers every request with what this function makes of it, on connections that stay open.
    pub(crate) async fn answering<F>(answer: F) -> Self
    where
        F: Fn(Incoming) -> Vec<u8> + Clone + Send + Sync + 'static,
    {
        Self::start(move |mut peer| {
            let answer = answer.clone();
            async move {
                while let Some(request) = peer.request().await {
                    peer.write(&answer(request)).await;
                }
            }
        })
        .await
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Peer {
    /// The head of the next request; what follows it stays to be read.
    pub(crate) async fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                let rest = self.read.split_off(end + 4);
                let head = std::mem::replace(&mut self.read, rest);
                return Some(String::from_utf8(head).expect("ASCII").to_ascii_lowercase());
            }
            if self.stream.read_buf(&mut self.read).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// The next request in full, or nothing if the client has closed.
    pub(crate) async fn request(&mut self) -> Option<Incoming> {
        let head = self.head().await?;
        let len = header(&head, "content-length").expect("a length").parse().expect("a number");
        while self.read.len() < len {
            if self.stream.read_buf(&mut self.read).await.ok()? == 0 {
                return None;
            }
        }
        let rest = self.read.split_off(len);
        let body = std::mem::replace(&mut self.read, rest);
        Some(Incoming { head, body })
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        // The client may have had enough.
        let _ = self.stream.write_all(bytes).await;
    }
}

impl Incoming {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    pub(crate) fn path(&self) -> &str {
        self.head.split(' ').nth(1).expect("a request line")
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// An answer with this status, these header lines and this body.
pub(crate) fn answer(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut answer =
        format!("HTTP/1.1 {status} said\r\ncontent-length: {}\r\n{headers}\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// The header line of a protobuf body.
pub(crate) const PROTOBUF: &str = "content-type: application/x-protobuf\r\n";
