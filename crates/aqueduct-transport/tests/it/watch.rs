//! Watches: how a server is, as it changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aqueduct_transport::{HealthSource, HealthState, Protocol};
use aqueduct_wire::rpc::health::{ServingStatus, WATCH_PATH};
use bytes::Bytes;
use h2::{Reason, SendStream};
use tokio::sync::mpsc;

use crate::batches::config;
use crate::grpc_server::{Call, GrpcServer, head, status};
use crate::health::{assert_is, checker, framed, path, quick};
use crate::http_server::{HttpServer, PROTOBUF, answer};

/// A watch that arrived at a server, and is answered by a test.
pub(crate) struct Watcher {
    pub(crate) call: Call,
    pub(crate) stream: SendStream<Bytes>,
}

impl Watcher {
    pub(crate) fn say(&mut self, status: ServingStatus) {
        self.stream.send_data(framed(status), false).expect("open");
    }

    /// Ends the watch with this status.
    fn end(mut self, code: u32) {
        self.stream.send_trailers(status(code)).expect("open");
    }

    /// Waits until the client resets the stream.
    pub(crate) async fn reset(mut self) -> Reason {
        std::future::poll_fn(|cx| self.stream.poll_reset(cx)).await.expect("a reset")
    }
}

/// A server that hands out its watches, and never answers anything else.
async fn watched() -> (GrpcServer, mpsc::UnboundedReceiver<Watcher>) {
    let (tell, told) = mpsc::unbounded_channel();
    let server = GrpcServer::start(move |mut call| {
        let tell = tell.clone();
        async move {
            call.body().await;
            if path(&call) != WATCH_PATH {
                let _kept = call;
                return std::future::pending().await;
            }
            let stream = call.respond.send_response(head(), false).expect("open");
            // The test may have seen enough.
            let _ = tell.send(Watcher { call, stream });
        }
    })
    .await;
    (server, told)
}

/// Guards the stream of changes: each is told once, for longer than an attempt may take, and the stream ends with the one
/// who watches, alone.
#[tokio::test]
async fn a_watch_tells_changes() {
    let (server, mut told) = watched().await;
    let mut config = config(server.address, Protocol::Grpc);
    config.timeout = Duration::from_millis(200);
    let checker = checker(config, quick());
    let mut watch = checker.watch();
    assert_eq!(watch.current(), None);
    let mut watcher = told.recv().await.expect("a watch");
    assert!(!watcher.call.request.headers().contains_key("grpc-timeout"), "a watch has no end");
    for (said, state) in [
        (ServingStatus::ServiceUnknown, HealthState::ServiceUnknown),
        (ServingStatus::Serving, HealthState::Serving),
        (ServingStatus::NotServing, HealthState::NotServing),
        (ServingStatus::Unknown, HealthState::Unknown),
        (ServingStatus::Serving, HealthState::Serving),
    ] {
        watcher.say(said);
        let health = watch.changed().await.expect("the runtime lives");
        assert_is(&health, state, HealthSource::Watch);
        assert_eq!(watch.current(), Some(health));
        // Nobody answers this; it takes as long as an attempt may.
        assert_eq!(checker.check().await.state, HealthState::Unreachable);
    }
    // No change, so the next one that is told is the one after it.
    watcher.say(ServingStatus::Serving);
    watcher.say(ServingStatus::NotServing);
    assert_eq!(watch.changed().await.map(|health| health.state), Some(HealthState::NotServing));
    drop(watch);
    assert_eq!(watcher.reset().await, Reason::CANCEL);
    assert!(told.try_recv().is_err(), "there was one watch");
    assert_eq!(server.connections(), 1);
}

