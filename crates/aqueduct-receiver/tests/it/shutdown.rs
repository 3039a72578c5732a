//! Stopping.

use crate::rig::{Call, Http1, PROTOBUF, Rig, config, post, request};
use aqueduct_receiver::{Answer, Entry, Reply};
use aqueduct_wire::Signal;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

/// Guards that what is in progress is answered, and what is idle is let go, before the server ends.
#[tokio::test]
async fn requests_in_progress_are_finished() {
    let pending: Arc<Mutex<Vec<oneshot::Sender<()>>>> = Arc::default();
    let queue = pending.clone();
    let rig = Rig::start(Entry::Http, config(), 1 << 20, move |_| {
        let (sender, receiver) = oneshot::channel();
        queue.lock().expect("no panic").push(sender);
        Reply::Later(Box::pin(
            async move { receiver.await.map_or(Answer::Disconnect, |()| Answer::Accepted) },
        ))
    })
    .await;
    let idle = rig.h2().await;
    let mut idle_http1 = Http1::connect(rig.addr).await;
    let good = request(Signal::Traces, 1, 1);
    let client = rig.h2().await;
    let (call, body) = (client.clone(), good.clone());
    let call = tokio::spawn(async move { Call::export(Signal::Traces, &body).send(&call).await });
    let (response, mut stream) =
        Call::raw(Signal::Traces.grpc_path(), &crate::rig::framed(&good, false)[..9]).open(&client).await;
    let mut http1 = Http1::connect(rig.addr).await;
    http1.send(post("/v1/traces", &[PROTOBUF], &good)).await;
    rig.until("both have arrived", |_| pending.lock().expect("no panic").len() == 2).await;

    rig.trigger.shut_down();
    assert!(idle_http1.is_closed().await);
    rig.until("the idle ones are gone", |rig| rig.stats().open_connections == 2).await;
    // The body that was open when the signal came is taken all the same.
    let rest = bytes::Bytes::from(crate::rig::framed(&good, false)).slice(9..);
    stream.send_data(rest, true).expect("is open");
    rig.until("it has arrived too", |_| pending.lock().expect("no panic").len() == 3).await;
    for sender in pending.lock().expect("no panic").drain(..) {
        sender.send(()).expect("waits");
    }
    call.await.expect("no panic").is_grpc_success();
    crate::rig::answered(response).await.expect("is answered").is_grpc_success();
    let answer = http1.answer().await;
    answer.is_http_success();
    assert!(http1.is_closed().await);
    assert_eq!(rig.received_items(), 3);
    drop((client, idle));
    rig.finish().await;
}

/// Guards that nobody is let in any more.
#[tokio::test]
async fn nobody_is_let_in_after_the_signal() {
    let rig = Rig::http().await;
    let addr = rig.addr;
    rig.finish().await;
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}

/// Guards the caller's deadline: dropping the server's future ends what is left, and gives everything back.
#[tokio::test]
async fn dropping_the_server_cuts_off() {
    let server = aqueduct_receiver::Server::new(
        config(),
        aqueduct_receiver::ReceiveBudget::new(1 << 20),
        Arc::new(|_| Reply::Later(Box::pin(std::future::pending()))),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("bound");
    let (trigger, shutdown) = aqueduct_receiver::ShutdownTrigger::new();
    let task = server.clone();
    let serving = tokio::spawn(async move {
        let deadline = Duration::from_millis(200);
        let mut stop = shutdown.clone();
        let serve = task.serve(listener, Entry::Grpc, shutdown);
        let cut_off = async {
            stop.requested().await;
            tokio::time::sleep(deadline).await;
        };
        tokio::select! {
            () = serve => panic!("the request never ends"),
            () = cut_off => {}
        }
    });
    let client = crate::rig::h2_client(addr).await;
    let call = tokio::spawn(async move {
        Call::export(Signal::Traces, &request(Signal::Traces, 1, 1)).try_send(&client).await
    });
    while server.stats().snapshot().open_connections == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    trigger.shut_down();
    serving.await.expect("no panic");
    assert!(call.await.expect("no panic").is_err());
    while server.stats().snapshot().open_connections != 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(server.budget().used(), 0);
}
