//! Names with several addresses, over real sockets: moved under load, and with an outlier among them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aqueduct_transport::{Client, ClientConfig, FailureKind, Outcome, Protocol, Resolve, Resolving};
use tokio::net::{TcpListener, TcpStream};

use crate::batches::{config, small};
use crate::grpc_server::{GrpcServer, status};
use crate::http_server::{HttpServer, PROTOBUF, answer};

/// A name whose addresses the test changes.
#[derive(Debug, Default)]
struct Name(Mutex<Vec<SocketAddr>>);

impl Name {
    fn new(addresses: impl Into<Vec<SocketAddr>>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(addresses.into())))
    }

    fn set(&self, addresses: impl Into<Vec<SocketAddr>>) {
        *self.0.lock().expect("no panic") = addresses.into();
    }
}

impl Resolve for Name {
    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> Resolving<'a> {
        Box::pin(async { Ok(self.0.lock().expect("no panic").clone()) })
    }
}

fn client(name: &Arc<Name>, protocol: Protocol, change: impl FnOnce(&mut ClientConfig)) -> Arc<Client> {
    let mut config = config("127.0.0.1:4317".parse().expect("valid"), protocol);
    config.endpoint = "http://collectors.example:4317".into();
    change(&mut config);
    Arc::new(Client::with_resolver(config, name.clone()).expect("valid"))
}

/// A server for either protocol that counts what it took.
struct Backend {
    address: SocketAddr,
    taken: Arc<AtomicUsize>,
    ill: Arc<AtomicBool>,
}

async fn backend(protocol: Protocol) -> Backend {
    let taken = Arc::new(AtomicUsize::new(0));
    let ill = Arc::new(AtomicBool::new(false));
    let (count, fails) = (taken.clone(), ill.clone());
    let address = if protocol == Protocol::Grpc {
        let serve = move |mut call: crate::grpc_server::Call| {
            let (count, fails) = (count.clone(), fails.clone());
            async move {
                call.body().await;
                if fails.load(Ordering::Relaxed) {
                    return call.trailers_only(status(14));
                }
                count.fetch_add(1, Ordering::Relaxed);
                call.ok();
            }
        };
        GrpcServer::start(serve).await.address
    } else {
        let server = HttpServer::answering(move |_| {
            if fails.load(Ordering::Relaxed) {
                return answer(503, "", b"");
            }
            count.fetch_add(1, Ordering::Relaxed);
            answer(200, PROTOBUF, b"")
        });
        server.await.address
    };
    Backend { address, taken, ill }
}

impl Backend {
    fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// Lets the clock of this runtime jump, while everything stands still.
async fn jump(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// Guards a service that moves under load: once the connections have reached their age everything goes to the new
/// address, and nothing was lost or sent twice on the way.
#[tokio::test]
async fn a_name_that_moves_under_load() {
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let (old, new) = (backend(protocol).await, backend(protocol).await);
        let name = Name::new([old.address]);
        let client = client(&name, protocol, |config| {
            config.max_connection_age = Some(Duration::from_secs(2));
        });
        let mut sent = 0;
        let mut send_some = async |enough: &dyn Fn() -> bool| {
            while !enough() {
                let sends: Vec<_> = (0..4)
                    .map(|_| {
                        let client = client.clone();
                        tokio::spawn(async move { client.send(&client.prepare(&small("x"))).await })
                    })
                    .collect();
                for send in sends {
                    assert_eq!(send.await.expect("no panic"), Outcome::Delivered);
                    sent += 1;
                    assert!(sent < 10_000, "{protocol:?}: it never comes");
                }
            }
        };
        send_some(&|| old.taken() >= 20).await;
        name.set([new.address]);
        send_some(&|| old.taken() >= 40).await;
        assert_eq!(new.taken(), 0, "connections are kept until they are old");
        jump(Duration::from_secs(3)).await;
        let before = old.taken();
        send_some(&|| new.taken() >= 40).await;
        assert_eq!(old.taken(), before, "{protocol:?}: all connections are old, so the name was looked up");
        assert_eq!(old.taken() + new.taken(), sent);
    }
}

/// Guards ejection and return: a backend that always says UNAVAILABLE gets nothing after five failures, is tried when
/// its time is up, and shares the load again once it has healed.
#[tokio::test]
async fn an_outlier_is_left_alone_until_it_heals() {
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let (good, ill) = (backend(protocol).await, backend(protocol).await);
        ill.ill.store(true, Ordering::Relaxed);
        let name = Name::new([good.address, ill.address]);
        let client = client(&name, protocol, |config| {
            config.connections = 2;
            config.keepalive_interval = None;
            config.idle_timeout = Duration::from_secs(3600);
        });
        let round = async |count: usize| {
            let mut failed = 0;
            for _ in 0..count {
                let request = client.prepare(&small("x"));
                let (a, b) = tokio::join!(client.send(&request), client.send(&request));
                failed += [a, b].iter().filter(|outcome| !outcome.is_success()).count();
            }
            failed
        };
        // HTTP/1.1 opens its second connection for the second of two concurrent sends.
        let failed = round(20).await;
        assert_eq!(failed, 5, "{protocol:?}: five in a row, and no more");
        assert_eq!(good.taken(), 35);
        // On trial, and no better.
        jump(Duration::from_secs(31)).await;
        let failed = round(20).await;
        assert!((1..=2).contains(&failed), "{protocol:?}: what one connection carried on trial: {failed}");
        jump(Duration::from_secs(31)).await;
        assert_eq!(round(20).await, 0, "{protocol:?}: this time it takes longer");
        ill.ill.store(false, Ordering::Relaxed);
        jump(Duration::from_secs(31)).await;
        assert_eq!(round(20).await, 0);
        assert!(ill.taken() >= 10, "{protocol:?}: it shares the load again: {}", ill.taken());
    }
}

