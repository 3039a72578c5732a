//! `aqueduct-receiver`: what a request costs the server.

use std::net::SocketAddr;
use std::sync::Arc;

use aqueduct_receiver::{Answer, Entry, Incoming, ReceiveBudget, ReceiverConfig, Reply, Server, Shutdown};
use aqueduct_wire::Signal;
use bytes::Bytes;

use super::loopback::{ServerThread, drive, framed, runtime};
use crate::harness::{Declared, Run, Suite};
use crate::{Failure, payload};

const PEER: &str = "bare h2 server";

/// Requests over loopback.
pub(super) const SUITE: Suite = Suite {
    name: "receiver",
    about: "CPU of the server's thread per request, 64 requests in flight on one connection. Ours admits, validates and hands \
            over; the peer is h2 with nothing behind it: it reads bodies and answers, without so much as counting.",
    rows: &[
        Declared::lower("gRPC, 1 span a request: CPU", "us/request").against(PEER).bar("ratio<=1.35"),
        Declared::lower("gRPC, 100 spans a request: CPU", "us/request").against(PEER).bar("ratio<=1.5"),
        Declared::lower("gRPC, 512 spans a request: CPU", "us/request").against(PEER).bar("ratio<=1.5"),
        Declared::lower("gRPC, 1 span, one at a time: CPU", "us/request").against(PEER).bar("ratio<=1.35"),
    ],
    measure,
};

fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let ours = ServerThread::start(|listener| async move {
        let budget = ReceiveBudget::new(128 << 20);
        let handler = Arc::new(|_: Incoming| Reply::Now(Answer::Accepted));
        let server = Server::new(ReceiverConfig::default(), budget, handler);
        server.serve(listener, Entry::Grpc, Shutdown::never()).await;
    })?;
    let bare = ServerThread::bare()?;
    let rounds = run.effort().pick(1, 3, 9);
    for (name, spans, in_flight, requests) in [
        ("gRPC, 1 span a request: CPU", 1, 64, run.effort().pick(64, 20_000, 50_000)),
        ("gRPC, 100 spans a request: CPU", 100, 64, run.effort().pick(4, 3_000, 8_000)),
        ("gRPC, 512 spans a request: CPU", 512, 64, run.effort().pick(2, 600, 1_500)),
        ("gRPC, 1 span, one at a time: CPU", 1, 1, run.effort().pick(4, 5_000, 10_000)),
    ] {
        let message = framed(&payload::traces(spans));
        let cost = |server: &ServerThread| cost(server, &message, requests, in_flight);
        run.alternate(name, rounds, || cost(&ours), || cost(&bare))?;
    }
    Ok(())
}

/// Microseconds of the server's thread per request.
fn cost(server: &ServerThread, message: &Bytes, requests: u64, in_flight: u64) -> Result<f64, Failure> {
    let before = server.clock.read()?;
    send(server.address, message, requests, in_flight)?;
    let spent = server.clock.read()? - before;
    Ok(spent.as_secs_f64() * 1e6 / requests as f64)
}

fn send(to: SocketAddr, message: &Bytes, requests: u64, in_flight: u64) -> Result<(), Failure> {
    runtime()?.block_on(drive(to, Signal::Traces.grpc_path(), message, requests, in_flight))
}
