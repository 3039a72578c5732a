//! Through a proxy, with every kind of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aqueduct_testkit::fronts::forward;
use aqueduct_transport::{Client, ClientConfig, FailureKind, Outcome, Protocol};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::batches::{retry, small};
use crate::grpc_server::GrpcServer;
use crate::http_server::{HttpServer, PROTOBUF, answer};

const PROTOCOLS: [Protocol; 2] = [Protocol::Grpc, Protocol::HttpProtobuf];

async fn server(protocol: Protocol) -> SocketAddr {
    match protocol {
        Protocol::Grpc => {
            GrpcServer::start(|mut call| async move {
                call.body().await;
                call.ok();
            })
            .await
            .address
        }
        _ => HttpServer::answering(|_| answer(200, PROTOBUF, b"")).await.address,
    }
}

/// A proxy that leads every tunnel to this server. It wants this value of `proxy-authorization`, in small letters.
async fn proxy(behind: SocketAddr, wants: Option<&'static str>) -> HttpServer {
    HttpServer::start(move |mut peer| async move {
        let Some(head) = peer.head().await else { return };
        let line = head.lines().next().expect("a line");
        assert_eq!(line, "connect collector.invalid:4318 http/1.1");
        assert!(head.contains("\r\nhost: collector.invalid:4318\r\n"), "{head}");
        let authorization = head.lines().find_map(|line| line.strip_prefix("proxy-authorization: "));
        if authorization != wants {
            return peer
                .write(b"HTTP/1.1 407 No\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n")
                .await;
        }
        peer.write(b"HTTP/1.1 200 Connection established\r\nvia: test\r\n\r\n").await;
        forward(&mut peer.stream, behind).await;
    })
    .await
}

/// A client for a peer whose name nobody here knows.
fn config(proxy: SocketAddr, protocol: Protocol) -> ClientConfig {
    let mut config = ClientConfig::new("http://collector.invalid:4318", protocol);
    config.timeout = Duration::from_secs(20);
    config.proxy.http = Some(format!("http://{proxy}"));
    config
}

async fn send(config: ClientConfig) -> Outcome {
    let client = Client::new(config).expect("valid");
    client.send(&client.prepare(&small("x"))).await
}

/// Guards the tunnel for both protocols; the name is the proxy's to look up.
#[tokio::test]
async fn delivered_through_a_tunnel() {
    for protocol in PROTOCOLS {
        let proxy = proxy(server(protocol).await, None).await;
        let client = Client::new(config(proxy.address, protocol)).expect("valid");
        for _ in 0..3 {
            assert_eq!(client.send(&client.prepare(&small("x"))).await, Outcome::Delivered);
        }
        assert_eq!(proxy.connections(), 1);
    }
}

/// Guards TLS inside of the tunnel, with the peer and not with the proxy.
#[cfg(feature = "tls")]
#[tokio::test]
async fn tls_through_a_tunnel() {
    use aqueduct_testkit::fronts::tls::{Authority, Server, TlsFront};
    let ca = Authority::new("ca");
    for protocol in PROTOCOLS {
        let identity = ca.issue(&["collector.invalid"]);
        let front = TlsFront::start(&Server::new(identity), server(protocol).await).await;
        let proxy = proxy(front.address(), None).await;
        let mut config = config(proxy.address, protocol);
        config.endpoint = "https://collector.invalid:4318".into();
        config.proxy.https = config.proxy.http.take();
        // The server behind speaks no other.
        config.http_version = aqueduct_transport::HttpVersion::Http1;
        config.tls.ca = Some(aqueduct_transport::Pem::Bytes(ca.pem.clone().into_bytes()));
        assert_eq!(send(config).await, Outcome::Delivered);
    }
}

/// Guards credentials: sent to the proxy, told to nobody else.
#[tokio::test]
async fn credentials() {
    for protocol in PROTOCOLS {
        // "me:hunter2"
        let proxy = proxy(server(protocol).await, Some("basic bwu6ahvudgvymg==")).await;
        let mut config = config(proxy.address, protocol);
        let failure = retry(send(config.clone()).await);
        assert!(failure.message.contains("407") && failure.message.contains("credentials"), "{failure}");

        config.proxy.http = Some(format!("http://me:hunter2@{}", proxy.address));
        let client = Client::new(config.clone()).expect("valid");
        assert!(!format!("{config:?} {client:?}").contains("hunter2"));
        let wrong = HttpServer::start(|mut peer| async move {
            peer.head().await;
            peer.write(b"HTTP/1.1 407 No\r\n\r\n").await;
        });
        config.proxy.http = Some(format!("http://me:hunter2@{}", wrong.await.address));
        let failure = retry(send(config).await);
        assert!(!failure.message.contains("hunter2"), "{failure}");
        assert_eq!(client.send(&client.prepare(&small("x"))).await, Outcome::Delivered, "me:hunter2");
    }
}

/// Guards the ways around a proxy: rules, peers on this machine, the other scheme.
#[tokio::test]
async fn around_a_proxy() {
    let proxy = HttpServer::start(|_| async {}).await;
    for protocol in PROTOCOLS {
        let server = server(protocol).await;
        let mut local = config(proxy.address, protocol);
        local.endpoint = format!("http://{server}");
        assert_eq!(send(local).await, Outcome::Delivered);

        let mut excepted = config(proxy.address, protocol);
        excepted.proxy.no_proxy = vec![".invalid".into()];
        let mut other = config(proxy.address, protocol);
        other.proxy.https = other.proxy.http.take();
        for config in [excepted, other] {
            // Nobody knows the name.
            let failure = retry(send(config).await);
            assert_eq!(failure.kind, FailureKind::Connect);
            assert!(failure.message.starts_with("collector.invalid:4318: "), "{failure}");
        }
    }
    assert_eq!(proxy.connections(), 0);
}