/// Guards against a backend that takes requests and never answers: it fails by running the time of attempts out.
#[tokio::test]
async fn an_address_that_never_answers_is_an_outlier() {
    let good = backend(Protocol::Grpc).await;
    let silent = GrpcServer::start(|call| async move {
        let _call = call;
        std::future::pending::<()>().await;
    })
    .await;
    let name = Name::new([good.address, silent.address]);
    let client = client(&name, Protocol::Grpc, |config| {
        config.connections = 2;
        config.timeout = Duration::from_millis(500);
    });
    let request = client.prepare(&small("x"));
    let mut failures = Vec::new();
    for _ in 0..20 {
        let (a, b) = tokio::join!(client.send(&request), client.send(&request));
        failures.extend([a, b].iter().filter_map(|outcome| outcome.failure().map(|failure| failure.kind)));
    }
    // Two at once may still have been under way when the fifth failed.
    assert!((5..=6).contains(&failures.len()), "{failures:?}");
    assert!(failures.iter().all(|kind| *kind == FailureKind::Timeout), "{failures:?}");
}

/// A port on which connecting neither succeeds nor fails: its queue of connections is full, and nobody accepts.
async fn hole() -> (SocketAddr, TcpListener, Vec<tokio::task::JoinHandle<std::io::Result<TcpStream>>>) {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("valid")).expect("a free port");
    let listener = socket.listen(1).expect("listening");
    let address = listener.local_addr().expect("bound");
    let fill = (0..8).map(|_| tokio::spawn(TcpStream::connect(address))).collect();
    (address, listener, fill)
}

/// Guards the price of an address that swallows packets: a quarter of a second, not the time-out of connecting.
#[tokio::test]
async fn an_address_that_swallows_packets_costs_little() {
    let good = backend(Protocol::Grpc).await;
    let (hole, _listener, _fill) = hole().await;
    let name = Name::new([hole, good.address]);
    // Each connection prefers another address, so one of them meets the hole first.
    let client = client(&name, Protocol::Grpc, |config| config.connections = 2);
    let started = std::time::Instant::now();
    while client.status().connections < 2 {
        assert_eq!(client.send(&client.prepare(&small("x"))).await, Outcome::Delivered);
    }
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(250), "no hole: {took:?}");
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert_eq!(client.status().connect_failures, 0);
}

/// Guards the count of connections while a client is in use.
#[tokio::test]
async fn a_client_is_resized_while_in_use() {
    let backend = backend(Protocol::Grpc).await;
    let name = Name::new([backend.address]);
    let client = client(&name, Protocol::Grpc, |_| {});
    let request = client.prepare(&small("x"));
    assert_eq!(client.send(&request).await, Outcome::Delivered);
    client.resize(3, 3).expect("valid");
    while client.status().connections < 3 {
        assert_eq!(client.send(&request).await, Outcome::Delivered);
    }
    client.resize(1, 1).expect("valid");
    while client.status().connections > 1 {
        assert_eq!(client.send(&request).await, Outcome::Delivered);
    }
    assert!(client.resize(2, 1).is_err());
}
