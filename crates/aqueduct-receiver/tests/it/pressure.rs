//! Back-pressure: a handler that asks for a pause.

use crate::rig::{Call, Http1, PROTOBUF, Rig, config, h2_client, post, request};
use aqueduct_receiver::{Accept, Answer, Entry, Incoming, Relief, Reply};
use aqueduct_wire::Signal;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
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

/// Guards the price of pressure: a wait lets a whole turn of 256 KiB through, however small the frames that it comes in. One read for each wait of half
/// a second would be slower than any client's patience.
#[tokio::test]
async fn a_wait_lets_a_whole_turn_through() {
    #[derive(Default)]
    struct Counting(AtomicUsize);
    impl Accept for Counting {
        fn accept(&self, _: Incoming) -> Reply {
            Answer::Accepted.into()
        }
        fn pressure(&self) -> Option<Relief> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Some(Box::pin(tokio::task::yield_now()))
        }
    }
    let handler = Arc::new(Counting::default());
    let rig = Rig::handled(Entry::Grpc, config(), 8 << 20, Arc::default(), handler.clone()).await;
    let client = rig.h2().await;
    let body = request(Signal::Traces, 15_000, 1);
    assert!(body.len() > 1 << 20, "{}", body.len());
    Call::export(Signal::Traces, &body).in_pieces(16 << 10).send(&client).await.is_grpc_success();
    let waits = handler.0.load(Ordering::Relaxed);
    assert!((4..=12).contains(&waits), "{waits} waits for {} bytes", body.len());
    drop(client);
    rig.finish().await;
}

/// Guards the other tasks of the thread: a connection with megabytes to read lets them have their turn after 256 KiB.
#[tokio::test]
async fn a_busy_connection_takes_turns() {
    #[derive(Default)]
    struct Turns {
        ticks: AtomicUsize,
        taken: Mutex<BTreeMap<usize, usize>>,
    }
    struct Handler(Arc<Turns>);
    impl Accept for Handler {
        fn accept(&self, incoming: Incoming) -> Reply {
            let tick = self.0.ticks.load(Ordering::Relaxed);
            *self.0.taken.lock().expect("no panic").entry(tick).or_default() += incoming.wire_bytes;
            Answer::Accepted.into()
        }
    }
    let turns = Arc::new(Turns::default());
    let rig =
        Rig::handled(Entry::Grpc, config(), 64 << 20, Arc::default(), Arc::new(Handler(turns.clone()))).await;
    let counting = turns.clone();
    // A task that is always ready.
    let other = tokio::spawn(std::future::poll_fn(move |cx| -> Poll<()> {
        counting.ticks.fetch_add(1, Ordering::Relaxed);
        cx.waker().wake_by_ref();
        Poll::Pending
    }));
    let (addr, body) = (rig.addr, request(Signal::Traces, 1000, 1));
    let (done, is_done) = oneshot::channel();
    // The client has a thread of its own, so that there is always more to read.
    let client = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let client = h2_client(addr).await;
            let mut calls = tokio::task::JoinSet::new();
            for _ in 0..200 {
                let (client, call) = (client.clone(), Call::export(Signal::Traces, &body));
                calls.spawn(async move { call.send(&client).await.is_grpc_success() });
            }
            calls.join_all().await;
        });
        let _ = done.send(());
    });
    is_done.await.expect("the client ends");
    client.join().expect("every call succeeds");
    other.abort();
    let most = turns.taken.lock().expect("no panic").values().copied().max();
    // A turn may complete bodies that earlier turns began. Without turns it was all that the connection's window holds, 4 MiB.
    assert!(most.is_some_and(|most| most <= 2 << 20), "{most:?} bytes in one turn");
    rig.finish().await;
}
