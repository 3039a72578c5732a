//! Headers that are fetched: kept, renewed when a server refuses them, and never in the way.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aqueduct_transport::{
    Client, ClientConfig, FailureKind, HeaderFuture, HeaderProvider, HeaderSource, Outcome, Protocol,
    ProvidedHeaders,
};
use aqueduct_wire::rpc::Code;
use tokio::sync::Semaphore;

use crate::batches::{config, permanent, retry, small, text};
use crate::grpc_server::{GrpcServer, status};
use crate::http_server::{HttpServer, PROTOBUF, answer};

const PROTOCOLS: [Protocol; 2] = [Protocol::Grpc, Protocol::HttpProtobuf];

/// A server that takes these tokens only, and remembers what came: the token and the length and sum of the body.
struct Server {
    address: std::net::SocketAddr,
    seen: Arc<Mutex<Vec<(String, usize, u64)>>>,
}

impl Server {
    async fn start(protocol: Protocol, good: &'static [&'static str]) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let look = move |token: String, body: &[u8]| {
            let sum = body.iter().fold(0_u64, |sum, &byte| sum.wrapping_mul(31) + u64::from(byte));
            let accepted = good.contains(&token.as_str());
            log.lock().expect("no panics").push((token, body.len(), sum));
            accepted
        };
        let address = match protocol {
            Protocol::Grpc => {
                let look = Arc::new(look);
                GrpcServer::start(move |mut call| {
                    let look = look.clone();
                    async move {
                        let all: Vec<_> =
                            call.request.headers().get_all("authorization").iter().cloned().collect();
                        let tokens: Vec<_> = all.iter().map(|token| token.to_str().expect("ASCII")).collect();
                        let body = call.body().await;
                        match look(tokens.join("+"), &body) {
                            true => call.ok(),
                            false => call.trailers_only(status(16)),
                        }
                    }
                })
                .await
                .address
            }
            _ => {
                let answering = HttpServer::answering(move |request| {
                    let lines = request.head.lines();
                    let tokens: Vec<_> =
                        lines.filter_map(|line| line.strip_prefix("authorization: ")).collect();
                    let accepted = look(tokens.join("+"), &request.body);
                    answer(if accepted { 200 } else { 401 }, PROTOBUF, b"")
                });
                answering.await.address
            }
        };
        Self { address, seen }
    }

    fn tokens(&self) -> Vec<String> {
        self.seen.lock().expect("no panics").iter().map(|(token, ..)| token.clone()).collect()
    }
}

/// Gives the tokens 1, 2, 3 and so on, once it is let.
struct Tokens {
    fetches: AtomicUsize,
    gate: Semaphore,
    valid_for: Option<Duration>,
}

impl Tokens {
    fn new() -> Arc<Self> {
        Self::build(1000, None)
    }

    fn build(permits: usize, valid_for: Option<Duration>) -> Arc<Self> {
        Arc::new(Self { fetches: AtomicUsize::new(0), gate: Semaphore::new(permits), valid_for })
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::Relaxed)
    }
}

struct Shared(Arc<Tokens>);

impl HeaderProvider for Shared {
    fn fetch(&self) -> HeaderFuture<'_> {
        Box::pin(async {
            let number = self.0.fetches.fetch_add(1, Ordering::Relaxed) + 1;
            self.0.gate.acquire().await?.forget();
            let headers = ProvidedHeaders::new(vec![("Authorization".to_owned(), number.to_string())]);
            Ok(match self.0.valid_for {
                None => headers,
                Some(time) => headers.valid_for(time),
            })
        })
    }
}

fn client_of(server: &Server, protocol: Protocol, tokens: &Arc<Tokens>) -> Client {
    let mut config = config(server.address, protocol);
    config.header_source = Some(HeaderSource::new(Shared(tokens.clone())));
    // Takes the place of this one.
    config.headers.push(("authorization".into(), "static".into()));
    Client::new(config).expect("valid")
}

/// Guards the usual course: one fetch, however many sends.
#[tokio::test]
async fn fetched_once_and_kept() {
    for protocol in PROTOCOLS {
        let (server, tokens) = (Server::start(protocol, &["1"]).await, Tokens::new());
        let client = client_of(&server, protocol, &tokens);
        for _ in 0..5 {
            assert_eq!(client.send(&client.prepare(&small("x"))).await, Outcome::Delivered);
        }
        assert_eq!(tokens.fetches(), 1);
        assert_eq!(server.tokens(), ["1"; 5]);
    }
}

/// Guards expiry.
#[tokio::test]
async fn fetched_anew_when_no_longer_valid() {
    for protocol in PROTOCOLS {
        let server = Server::start(protocol, &["1", "2", "3"]).await;
        for (valid_for, fetches) in [(Duration::ZERO, 3), (Duration::from_secs(3600), 1), (Duration::MAX, 1)]
        {
            let tokens = Tokens::build(1000, Some(valid_for));
            let client = client_of(&server, protocol, &tokens);
            for _ in 0..3 {
                assert_eq!(client.send(&client.prepare(&small("x"))).await, Outcome::Delivered);
            }
            assert_eq!(tokens.fetches(), fetches, "{valid_for:?}");
        }
    }
}

