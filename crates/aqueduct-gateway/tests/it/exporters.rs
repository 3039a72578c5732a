//! `aqueduct run` with destinations behind TLS, sockets and proxies.

use std::net::SocketAddr;
use std::time::Duration;

use aqueduct::transport::{Client, ClientConfig, Outcome, Protocol};
use aqueduct::wire::{Merged, Signal};
#[cfg(feature = "tls")]
use aqueduct_testkit::fronts::tls::{Authority, Server, TlsFront};
use aqueduct_testkit::{Folder, Generator, Oracle, ScriptedPeer, fronts};

use crate::process::{Gateway, configuration, run_to_end, run_to_end_with};
use crate::proxy::Proxy;

/// Where a peer takes what an exporter sends.
type Door = fn(&ScriptedPeer) -> SocketAddr;

/// The types of exporters, each with its door.
const KINDS: [(&str, Door); 2] =
    [("otlp", ScriptedPeer::grpc_address), ("otlphttp", ScriptedPeer::http_address)];

/// Runs a test; the peers and what stands before them need threads of their own, because the tests block while they wait for a process.
fn run(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().expect("a runtime").block_on(test);
}

/// No test waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn client(gateway: &Gateway) -> Client {
    let mut config = ClientConfig::new(format!("http://{}", gateway.grpc), Protocol::Grpc);
    config.timeout = PATIENCE;
    Client::new(config).expect("valid settings")
}

/// Sends every signal through the gateway, and sees each item arrive once and unchanged. What the gateway said.
async fn deliver(gateway: Gateway, peer: &ScriptedPeer) -> String {
    let client = client(&gateway);
    let (mut generator, mut oracle, mut items) = (Generator::new(11), Oracle::new(), 0);
    for signal in Signal::ALL {
        let chunk = generator.chunk(signal, 20);
        oracle.expect(signal, chunk.bytes());
        items += chunk.items();
        let request = client.prepare(&Merged::from_chunk(chunk));
        assert_eq!(client.send(&request).await, Outcome::Delivered, "{signal}");
    }
    let arrived = tokio::time::timeout(PATIENCE, peer.wait_for_items(items)).await;
    assert!(arrived.is_ok(), "nothing arrives: {}", gateway.get("/readyz").1);
    let pages = ["/statusz", "/readyz", "/metrics"].map(|path| gateway.get(path).1).concat();
    let log = gateway.stop().join("\n");
    assert!(log.contains("everything was settled"), "{log}");
    peer.deliver_to(&mut oracle);
    oracle.assert_exact();
    pages + &log
}

/// Guards TLS end to end for both protocols: an authority of one's own, a name that is not the address, and a client certificate that the
/// server demands.
#[cfg(feature = "tls")]
#[test]
fn delivered_over_tls_with_an_authority_of_ones_own() {
    run(async {
        let (folder, ours) = (Folder::create(), Authority::new("ours"));
        let ca = folder.write("ca.pem", &ours.pem);
        let gateway = ours.issue(&["gateway.test"]);
        let certificate = folder.write("client.pem", &gateway.chain);
        let key = folder.write("client.key", &gateway.key);
        for (kind, door) in KINDS {
            let peer = ScriptedPeer::start().await.expect("free ports");
            let server =
                Server { demands: Some(ours.pem.clone()), ..Server::new(ours.issue(&["collector.test"])) };
            let address = TlsFront::start(&server, door(&peer)).await.address();
            let gateway = Gateway::start_exporting(
                &[],
                kind,
                &format!(
                    "endpoint: https://{address}\n    tls:\n      ca_file: {}\n      cert_file: {}\n      key_file: {}\n      \
                     server_name_override: collector.test\n      min_version: \"1.3\"",
                    ca.display(),
                    certificate.display(),
                    key.display()
                ),
            );
            deliver(gateway, &peer).await;
        }
    });
}

/// Guards against data for whoever answers: nothing reaches a server whose authority is not trusted, and the operator is told why.
#[cfg(feature = "tls")]
#[test]
fn a_stranger_gets_nothing() {
    run(async {
        let folder = Folder::create();
        let ca = folder.write("ca.pem", &Authority::new("ours").pem);
        for (kind, door) in KINDS {
            let peer = ScriptedPeer::start().await.expect("free ports");
            let stranger = Server::new(Authority::new("theirs").issue(&["127.0.0.1"]));
            let address = TlsFront::start(&stranger, door(&peer)).await.address();
            let settings = format!("endpoint: https://{address}\n    tls: {{ca_file: {}}}", ca.display());
            let mut gateway = Gateway::start_exporting(&[], kind, &settings);
            let client = client(&gateway);
            let request = client.prepare(&Merged::from_chunk(Generator::new(1).chunk(Signal::Logs, 3)));
            assert_eq!(client.send(&request).await, Outcome::Delivered, "it is queued");
            gateway.wait_for("export fails and is retried");
            let (_, ready) = gateway.get("/readyz");
            assert!(ready.contains("certificate"), "{ready}");
            let row = gateway.row("logs");
            assert_eq!((row["held"].as_u64(), row["delivered"].as_u64()), (Some(3), Some(0)), "{row}");
            assert!(peer.captured().is_empty());
        }
    });
}