/// Guards bytes of the peer that arrive together with the proxy's answer: an HTTP/2 server speaks first.
#[tokio::test]
async fn a_peer_that_speaks_first() {
    let server = server(Protocol::Grpc).await;
    let proxy = HttpServer::start(move |mut peer| async move {
        peer.head().await;
        let mut behind = TcpStream::connect(server).await.expect("listening");
        let mut bytes = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        let head = bytes.len();
        while bytes.len() == head {
            behind.read_buf(&mut bytes).await.expect("settings");
        }
        peer.write(&bytes).await;
        let _ = tokio::io::copy_bidirectional(&mut peer.stream, &mut behind).await;
    })
    .await;
    assert_eq!(send(config(proxy.address, Protocol::Grpc)).await, Outcome::Delivered);
}

/// Guards the same bytes where they are all there is: a server that says goodbye before anything else.
#[tokio::test]
async fn a_goodbye_behind_the_answer() {
    let proxy = HttpServer::start(|mut peer| async move {
        peer.head().await;
        let mut bytes = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        // SETTINGS, and GOAWAY: no stream was looked at, no error.
        bytes.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
        bytes.extend([0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        peer.write(&bytes).await;
        while peer.stream.read(&mut [0; 1024]).await.is_ok_and(|n| n > 0) {}
    })
    .await;
    let failure = retry(send(config(proxy.address, Protocol::Grpc)).await);
    assert_eq!(failure.kind, FailureKind::Refused, "{failure}");
}

/// Guards answers that come in pieces, wherever they are cut.
#[tokio::test]
async fn an_answer_in_pieces() {
    let server = server(Protocol::Grpc).await;
    let number = Arc::new(AtomicUsize::new(0));
    let proxy = HttpServer::start(move |mut peer| {
        let number = number.clone();
        async move {
            peer.head().await;
            let answer = b"HTTP/1.1 200 OK\r\nx: y\r\n\r\n";
            let cut = 1 + number.fetch_add(1, Ordering::Relaxed) % (answer.len() - 1);
            peer.write(&answer[..cut]).await;
            // Whatever the client reads first, it has seen only this, or all.
            tokio::task::yield_now().await;
            peer.write(&answer[cut..]).await;
            forward(&mut peer.stream, server).await;
        }
    })
    .await;
    for _ in 0..30 {
        assert_eq!(send(config(proxy.address, Protocol::Grpc)).await, Outcome::Delivered);
    }
}

/// What a proxy does that does nothing good.
async fn hostile(bytes: &'static [u8], then: Then) -> HttpServer {
    HttpServer::start(move |mut peer| async move {
        peer.head().await;
        match then {
            Then::Close => peer.write(bytes).await,
            Then::Wait => {
                peer.write(bytes).await;
                let _ = peer.stream.read(&mut [0; 1]).await;
            }
            Then::Repeat => while peer.stream.write_all(bytes).await.is_ok() {},
            Then::Drip => {
                while peer.stream.write_all(bytes).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
    })
    .await
}

#[derive(Clone, Copy, Debug)]
enum Then {
    Close,
    Wait,
    Repeat,
    Drip,
}

/// Guards time, memory and the explanation against proxies that do not do their work.
#[tokio::test]
async fn hostile_proxies() {
    let mut attempts = tokio::task::JoinSet::new();
    for (bytes, then, says) in [
        (&b""[..], Then::Close, "closed the connection"),
        (b"HTTP/1.1 200 OK\r\n", Then::Close, "closed the connection"),
        (b"", Then::Wait, LATE),
        (b"HTTP/1.1 200 OK\r\nx: y\r\n", Then::Wait, LATE),
        (b"x", Then::Drip, LATE),
        (b"HTTP/1.1 200 OK\r\n", Then::Repeat, "more than 16384 bytes"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", Then::Wait, "does not speak HTTP"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", Then::Wait, "allows no tunnel"),
        (b"HTTP/1.1 503 No\r\n\r\n", Then::Wait, "cannot reach the peer"),
        (b"HTTP/1.1 302 No\r\nlocation: http://127.0.0.1/\r\n\r\n", Then::Wait, "HTTP status 302"),
    ] {
        let proxy = hostile(bytes, then).await;
        for protocol in PROTOCOLS {
            let mut config = config(proxy.address, protocol);
            // The others have all the time that a busy machine takes.
            config.connect_timeout = Duration::from_secs(if says == LATE { 1 } else { 20 });
            let way = format!("collector.invalid:4318 through the proxy {}: ", proxy.address);
            attempts.spawn(async move {
                let failure = retry(send(config).await);
                assert_eq!(failure.kind, FailureKind::Connect);
                assert!(!failure.outcome_unknown);
                assert!(failure.message.starts_with(&way), "{failure}");
                assert!(failure.message.contains(says), "{then:?}: {failure}");
            });
        }
    }
    while let Some(attempt) = attempts.join_next().await {
        attempt.expect("as it should be");
    }
}

const LATE: &str = "did not answer in time";

/// Guards the explanation of a proxy that is not there.
#[tokio::test]
async fn no_proxy_there() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = free.local_addr().expect("bound");
    drop(free);
    let said = retry(send(config(address, Protocol::Grpc)).await);
    assert_eq!(said.kind, FailureKind::Connect);
    assert!(said.message.contains("through the proxy") && said.message.contains("refused"), "{said}");
}
