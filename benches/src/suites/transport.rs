//! `aqueduct-transport`: what sending and compressing a batch costs.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use aqueduct_transport::{Client, ClientConfig, Compression, Outcome, Protocol, Request};
use aqueduct_wire::{Chunk, Merged, Merger, Signal};
use flate2::write::GzEncoder;

use super::loopback::{ServerThread, ThreadClock, runtime};
use crate::harness::{Declared, Run, Suite};
use crate::{Failure, payload};

const RAW: &str = "raw TCP write";
const FLATE2: &str = "flate2, fresh encoder";
const ZSTD: &str = "zstd, fresh context";

/// Sends and compressions.
pub(super) const SUITE: Suite = Suite {
    name: "transport",
    about: "Sending: CPU of the sender's thread for batches that are encoded already, one after the other, to a bare h2 server; the \
            peer writes the same bytes to a plain socket and reads one byte back, which is what the kernel takes. \
            Compression: `Client::prepare` against the codec's own one-shot call on one buffer.",
    rows: &[
        Declared::lower("gRPC, batch of 8192 spans: CPU", "us/MiB").against(RAW).bar("ratio<=2"),
        Declared::lower("gRPC, batch of 1 span: CPU", "us/request").against(RAW),
        Declared::lower("gzip 1, batch of 8192 spans", "ns/KiB").against(FLATE2).bar("ratio<=1.1"),
        Declared::lower("zstd 1, batch of 8192 spans", "ns/KiB").against(ZSTD).bar("ratio<=1.1"),
        Declared::lower("gzip 1, batch of 1 span", "ns").against(FLATE2).bar("ratio<=1"),
        Declared::lower("zstd 1, batch of 1 span", "ns").against(ZSTD).bar("ratio<=1"),
    ],
    measure,
};

fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let spans = run.effort().pick(64, 8192, 8192);
    let (large, small) = (batch(spans), batch(1));
    let mebibytes = large.len() as f64 / f64::from(1 << 20);
    let (large_sends, small_sends) = run.effort().pick((1, 1), (20, 2_000), (60, 5_000));
    send(run, "gRPC, batch of 8192 spans: CPU", &large, large_sends, mebibytes)?;
    send(run, "gRPC, batch of 1 span: CPU", &small, small_sends, 1.0)?;

    let kibibytes = (large.len() as u64).div_ceil(1024);
    compress(run, "gzip 1, batch of 8192 spans", Compression::Gzip(1), &large, kibibytes)?;
    compress(run, "zstd 1, batch of 8192 spans", Compression::Zstd(1), &large, kibibytes)?;
    compress(run, "gzip 1, batch of 1 span", Compression::Gzip(1), &small, 1)?;
    compress(run, "zstd 1, batch of 1 span", Compression::Zstd(1), &small, 1)
}

/// A batch as the gateway makes it from one-span requests.
fn batch(spans: u64) -> Merged {
    let mut merger = Merger::new(Signal::Traces);
    for span in 0..spans {
        merger.push(Chunk::from_valid(Signal::Traces, 1, payload::traces_from(span, 1)));
    }
    merger.finish()
}

/// Microseconds of the sender's thread per batch and `size`.
fn send(run: &mut Run<'_>, name: &str, batch: &Merged, sends: u64, size: f64) -> Result<(), Failure> {
    let server = ServerThread::bare()?;
    let sink = raw_sink()?;
    let runtime = runtime()?;
    let mut config = ClientConfig::new(format!("http://{}", server.address), Protocol::Grpc);
    config.compression = Compression::None;
    let client = Client::new(config)?;
    let request = Request::plain(batch);
    let clock = ThreadClock::here()?;
    let per = |spent: std::time::Duration| spent.as_secs_f64() * 1e6 / (sends as f64 * size);

    let ours = || {
        let before = clock.read()?;
        runtime.block_on(async {
            for _ in 0..sends {
                match client.send(&request).await {
                    Outcome::Delivered => {}
                    other => return Err(format!("a batch was not delivered: {other:?}").into()),
                }
            }
            Ok::<_, Failure>(())
        })?;
        Ok(per(clock.read()? - before))
    };
    let mut socket = TcpStream::connect(sink)?;
    socket.set_nodelay(true)?;
    let length = (batch.len() as u64).to_be_bytes();
    let theirs = || {
        let before = clock.read()?;
        for _ in 0..sends {
            socket.write_all(&length)?;
            for piece in batch.pieces() {
                socket.write_all(piece)?;
            }
            socket.read_exact(&mut [0])?;
        }
        Ok(per(clock.read()? - before))
    };
    run.alternate(name, run.effort().pick(1, 3, 9), ours, theirs)
}

/// Reads messages with a length before them and answers each with a byte.
fn raw_sink() -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        let serve = || -> std::io::Result<()> {
            let (mut socket, _) = listener.accept()?;
            socket.set_nodelay(true)?;
            let mut room = vec![0; 256 * 1024];
            let mut length = [0; 8];
            loop {
                socket.read_exact(&mut length)?;
                let mut left = usize::try_from(u64::from_be_bytes(length)).unwrap_or(usize::MAX);
                while left > 0 {
                    let room = &mut room[..left.min(256 * 1024)];
                    let read = socket.read(room)?;
                    if read == 0 {
                        return Ok(());
                    }
                    left -= read;
                }
                socket.write_all(&[1])?;
            }
        };
        // It ends with its client.
        let _ = serve();
    });
    Ok(address)
}

fn compress(
    run: &mut Run<'_>,
    name: &str,
    how: Compression,
    batch: &Merged,
    size: u64,
) -> Result<(), Failure> {
    let mut config = ClientConfig::new("http://127.0.0.1:4317", Protocol::Grpc);
    config.compression = how;
    let client = Client::new(config)?;
    let plain = batch.to_bytes();
    let ours = || client.prepare(batch);
    match how {
        Compression::Gzip(level) => run.compare(name, size, ours, || {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::new(level));
            encoder.write_all(&plain).and_then(|()| encoder.finish())
        }),
        Compression::Zstd(level) => run.compare(name, size, ours, || zstd::bulk::compress(&plain, level)),
        _ => Err(format!("{name}: {how:?} is not measured here").into()),
    }
}
