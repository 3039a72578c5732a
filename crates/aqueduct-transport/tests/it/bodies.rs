//! The bytes that arrive are the bytes that were given, however they were cut and compressed.

use std::io::Read;
use std::sync::{Arc, Mutex};

use aqueduct_transport::{Client, Compression, Encoding, Outcome, Protocol};
use aqueduct_wire::{Chunk, Merged, Signal};

use crate::batches::{client, config, of, small, text};
use crate::grpc_server::{Call, GrpcServer};
use crate::http_server::{HttpServer, PROTOBUF, answer};

const CODECS: [Compression; 3] = [Compression::None, Compression::Gzip(1), Compression::Zstd(1)];

fn inflate(encoding: &str, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match encoding {
        "identity" => out.extend_from_slice(body),
        "gzip" => drop(flate2::read::GzDecoder::new(body).read_to_end(&mut out).expect("valid gzip")),
        "zstd" => out = zstd::stream::decode_all(body).expect("valid zstd"),
        other => panic!("unknown encoding {other}"),
    }
    out
}

/// Undoes gRPC's framing of one message.
fn message(call: &Call, body: &[u8]) -> Vec<u8> {
    let (prefix, message) = body.split_at(5);
    assert_eq!(u32::from_be_bytes(prefix[1..].try_into().expect("four")) as usize, message.len());
    let encoding =
        call.request.headers().get("grpc-encoding").map_or("identity", |v| v.to_str().expect("ASCII"));
    assert_eq!(prefix[0] == 1, encoding != "identity");
    inflate(encoding, message)
}

type Received = Arc<Mutex<Vec<Vec<u8>>>>;

async fn grpc_sink(received: &Received) -> GrpcServer {
    let received = received.clone();
    GrpcServer::start(move |mut call| {
        let received = received.clone();
        async move {
            let body = call.body().await;
            received.lock().expect("not poisoned").push(message(&call, &body));
            call.ok();
        }
    })
    .await
}

async fn http_sink(received: &Received) -> HttpServer {
    let received = received.clone();
    HttpServer::answering(move |request| {
        let encoding = request.header("content-encoding").unwrap_or("identity");
        received.lock().expect("not poisoned").push(inflate(encoding, &request.body));
        answer(200, PROTOBUF, b"")
    })
    .await
}

/// The batches that are cut in every way: empty, tiny, around the sizes where framing changes, many pieces, large.
fn batches() -> Vec<Merged> {
    let sizes =
        [1, 100, 4_095, 4_096, 4_097, 16_378, 16_379, 16_380, 16_384, 65_530, 65_531, 65_536, 100_000];
    let mut batches: Vec<_> = sizes.iter().map(|size| small(text(*size, 1))).collect();
    batches.push(of([]));
    batches.push(of((0..300).map(|n| text(n, n as u64))));
    batches.push(of([text(20_000, 1), text(5, 2), text(3_000_000, 3)]));
    batches
}

/// Guards framing, flow control and encodings on both protocols.
#[tokio::test]
async fn bytes_received_are_bytes_sent() {
    let received = Received::default();
    let grpc = grpc_sink(&received).await;
    let http = http_sink(&received).await;
    for (address, protocol) in [(grpc.address, Protocol::Grpc), (http.address, Protocol::HttpProtobuf)] {
        for codec in CODECS {
            let mut config = config(address, protocol);
            config.compression = codec;
            let client = Client::new(config).expect("valid");
            for batch in batches() {
                let request = client.prepare(&batch);
                assert_eq!(client.send(&request).await, Outcome::Delivered);
                let arrived = received.lock().expect("not poisoned").pop().expect("one request");
                assert!(arrived == batch.pieces().concat(), "{protocol:?} {codec:?} {} bytes", batch.len());
            }
        }
    }
    // Each client kept its one connection throughout.
    assert_eq!((grpc.connections(), http.connections()), (3, 3));
}

/// Guards retries: the same request may be sent any number of times.
#[tokio::test]
async fn a_request_can_be_sent_again() {
    let received = Received::default();
    let server = grpc_sink(&received).await;
    let mut config = config(server.address, Protocol::Grpc);
    config.compression = Compression::Gzip(1);
    let client = Client::new(config).expect("valid");
    let request = client.prepare(&small(text(200_000, 1)));
    assert_eq!(request.encoding(), Encoding::Gzip);
    for _ in 0..3 {
        assert_eq!(client.send(&request.clone()).await, Outcome::Delivered);
    }
    let received = received.lock().expect("not poisoned");
    assert!(received.len() == 3 && received.iter().all(|body| *body == text(200_000, 1)));
}

/// Guards large bodies: 20 MiB in a thousand pieces, through the smallest windows a server can offer.
#[tokio::test]
async fn twenty_mebibytes_in_a_thousand_pieces() {
    let pieces: Vec<_> = (0..1000).map(|n| text(20 * 1024 + n, n as u64)).collect();
    let whole = pieces.concat();
    let batch = of(pieces);
    let received = Received::default();
    let grpc = grpc_sink(&received).await;
    let http = http_sink(&received).await;
    for (address, protocol) in [(grpc.address, Protocol::Grpc), (http.address, Protocol::HttpProtobuf)] {
        let client = client(address, protocol);
        assert_eq!(client.send(&client.prepare(&batch)).await, Outcome::Delivered);
        assert!(received.lock().expect("not poisoned").pop().expect("one request") == whole, "{protocol:?}");
    }
}

