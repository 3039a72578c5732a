//! The way into the sink: a forwarder that can be closed, and that resets a connection within what it forwards.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::Failure;

/// Below the range from which Linux takes ports for outgoing connections: a client that tries again and again to connect to a closed
/// port in that range is at last given that very port, and connects to itself.
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 12_000;

/// Forwards connections to a server as long as it is open. Runs on the runtime in which it was made.
#[derive(Clone, Debug)]
pub(super) struct Door {
    /// Where clients connect.
    pub(super) address: SocketAddr,
    open: Arc<watch::Sender<bool>>,
    reset: Reset,
}

/// After how many further bytes of requests a connection is reset: the one on which they come.
#[derive(Clone, Debug, Default)]
struct Reset(Arc<Mutex<Option<usize>>>);

impl Reset {
    fn left(&self) -> MutexGuard<'_, Option<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of a piece of so many bytes: where it ends, if the connection is to be reset there.
    fn cuts(&self, len: usize) -> Option<usize> {
        let mut left = self.left();
        match *left {
            Some(bytes) if bytes < len => left.take(),
            Some(bytes) => {
                *left = Some(bytes - len);
                None
            }
            None => None,
        }
    }
}

impl Door {
    /// An open door before a server.
    pub(super) fn before(server: SocketAddr) -> Result<Door, Failure> {
        let claim = Claim::somewhere()?;
        let address = claim.address;
        let listener = claim.listen()?;
        let open = Arc::new(watch::Sender::new(true));
        let reset = Reset::default();
        tokio::spawn(serve(listener, claim, server, open.subscribe(), reset.clone()));
        Ok(Door { address, open, reset })
    }

    /// Closes it, with all connections, so that connecting is refused; or opens it again.
    pub(super) fn set_open(&self, open: bool) {
        self.open.send_replace(open);
    }

    /// Resets a connection after so many bytes that come from now on.
    pub(super) fn reset_after(&self, bytes: usize) {
        *self.reset.left() = Some(bytes);
    }
}

/// A port that nobody else claims, listened at or not: a closed door must open again at its address.
///
/// While nothing listens, a socket that is only bound keeps it. Linux lets two sockets have one address if both allow reuse and
/// neither listens, so the claim allows it, for our own listener, only once it is bound: who claims without allowing it is told of
/// every other claim.
struct Claim {
    address: SocketAddr,
    _bound: TcpSocket,
}

impl Claim {
    fn somewhere() -> Result<Claim, Failure> {
        // Several sinks at a time begin at different places.
        let begin = std::process::id().wrapping_mul(7919) as u16 % PORTS;
        for try_at in 0..PORTS {
            let port = FIRST_PORT + (begin + try_at) % PORTS;
            if let Ok(claim) = Claim::at(SocketAddr::from((Ipv4Addr::LOCALHOST, port))) {
                return Ok(claim);
            }
        }
        Err(format!("none of the ports from {FIRST_PORT} to {} is free", FIRST_PORT + PORTS - 1).into())
    }

    fn at(address: SocketAddr) -> io::Result<Claim> {
        let bound = TcpSocket::new_v4()?;
        bound.bind(address)?;
        bound.set_reuseaddr(true)?;
        Ok(Claim { address, _bound: bound })
    }

    fn listen(&self) -> io::Result<TcpListener> {
        let socket = TcpSocket::new_v4()?;
        // Beside the claim, and beside connections of before that linger on the port.
        socket.set_reuseaddr(true)?;
        socket.bind(self.address)?;
        socket.listen(1024)
    }
}

async fn serve(
    first: TcpListener,
    claim: Claim,
    server: SocketAddr,
    mut open: watch::Receiver<bool>,
    reset: Reset,
) {
    let mut listener = Some(first);
    loop {
        // It may have been closed before this ran at all.
        listener = listener.filter(|_| *open.borrow());
        // An error means that the door is gone.
        if open.wait_for(|open| *open).await.is_err() {
            return;
        }
        let listening = match listener.take().map_or_else(|| claim.listen(), Ok) {
            Ok(listening) => listening,
            Err(error) => {
                // No figure of this run would mean anything.
                eprintln!("faulty-sink: cannot listen at {} again: {error}", claim.address);
                std::process::exit(1);
            }
        };
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listening.accept() => if let Ok((client, _)) = accepted {
                    connections.spawn(forward(client, server, reset.clone()));
                    while connections.try_join_next().is_some() {}
                },
                closed = open.wait_for(|open| !*open) => match closed {
                    Ok(_) => break,
                    Err(_) => return,
                },
            }
        }
    }
}

