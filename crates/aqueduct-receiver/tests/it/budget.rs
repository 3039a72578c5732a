//! The receive budget.

use crate::rig::{Call, MIB, Rig, answered, config, framed, gzip, post, request, sized};
use aqueduct_receiver::{Answer, Entry, RefuseReason};
use aqueduct_wire::Signal;
use aqueduct_wire::rpc::Code;
use bytes::Bytes;
use std::time::Duration;

async fn rig(entry: Entry, budget: usize) -> Rig {
    let mut config = config();
    config.retry_after = Duration::from_millis(2_500);
    Rig::start(entry, config, budget, |_| Answer::Accepted.into()).await
}

/// Opens a call that keeps 600 KiB of the budget until it is reset.
async fn hold(
    rig: &Rig,
    client: &h2::client::SendRequest<Bytes>,
) -> (h2::client::ResponseFuture, h2::SendStream<Bytes>) {
    let mut body = framed(&vec![0; 2 * MIB], false);
    body.truncate(600 << 10);
    let open = Call::raw(Signal::Traces.grpc_path(), &body).open(client).await;
    rig.until("the body arrives", |rig| rig.server.budget().used() >= 600 << 10).await;
    open
}

/// Guards overload in gRPC: what does not fit beside others is UNAVAILABLE with a delay, and fits afterwards.
#[tokio::test]
async fn a_full_budget_is_unavailable_until_it_is_free() {
    let rig = rig(Entry::Grpc, 1500 << 10).await;
    let client = rig.h2().await;
    let (response, mut stream) = hold(&rig, &client).await;
    let large = sized(Signal::Logs, 950 << 10);
    assert!(large.len() > 900 << 10 && large.len() < MIB);
    let answer = Call::export(Signal::Logs, &large).send(&client).await;
    assert_eq!(answer.grpc(), (Code::Unavailable, "the receive budget is exhausted".into()));
    assert_eq!(answer.details().expect("has details").retry_delay, Some(Duration::from_millis(2_500)));
    assert_eq!(rig.refused(), [(RefuseReason::Budget, 1)]);

    let compressed = framed(&gzip(&large), true);
    let call = Call::raw(Signal::Logs.grpc_path(), &compressed).header("grpc-encoding", "gzip");
    assert_eq!(call.send(&client).await.grpc().0, Code::Unavailable, "inflating is reserved too");

    stream.send_reset(h2::Reason::CANCEL);
    drop(response);
    rig.until("a reset frees the budget", |rig| rig.server.budget().used() == 0).await;
    Call::export(Signal::Logs, &large).send(&client).await.is_grpc_success();
    call.send(&client).await.is_grpc_success();
    assert_eq!(rig.refused(), [(RefuseReason::Budget, 2), (RefuseReason::Disconnected, 1)]);
    assert!(rig.server.budget().peak() <= 1500 << 10);
    drop(client);
    rig.finish().await;
}

/// Guards overload in HTTP: 503 with whole seconds, rounded up.
#[tokio::test]
async fn a_full_budget_is_503() {
    let rig = rig(Entry::Http, 1500 << 10).await;
    let client = rig.h2().await;
    let open = hold(&rig, &client).await;
    let large = sized(Signal::Logs, 950 << 10);
    let answer = rig.http1(post("/v1/logs", &[crate::rig::PROTOBUF], &large)).await;
    let (status, told) = answer.http();
    assert_eq!((status, told.code), (503, Code::Unavailable));
    assert_eq!(told.retry_delay, Some(Duration::from_millis(2_500)));
    assert_eq!(answer.header("retry-after"), Some("3"));
    drop(open);
    drop(client);
    rig.finish().await;
}

/// Guards against a retry without end: what not even an empty budget could hold is too large, not overload.
#[tokio::test]
async fn what_never_fits_is_too_large() {
    let rig = rig(Entry::Http, 500 << 10).await;
    let client = rig.h2().await;
    let large = sized(Signal::Logs, 950 << 10);
    let answer = Call::export(Signal::Logs, &large).send(&client).await;
    assert_eq!(
        answer.grpc(),
        (Code::ResourceExhausted, format!("the request is larger than {} bytes", 500 << 10))
    );
    let answer = rig.http1(post("/v1/logs", &[crate::rig::PROTOBUF], &large)).await;
    assert_eq!(answer.http().0, 413);
    let body = framed(&gzip(&large), true);
    let answer =
        Call::raw(Signal::Logs.grpc_path(), &body).header("grpc-encoding", "gzip").send(&client).await;
    assert_eq!(answer.grpc().0, Code::ResourceExhausted);
    drop(client);
    rig.finish().await;
}

/// Guards the budget against clients that vanish in the middle of a body.
#[tokio::test]
async fn a_vanished_client_holds_nothing() {
    let rig = rig(Entry::Grpc, 8 * MIB).await;
    let client = rig.h2().await;
    let (response, stream) = hold(&rig, &client).await;
    let waiting = tokio::spawn(answered(response));
    // A dropped handle resets its stream and, as the last one, closes the connection.
    drop((stream, client));
    waiting.abort();
    rig.until("the budget is free", |rig| rig.server.budget().used() == 0).await;
    assert_eq!(rig.refused(), [(RefuseReason::Disconnected, 1)]);
    rig.finish().await;
}

/// Guards the sum: a hundred bodies at a time never hold more than the budget, and each is answered.
#[tokio::test]
async fn many_bodies_share_one_budget() {
    let rig = rig(Entry::Grpc, 2 * MIB).await;
    let body = request(Signal::Logs, 3_000, 1);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let client = rig.h2().await;
        for _ in 0..10 {
            let (client, body) = (client.clone(), body.clone());
            calls.spawn(async move {
                Call::export(Signal::Logs, &body).in_pieces(20_000).send(&client).await.grpc().0
            });
        }
    }
    let mut accepted = 0;
    while let Some(code) = calls.join_next().await {
        match code.expect("is answered") {
            Code::Ok => accepted += 1,
            code => assert_eq!(code, Code::Unavailable),
        }
    }
    assert!(accepted > 0);
    assert_eq!(rig.stats().of(Signal::Logs).requests, accepted);
    assert_eq!(rig.stats().refused(RefuseReason::Budget), 100 - accepted);
    assert!(rig.server.budget().peak() <= 2 * MIB);
    rig.finish().await;
}
