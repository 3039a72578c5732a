//! What a client costs: CPU time of the sending thread per request and per byte, over loopback, against a sink on
//! another thread that reads and discards.
//!
//! ```text
//! cargo run --release -p aqueduct-transport --example throughput -- [grpc|http] [bytes] [pieces] [in flight] [seconds]
//! cargo run --release -p aqueduct-transport --example throughput -- compress
//! ```

#![allow(clippy::print_stdout, reason = "a program that reports")]

use std::error::Error;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use aqueduct_transport::{Client, ClientConfig, Compression, Outcome, Protocol};
use aqueduct_wire::{Chunk, Merged, Merger, Signal};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let word = |n: usize| arguments.get(n).map(String::as_str);
    let number = |n: usize, default: usize| word(n).map_or(Ok(default), str::parse);
    match word(0).unwrap_or("grpc") {
        "compress" => compress(),
        "grpc" => run(Protocol::Grpc, number(1, 1 << 20)?, number(2, 16)?, number(3, 8)?, number(4, 5)?),
        "http" => {
            run(Protocol::HttpProtobuf, number(1, 1 << 20)?, number(2, 16)?, number(3, 8)?, number(4, 5)?)
        }
        other => Err(format!("{other}: expected grpc, http or compress").into()),
    }
}

/// Something like spans: names and keys that repeat, ids and numbers that do not.
fn spans(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut out = Vec::with_capacity(bytes + 300);
    while out.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_be_bytes());
        out.extend_from_slice(&state.rotate_left(21).to_be_bytes());
        out.extend_from_slice(
            b"GET /api/v1/orders/{id} http.request.method GET http.response.status_code 200 ",
        );
        out.extend_from_slice(
            b"server.address orders.example.com url.scheme https network.protocol.version 1.1 ",
        );
        out.extend_from_slice(format!("http.route.duration {}", state % 10_000).as_bytes());
    }
    out.truncate(bytes);
    out
}

fn batch(bytes: usize, pieces: usize) -> Merged {
    let mut merger = Merger::new(Signal::Traces).with_copy_below(0);
    let whole = spans(bytes);
    for piece in whole.chunks(bytes.div_ceil(pieces)) {
        merger.push(Chunk::from_valid(Signal::Traces, 1, Bytes::copy_from_slice(piece)));
    }
    merger.finish()
}

fn compress() -> Result<()> {
    println!("{:<10} {:>10} {:>8} {:>12}", "codec", "bytes", "ratio", "ns per byte");
    for bytes in [10_000, 1 << 20, 8 << 20] {
        for codec in [Compression::Gzip(1), Compression::Gzip(6), Compression::Zstd(1), Compression::Zstd(3)]
        {
            let mut config = ClientConfig::default();
            config.compression = codec;
            let client = Client::new(config)?;
            let batch = batch(bytes, bytes.div_ceil(64 << 10));
            let until = Instant::now() + Duration::from_millis(500);
            while Instant::now() < until {
                let _ = client.prepare(&batch);
            }
            let stats = client.compression();
            println!(
                "{:<10} {bytes:>10} {:>8.2} {:>12.2}",
                format!("{codec:?}"),
                stats.ratio(),
                stats.ns_per_byte()
            );
        }
    }
    Ok(())
}

fn run(protocol: Protocol, bytes: usize, pieces: usize, in_flight: usize, seconds: usize) -> Result<()> {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            tell.send(listener.local_addr()?)?;
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                match protocol {
                    Protocol::Grpc => drop(tokio::spawn(grpc_sink(stream))),
                    _ => drop(tokio::spawn(http_sink(stream))),
                }
            }
            #[allow(unreachable_code, reason = "names the type of the block's errors")]
            Result::Ok(())
        })
    });
    let address: SocketAddr = told.recv()?;
    let client = Client::new(ClientConfig::new(format!("http://{address}"), protocol))?;
    let request = client.prepare(&batch(bytes, pieces));

    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut cpu, mut wall, mut before) = (Duration::ZERO, Instant::now(), 0);
        let until = wall + Duration::from_secs(seconds as u64 + 1);
        let warm = wall + Duration::from_secs(1);
        let sent = std::cell::Cell::new(0_u64);
        let mut sends: Vec<_> = (0..in_flight)
            .map(|_| {
                let (client, request, sent) = (&client, &request, &sent);
                Box::pin(async move {
                    while Instant::now() < until {
                        assert_eq!(client.send(request).await, Outcome::Delivered);
                        sent.set(sent.get() + 1);
                    }
                })
            })
            .collect();
        // All sends in one task, as a pipeline's worker has them.
        let mut measuring = false;
        poll_fn(|cx| {
            if !measuring && Instant::now() >= warm {
                measuring = true;
                (cpu, wall, before) = (thread_cpu(), Instant::now(), sent.get());
            }
            sends.retain_mut(|send| pin!(send).poll(cx).is_pending());
            if sends.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let (cpu, wall, sent) = (thread_cpu() - cpu, wall.elapsed(), sent.get() - before);
        let per_request = cpu.as_secs_f64() / sent as f64;
        println!(
            "{} {bytes} B in {pieces} pieces, {in_flight} in flight: {:.0} requests/s, {:.0} MB/s; client thread {:.2} us per request, {:.3} ns per byte, {:.0} % of a core",
            protocol.as_str(),
            sent as f64 / wall.as_secs_f64(),
            sent as f64 * bytes as f64 / wall.as_secs_f64() / 1e6,
            per_request * 1e6,
            per_request * 1e9 / bytes as f64,
            100.0 * cpu.as_secs_f64() / wall.as_secs_f64(),
        );
    });
    Ok(())
}

/// CPU time of the calling thread, from the first number of `/proc/thread-self/schedstat`; zero elsewhere than on Linux.
fn thread_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

async fn grpc_sink(stream: TcpStream) -> Result<()> {
    let mut builder = h2::server::Builder::new();
    builder.initial_window_size(4 << 20).initial_connection_window_size(32 << 20);
    let mut connection = builder.handshake::<_, Bytes>(stream).await?;
    while let Some(call) = connection.accept().await {
        let (request, mut respond) = call?;
        tokio::spawn(async move {
            let mut body = request.into_body();
            while let Some(data) = body.data().await {
                body.flow_control().release_capacity(data?.len())?;
            }
            let head = http::Response::builder().header("content-type", "application/grpc").body(())?;
            let mut answer = respond.send_response(head, false)?;
            answer.send_data(Bytes::from_static(&[0; 5]), false)?;
            answer.send_trailers([("grpc-status".parse()?, "0".parse()?)].into_iter().collect())?;
            Result::Ok(())
        });
    }
    Ok(())
}

async fn http_sink(mut stream: TcpStream) -> Result<()> {
    let mut buffer = vec![0; 256 << 10];
    let mut filled = 0;
    loop {
        let end = loop {
            if let Some(end) = buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read(&mut buffer[filled..]).await? {
                0 => return Ok(()),
                read => filled += read,
            }
        };
        let head = std::str::from_utf8(&buffer[..end])?;
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).ok_or("no length")?;
        let mut left = length.parse::<usize>()?.saturating_sub(filled - end);
        while left > 0 {
            let read = stream.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            left = left.saturating_sub(read);
        }
        filled = 0;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
    }
}
