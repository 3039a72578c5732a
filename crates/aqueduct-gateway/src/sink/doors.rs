//! The listeners and connections, which can be torn down and set up again.

use super::faults::Window;
use super::recorder::Recorder;
use aqueduct::receiver::{Entry, Server};
use socket2::SockRef;
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How long to try to get the address back, should somebody have taken it.
const REBIND: Duration = Duration::from_millis(50);

/// An address to listen on, and what is spoken there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) entry: Entry,
}

/// Second descriptors of the open connections, through which they can be made to end with a reset instead of a goodbye.
type Handles = Arc<Mutex<HashMap<u64, OwnedFd>>>;

fn lock(handles: &Handles) -> MutexGuard<'_, HashMap<u64, OwnedFd>> {
    handles.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves until dropped, with the outage that was ordered.
pub(crate) async fn serve(
    server: Server,
    recorder: Arc<Recorder>,
    doors: Vec<(Door, TcpListener)>,
    down: Option<Window>,
) {
    let doors_again: Vec<Door> = doors.iter().map(|(door, _)| *door).collect();
    let Some(down) = down else {
        return accept_all(&server, doors).await;
    };
    let mut clock = recorder.clock();
    let begun = {
        let wait = async {
            match clock.wait_for(Option::is_some).await {
                Ok(begun) => begun.unwrap_or_else(Instant::now),
                // The recorder is gone, and with it any reason to listen.
                Err(_) => Instant::now(),
            }
        };
        let outage = async {
            let begun = wait.await;
            tokio::time::sleep_until((begun + down.from).into()).await;
            begun
        };
        tokio::select! {
            () = accept_all(&server, doors) => return,
            begun = outage => begun,
        }
    };
    recorder.with(|record| record.down_since = Some(Instant::now()));
    let Some(to) = down.to else {
        return std::future::pending().await;
    };
    tokio::time::sleep_until((begun + to).into()).await;
    let mut open = Vec::new();
    for door in doors_again {
        open.push((door, bind_again(door.address).await));
    }
    recorder.with(|record| record.up_again = Some(Instant::now()));
    accept_all(&server, open).await;
}

async fn bind_again(address: SocketAddr) -> TcpListener {
    loop {
        match bind(address) {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(REBIND).await,
        }
    }
}

/// A listener with a deep queue: after an outage everybody comes back at once.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket =
        if address.is_ipv4() { tokio::net::TcpSocket::new_v4() } else { tokio::net::TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(4096)
}

/// Accepts at every door and serves every connection. Dropped, it closes the doors and resets the connections.
async fn accept_all(server: &Server, doors: Vec<(Door, TcpListener)>) {
    let handles = Handles::default();
    // Declared before the connections, so that it is dropped after them: the reset takes effect at the last close.
    let _reset = ResetOnDrop(Arc::clone(&handles));
    let mut tasks = JoinSet::new();
    for (door, listener) in doors {
        let server = server.clone();
        let handles = Arc::clone(&handles);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            let mut number = 0;
            loop {
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok((stream, peer)) => {
                            number += 1;
                            let key = (number << 1) | u64::from(matches!(door.entry, Entry::Http));
                            keep_handle(&handles, key, &stream);
                            let serving = server.serve_connection(stream, peer, door.entry);
                            let handles = Arc::clone(&handles);
                            connections.spawn(async move {
                                serving.await;
                                lock(&handles).remove(&key);
                            });
                        }
                        // Out of descriptors: one of them has to be closed first.
                        Err(_) => tokio::time::sleep(REBIND).await,
                    },
                    Some(_) = connections.join_next() => {}
                }
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

fn keep_handle(handles: &Handles, key: u64, stream: &TcpStream) {
    // Without a second descriptor the connection merely ends politely in an outage.
    if let Ok(handle) = stream.as_fd().try_clone_to_owned() {
        lock(handles).insert(key, handle);
    }
}

struct ResetOnDrop(Handles);

impl Drop for ResetOnDrop {
    fn drop(&mut self) {
        for (_, handle) in lock(&self.0).drain() {
            // A linger time of zero turns the close into a reset (tcp(7)); if that fails, it is a plain close.
            let _ = SockRef::from(&handle).set_linger(Some(Duration::ZERO));
        }
    }
}

/// Resolves an address as users write it: `127.0.0.1:4317`, `localhost:0`, `:4317`.
pub(crate) fn resolve(address: &str) -> io::Result<SocketAddr> {
    use std::net::ToSocketAddrs;
    if let Some(port) = address.strip_prefix(':').and_then(|port| port.parse().ok()) {
        return Ok((Ipv4Addr::UNSPECIFIED, port).into());
    }
    address
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))
}
