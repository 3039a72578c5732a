//! One client's poison is no other's.

use crate::rig::{Call, Http1, PROTOBUF, Rig, framed, gzip, h2_client, post, request};
use aqueduct_receiver::Answer;
use aqueduct_wire::Signal;
use aqueduct_wire::rpc::Code;

/// Guards a thousand clean requests around one that is poisoned, on the same connection and on others: each clean one arrives,
/// the other gets its answer.
#[tokio::test]
async fn one_among_a_thousand() {
    let rig = Rig::http().await;
    let mut invalid = request(Signal::Traces, 1, 1);
    let at = invalid.windows(4).position(|w| w == b"work").expect("has its name");
    invalid[at] = 0xff;
    let path = Signal::Traces.grpc_path();
    let poisons = [
        Call::export(Signal::Traces, &invalid),
        Call::raw(path, &framed(&gzip(&vec![0; 64 << 20]), true)).header("grpc-encoding", "gzip"),
        Call::raw(path, &[0, 0xff, 0xff, 0xff, 0xff]),
        Call::raw(path, &[9; 50]),
    ];
    for poison in poisons {
        rig.received.lock().expect("no panic").clear();
        let mut calls = tokio::task::JoinSet::new();
        for connection in 0..4u64 {
            let client = h2_client(rig.addr).await;
            for n in 0..250 {
                let client = client.clone();
                let call = Call::export(Signal::Traces, &request(Signal::Traces, 1, connection * 1000 + n));
                calls.spawn(async move { call.send(&client).await.grpc().0 });
                if (connection, n) == (2, 125) {
                    let (client, poison) = (calls_client(&rig).await, poison.clone());
                    calls.spawn(async move { poison.send(&client).await.grpc().0 });
                }
            }
            if connection == 1 {
                let poison = poison.clone();
                calls.spawn(async move { poison.send(&client).await.grpc().0 });
            }
        }
        let codes = calls.join_all().await;
        assert_eq!(codes.iter().filter(|code| **code == Code::Ok).count(), 1000);
        assert_eq!(codes.len(), 1002, "and two got their refusal");
        assert_eq!(rig.received_items(), 1000);
    }
    rig.finish().await;
}

async fn calls_client(rig: &Rig) -> h2::client::SendRequest<bytes::Bytes> {
    h2_client(rig.addr).await
}

/// Guards against a client that never reads its answers: others do not wait for it.
#[tokio::test]
async fn a_client_that_never_reads_harms_itself() {
    let rig = Rig::http().await;
    let mut greedy = Http1::connect(rig.addr).await;
    let bad = post("/v1/nothing", &[PROTOBUF], b"");
    let flood = tokio::spawn(async move {
        loop {
            greedy.send(&bad).await;
        }
    });
    for _ in 0..20 {
        rig.http1(post("/v1/traces", &[PROTOBUF], &request(Signal::Traces, 1, 1))).await.is_http_success();
    }
    flood.abort();
    let _ = flood.await;
    rig.finish().await;
}

/// Guards the handler's view: what it is given was validated, whatever surrounds it.
#[tokio::test]
async fn handlers_see_valid_chunks_only() {
    let rig = Rig::start(aqueduct_receiver::Entry::Grpc, crate::rig::config(), 1 << 20, |incoming| {
        let chunk = &incoming.chunk;
        assert!(
            aqueduct_wire::validate(chunk.signal(), chunk.bytes(), &aqueduct_wire::Limits::DEFAULT).is_ok()
        );
        Answer::Accepted.into()
    })
    .await;
    let client = rig.h2().await;
    let good = request(Signal::Logs, 3, 1);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x80;
        let code = Call::export(Signal::Logs, &bad).send(&client).await.grpc().0;
        assert!(matches!(code, Code::Ok | Code::InvalidArgument), "{code}");
    }
    drop(client);
    rig.finish().await;
}
