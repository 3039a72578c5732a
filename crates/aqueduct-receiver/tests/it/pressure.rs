//! Back-pressure: a handler that asks for a pause.

use crate::rig::{Call, Http1, PROTOBUF, Rig, config, post, request};
use aqueduct_receiver::{Accept, Answer, Entry, Incoming, Relief, Reply};
use aqueduct_wire::Signal;
use std::sync::{Arc, Mutex};
use tokio::sync::{oneshot, watch};

/// Accepts later, and is under pressure while the test says so.
struct Handler {
    pressed: watch::Receiver<bool>,
    pending: Mutex<Vec<oneshot::Sender<Answer>>>,
    received: Arc<Mutex<Vec<Incoming>>>,
}

impl Accept for Handler {
    fn accept(&self, incoming: Incoming) -> Reply {
        let (sender, receiver) = oneshot::channel();
        self.pending.lock().expect("no panic").push(sender);
        self.received.lock().expect("no panic").push(incoming);
        Reply::Later(Box::pin(async move { receiver.await.unwrap_or(Answer::Disconnect) }))
    }

    fn pressure(&self) -> Option<Relief> {
        let mut pressed = self.pressed.clone();
        let now = *pressed.borrow();
        now.then(|| {
            Box::pin(async move {
                let _ = pressed.wait_for(|pressed| !pressed).await;
            }) as Relief
        })
    }
}

impl Handler {
    fn arrived(&self) -> usize {
        self.received.lock().expect("no panic").len()
    }

    fn answer_all(&self) {
        for sender in self.pending.lock().expect("no panic").drain(..) {
            sender.send(Answer::Accepted).expect("waits");
        }
    }
}

async fn rig(entry: Entry) -> (Rig, Arc<Handler>, watch::Sender<bool>) {
    let (press, pressed) = watch::channel(false);
    let received = Arc::default();
    let handler = Arc::new(Handler { pressed, pending: Mutex::default(), received: Arc::clone(&received) });
    let rig = Rig::handled(entry, config(), 1 << 20, received, handler.clone()).await;
    (rig, handler, press)
}

/// Guards that nothing is taken in under pressure, that answers leave all the same, and that it goes on afterwards.
#[tokio::test]
async fn nothing_is_read_under_pressure_and_answers_leave() {
    let (rig, handler, press) = rig(Entry::Grpc).await;
    let client = rig.h2().await;
    let call = |seed| {
        let client = client.clone();
        let call = Call::export(Signal::Traces, &request(Signal::Traces, 1, seed));
        tokio::spawn(async move { call.send(&client).await.is_grpc_success() })
    };
    let first = call(1);
    rig.until("it has arrived", |_| handler.arrived() == 1).await;
    press.send_replace(true);
    let second = call(2);
    handler.answer_all();
    first.await.expect("is answered under pressure");
    assert_eq!(handler.arrived(), 1, "the second was read");
    press.send_replace(false);
    rig.until("it has arrived", |_| handler.arrived() == 2).await;
    handler.answer_all();
    second.await.expect("is answered");
    drop(client);
    rig.finish().await;
}

/// Guards HTTP/1.1, which shares the socket.
#[tokio::test]
async fn http1_waits_as_well() {
    let (rig, handler, press) = rig(Entry::Http).await;
    let mut client = Http1::connect(rig.addr).await;
    press.send_replace(true);
    // Its first bytes, which tell the protocol, are read in any case.
    client.send(post("/v1/traces", &[PROTOBUF], &request(Signal::Traces, 1, 1))).await;
    let mut other = Http1::connect(rig.addr).await;
    other.send(b"GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(handler.arrived(), 0);
    press.send_replace(false);
    rig.until("it has arrived", |_| handler.arrived() == 1).await;
    handler.answer_all();
    client.answer().await.is_http_success();
    drop((client, other));
    rig.finish().await;
}

/// Guards that pressure without end slows a connection down and does not stop it: relief that comes at once is one read.
#[tokio::test]
async fn pressure_without_end_is_no_standstill() {
    struct Always;
    impl Accept for Always {
        fn accept(&self, _: Incoming) -> Reply {
            Answer::Accepted.into()
        }
        fn pressure(&self) -> Option<Relief> {
            Some(Box::pin(tokio::task::yield_now()))
        }
    }
    let rig = Rig::handled(Entry::Grpc, config(), 8 << 20, Arc::default(), Arc::new(Always)).await;
    let client = rig.h2().await;
    let large = request(Signal::Traces, 10_000, 1);
    for _ in 0..3 {
        Call::export(Signal::Traces, &large).send(&client).await.is_grpc_success();
    }
    drop(client);
    rig.finish().await;
}
