//! The floor: the least that a gateway for OTLP over gRPC can do, and still forward every item.
//!
//! An `h2` server that counts items shallowly, appends undecoded requests to a batch of 8192 items or 200 ms, and sends the
//! batch on with an `h2` client. It has no validation, limits (but it stops reading while eight batches are unanswered), retries, TLS, configuration or metrics, so the distance from it
//! is the price of those. It is meant to be fast: one thread, mimalloc, `TCP_NODELAY`, wide windows, and a burst of
//! requests that arrived together is answered with one write.
//!
//! `floor --listen ADDR --to ADDR [--gzip]`; `--gzip` inflates compressed requests and compresses batches at level 1.
//! The first line on standard error is `listening on ADDR`.

use std::error::Error;
use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{RecvStream, client::SendRequest};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH_ITEMS: u64 = 8192;
const BATCH_AGE: Duration = Duration::from_millis(200);
/// Small requests are copied into slabs of this size: they stay warm in the cache and are reused by the allocator.
const SLAB: usize = 64 * 1024;
/// A request above this size is sent on by reference: copying it would cost more than a frame of its own.
const COPY_BELOW: usize = 16 * 1024;
/// While so many batches are unanswered no request is read: a backlog would cost page faults, not show speed.
const IN_FLIGHT: usize = 8;
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// A request that comes in one frame needs no copy.
const LARGEST_FRAME: u32 = 256 * 1024;
const PREFIX: usize = 5;

/// One signal: its path, and where its items are found, as field numbers level by level.
struct Signal {
    path: &'static str,
    items: &'static [&'static [u64]],
}

const SIGNALS: [Signal; 3] = [
    Signal {
        path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        items: &[&[1], &[2], &[2]],
    },
    Signal {
        path: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        items: &[&[1], &[2], &[2], &[5, 7, 9, 10, 11], &[1]],
    },
    Signal { path: "/opentelemetry.proto.collector.logs.v1.LogsService/Export", items: &[&[1], &[2], &[2]] },
];

/// Counts the items of a request without looking into them; `None` if it is not protobuf.
fn count(mut message: &[u8], path: &[&[u64]]) -> Option<u64> {
    let Some((wanted, deeper)) = path.split_first() else { return Some(1) };
    let mut items = 0;
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let skip = match tag & 7 {
            0 => {
                varint(&mut message)?;
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut message)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let (field, rest) = message.split_at_checked(skip)?;
        message = rest;
        if tag & 7 == 2 && wanted.contains(&(tag >> 3)) {
            items += count(field, deeper)?;
        }
    }
    Some(items)
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for (index, &byte) in message.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            *message = &message[index + 1..];
            return Some(value);
        }
    }
    None
}

/// The open batch of one signal.
#[derive(Default)]
struct Batch {
    items: u64,
    bytes: usize,
    opened: Option<Instant>,
    slab: BytesMut,
    pieces: Vec<Bytes>,
}

impl Batch {
    fn push(&mut self, items: u64, body: Bytes) {
        self.items += items;
        self.bytes += body.len();
        self.opened.get_or_insert_with(Instant::now);
        if body.len() >= COPY_BELOW {
            self.close_slab();
            self.pieces.push(body);
            return;
        }
        if self.slab.capacity() - self.slab.len() < body.len() {
            self.close_slab();
            self.slab = BytesMut::with_capacity(SLAB);
        }
        self.slab.extend_from_slice(&body);
    }

    fn close_slab(&mut self) {
        if !self.slab.is_empty() {
            self.pieces.push(std::mem::take(&mut self.slab).freeze());
        }
    }

    fn take(&mut self) -> Vec<Bytes> {
        self.close_slab();
        let batch = std::mem::take(self);
        if batch.bytes == 0 { Vec::new() } else { batch.pieces }
    }
}

struct Floor {
    batches: [Mutex<Batch>; 3],
    in_flight: AtomicUsize,
    room: Notify,
    to: SendRequest<Bytes>,
    authority: String,
    gzip: bool,
    answer: Response<()>,
    trailers: HeaderMap,
}

impl Floor {
    /// Takes one whole gRPC message and answers it. Broken input resets the stream: the floor has no error answers.
    fn accept(
        self: &Arc<Self>,
        signal: usize,
        message: Bytes,
        mut respond: SendResponse<Bytes>,
    ) -> Option<()> {
        let body = match message.first()? {
            0 => message.slice(PREFIX..),
            _ => {
                let mut inflated = Vec::with_capacity(message.len() * 8);
                flate2::bufread::GzDecoder::new(&message[PREFIX..]).read_to_end(&mut inflated).ok()?;
                inflated.into()
            }
        };
        let items = count(&body, SIGNALS[signal].items)?;
        let sealed = {
            let mut batch = self.batches[signal].lock().unwrap_or_else(PoisonError::into_inner);
            batch.push(items, body);
            (batch.items >= BATCH_ITEMS).then(|| batch.take())
        };
        let mut stream = respond.send_response(self.answer.clone(), false).ok()?;
        stream.send_data(Bytes::from_static(&[0; PREFIX]), false).ok()?;
        stream.send_trailers(self.trailers.clone()).ok()?;
        if let Some(pieces) = sealed {
            self.spawn_send(signal, pieces);
        }
        Some(())
    }

    fn spawn_send(self: &Arc<Self>, signal: usize, pieces: Vec<Bytes>) {
        self.in_flight.fetch_add(1, Relaxed);
        let floor = self.clone();
        tokio::spawn(async move {
            if let Err(error) = floor.send(signal, pieces).await {
                eprintln!("floor: a batch was lost: {error}");
            }
            floor.in_flight.fetch_sub(1, Relaxed);
            floor.room.notify_waiters();
        });
    }

