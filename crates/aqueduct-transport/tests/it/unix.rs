//! Peers behind sockets in the file system.

use std::path::{Path, PathBuf};

use aqueduct_testkit::{Folder, fronts};
use aqueduct_transport::{Client, ClientConfig, FailureKind, Outcome, Protocol};
use aqueduct_wire::{Chunk, Merged, Signal};
use tokio::net::UnixListener;

use crate::batches::{retry, small};
use crate::grpc_server::GrpcServer;
use crate::http_server::{HttpServer, PROTOBUF, answer};

fn client(path: &Path, form: &str, protocol: Protocol) -> Client {
    Client::new(ClientConfig::new(format!("{form}{}", path.display()), protocol)).expect("valid")
}

/// Guards both protocols over a real socket, and what servers are told about whom we want.
#[tokio::test]
async fn delivered_over_a_socket() {
    let folder = Folder::create();
    let grpc = GrpcServer::start(|mut call| async move {
        call.body().await;
        assert_eq!(call.request.uri().authority().map(|authority| authority.as_str()), Some("localhost"));
        assert_eq!(call.request.uri().scheme_str(), Some("http"));
        call.ok();
    })
    .await;
    let http = HttpServer::answering(|request| {
        let good = request.header("host") == Some("localhost") && request.path() == "/v1/traces";
        answer(if good { 200 } else { 400 }, PROTOBUF, b"")
    })
    .await;
    for (protocol, server) in [(Protocol::Grpc, grpc.address), (Protocol::HttpProtobuf, http.address)] {
        let path: PathBuf = folder.path(protocol.as_str().replace('/', "-").as_str());
        fronts::socket(&path, server);
        for form in ["unix:", "unix://"] {
            let client = client(&path, form, protocol);
            for _ in 0..2 {
                assert_eq!(client.send(&client.prepare(&small("x"))).await, Outcome::Delivered, "{form}");
            }
            assert_eq!(client.status().connects, 1);
        }
    }
}

/// Guards the explanation of a socket that is not there, or that nobody listens to, and recovery.
#[tokio::test]
async fn nobody_at_the_socket() {
    let folder = Folder::create();
    let server = HttpServer::answering(|_| answer(200, PROTOBUF, b"")).await;
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let path = folder.path("socket");
        let client = client(&path, "unix:", protocol);
        let send = async || client.send(&client.prepare(&small("x"))).await;
        let missing = retry(send().await);
        assert_eq!(missing.kind, FailureKind::Connect);
        let peer = format!("unix:{}: No such file", path.display());
        assert!(missing.message.contains(&peer), "{missing}");
        drop(UnixListener::bind(&path).expect("a free path"));
        assert!(retry(send().await).message.contains("refused"));
        std::fs::remove_file(&path).expect("there");
        if protocol == Protocol::HttpProtobuf {
            fronts::socket(&path, server.address);
            assert_eq!(send().await, Outcome::Delivered);
        }
    }
}

/// Guards against one signal's data at the socket of another: sockets have no host and port to be told apart by.
#[tokio::test]
async fn signals_with_sockets_of_their_own() {
    let folder = Folder::create();
    let server = async |says: &'static str| {
        let answering = HttpServer::answering(move |request| {
            let good = request.body == says.as_bytes() && request.path() == "/";
            answer(if good { 200 } else { 400 }, PROTOBUF, b"")
        });
        let path = folder.path(says);
        fronts::socket(&path, answering.await.address);
        format!("unix:{}", path.display())
    };
    let config = ClientConfig::new("http://127.0.0.1:1", Protocol::HttpProtobuf)
        .with_signal_endpoint(Signal::Traces, server("traces").await)
        .with_signal_endpoint(Signal::Logs, server("logs").await);
    let client = Client::new(config).expect("valid");
    for signal in [Signal::Traces, Signal::Logs] {
        let batch = Merged::from_chunk(Chunk::from_valid(signal, 1, signal.as_str().into()));
        assert_eq!(client.send(&client.prepare(&batch)).await, Outcome::Delivered, "{signal}");
    }
}