/// Guards the way back: a stream that fails is begun again, and what it says counts again.
#[tokio::test]
async fn a_watch_that_ends_begins_again() {
    let (server, mut told) = watched().await;
    let mut health = quick();
    health.backoff.initial = Duration::from_millis(300);
    let mut watch = checker(config(server.address, Protocol::Grpc), health).watch();
    for (code, state) in
        [(14, HealthState::NotServing), (0, HealthState::Unknown), (5, HealthState::ServiceUnknown)]
    {
        let mut watcher = told.recv().await.expect("a watch");
        watcher.say(ServingStatus::Serving);
        assert_eq!(watch.changed().await.map(|health| health.state), Some(HealthState::Serving));
        watcher.end(code);
        let health = watch.changed().await.expect("the runtime lives");
        assert_is(&health, state, HealthSource::Watch);
        assert!(health.failure.is_some());
    }
}

/// Guards against a stream that somebody on the way has lost: silence has it replaced, which is no news.
#[tokio::test]
async fn a_silent_watch_is_renewed() {
    let (server, mut told) = watched().await;
    let mut health = quick();
    health.watch_silence = Duration::from_millis(100);
    let mut watch = checker(config(server.address, Protocol::Grpc), health).watch();
    let mut first = told.recv().await.expect("a watch");
    first.say(ServingStatus::Serving);
    assert_eq!(watch.changed().await.map(|health| health.state), Some(HealthState::Serving));
    assert_eq!(first.reset().await, Reason::CANCEL);
    let mut second = told.recv().await.expect("another watch");
    second.say(ServingStatus::NotServing);
    let health = watch.changed().await.expect("the runtime lives");
    assert_is(&health, HealthState::NotServing, HealthSource::Watch);
    assert_eq!(health.failure, None);
    assert_eq!(server.connections(), 1);
}

/// Guards a watch at a server that has checks only: it is asked for a watch once, and checked from then on.
#[tokio::test]
async fn without_a_watch_there_are_checks() {
    let watches = Arc::new(AtomicUsize::new(0));
    let counted = watches.clone();
    let checks = Arc::new(AtomicUsize::new(0));
    let server = GrpcServer::start(move |call| {
        let (watches, checks) = (counted.clone(), checks.clone());
        async move {
            if path(&call) == WATCH_PATH {
                watches.fetch_add(1, Ordering::Relaxed);
                return call.trailers_only(status(12));
            }
            let even = checks.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
            let said = if even { ServingStatus::Serving } else { ServingStatus::NotServing };
            call.answer(&framed(said), status(0));
        }
    })
    .await;
    let mut watch = checker(config(server.address, Protocol::Grpc), quick()).watch();
    for state in [HealthState::Serving, HealthState::NotServing, HealthState::Serving] {
        assert_is(&watch.changed().await.expect("the runtime lives"), state, HealthSource::Check);
    }
    assert_eq!(watches.load(Ordering::Relaxed), 1);
}

/// Guards a watch over HTTP, which has no streams.
#[tokio::test]
async fn a_watch_over_http() {
    let requests = Arc::new(AtomicUsize::new(0));
    let server = HttpServer::answering(move |_| {
        let status = if requests.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) { 200 } else { 503 };
        answer(status, PROTOBUF, b"")
    })
    .await;
    let mut watch = checker(config(server.address, Protocol::HttpProtobuf), quick()).watch();
    for state in [HealthState::Serving, HealthState::NotServing, HealthState::Serving] {
        assert_is(&watch.changed().await.expect("the runtime lives"), state, HealthSource::EmptyExport);
    }
}

/// Guards memory against a server that does not stop talking: all of it is read, and the last word is what is left.
#[tokio::test]
async fn a_flood_of_changes() {
    let (server, mut told) = watched().await;
    let checker = checker(config(server.address, Protocol::Grpc), quick());
    let mut watch = checker.watch();
    let mut watcher = told.recv().await.expect("a watch");
    let both = [framed(ServingStatus::Serving), framed(ServingStatus::ServiceUnknown)].concat();
    let piece = Bytes::from(both.repeat(5_000));
    // Several times what the stream and the connection may have under way.
    for _ in 0..50 {
        watcher.stream.send_data(piece.clone(), false).expect("open");
    }
    watcher.say(ServingStatus::NotServing);
    while watch.changed().await.expect("the runtime lives").state != HealthState::NotServing {}
    assert!(told.try_recv().is_err(), "there was one watch");
}