    async fn send(&self, signal: usize, mut pieces: Vec<Bytes>) -> Result<(), Box<dyn Error>> {
        let mut request = Request::post(format!("http://{}{}", self.authority, SIGNALS[signal].path))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if self.gzip {
            request = request.header("grpc-encoding", "gzip");
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::with_capacity(1 << 20), flate2::Compression::new(1));
            pieces.iter().try_for_each(|piece| encoder.write_all(piece))?;
            pieces = vec![encoder.finish()?.into()];
        }
        let length = u32::try_from(pieces.iter().map(Bytes::len).sum::<usize>())?.to_be_bytes();
        let prefix = [u8::from(self.gzip), length[0], length[1], length[2], length[3]];
        let mut to = self.to.clone().ready().await?;
        let (response, mut stream) = to.send_request(request.body(())?, false)?;
        stream.send_data(Bytes::copy_from_slice(&prefix), false)?;
        let last = pieces.len() - 1;
        for (index, piece) in pieces.into_iter().enumerate() {
            stream.send_data(piece, index == last)?;
        }
        let (head, mut body) = response.await?.into_parts();
        while let Some(data) = body.data().await {
            body.flow_control().release_capacity(data?.len())?;
        }
        let trailers = body.trailers().await?;
        let status = trailers.as_ref().unwrap_or(&head.headers).get("grpc-status");
        if status.is_some_and(|status| status == "0") {
            Ok(())
        } else {
            Err(format!("status {status:?}").into())
        }
    }

    /// Serves one connection. All requests that a wake-up finds are taken before any is answered, so that the answers
    /// leave together; a body that has not wholly arrived gets a task of its own.
    async fn serve(self: Arc<Self>, socket: TcpStream) -> Result<(), h2::Error> {
        let mut connection = h2::server::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(LARGEST_FRAME)
            .max_concurrent_streams(1024)
            .handshake::<_, Bytes>(socket)
            .await?;
        let mut burst = Vec::new();
        loop {
            while self.in_flight.load(Relaxed) >= IN_FLIGHT {
                self.room.notified().await;
            }
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
                let Some(signal) = SIGNALS.iter().position(|signal| signal.path == request.uri().path())
                else {
                    continue;
                };
                let mut body = request.into_body();
                match body.poll_data(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(Some(Ok(data))) if is_whole(&data) => {
                        let _ = body.flow_control().release_capacity(data.len());
                        self.accept(signal, data, respond);
                    }
                    Poll::Ready(Some(Ok(data))) => {
                        tokio::spawn(self.clone().gather(signal, data, body, respond));
                    }
                    Poll::Pending => {
                        tokio::spawn(self.clone().gather(signal, Bytes::new(), body, respond));
                    }
                    Poll::Ready(_) => {}
                }
            }
            if !open {
                return Ok(());
            }
        }
    }

    /// Collects a body that came in several frames.
    async fn gather(
        self: Arc<Self>,
        signal: usize,
        first: Bytes,
        mut body: RecvStream,
        respond: SendResponse<Bytes>,
    ) {
        let mut whole = BytesMut::new();
        let mut next = Some(Ok(first));
        while let Some(Ok(data)) = next {
            let _ = body.flow_control().release_capacity(data.len());
            if whole.is_empty() && is_whole(&data) {
                self.accept(signal, data, respond);
                return;
            }
            if whole.is_empty() && data.len() >= PREFIX {
                whole.reserve(PREFIX + message_len(&data));
            }
            whole.extend_from_slice(&data);
            if is_whole(&whole) {
                self.accept(signal, whole.freeze(), respond);
                return;
            }
            next = body.data().await;
        }
    }

    async fn seal_old_batches(self: Arc<Self>) {
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        loop {
            tick.tick().await;
            for signal in 0..SIGNALS.len() {
                let pieces = {
                    let mut batch = self.batches[signal].lock().unwrap_or_else(PoisonError::into_inner);
                    match batch.opened {
                        Some(opened) if opened.elapsed() >= BATCH_AGE => batch.take(),
                        _ => continue,
                    }
                };
                self.spawn_send(signal, pieces);
            }
        }
    }
}

fn message_len(data: &[u8]) -> usize {
    data.get(1..PREFIX).map_or(0, |length| length.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)))
}

fn is_whole(data: &[u8]) -> bool {
    data.len() >= PREFIX && data.len() - PREFIX >= message_len(data)
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut listen, mut to, mut gzip) = (None, None, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--listen" => listen = arguments.next(),
            "--to" => to = arguments.next(),
            "--gzip" => gzip = true,
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    let listen: SocketAddr = listen.ok_or("--listen is missing")?.parse()?;
    let to: SocketAddr = to.ok_or("--to is missing")?.parse()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(listen, to, gzip))
}

async fn run(listen: SocketAddr, to: SocketAddr, gzip: bool) -> Result<(), Box<dyn Error>> {
    let socket = TcpStream::connect(to).await?;
    socket.set_nodelay(true)?;
    let (client, connection) = h2::client::handshake(socket).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("floor: the destination's connection ended: {error}");
        }
    });
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let floor = Arc::new(Floor {
        batches: Default::default(),
        in_flight: AtomicUsize::new(0),
        room: Notify::new(),
        to: client,
        authority: to.to_string(),
        gzip,
        answer: Response::builder().header("content-type", "application/grpc").body(())?,
        trailers,
    });
    tokio::spawn(floor.clone().seal_old_batches());
    let listener = TcpListener::bind(listen).await?;
    eprintln!("listening on {}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let floor = floor.clone();
        tokio::spawn(async move {
            // A client that leaves is no event for the floor.
            let _ = floor.serve(socket).await;
        });
    }
}
