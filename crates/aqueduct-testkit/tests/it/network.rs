//! The scripted peer and the fault proxy over real sockets.

use aqueduct_receiver::Answer;
use aqueduct_testkit::{Fault, FaultProxy, Generator, Oracle, ScriptedPeer, Step};
use aqueduct_wire::Signal;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Sends a request over HTTP/1.1 by hand and returns the status line's code.
async fn post(address: SocketAddr, signal: Signal, body: &[u8]) -> io::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: peer\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        signal.http_path(),
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let code = answer.get(9..12).and_then(|code| std::str::from_utf8(code).ok()?.parse().ok());
    code.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Guards the script: steps in order, then the rest; what was refused is captured but not taken, what is taken is exact.
#[tokio::test]
async fn the_peer_follows_its_script_and_keeps_content() {
    let peer = ScriptedPeer::start().await.unwrap();
    peer.then(Step::Answer(Answer::Overloaded { retry_after: Duration::from_secs(1) }))
        .then(Step::TakeThen(Answer::Http { status: 502, retry_after: None, message: String::new() }))
        .then(Step::Answer(Answer::Disconnect));
    let (mut generator, mut oracle) = (Generator::new(5), Oracle::new());
    let requests: Vec<_> = (0..4).map(|_| generator.request(Signal::Metrics, 7)).collect();
    let mut codes = Vec::new();
    for request in &requests {
        codes.push(post(peer.http_address(), Signal::Metrics, request).await.ok());
    }
    assert_eq!(codes, [Some(503), Some(502), None, Some(200)]);
    let captured = peer.captured();
    assert_eq!(captured.iter().map(|one| one.taken).collect::<Vec<_>>(), [false, true, false, true]);
    oracle.expect(Signal::Metrics, &requests[1]);
    oracle.expect(Signal::Metrics, &requests[3]);
    peer.deliver_to(&mut oracle);
    oracle.assert_exact();
    peer.wait_for_items(14).await;
    peer.wait_for_requests(4).await;
}

/// Guards hanging and the outage: a hung request gets nothing, a peer that is down refuses, and is back at the same address.
#[tokio::test]
async fn the_peer_hangs_goes_down_and_comes_back() {
    let peer = ScriptedPeer::start().await.unwrap();
    peer.then(Step::Hang);
    let request = Generator::new(1).request(Signal::Logs, 1);
    let address = peer.http_address();
    let hung = tokio::spawn({
        let request = request.clone();
        async move { post(address, Signal::Logs, &request).await }
    });
    peer.wait_for_requests(1).await;
    assert!(!hung.is_finished());
    peer.down().await;
    assert!(hung.await.unwrap().is_err(), "its connection was closed");
    assert_eq!(
        TcpStream::connect(address).await.expect_err("nobody listens").kind(),
        io::ErrorKind::ConnectionRefused
    );
    peer.up().await.unwrap();
    assert_eq!(post(address, Signal::Logs, &request).await.unwrap(), 200);
}

/// A backend that sends everything back, and a proxy before it.
async fn echo() -> FaultProxy {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
                let _ = to.shutdown().await;
            });
        }
    });
    FaultProxy::start(address).await.expect("a free port")
}

async fn exchange(stream: &mut TcpStream, text: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(text).await?;
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// Guards each way to end a connection, as the client sees it.
#[tokio::test]
async fn the_proxy_closes_resets_and_half_closes() {
    let proxy = echo().await;
    let mut open = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(exchange(&mut open, b"hello").await.unwrap(), b"hello");

    proxy.set(Fault::HalfCloseAfter(3));
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"hel", "answers still pass, and end when the backend ends");

    proxy.set(Fault::ResetAfter(3));
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    let error = stream.read_to_end(&mut Vec::new()).await.expect_err("a reset");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);

    proxy.set(Fault::CloseAfter(3));
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream.write_all(b"hel").await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() <= 3);

    proxy.set(Fault::None);
    assert_eq!(exchange(&mut open, b"still").await.unwrap(), b"still", "the first connection is unharmed");
    proxy.cut();
    let error = open.read_to_end(&mut Vec::new()).await.expect_err("cut");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

/// Guards delay and silence: time passes, or nothing ever comes. The runtime's clock is real here, since sockets are.
#[tokio::test]
async fn the_proxy_delays_and_swallows() {
    let proxy = echo().await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    proxy.set(Fault::Delay(Duration::from_millis(20)));
    let start = Instant::now();
    assert_eq!(exchange(&mut stream, b"slow").await.unwrap(), b"slow");
    assert!(start.elapsed() >= Duration::from_millis(40), "once each way");

    proxy.set(Fault::BlackHole);
    let silent = tokio::time::timeout(Duration::from_millis(50), exchange(&mut stream, b"lost")).await;
    assert!(silent.is_err());
    proxy.set(Fault::None);
    assert_eq!(exchange(&mut stream, b"heard").await.unwrap(), b"heard", "what was lost stays lost");
}

/// Guards the fault that makes duplicates: the backend has the request, the client never learns.
#[tokio::test]
async fn a_swallowed_answer_leaves_the_request_delivered() {
    let peer = ScriptedPeer::start().await.unwrap();
    let proxy = FaultProxy::start(peer.http_address()).await.unwrap();
    proxy.set(Fault::SwallowResponses);
    let request = Generator::new(9).request(Signal::Traces, 3);
    let address = proxy.address();
    let sent = tokio::spawn({
        let request = request.clone();
        async move { post(address, Signal::Traces, &request).await }
    });
    peer.wait_for_items(3).await;
    proxy.cut();
    assert!(sent.await.unwrap().is_err());
    let mut oracle = Oracle::new();
    oracle.expect(Signal::Traces, &request);
    peer.deliver_to(&mut oracle);
    oracle.assert_exact();
}
