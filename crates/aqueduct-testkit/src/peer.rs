//! An OTLP server that does as it is told and remembers everything.

use crate::Oracle;
use aqueduct_receiver::{
    Accept, Answer, Entry, Incoming, Protocol, ReceiveBudget, ReceiverConfig, Reply, Server, Shutdown,
};
use aqueduct_wire::Chunk;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the peer does with one request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step {
    /// Answers at once. The items count as taken if the answer is `Accepted` or `Partial`.
    Answer(Answer),
    /// Answers after a while.
    After(Duration, Answer),
    /// Takes the items and gives an answer that does not say so: the sender's retry is a duplicate.
    TakeThen(Answer),
    /// Never answers.
    Hang,
}

/// A request as the peer got it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Captured {
    /// The message: signal, items and bytes.
    pub chunk: Chunk,
    /// How it came.
    pub protocol: Protocol,
    /// Length of the body as it was sent.
    pub wire_bytes: usize,
    /// Whether the peer took the items.
    pub taken: bool,
    /// When it was received.
    pub at: Instant,
}

#[derive(Debug)]
struct State {
    script: VecDeque<Step>,
    otherwise: Step,
    captured: Vec<Captured>,
}

#[derive(Debug)]
struct Handler {
    state: Mutex<State>,
    /// Requests and taken items so far.
    seen: watch::Sender<(usize, u64)>,
}

impl Handler {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Accept for Handler {
    fn accept(&self, incoming: Incoming) -> Reply {
        let mut state = self.lock();
        let step = state.script.pop_front().unwrap_or_else(|| state.otherwise.clone());
        let taken = match &step {
            Step::Answer(answer) | Step::After(_, answer) => {
                matches!(answer, Answer::Accepted | Answer::Partial { .. })
            }
            Step::TakeThen(_) => true,
            Step::Hang => false,
        };
        let items = if taken { incoming.chunk.items() } else { 0 };
        state.captured.push(Captured {
            chunk: incoming.chunk,
            protocol: incoming.protocol,
            wire_bytes: incoming.wire_bytes,
            taken,
            at: Instant::now(),
        });
        drop(state);
        self.seen.send_modify(|(requests, all)| {
            *requests += 1;
            *all += items;
        });
        match step {
            Step::Answer(answer) | Step::TakeThen(answer) => Reply::Now(answer),
            Step::After(delay, answer) => Reply::Later(Box::pin(async move {
                tokio::time::sleep(delay).await;
                answer
            })),
            Step::Hang => Reply::Later(Box::pin(std::future::pending())),
        }
    }
}

/// An OTLP server for tests, on free ports of 127.0.0.1: gRPC at one, HTTP (and gRPC) at the other.
///
/// Runs on the tokio runtime it was started in and ends when dropped.
///
/// ```
/// use aqueduct_receiver::Answer;
/// use aqueduct_testkit::{ScriptedPeer, Step};
/// use std::time::Duration;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let peer = ScriptedPeer::start().await?;
/// peer.then(Step::Answer(Answer::Overloaded { retry_after: Duration::from_millis(50) }));
/// let endpoint = peer.grpc_endpoint();
/// // Give a client this endpoint, then: peer.wait_for_requests(2).await
/// # assert!(endpoint.starts_with("http://127.0.0.1:"));
/// # std::io::Result::Ok(())
/// # })?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct ScriptedPeer {
    grpc: SocketAddr,
    http: SocketAddr,
    server: Server,
    handler: Arc<Handler>,
    doors: Mutex<Vec<JoinHandle<()>>>,
}

impl ScriptedPeer {
    /// A peer that accepts everything until told otherwise.
    ///
    /// # Errors
    ///
    /// What the system says about listening.
    pub async fn start() -> io::Result<Self> {
        let handler = Arc::new(Handler {
            state: Mutex::new(State {
                script: VecDeque::new(),
                otherwise: Step::Answer(Answer::Accepted),
                captured: Vec::new(),
            }),
            seen: watch::channel((0, 0)).0,
        });
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let (grpc, http) = (listen(free)?, listen(free)?);
        let server = Server::new(
            ReceiverConfig::default(),
            ReceiveBudget::new(1 << 30),
            Arc::clone(&handler) as Arc<dyn Accept>,
        );
        let peer = Self {
            grpc: grpc.local_addr()?,
            http: http.local_addr()?,
            server,
            handler,
            doors: Mutex::default(),
        };
        peer.open(grpc, http);
        Ok(peer)
    }

    fn open(&self, grpc: TcpListener, http: TcpListener) {
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        for (listener, entry) in [(grpc, Entry::Grpc), (http, Entry::Http)] {
            let server = self.server.clone();
            doors.push(tokio::spawn(async move { server.serve(listener, entry, Shutdown::never()).await }));
        }
    }

    /// Adds a step to the script: one request each, in the order they arrive.
    pub fn then(&self, step: Step) -> &Self {
        self.handler.lock().script.push_back(step);
        self
    }

    /// What is done with requests when the script is at its end. At first they are accepted.
    pub fn otherwise(&self, step: Step) -> &Self {
        self.handler.lock().otherwise = step;
        self
    }

    /// Where gRPC is spoken.
    pub fn grpc_address(&self) -> SocketAddr {
        self.grpc
    }

    /// Where HTTP is spoken.
    pub fn http_address(&self) -> SocketAddr {
        self.http
    }

    /// [`grpc_address`](Self::grpc_address) as a URL.
    pub fn grpc_endpoint(&self) -> String {
        format!("http://{}", self.grpc)
    }

    /// [`http_address`](Self::http_address) as a URL.
    pub fn http_endpoint(&self) -> String {
        format!("http://{}", self.http)
    }

    /// The receiver behind it, for its counters.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Every request so far, in the order of arrival.
    pub fn captured(&self) -> Vec<Captured> {
        self.handler.lock().captured.clone()
    }

    /// Lets an oracle receive what was taken.
    pub fn deliver_to(&self, oracle: &mut Oracle) {
        for captured in self.captured().iter().filter(|captured| captured.taken) {
            oracle.receive(captured.chunk.signal(), captured.chunk.bytes());
        }
    }

    /// Waits until so many requests have arrived.
    pub async fn wait_for_requests(&self, count: usize) {
        self.wait(|(requests, _)| requests >= count).await;
    }

    /// Waits until so many items have been taken, duplicates included.
    pub async fn wait_for_items(&self, count: u64) {
        self.wait(|(_, items)| items >= count).await;
    }

    async fn wait(&self, mut enough: impl FnMut((usize, u64)) -> bool) {
        // The sender lives as long as this peer, so the wait ends only when it is enough.
        let _ = self.handler.seen.subscribe().wait_for(|seen| enough(*seen)).await;
    }

    /// Stops listening and closes every connection. When this returns, connecting is refused.
    pub async fn down(&self) {
        let doors = std::mem::take(&mut *self.doors.lock().unwrap_or_else(PoisonError::into_inner));
        for door in doors {
            door.abort();
            // It ends as cancelled, which is what was asked for.
            let _ = door.await;
        }
    }

    /// Listens again at the same addresses.
    ///
    /// # Errors
    ///
    /// What the system says about listening, such as that somebody else took the port.
    pub async fn up(&self) -> io::Result<()> {
        self.open(listen(self.grpc)?, listen(self.http)?);
        Ok(())
    }
}

impl Drop for ScriptedPeer {
    fn drop(&mut self) {
        for door in self.doors.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            door.abort();
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // Connections of before may linger on the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}