/// Guards sockets in the file system, which have no ports to collide and file permissions for access.
#[test]
fn delivered_over_a_socket() {
    run(async {
        let folder = Folder::create();
        for (kind, door) in KINDS {
            let peer = ScriptedPeer::start().await.expect("free ports");
            let path = folder.path(kind);
            fronts::socket(&path, door(&peer));
            let gateway = Gateway::start_exporting(&[], kind, &format!("endpoint: unix:{}", path.display()));
            deliver(gateway, &peer).await;
        }
    });
}

/// Guards the file's proxy: the tunnel is asked for by name, with the password, which is told to nobody else.
#[test]
fn delivered_through_the_files_proxy() {
    run(async {
        for (kind, door) in KINDS {
            let peer = ScriptedPeer::start().await.expect("free ports");
            let proxy = Proxy::start(door(&peer)).await;
            let settings = format!(
                "endpoint: http://collector.invalid:4318\n    proxy_url: http://me:hunter2@{}",
                proxy.address
            );
            // Nobody listens there, and nothing is excepted from the file's own.
            let environment = [("http_proxy", "http://127.0.0.1:1"), ("no_proxy", "*")];
            let gateway = Gateway::start_exporting(&environment, kind, &settings);
            let said = deliver(gateway, &peer).await;
            assert!(!said.contains("hunter2"), "{said}");
            let asked = proxy.asked();
            for head in &asked {
                assert!(head.starts_with("CONNECT collector.invalid:4318 HTTP/1.1\r\n"), "{head}");
                // "me:hunter2"
                assert!(head.contains("Basic bWU6aHVudGVyMg=="), "{head}");
            }
            assert!(!asked.is_empty());
        }
    });
}

/// Guards the environment's proxy, which the collector honours too, and TLS with the destination inside of its tunnel.
#[cfg(feature = "tls")]
#[test]
fn delivered_through_the_environments_proxy() {
    run(async {
        let (folder, ours) = (Folder::create(), Authority::new("ours"));
        let ca = folder.write("ca.pem", &ours.pem);
        for (kind, door) in KINDS {
            let peer = ScriptedPeer::start().await.expect("free ports");
            let server = Server::new(ours.issue(&["collector.invalid"]));
            let front = TlsFront::start(&server, door(&peer)).await;
            let proxy = Proxy::start(front.address()).await;
            let url = format!("http://{}", proxy.address);
            let settings =
                format!("endpoint: https://collector.invalid:4318\n    tls: {{ca_file: {}}}", ca.display());
            let environment = [("HTTPS_PROXY", url.as_str()), ("NO_PROXY", "elsewhere.invalid")];
            let gateway = Gateway::start_exporting(&environment, kind, &settings);
            deliver(gateway, &peer).await;
            let asked = proxy.asked();
            assert!(
                asked.iter().all(|head| head.starts_with("CONNECT collector.invalid:4318 ")),
                "{asked:?}"
            );
            assert!(!asked.is_empty());
        }
    });
}

/// Guards what is told about files and proxies that cannot be used: exit code 1, and the key and line that name them.
#[test]
fn what_cannot_be_used_is_told_with_its_key() {
    let told = |environment: &[(&str, &str)], settings: &str| {
        let output = run_to_end_with(environment, &configuration("", "otlphttp", settings));
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{message}");
        message
    };
    #[cfg(feature = "tls")]
    {
        let message = told(&[], "endpoint: https://collector\n    tls: {ca_file: /no/such/ca.pem}");
        let expected = "exporters.otlphttp.tls.ca_file (line 12, column 20): /no/such/ca.pem: No such file";
        assert!(message.contains(expected), "{message}");
        let folder = Folder::create();
        let (pem, key) = (folder.write("a.pem", "nothing"), folder.write("a.key", "hunter2"));
        let files = format!("{{cert_file: {}, key_file: {}}}", pem.display(), key.display());
        let message = told(&[], &format!("endpoint: https://collector\n    tls: {files}"));
        assert!(message.contains("exporters.otlphttp.tls.cert_file (line 12, column 22): "), "{message}");
        assert!(message.contains("a.pem: holds no PEM certificate"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
    let environment = [("all_proxy", "socks5://me:hunter2@proxy:1080")];
    let message = told(&environment, "endpoint: http://collector");
    assert!(message.contains("exporters.otlphttp.endpoint (line 11, column 15): "), "{message}");
    assert!(message.contains("the environment says so") && !message.contains("hunter2"), "{message}");
    let long = "x".repeat(200);
    let message = told(&[], &format!("endpoint: unix:/{long}"));
    assert!(message.contains("exporters.otlphttp.endpoint (line 11, column 15): "), "{message}");
}

/// Guards the answer to those who want to switch verification off.
#[test]
fn verification_cannot_be_switched_off() {
    let settings = "endpoint: https://collector\n    tls: {insecure_skip_verify: true}";
    let output = run_to_end(&configuration("", "otlphttp", settings));
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.contains(":12:33: exporters.otlphttp.tls.insecure_skip_verify: found `true`"),
        "{message}"
    );
    assert!(message.contains("trust its certificate with `ca_file`"), "{message}");
}