/// Guards the renewal: a refused request is sent again with a new token, byte for byte, and that is one attempt.
#[tokio::test]
async fn renewed_when_refused() {
    for protocol in PROTOCOLS {
        let (server, tokens) = (Server::start(protocol, &["2"]).await, Tokens::new());
        let client = client_of(&server, protocol, &tokens);
        assert_eq!(client.send(&client.prepare(&small(text(100_000, 1)))).await, Outcome::Delivered);
        assert_eq!(server.tokens(), ["1", "2"]);
        let seen = server.seen.lock().expect("no panics").clone();
        assert_eq!((seen[0].1, seen[0].2), (seen[1].1, seen[1].2));
        let status = client.status();
        assert_eq!((status.attempts(), status.delivered, status.last_error), (1, 1, None));
        // And the new one stays.
        assert_eq!(client.send(&client.prepare(&small("x"))).await, Outcome::Delivered);
        assert_eq!(tokens.fetches(), 2);
    }
}

/// Guards against going on for ever: a server that accepts no token gets two requests, and its answer is the outcome.
#[tokio::test]
async fn renewed_once_only() {
    for (protocol, kind) in [
        (Protocol::Grpc, FailureKind::Status(Code::Unauthenticated)),
        (Protocol::HttpProtobuf, FailureKind::Http(401)),
    ] {
        let (server, tokens) = (Server::start(protocol, &[]).await, Tokens::new());
        let client = client_of(&server, protocol, &tokens);
        assert_eq!(permanent(client.send(&client.prepare(&small("x"))).await).kind, kind);
        assert_eq!(server.tokens(), ["1", "2"]);
        assert_eq!(tokens.fetches(), 2);
    }
}

/// Guards a server that wants a token against a client that has none to fetch: no second request.
#[tokio::test]
async fn without_a_provider_a_refusal_is_final() {
    for protocol in PROTOCOLS {
        let server = Server::start(protocol, &[]).await;
        let client = Client::new(config(server.address, protocol)).expect("valid");
        permanent(client.send(&client.prepare(&small("x"))).await);
        assert_eq!(server.tokens(), [""]);
    }
}

/// Guards the provider against a crowd: one fetch for all that wait, at the beginning and after refusals.
#[tokio::test]
async fn one_fetch_for_all() {
    for protocol in PROTOCOLS {
        let (server, tokens) = (Server::start(protocol, &["2"]).await, Tokens::build(0, None));
        let client = Arc::new(client_of(&server, protocol, &tokens));
        let sends: Vec<_> = (0..20)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.send(&client.prepare(&small("x"))).await })
            })
            .collect();
        // All of them come as far as the provider, or behind the one that asks it.
        while tokens.fetches() == 0 {
            tokio::task::yield_now().await;
        }
        tokens.gate.add_permits(1000);
        for send in sends {
            assert_eq!(send.await.expect("no panic"), Outcome::Delivered);
        }
        assert_eq!(tokens.fetches(), 2, "{protocol:?}");
    }
}

fn failing(address: std::net::SocketAddr, protocol: Protocol, fetches: &Arc<AtomicUsize>) -> ClientConfig {
    let mut config = config(address, protocol);
    let fetches = fetches.clone();
    config.header_source = Some(HeaderSource::new(move || {
        let fetches = fetches.clone();
        async move {
            let number = fetches.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            match number {
                0 => Err("the authorization server is away".into()),
                _ => Ok(ProvidedHeaders::new(vec![("authorization".into(), "1".into())])),
            }
        }
    }));
    config
}

/// Guards the data while tokens cannot be had: kept, explained, nothing sent, and one failed fetch for all that wait.
#[tokio::test]
async fn a_provider_that_fails() {
    for protocol in PROTOCOLS {
        let server = Server::start(protocol, &["1"]).await;
        let fetches = Arc::new(AtomicUsize::new(0));
        let client = Client::new(failing(server.address, protocol, &fetches)).expect("valid");
        let request = client.prepare(&small("x"));
        let (first, second) = tokio::join!(client.send(&request), client.send(&request));
        for outcome in [first, second] {
            let failure = retry(outcome);
            assert_eq!(failure.kind, FailureKind::Credentials);
            assert!(failure.message.contains("the authorization server is away") && !failure.outcome_unknown);
        }
        assert_eq!((fetches.load(Ordering::Relaxed), server.tokens().len()), (1, 0));
        assert_eq!(client.send(&request).await, Outcome::Delivered);
        assert_eq!(fetches.load(Ordering::Relaxed), 2);
    }
}

