//! A proxy before a destination.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aqueduct_testkit::fronts::forward;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A proxy that leads every tunnel to one server, and remembers what it was asked.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) async fn start(behind: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heads = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let heads = Arc::clone(&heads);
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        // Byte by byte: what follows is the tunnel's.
                        let Ok(byte) = stream.read_u8().await else { return };
                        head.push(byte);
                    }
                    heads.lock().expect("no panics").push(String::from_utf8(head).expect("text"));
                    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.expect("it reads");
                    forward(stream, behind).await;
                });
            }
        });
        Self { address, asked }
    }

    /// The heads of the requests for tunnels.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panics").clone()
    }
}
