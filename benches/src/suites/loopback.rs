//! Two ends of a loopback connection, each on a thread with a single-threaded runtime, for the suites that measure one of them.

use std::fs;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::Failure;

const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
const LARGEST_FRAME: u32 = 256 * 1024;

/// A single-threaded runtime.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// The CPU time of one thread.
#[derive(Clone, Debug)]
pub(super) struct ThreadClock(PathBuf);

impl ThreadClock {
    /// The clock of the calling thread; any thread may read it.
    pub(super) fn here() -> Result<ThreadClock, Failure> {
        Ok(ThreadClock(PathBuf::from("/proc").join(fs::read_link("/proc/thread-self")?).join("schedstat")))
    }

    /// The CPU time so far. The kernel brings it up to date when the thread sleeps or on the tick.
    pub(super) fn read(&self) -> Result<Duration, Failure> {
        let text = fs::read_to_string(&self.0)?;
        let nanoseconds = text.split_whitespace().next().ok_or("schedstat is empty")?;
        Ok(Duration::from_nanos(nanoseconds.parse()?))
    }
}

/// A server on a thread of its own; dropped, it ends.
#[derive(Debug)]
pub(super) struct ServerThread {
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// What it spends.
    pub(super) clock: ThreadClock,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ServerThread {
    /// Runs `serve` with a listener on a new thread.
    pub(super) fn start<F>(
        serve: impl FnOnce(TcpListener) -> F + Send + 'static,
    ) -> Result<ServerThread, Failure>
    where
        F: Future<Output = ()>,
    {
        let (started, wait) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let begin = || -> Result<_, Failure> {
                let runtime = runtime()?;
                let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
                Ok((listener.local_addr()?, ThreadClock::here()?, runtime, listener))
            };
            match begin() {
                Ok((address, clock, runtime, listener)) => {
                    // Nobody waiting any more means nobody needs the server either.
                    let _ = started.send(Ok((address, clock)));
                    runtime.block_on(async {
                        tokio::select! {
                            () = serve(listener) => {}
                            _ = stopped => {}
                        }
                    });
                }
                Err(failure) => drop(started.send(Err(failure))),
            }
        });
        let (address, clock) = wait.recv()??;
        Ok(ServerThread { address, clock, stop: Some(stop), thread: Some(thread) })
    }

    /// A bare h2 server with the receiver's windows and frame size: takes bodies, answers with success, looks at nothing.
    pub(super) fn bare() -> Result<ServerThread, Failure> {
        ServerThread::start(|listener| async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    // A client that leaves is no event.
                    let _ = bare_connection(socket).await;
                });
            }
        })
    }
}

impl Drop for ServerThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there was printed; the measurement has failed without its server.
            let _ = thread.join();
        }
    }
}

/// Takes all requests that a wake-up finds before it answers any, so that the answers leave together.
async fn bare_connection(socket: TcpStream) -> Result<(), Failure> {
    socket.set_nodelay(true)?;
    let mut connection = h2::server::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(LARGEST_FRAME)
        .max_concurrent_streams(1024)
        .handshake::<_, Bytes>(socket)
        .await?;
    let mut burst = Vec::new();
    loop {
        let open = poll_fn(|context| {
            loop {
                match connection.poll_accept(context) {
                    Poll::Ready(Some(Ok(request))) => burst.push(request),
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                    Poll::Ready(None) => return Poll::Ready(Ok(false)),
                    Poll::Pending if burst.is_empty() => return Poll::Pending,
                    Poll::Pending => return Poll::Ready(Ok(true)),
                }
            }
        })
        .await?;
        for (request, respond) in burst.drain(..) {
            let mut body = request.into_body();
            match body.poll_data(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Some(Ok(data))) if body.is_end_stream() => {
                    let _ = body.flow_control().release_capacity(data.len());
                    answer(respond);
                }
                Poll::Ready(Some(Ok(data))) => {
                    let _ = body.flow_control().release_capacity(data.len());
                    tokio::spawn(swallow(body, respond));
                }
                Poll::Pending => drop(tokio::spawn(swallow(body, respond))),
                Poll::Ready(_) => {}
            }
        }
        if !open {
            return Ok(());
        }
    }
}

async fn swallow(mut body: RecvStream, respond: SendResponse<Bytes>) {
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
    }
    answer(respond);
}

/// Success, as gRPC says it. A stream that is gone needs no answer.
fn answer(mut respond: SendResponse<Bytes>) {
    let mut head = Response::new(());
    head.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    let Ok(mut stream) = respond.send_response(head, false) else { return };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let _ = stream.send_data(Bytes::from_static(&[0; 5]), false);
    let _ = stream.send_trailers(trailers);
}

/// A gRPC message: the prefix and the body.
pub(super) fn framed(body: &[u8]) -> Bytes {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[0], &length[..], body].concat().into()
}

/// Sends `requests` copies of a message to `path`, `in_flight` at a time, over one connection.
pub(super) async fn drive(
    to: SocketAddr,
    path: &str,
    message: &Bytes,
    requests: u64,
    in_flight: u64,
) -> Result<(), Failure> {
    let socket = TcpStream::connect(to).await?;
    socket.set_nodelay(true)?;
    let (client, connection) = h2::client::handshake(socket).await?;
    let connection = tokio::spawn(connection);
    let mut workers = JoinSet::new();
    for worker in 0..in_flight {
        let share = requests / in_flight + u64::from(worker < requests % in_flight);
        workers.spawn(send_some(client.clone(), format!("http://{to}{path}"), message.clone(), share));
    }
    while let Some(done) = workers.join_next().await {
        done??;
    }
    connection.abort();
    Ok(())
}

async fn send_some(
    mut client: SendRequest<Bytes>,
    uri: String,
    message: Bytes,
    requests: u64,
) -> Result<(), Failure> {
    for _ in 0..requests {
        client = client.ready().await?;
        let request = Request::post(&uri).header("content-type", "application/grpc").header("te", "trailers");
        let (response, mut stream) = client.send_request(request.body(())?, false)?;
        stream.send_data(message.clone(), true)?;
        let mut body = response.await?.into_body();
        while let Some(data) = body.data().await {
            body.flow_control().release_capacity(data?.len())?;
        }
        let status = body.trailers().await?.and_then(|trailers| trailers.get("grpc-status").cloned());
        if status.as_ref().is_none_or(|status| status != "0") {
            return Err(format!("a request was answered with status {status:?}").into());
        }
    }
    Ok(())
}
