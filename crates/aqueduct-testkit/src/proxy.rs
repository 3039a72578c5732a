//! A network that misbehaves.

use socket2::SockRef;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What the proxy does to the bytes that pass.
///
/// "Up" is from the client to the backend. Byte counts are those of one connection since it was accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Every piece, in both directions, arrives this much later.
    Delay(Duration),
    /// Nothing arrives any more, in neither direction, and nobody is told.
    BlackHole,
    /// Requests arrive; answers do not.
    SwallowResponses,
    /// After so many bytes up, both connections are closed.
    CloseAfter(u64),
    /// After so many bytes up, both connections are reset.
    ResetAfter(u64),
    /// After so many bytes up, the backend is told that no more will come; answers still pass.
    HalfCloseAfter(u64),
}

/// A TCP proxy on a free port of 127.0.0.1 whose faults can be switched at any time, for open connections too.
///
/// Runs on the tokio runtime it was started in and ends when dropped.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    cut: watch::Sender<u64>,
    accepting: JoinHandle<()>,
}

impl FaultProxy {
    /// A proxy before `backend`, without faults.
    ///
    /// # Errors
    ///
    /// What the system says about listening.
    pub async fn start(backend: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (fault, seen) = watch::channel(Fault::None);
        let (cut, cutting) = watch::channel(0);
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(serve(client, backend, seen.clone(), cutting.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, fault, cut, accepting })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// [`address`](Self::address) as a URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Switches the fault. Bytes that were swallowed stay swallowed.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Resets every open connection, on both sides.
    pub fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// How a connection is ended before its time.
enum End {
    Close,
    Reset,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

async fn serve(
    mut client: TcpStream,
    backend: SocketAddr,
    fault: watch::Receiver<Fault>,
    mut cut: watch::Receiver<u64>,
) {
    cut.mark_unchanged();
    let Ok(mut server) = TcpStream::connect(backend).await else {
        reset(&client);
        return;
    };
    let end = {
        // Nagle would add delays that no test asked for; without the option the proxy still works.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (client_read, client_write) = client.split();
        let (server_read, server_write) = server.split();
        let both = async {
            tokio::try_join!(
                pump(client_read, server_write, Direction::Up, fault.clone()),
                pump(server_read, client_write, Direction::Down, fault),
            )
        };
        tokio::select! {
            ended = both => ended.err().unwrap_or(End::Close),
            _ = cut.changed() => End::Reset,
        }
    };
    if matches!(end, End::Reset) {
        reset(&client);
        reset(&server);
    }
}

/// Makes the coming close a reset.
fn reset(stream: &TcpStream) {
    // If the option is refused, it is a plain close.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

async fn pump(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    direction: Direction,
    fault: watch::Receiver<Fault>,
) -> Result<(), End> {
    let mut buffer = vec![0; 64 * 1024];
    let mut passed = 0;
    loop {
        let read = from.read(&mut buffer).await.map_err(|_| End::Reset)?;
        if read == 0 {
            // Both directions have to end before the connection does.
            let _ = to.shutdown().await;
            return Ok(());
        }
        let fault = *fault.borrow();
        let mut piece = &buffer[..read];
        let mut last = None;
        match fault {
            Fault::None => {}
            Fault::Delay(delay) => tokio::time::sleep(delay).await,
            Fault::BlackHole => continue,
            Fault::SwallowResponses if direction == Direction::Down => continue,
            Fault::CloseAfter(limit) | Fault::ResetAfter(limit) | Fault::HalfCloseAfter(limit)
                if direction == Direction::Up =>
            {
                let left = usize::try_from(limit.saturating_sub(passed)).unwrap_or(usize::MAX);
                if piece.len() >= left {
                    piece = &piece[..left];
                    last = Some(fault);
                }
            }
            _ => {}
        }
        passed += piece.len() as u64;
        to.write_all(piece).await.map_err(|_| End::Reset)?;
        match last {
            Some(Fault::CloseAfter(_)) => return Err(End::Close),
            Some(Fault::ResetAfter(_)) => return Err(End::Reset),
            Some(_) => {
                let _ = to.shutdown().await;
                // What the client still sends goes nowhere.
                while from.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
                return Ok(());
            }
            None => {}
        }
    }
}