async fn forward(mut client: TcpStream, server: SocketAddr, reset: Reset) {
    // A server that is gone is a connection that ends.
    let Ok(mut backend) = TcpStream::connect(server).await else { return };
    // Without the option it is slower, and that is all.
    let _ = (client.set_nodelay(true), backend.set_nodelay(true));
    let was_reset = {
        let (client_read, client_write) = client.split();
        let (backend_read, backend_write) = backend.split();
        let up = pump(client_read, backend_write, |len| reset.cuts(len));
        let down = pump(backend_read, client_write, |_| None);
        tokio::try_join!(up, down).is_err()
    };
    if was_reset {
        // If the option is refused, it is a plain close.
        let _ = (client.set_zero_linger(), backend.set_zero_linger());
    }
}

/// The connection is to be reset.
struct Cut;

async fn pump(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    cuts: impl Fn(usize) -> Option<usize>,
) -> Result<(), Cut> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await.map_err(|_| Cut)?;
        if read == 0 {
            // Both directions have to end before the connection does.
            let _ = to.shutdown().await;
            return Ok(());
        }
        if let Some(rest) = cuts(read) {
            // Whether the rest arrives makes no difference any more.
            let _ = to.write_all(&buffer[..rest]).await;
            return Err(Cut);
        }
        to.write_all(&buffer[..read]).await.map_err(|_| Cut)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::runtime::Builder;

    /// Answers what it gets with the same.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = socket.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        address
    }

    fn run(test: impl Future<Output = ()>) {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    /// Guards the outage: closed, connections end and new ones are refused; opened again at the same address, they are not.
    #[test]
    fn a_closed_door_refuses() {
        run(async {
            let door = Door::before(echo().await).unwrap();
            let mut client = TcpStream::connect(door.address).await.unwrap();
            client.write_all(b"one").await.unwrap();
            let mut three = [0; 3];
            client.read_exact(&mut three).await.unwrap();
            assert_eq!(&three, b"one");

            door.set_open(false);
            assert!(matches!(client.read(&mut three).await, Ok(0) | Err(_)), "an open connection ends");
            let refused = TcpStream::connect(door.address).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

            door.set_open(true);
            let mut client = loop {
                match TcpStream::connect(door.address).await {
                    Ok(client) => break client,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            client.write_all(b"two").await.unwrap();
            client.read_exact(&mut three).await.unwrap();
            assert_eq!(&three, b"two");
        });
    }

    /// Guards sinks that run at the same time: a port that is closed for an outage was once taken by the next sink.
    #[test]
    fn a_closed_door_keeps_its_port() {
        run(async {
            let door = Door::before(echo().await).unwrap();
            door.set_open(false);
            while TcpStream::connect(door.address).await.is_ok() {
                tokio::task::yield_now().await;
            }
            assert!(Claim::at(door.address).is_err());
            assert_ne!(Claim::somewhere().unwrap().address, door.address);
        });
    }

    /// Guards the reset: within the bytes that come, after exactly so many, and once.
    #[test]
    fn a_reset_cuts_what_is_sent() {
        run(async {
            let door = Door::before(echo().await).unwrap();
            let mut client = TcpStream::connect(door.address).await.unwrap();
            door.reset_after(4);
            client.write_all(b"1234").await.unwrap();
            let mut four = [0; 4];
            client.read_exact(&mut four).await.unwrap();
            client.write_all(b"5").await.unwrap();
            let ended = client.read(&mut four).await.unwrap_err();
            assert_eq!(ended.kind(), io::ErrorKind::ConnectionReset);

            let mut client = TcpStream::connect(door.address).await.unwrap();
            client.write_all(b"abcd").await.unwrap();
            client.read_exact(&mut four).await.unwrap();
            assert_eq!(&four, b"abcd");
        });
    }
}
