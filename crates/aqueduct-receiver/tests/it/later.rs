//! Answers that come later.

use crate::rig::{Call, Http1, PROTOBUF, Rig, config, post, request};
use aqueduct_receiver::{Answer, Entry, Reply};
use aqueduct_wire::Signal;
use aqueduct_wire::rpc::Code;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

type Pending = Arc<Mutex<Vec<oneshot::Sender<Answer>>>>;

/// A handler that answers when the test does.
async fn rig(entry: Entry) -> (Rig, Pending) {
    let pending = Pending::default();
    let queue = pending.clone();
    let rig = Rig::answering(entry, move || {
        let (sender, receiver) = oneshot::channel();
        queue.lock().expect("no panic").push(sender);
        Reply::Later(Box::pin(async move { receiver.await.unwrap_or(Answer::Disconnect) }))
    })
    .await;
    (rig, pending)
}

/// Guards that requests wait for their answers without holding up each other, and get their own, in any order.
#[tokio::test]
async fn answers_may_come_in_any_order() {
    let (rig, pending) = rig(Entry::Grpc).await;
    let client = rig.h2().await;
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..100u64 {
        let client = client.clone();
        calls.spawn(async move {
            Call::export(Signal::Traces, &request(Signal::Traces, 1, n)).send(&client).await.grpc().0
        });
    }
    rig.until("all have arrived", |_| pending.lock().expect("no panic").len() == 100).await;
    assert_eq!(rig.server.budget().used(), 0, "what the handler has is its own");
    assert_eq!(rig.stats().of(Signal::Traces).requests, 0, "nothing is acknowledged yet");
    let senders = std::mem::take(&mut *pending.lock().expect("no panic"));
    for (n, sender) in senders.into_iter().enumerate().rev() {
        let answer = match n % 2 {
            0 => Answer::Accepted,
            _ => Answer::Overloaded { retry_after: std::time::Duration::from_secs(1) },
        };
        sender.send(answer).expect("waits");
    }
    let codes = calls.join_all().await;
    assert_eq!(codes.iter().filter(|code| **code == Code::Ok).count(), 50);
    assert_eq!(codes.iter().filter(|code| **code == Code::Unavailable).count(), 50);
    assert_eq!(rig.stats().of(Signal::Traces).requests, 50);
    drop(client);
    rig.finish().await;
}

/// Guards HTTP/1.1 in the same way.
#[tokio::test]
async fn http1_waits_too() {
    let (rig, pending) = rig(Entry::Http).await;
    let mut client = Http1::connect(rig.addr).await;
    for _ in 0..2 {
        client.send(post("/v1/traces", &[PROTOBUF], &request(Signal::Traces, 1, 1))).await;
        rig.until("it has arrived", |_| pending.lock().expect("no panic").len() == 1).await;
        let sender = pending.lock().expect("no panic").pop().expect("is there");
        sender.send(Answer::Accepted).expect("waits");
        client.answer().await.is_http_success();
    }
    drop(client);
    rig.finish().await;
}

/// Guards that a vanished client's futures are dropped, so that the handler learns of it.
#[tokio::test]
async fn a_vanished_client_is_not_waited_for() {
    let (rig, pending) = rig(Entry::Grpc).await;
    let client = rig.h2().await;
    let call = tokio::spawn(async move {
        Call::export(Signal::Traces, &request(Signal::Traces, 1, 1)).send(&client).await;
    });
    rig.until("it has arrived", |_| pending.lock().expect("no panic").len() == 1).await;
    call.abort();
    let mut sender = pending.lock().expect("no panic").pop().expect("is there");
    sender.closed().await;
    rig.finish().await;
}

/// Guards memory against rapid resets of requests that wait: they are forgotten, though HTTP/2 does not count them as open.
#[tokio::test]
async fn reset_requests_do_not_pile_up() {
    let pending = Pending::default();
    let queue = pending.clone();
    let mut config = config();
    config.max_streams_per_connection = 10;
    let rig = Rig::start(Entry::Grpc, config, 1 << 20, move |_| {
        let (sender, receiver) = oneshot::channel();
        queue.lock().expect("no panic").push(sender);
        Reply::Later(Box::pin(async move { receiver.await.unwrap_or(Answer::Disconnect) }))
    })
    .await;
    let client = rig.h2().await;
    for n in 0..200 {
        let body = crate::rig::framed(&request(Signal::Traces, 1, n), false);
        let (response, mut stream) = Call::raw(Signal::Traces.grpc_path(), &body).open(&client).await;
        stream.send_data(bytes::Bytes::new(), true).expect("is open");
        rig.until("it has arrived", |_| pending.lock().expect("no panic").len() == n as usize + 1).await;
        stream.send_reset(h2::Reason::CANCEL);
        drop(response);
    }
    let waiting = pending.lock().expect("no panic").iter().filter(|sender| !sender.is_closed()).count();
    assert!(waiting <= 21, "{waiting}");
    drop(client);
    rig.finish().await;
}

/// Guards that a handler's panic, at once or later, is one request's misfortune.
#[tokio::test]
async fn a_panic_is_an_internal_error() {
    for entry in [Entry::Grpc, Entry::Http] {
        let rig = Rig::start(entry, config(), 1 << 20, |incoming| match incoming.chunk.items() {
            1 => Answer::Accepted.into(),
            2 => panic!("the test wants it so"),
            _ => Reply::Later(Box::pin(async { panic!("the test wants it so") })),
        })
        .await;
        let client = rig.h2().await;
        let call = |items| Call::export(Signal::Traces, &request(Signal::Traces, items, 1));
        for items in [2, 3] {
            assert_eq!(call(items).send(&client).await.grpc(), (Code::Internal, "internal error".into()));
        }
        call(1).send(&client).await.is_grpc_success();
        let mut refused = 2;
        if entry == Entry::Http {
            let mut client = Http1::connect(rig.addr).await;
            for items in [2, 3] {
                client.send(post("/v1/traces", &[PROTOBUF], &request(Signal::Traces, items, 1))).await;
                assert_eq!(client.answer().await.http().0, 500);
            }
            client.send(post("/v1/traces", &[PROTOBUF], &request(Signal::Traces, 1, 1))).await;
            client.answer().await.is_http_success();
            refused = 4;
        }
        assert_eq!(rig.refused(), [(aqueduct_receiver::RefuseReason::Panicked, refused)]);
        drop(client);
        // The handler's own lock, not the server, is what a panic could poison; it was not held.
        rig.finish().await;
    }
}
