//! `aqueduct`: the library's parts put together in one process, as a user of the umbrella crate would.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct::pipeline::{Destination, LaneConfig, Pipeline, Refused};
use aqueduct::receiver::{Answer, Entry, Incoming, ReceiveBudget, ReceiverConfig, Reply, Server, Shutdown};
use aqueduct::transport::{Client, ClientConfig, Protocol, RetryPolicy};
use aqueduct::wire::Signal;
use bytes::Bytes;

use super::loopback::{ServerThread, drive, framed, runtime};
use crate::harness::{Declared, Run, Suite};
use crate::{Failure, payload};

const PEER: &str = "bare h2 server, forwarding nothing";
const DEADLINE: Duration = Duration::from_secs(30);

/// A gateway of a dozen lines.
pub(super) const SUITE: Suite = Suite {
    name: "aqueduct",
    about: "A gateway out of the umbrella's modules in this process: server, pipeline, client, and a bare h2 server as destination. \
            Requests a second from the first request to the last delivery, client included, so all threads share the \
            cores. The peer answers the same requests and forwards nothing.",
    rows: &[
        Declared::higher("receive, batch, send on: 1 span a request", "requests/s").against(PEER),
        Declared::higher("receive, batch, send on: 100 spans a request", "requests/s").against(PEER),
    ],
    measure,
};

fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let destination = ServerThread::bare()?;
    let config = ClientConfig::new(format!("http://{}", destination.address), Protocol::Grpc);
    let exporter = Destination::new("bare", Client::new(config)?, RetryPolicy::default());
    let pipeline =
        Pipeline::builder(Signal::Traces).destination(Arc::new(exporter), LaneConfig::default()).build()?;
    let intake = pipeline.intake();
    let gateway = ServerThread::start(move |listener| async move {
        let handler = move |incoming: Incoming| {
            Reply::Now(match intake.offer(incoming.chunk) {
                Ok(()) => Answer::Accepted,
                Err(Refused::Full { retry_after }) => Answer::Overloaded { retry_after },
                Err(_) => Answer::Disconnect,
            })
        };
        let server = Server::new(ReceiverConfig::default(), ReceiveBudget::new(128 << 20), Arc::new(handler));
        server.serve(listener, Entry::Grpc, Shutdown::never()).await;
    })?;
    let bare = ServerThread::bare()?;

    let rounds = run.effort().pick(1, 3, 7);
    for (name, spans, requests) in [
        ("receive, batch, send on: 1 span a request", 1, run.effort().pick(64, 20_000, 60_000)),
        // The batches that wait stay below the lane's budget, so nothing is refused.
        ("receive, batch, send on: 100 spans a request", 100, run.effort().pick(4, 1_000, 1_500)),
    ] {
        let message = framed(&payload::traces(spans));
        let forwarded = || {
            let start = Instant::now();
            send(&gateway, &message, requests)?;
            pipeline.flush(DEADLINE)?;
            Ok(requests as f64 / start.elapsed().as_secs_f64())
        };
        let answered = || {
            let start = Instant::now();
            send(&bare, &message, requests)?;
            Ok(requests as f64 / start.elapsed().as_secs_f64())
        };
        run.alternate(name, rounds, forwarded, answered)?;
    }
    let status = pipeline.status();
    if let Some(lane) = status.iter().find(|lane| lane.held_items() > 0 || lane.ledger.dropped_total() > 0) {
        return Err(format!("not everything was delivered: {:?}", lane.ledger).into());
    }
    pipeline.shutdown(DEADLINE)?;
    Ok(())
}

fn send(to: &ServerThread, message: &Bytes, requests: u64) -> Result<(), Failure> {
    runtime()?.block_on(drive(to.address, Signal::Traces.grpc_path(), message, requests, 64))
}
