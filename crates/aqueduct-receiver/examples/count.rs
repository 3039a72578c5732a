//! A tiny OTLP server: counts what it receives and prints a line a second.
//!
//! ```text
//! cargo run --release -p aqueduct-receiver --example count
//! ```
//!
//! Point any OTLP exporter at 127.0.0.1:4317 (gRPC) or 127.0.0.1:4318 (HTTP); other addresses may be given as two
//! arguments, and as a third the seconds after which it ends. Ctrl-C ends it at once.

use aqueduct_receiver::{
    Answer, Entry, ReceiveBudget, ReceiverConfig, RefuseReason, Server, Shutdown, StatsSnapshot,
};
use aqueduct_wire::Signal;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let grpc = TcpListener::bind(args.next().as_deref().unwrap_or("127.0.0.1:4317")).await?;
    let http = TcpListener::bind(args.next().as_deref().unwrap_or("127.0.0.1:4318")).await?;
    let seconds: Option<u64> = args.next().and_then(|seconds| seconds.parse().ok());
    let mut out = std::io::stdout();
    writeln!(out, "gRPC on {}, HTTP on {}", grpc.local_addr()?, http.local_addr()?)?;

    // The statistics count; there is nothing left for the handler to do.
    let handler = |_| Answer::Accepted.into();
    let server = Server::new(ReceiverConfig::default(), ReceiveBudget::new(128 << 20), Arc::new(handler));
    let stats = server.stats();
    let task = server.clone();
    tokio::spawn(async move { task.serve(grpc, Entry::Grpc, Shutdown::never()).await });
    tokio::spawn(async move { server.serve(http, Entry::Http, Shutdown::never()).await });

    let mut before = stats.snapshot();
    for _ in 0..seconds.unwrap_or(u64::MAX) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = stats.snapshot();
        if now != before {
            writeln!(out, "{}", line(&now, &before))?;
        }
        before = now;
    }
    Ok(())
}

/// What was received since `before`, and in all.
fn line(now: &StatsSnapshot, before: &StatsSnapshot) -> String {
    let mut line = String::new();
    for signal in Signal::ALL {
        let (all, last) = (now.of(signal), before.of(signal));
        if all.requests > 0 {
            line += &format!(
                "{signal}: {} {}s in {} requests (in all {}, {} MB)  ",
                all.items - last.items,
                signal.item_name(),
                all.requests - last.requests,
                all.items,
                all.bytes / 1_000_000,
            );
        }
    }
    for reason in RefuseReason::ALL {
        if now.refused(reason) > 0 {
            line += &format!("refused for {}: {}  ", reason.as_str(), now.refused(reason));
        }
    }
    line + &format!("connections: {}", now.open_connections)
}