/// Guards against large bodies that the server does not read keeping the connection from the small ones beside them.
#[tokio::test]
async fn a_stalled_body_does_not_starve_the_others() {
    let mut windows = h2::server::Builder::new();
    windows.initial_window_size(64 << 10).initial_connection_window_size(1 << 20);
    let server = GrpcServer::start_with(windows, usize::MAX, |mut call| async move {
        if call.request.uri().path() == Signal::Traces.grpc_path() {
            // Holds the stream and reads nothing.
            std::future::pending::<()>().await;
        }
        call.body().await;
        call.ok();
    })
    .await;
    let client = Arc::new(client(server.address, Protocol::Grpc));
    let stalled: Vec<_> = (0..8)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move { client.send(&client.prepare(&small(text(4 << 20, n)))).await })
        })
        .collect();
    let logs = Merged::from_chunk(Chunk::from_valid(Signal::Logs, 1, text(30_000, 1).into()));
    let logs = client.prepare(&logs);
    for _ in 0..50 {
        assert_eq!(client.send(&logs).await, Outcome::Delivered);
    }
    assert_eq!(server.connections(), 1);
    stalled.iter().for_each(|send| send.abort());
}

/// Guards multiplexing: 64 sends at once share one connection, and each gets its own answer.
#[tokio::test]
async fn sixty_four_sends_on_one_connection() {
    let received = Received::default();
    let server = grpc_sink(&received).await;
    let client = Arc::new(client(server.address, Protocol::Grpc));
    let sends: Vec<_> = (0..64)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(
                async move { client.send(&client.prepare(&small(text(1 + n * 3000, n as u64)))).await },
            )
        })
        .collect();
    for send in sends {
        assert_eq!(send.await.expect("no panic"), Outcome::Delivered);
    }
    assert_eq!(server.connections(), 1);
    let mut lengths: Vec<_> = received.lock().expect("not poisoned").iter().map(Vec::len).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, (0..64).map(|n| 1 + n * 3000).collect::<Vec<_>>());
}

/// Guards what a server sees of a request besides its body.
#[tokio::test]
async fn heads_are_as_the_specification_says() {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = heads.clone();
    let grpc = GrpcServer::start(move |mut call| {
        let seen = seen.clone();
        async move {
            call.body().await;
            seen.lock().expect("not poisoned").push(format!("{:?}", call.request));
            call.ok();
        }
    })
    .await;
    let mut own = config(grpc.address, Protocol::Grpc);
    own.endpoint.push_str("/prefix/");
    own.headers.push(("X-Tenant".into(), "blue".into()));
    own.user_agent = Some("shop/1.2".into());
    let client = Client::new(own.clone()).expect("valid");
    let _ = client.send(&client.prepare(&small("x"))).await;
    let head = heads.lock().expect("not poisoned").pop().expect("one");
    for part in [
        "method: POST",
        "/prefix/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        "\"te\": \"trailers\"",
        "\"content-type\": \"application/grpc\"",
        "\"grpc-timeout\": \"20",
        "\"x-tenant\": ",
        "\"user-agent\": \"shop/1.2 OTel-OTLP-Exporter-Rust/0.1.0\"",
    ] {
        assert!(head.contains(part), "{part} in {head}");
    }

    let seen = heads.clone();
    let http = HttpServer::answering(move |request| {
        seen.lock().expect("not poisoned").push(format!("{} {}", request.path(), request.head));
        answer(200, PROTOBUF, b"")
    })
    .await;
    own.endpoint = format!("http://{}/otlp", http.address);
    own.protocol = Protocol::HttpProtobuf;
    own.compression = Compression::Gzip(1);
    let own = own.with_signal_endpoint(Signal::Logs, format!("http://{}/in?key=1", http.address));
    let client = Client::new(own).expect("valid");
    let _ = client.send(&client.prepare(&small(text(1000, 1)))).await;
    let head = heads.lock().expect("not poisoned").pop().expect("one");
    for part in [
        "/otlp/v1/traces post /otlp/v1/traces http/1.1",
        &format!("host: {}", http.address),
        "content-type: application/x-protobuf",
        "content-encoding: gzip",
        "content-length: ",
        "x-tenant: blue",
        "user-agent: shop/1.2 otel-otlp-exporter-rust/0.1.0",
    ] {
        assert!(head.contains(part), "{part} in {head}");
    }
    assert!(!head.contains("transfer-encoding"), "{head}");
    // The URL of one signal is used as it stands, and shares the connection of the others.
    let logs = Merged::from_chunk(Chunk::from_valid(Signal::Logs, 1, "x".into()));
    let _ = client.send(&client.prepare(&logs)).await;
    let head = heads.lock().expect("not poisoned").pop().expect("one");
    assert!(head.starts_with("/in?key=1 "), "{head}");
    assert_eq!(http.connections(), 1);
}