/// Guards the time limit of a send against a provider that never answers, before the request and after a refusal.
#[tokio::test]
async fn a_provider_that_hangs() {
    let mut sends = tokio::task::JoinSet::new();
    for protocol in PROTOCOLS {
        let server = Server::start(protocol, &[]).await;
        for answers in [0, 1] {
            let tokens = Tokens::build(answers, None);
            let mut config = config(server.address, protocol);
            config.timeout = Duration::from_secs(2);
            config.header_source = Some(HeaderSource::new(Shared(tokens.clone())));
            sends.spawn(async move {
                let client = Client::new(config).expect("valid");
                let failure = retry(client.send(&client.prepare(&small("x"))).await);
                assert_eq!(failure.kind, FailureKind::Credentials);
                assert!(failure.message.contains("in time") && !failure.outcome_unknown, "{failure}");
                assert_eq!(tokens.fetches(), answers + 1);
            });
        }
    }
    while let Some(send) = sends.join_next().await {
        send.expect("as it should be");
    }
}

/// Guards the others when the one that asks the provider gives up: it holds nothing, and the next asks again.
#[tokio::test]
async fn a_fetch_that_was_given_up() {
    for protocol in PROTOCOLS {
        let (server, tokens) = (Server::start(protocol, &["2"]).await, Tokens::build(0, None));
        let client = client_of(&server, protocol, &tokens);
        let request = client.prepare(&small("x"));
        let given_up = tokio::time::timeout(Duration::from_millis(50), client.send(&request)).await;
        assert!(given_up.is_err());
        tokens.gate.add_permits(1);
        assert_eq!(client.send(&request).await, Outcome::Delivered);
        assert_eq!(server.tokens(), ["2"]);
    }
}

/// Guards requests against headers that would change their meaning, and values against logs.
#[tokio::test]
async fn headers_that_cannot_be_sent() {
    let server = Server::start(Protocol::HttpProtobuf, &[]).await;
    for (name, value) in [("Content-Length", "1"), ("host", "x"), ("a b", "x"), ("x", "hunter2\r\nevil: 1")] {
        let mut config = config(server.address, Protocol::HttpProtobuf);
        config.header_source = Some(HeaderSource::new(move || async move {
            Ok(ProvidedHeaders::new(vec![(name.to_owned(), value.to_owned())]))
        }));
        let client = Client::new(config).expect("valid");
        let failure = retry(client.send(&client.prepare(&small("x"))).await);
        assert_eq!(failure.kind, FailureKind::Credentials);
        assert!(failure.message.contains(name) && !failure.message.contains("hunter2"), "{failure}");
    }
    assert!(server.tokens().is_empty());
}

/// Guards tokens against debug output, before and after they were fetched.
#[tokio::test]
async fn tokens_stay_secret() {
    let headers = ProvidedHeaders::new(vec![("authorization".into(), "hunter2".into())]);
    assert!(!format!("{headers:?}").contains("hunter2"));
    for protocol in PROTOCOLS {
        let server = Server::start(protocol, &["hunter2"]).await;
        let mut config = config(server.address, protocol);
        config.header_source = Some(HeaderSource::new(|| async {
            Ok(ProvidedHeaders::new(vec![("authorization".into(), "hunter2".into())]))
        }));
        assert_eq!(config, config.clone());
        let client = Client::new(config).expect("valid");
        assert_eq!(client.send(&client.prepare(&small("x"))).await, Outcome::Delivered);
        assert!(!format!("{client:?}").contains("hunter2"));
    }
}

/// Guards against a refusal that comes so slowly that no time is left for other headers: the next attempt has them.
#[tokio::test]
async fn refused_headers_are_not_used_again() {
    let server = HttpServer::start(|mut peer| async move {
        let request = peer.request().await;
        if request.is_some_and(|request| request.header("authorization") == Some("1")) {
            // Announces more than it ever sends.
            peer.write(b"HTTP/1.1 401 No\r\ncontent-length: 10\r\n\r\n").await;
            std::future::pending::<()>().await;
        }
        peer.write(&answer(200, PROTOBUF, b"")).await;
    })
    .await;
    let fetches = Arc::new(AtomicUsize::new(0));
    let mut config = config(server.address, Protocol::HttpProtobuf);
    config.timeout = Duration::from_millis(300);
    config.header_source = Some(HeaderSource::new(move || {
        let token = fetches.fetch_add(1, Ordering::Relaxed) + 1;
        async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok(ProvidedHeaders::new(vec![("authorization".into(), token.to_string())]))
        }
    }));
    let client = Client::new(config).expect("valid");
    let request = client.prepare(&small("x"));
    assert_eq!(retry(client.send(&request).await).kind, FailureKind::Credentials);
    assert_eq!(client.send(&request).await, Outcome::Delivered);
}
