//! TLS with every kind of server, over both protocols.
//!
//! TLS 1.0 and 1.1 are missing: nothing that these tests could be made of speaks them, and neither does the client.

use aqueduct_testkit::Folder;
use aqueduct_testkit::fronts::tls::{Authority, Identity, Server, TlsFront, self_signed};
use aqueduct_transport::{
    Client, ClientConfig, FailureKind, HttpVersion, Outcome, Pem, Protocol, TlsVersion,
};
use rcgen::{ExtendedKeyUsagePurpose, date_time_ymd};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::batches::{retry, small};
use crate::grpc_server::{GrpcServer, status};
use crate::http_server::{HttpServer, PROTOBUF, answer};

const PROTOCOLS: [Protocol; 2] = [Protocol::Grpc, Protocol::HttpProtobuf];

/// Who issues certificates to whom.
struct Pki {
    ca: Authority,
    other: Authority,
    client: Identity,
    stranger: Identity,
}

impl Pki {
    fn new() -> Self {
        let (ca, other) = (Authority::new("ca"), Authority::new("other"));
        let (client, stranger) = (ca.issue(&["client"]), other.issue(&["client"]));
        Self { ca, other, client, stranger }
    }

    fn server(&self) -> Server {
        Server::new(self.ca.issue(&["localhost"]))
    }

    fn demanding(&self) -> Server {
        Server { demands: Some(self.ca.pem.clone()), ..self.server() }
    }
}

fn pem(text: &str) -> Option<Pem> {
    Some(Pem::Bytes(text.as_bytes().to_vec()))
}

fn identify(config: &mut ClientConfig, identity: &Identity) {
    config.tls.client_certificate = pem(&identity.chain);
    config.tls.client_key = pem(&identity.key);
}

/// A server of this protocol that takes what comes over TLS, each request on a connection of its own.
async fn behind(protocol: Protocol) -> SocketAddr {
    match protocol {
        Protocol::Grpc => {
            GrpcServer::start_with(h2::server::Builder::new(), 1, |mut call| async move {
                call.body().await;
                match call.request.uri().scheme_str() {
                    Some("https") => call.ok(),
                    // What some servers do with a scheme that is not the connection's.
                    _ => call.trailers_only(status(13)),
                }
            })
            .await
            .address
        }
        _ => {
            HttpServer::answering(|_| answer(200, &format!("{PROTOBUF}connection: close\r\n"), b""))
                .await
                .address
        }
    }
}

fn config(address: SocketAddr, protocol: Protocol, pki: &Pki) -> ClientConfig {
    let endpoint = format!("https://localhost:{}", address.port());
    let mut config = ClientConfig::new(endpoint, protocol);
    config.timeout = std::time::Duration::from_secs(20);
    config.connect_timeout = config.timeout;
    config.tls.ca = pem(&pki.ca.pem);
    // What stands behind the end of TLS in these tests.
    config.http_version = HttpVersion::Http1;
    config
}

struct Case {
    name: &'static str,
    server: fn(&Pki) -> Server,
    client: fn(&Pki, &mut ClientConfig),
    /// What the failure says; nothing if the request is delivered.
    grpc: Option<&'static str>,
    http: Option<&'static str>,
}

impl Case {
    const fn good(
        name: &'static str,
        server: fn(&Pki) -> Server,
        client: fn(&Pki, &mut ClientConfig),
    ) -> Self {
        Self { name, server, client, grpc: None, http: None }
    }

    const fn bad(
        name: &'static str,
        server: fn(&Pki) -> Server,
        client: fn(&Pki, &mut ClientConfig),
        says: &'static str,
    ) -> Self {
        Self { name, server, client, grpc: Some(says), http: Some(says) }
    }
}

const NO_CHANGE: fn(&Pki, &mut ClientConfig) = |_, _| {};

const CASES: [Case; 26] = [
    Case::good("our own authority", Pki::server, NO_CHANGE),
    Case::good("client certificate", Pki::demanding, |pki, config| identify(config, &pki.client)),
    Case::good("client certificate that nobody wants", Pki::server, |pki, config| {
        identify(config, &pki.client);
    }),
    Case::bad(
        "wrong authority",
        Pki::server,
        |pki, config| config.tls.ca = pem(&pki.other.pem),
        "not trusted",
    ),
    Case::bad("self-signed", |_| Server::new(self_signed(&["localhost"])), NO_CHANGE, "not trusted"),
    Case::bad(
        "expired",
        |pki| {
            Server::new(pki.ca.issue_with(&["localhost"], |params| {
                params.not_before = date_time_ymd(2019, 1, 1);
                params.not_after = date_time_ymd(2020, 1, 1);
            }))
        },
        NO_CHANGE,
        "has expired: Wed, 01 Jan 2020",
    ),
    Case::bad(
        "not valid yet",
        |pki| {
            Server::new(
                pki.ca.issue_with(&["localhost"], |params| params.not_before = date_time_ymd(2999, 1, 1)),
            )
        },
        NO_CHANGE,
        "not valid before Tue, 01 Jan 2999",
    ),
    Case::bad(
        "wrong name",
        |pki| Server::new(pki.ca.issue(&["elsewhere.example"])),
        NO_CHANGE,
        "is for elsewhere.example, not for localhost;",
    ),
    Case::good(
        "wrong name, expected",
        |pki| Server::new(pki.ca.issue(&["elsewhere.example"])),
        |_, config| config.tls.server_name = Some("elsewhere.example".into()),
    ),
    Case::bad(
        "right name, another expected",
        Pki::server,
        |_, config| config.tls.server_name = Some("elsewhere.example".into()),
        "not for elsewhere.example",
    ),
    Case::good(
        "address",
        |pki| Server::new(pki.ca.issue(&["127.0.0.1"])),
        |_, config| config.endpoint = config.endpoint.replace("localhost", "127.0.0.1"),
    ),
    Case::bad(
        "address without a certificate for it",
        Pki::server,
        |_, config| config.endpoint = config.endpoint.replace("localhost", "127.0.0.1"),
        "not for 127.0.0.1",
    ),
    Case::good("chain with an intermediate authority", with_intermediate, NO_CHANGE),
    Case::bad(
        "chain without its intermediate authority",
        |pki| Server::new(pki.ca.intermediate("between").issue(&["localhost"])),
        NO_CHANGE,
        "not trusted",
    ),
    Case::bad(
        "certificate for clients",
        |pki| {
            Server::new(pki.ca.issue_with(&["localhost"], |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }))
        },
        NO_CHANGE,
        "certificate is not valid",
    ),
    Case::bad("client certificate missing", Pki::demanding, NO_CHANGE, "demands a certificate"),
    Case::bad(
        "client certificate of somebody else",
        Pki::demanding,
        |pki, config| identify(config, &pki.stranger),
        "does not accept our certificate",
    ),
    Case::bad(
        "client certificate missing, TLS 1.2",
        |pki| Server { versions: vec![&TLS12], ..pki.demanding() },
        NO_CHANGE,
        "the server refused TLS",
    ),
    Case::bad(
        "client certificate of somebody else, TLS 1.2",
        |pki| Server { versions: vec![&TLS12], ..pki.demanding() },
        |pki, config| identify(config, &pki.stranger),
        "does not accept our certificate",
    ),
    Case::good(
        "client certificate, TLS 1.2",
        |pki| Server { versions: vec![&TLS12], ..pki.demanding() },
        |pki, config| {
            identify(config, &pki.client);
        },
    ),
    Case::good("TLS 1.2 only", |pki| Server { versions: vec![&TLS12], ..pki.server() }, NO_CHANGE),
    Case::good(
        "TLS 1.3 only",
        |pki| Server { versions: vec![&TLS13], ..pki.server() },
        |_, config| config.tls.min_version = TlsVersion::V1_3,
    ),
    Case::bad(
        "TLS 1.2 only, 1.3 demanded",
        |pki| Server { versions: vec![&TLS12], ..pki.server() },
        |_, config| config.tls.min_version = TlsVersion::V1_3,
        "min_version",
    ),
    Case {
        name: "server without ALPN",
        server: |pki| Server { alpn: &[], ..pki.server() },
        client: NO_CHANGE,
        grpc: Some("did not agree to HTTP/2"),
        http: None,
    },
    Case {
        name: "HTTP/1.1 only",
        server: |pki| Server { alpn: &["http/1.1"], ..pki.server() },
        client: NO_CHANGE,
        grpc: Some("no protocol that we do"),
        http: None,
    },
    Case::bad(
        "plain text to TLS",
        Pki::server,
        |_, config| config.endpoint = config.endpoint.replace("https:", "http:"),
        "the peer speaks TLS; use https://",
    ),
];

fn with_intermediate(pki: &Pki) -> Server {
    let between = pki.ca.intermediate("between");
    let mut identity = between.issue(&["localhost"]);
    identity.chain.push_str(&between.pem);
    Server::new(identity)
}

/// Guards who is talked to and who is not: fails closed, keeps the data, and says what to do.
#[tokio::test]
async fn matrix() {
    let pki = Pki::new();
    for protocol in PROTOCOLS {
        let behind = behind(protocol).await;
        for case in &CASES {
            let front = TlsFront::start(&(case.server)(&pki), behind).await;
            let mut config = config(front.address(), protocol, &pki);
            (case.client)(&pki, &mut config);
            let client = Client::new(config).expect(case.name);
            let says = if protocol == Protocol::Grpc { case.grpc } else { case.http };
            // Twice, for what is kept from the first time.
            for _ in 0..2 {
                let outcome = client.send(&client.prepare(&small("x"))).await;
                match says {
                    None => assert_eq!(outcome, Outcome::Delivered, "{protocol:?}, {}", case.name),
                    Some(says) => {
                        let failure = retry(outcome);
                        assert!(failure.message.contains(says), "{protocol:?}, {}: {failure}", case.name);
                        assert_eq!(failure.kind, FailureKind::Tls, "{protocol:?}, {}: {failure}", case.name);
                        assert!(!failure.outcome_unknown, "{protocol:?}, {}", case.name);
                    }
                }
            }
        }
    }
}

/// Guards the reason of a refusal that comes after the handshake, when another thread than the sender's reads it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_refusals_on_many_threads() {
    let pki = Pki::new();
    let versions = [
        (Protocol::Grpc, HttpVersion::Auto),
        (Protocol::HttpProtobuf, HttpVersion::Http1),
        (Protocol::HttpProtobuf, HttpVersion::Http2),
    ];
    for (protocol, version) in versions {
        let front = TlsFront::start(&pki.demanding(), behind(protocol).await).await;
        let mut config = config(front.address(), protocol, &pki);
        config.http_version = version;
        let client = Client::new(config).expect("valid");
        for attempt in 0..30 {
            let failure = retry(client.send(&client.prepare(&small("x"))).await);
            assert_eq!(failure.kind, FailureKind::Tls, "{protocol:?}, {version:?}, {attempt}: {failure}");
        }
    }
}

/// Guards certificates that are pinned instead of issued.
#[tokio::test]
async fn a_certificate_of_its_own_can_be_trusted() {
    let pki = Pki::new();
    for protocol in PROTOCOLS {
        let identity = self_signed(&["localhost"]);
        let front = TlsFront::start(&Server::new(identity.clone()), behind(protocol).await).await;
        let mut config = config(front.address(), protocol, &pki);
        config.tls.ca = pem(&identity.chain);
        let client = Client::new(config).expect("valid");
        assert_eq!(client.send(&client.prepare(&small("x"))).await, Outcome::Delivered);
    }
}

/// Guards against a certificate of an authority that only the system does not know, when the system's count.
#[tokio::test]
async fn the_system_does_not_know_our_authority() {
    let pki = Pki::new();
    let front = TlsFront::start(&pki.server(), behind(Protocol::Grpc).await).await;
    let mut config = config(front.address(), Protocol::Grpc, &pki);
    config.tls.ca = None;
    match Client::new(config) {
        Ok(client) => {
            let failure = retry(client.send(&client.prepare(&small("x"))).await);
            assert!(failure.message.contains("not trusted"), "{failure}");
        }
        // A machine without any.
        Err(error) => assert!(error.to_string().contains("no list of certificate authorities"), "{error}"),
    }
}

/// A server that answers the first bytes, whatever they are, with these, then reads on or closes.
async fn answering(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut room = vec![0; 4096];
                let _ = stream.read(&mut room).await;
                if !bytes.is_empty() {
                    let _ = stream.write_all(bytes).await;
                    while stream.read(&mut room).await.is_ok_and(|n| n > 0) {}
                }
            });
        }
    });
    address
}

/// Guards the explanation of TLS to a server that speaks plain text, or nothing at all.
#[tokio::test]
async fn tls_to_plain_text() {
    let pki = Pki::new();
    let settings: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    for bytes in [b"HTTP/1.1 400 Bad Request\r\n\r\n", settings, b""] {
        let address = answering(bytes).await;
        for protocol in PROTOCOLS {
            let client = Client::new(config(address, protocol, &pki)).expect("valid");
            let failure = retry(client.send(&client.prepare(&small("x"))).await);
            assert_eq!(failure.kind, FailureKind::Tls, "{failure}");
            assert!(failure.message.contains("use http://"), "{failure}");
        }
    }
}

/// Guards the time limit against a server that begins and does not go on.
#[tokio::test]
async fn a_handshake_without_end() {
    let pki = Pki::new();
    let address = answering(&[22, 3, 3]).await;
    for protocol in PROTOCOLS {
        let mut config = config(address, protocol, &pki);
        config.connect_timeout = std::time::Duration::from_secs(1);
        let client = Client::new(config).expect("valid");
        let failure = retry(client.send(&client.prepare(&small("x"))).await);
        assert_eq!(failure.kind, FailureKind::Tls);
        assert!(failure.message.contains("timed out"), "{failure}");
    }
}

/// Guards rotation: what changes on disk counts from the next connection on, unless it makes no sense.
#[tokio::test]
async fn authorities_change_on_disk() {
    for protocol in PROTOCOLS {
        let (pki, folder) = (Pki::new(), Folder::create());
        let front = TlsFront::start(&pki.server(), behind(protocol).await).await;
        let mut config = config(front.address(), protocol, &pki);
        let path = folder.write("ca.pem", &pki.ca.pem);
        config.tls.ca = Some(Pem::File(path.clone()));
        let client = Client::new(config).expect("valid");
        let send = async || client.send(&client.prepare(&small("x"))).await;

        assert_eq!(send().await, Outcome::Delivered);
        front.change(&Server::new(pki.other.issue(&["localhost"])));
        assert!(retry(send().await).message.contains("not trusted"));
        folder.write("ca.pem", &pki.other.pem);
        assert_eq!(send().await, Outcome::Delivered);
        assert_eq!(client.status().last_warning, None);

        for (content, says) in
            [("garbage", "holds no PEM certificate"), ("-----BEGIN CERTIFICATE-----\nx", "PEM")]
        {
            folder.write("ca.pem", content);
            assert_eq!(send().await, Outcome::Delivered);
            let warning = client.status().last_warning.expect("a warning");
            let names = warning.contains(&path.display().to_string());
            assert!(names && warning.contains(says) && warning.contains("old certificates"), "{warning}");
        }
        std::fs::remove_file(&path).expect("there");
        assert_eq!(send().await, Outcome::Delivered);
        assert!(client.status().last_warning.expect("a warning").contains("No such file"));

        folder.write("ca.pem", &pki.ca.pem);
        assert!(retry(send().await).message.contains("not trusted"));
        front.change(&pki.server());
        assert_eq!(send().await, Outcome::Delivered);
    }
}

/// Guards the moment between the two files of a pair.
#[tokio::test]
async fn a_client_certificate_changes_on_disk() {
    for protocol in PROTOCOLS {
        let (pki, folder) = (Pki::new(), Folder::create());
        let front = TlsFront::start(&pki.demanding(), behind(protocol).await).await;
        let mut config = config(front.address(), protocol, &pki);
        config.tls.client_certificate = Some(Pem::File(folder.write("client.pem", &pki.client.chain)));
        config.tls.client_key = Some(Pem::File(folder.write("client.key", &pki.client.key)));
        let client = Client::new(config).expect("valid");
        let send = async || client.send(&client.prepare(&small("x"))).await;
        assert_eq!(send().await, Outcome::Delivered);

        folder.write("client.pem", &pki.stranger.chain);
        assert_eq!(send().await, Outcome::Delivered);
        assert!(client.status().last_warning.expect("a warning").contains("is not the key"));
        folder.write("client.key", &pki.stranger.key);
        assert!(retry(send().await).message.contains("does not accept our certificate"));
        front.change(&Server { demands: Some(pki.other.pem.clone()), ..pki.server() });
        assert_eq!(send().await, Outcome::Delivered);
    }
}

/// Guards against finding out in production that a file is missing, or the wrong one.
#[test]
fn wrong_files_are_found_when_the_client_is_built() {
    type Change = fn(&Pki, &Folder, &mut ClientConfig);
    const CASES: [(&str, Change); 15] = [
        ("ca: \"FOLDER/none.pem\": No such file", |_, folder, config| {
            config.tls.ca = Some(Pem::File(folder.path("none.pem")));
        }),
        ("client_key: \"FOLDER/none.key\": No such file", |pki, folder, config| {
            config.tls.client_certificate = pem(&pki.client.chain);
            config.tls.client_key = Some(Pem::File(folder.path("none.key")));
        }),
        ("ca: \"FOLDER/\": is not a regular file", |_, folder, config| {
            config.tls.ca = Some(Pem::File(folder.path("")));
        }),
        ("ca: \"/dev/zero\": is not a regular file", |_, _, config| {
            config.tls.ca = Some(Pem::File("/dev/zero".into()));
        }),
        ("ca: \"FOLDER/large\": is larger", |_, folder, config| {
            config.tls.ca = Some(Pem::File(folder.write("large", "x".repeat((4 << 20) + 1))));
        }),
        ("ca: \"FOLDER/key\": holds no PEM certificate", |pki, folder, config| {
            config.tls.ca = Some(Pem::File(folder.write("key", &pki.client.key)));
        }),
        ("ca: holds no PEM certificate", |_, _, config| config.tls.ca = pem("")),
        ("ca: holds no certificate that could be", |_, _, config| {
            config.tls.ca = pem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        }),
        ("client_key: is not the key of client_certificate", |pki, _, config| {
            config.tls.client_certificate = pem(&pki.client.chain);
            config.tls.client_key = pem(&pki.stranger.key);
        }),
        ("client_key: holds no PEM private key", |pki, _, config| {
            config.tls.client_certificate = pem(&pki.client.chain);
            config.tls.client_key = pem(&pki.client.chain);
        }),
        ("client_key: is encrypted", |pki, _, config| {
            config.tls.client_certificate = pem(&pki.client.chain);
            config.tls.client_key =
                pem("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
        }),
        ("client_key: is encrypted", |pki, _, config| {
            config.tls.client_certificate = pem(&pki.client.chain);
            config.tls.client_key = pem(
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
            );
        }),
        ("client_key: client_certificate needs its key", |pki, _, config| {
            config.tls.client_certificate = pem(&pki.client.chain);
        }),
        ("client_certificate: client_key needs its certificate", |pki, _, config| {
            config.tls.client_key = pem(&pki.client.key);
        }),
        ("server_name: \"a b\"", |_, _, config| config.tls.server_name = Some("a b".into())),
    ];
    let (pki, folder) = (Pki::new(), Folder::create());
    for protocol in PROTOCOLS {
        for (says, change) in CASES {
            let mut config = config("127.0.0.1:1".parse().expect("an address"), protocol, &pki);
            Client::new(config.clone()).expect("valid so far");
            change(&pki, &folder, &mut config);
            let said = Client::new(config).expect_err(says).to_string();
            let said = said.replace(&folder.path("").display().to_string(), "FOLDER/").replace('"', "");
            assert!(said.contains(&says.replace('"', "")), "{said}");
        }
    }
}

/// Guards keys against logs.
#[test]
fn keys_stay_secret() {
    let pki = Pki::new();
    let mut config = config("127.0.0.1:1".parse().expect("an address"), Protocol::Grpc, &pki);
    identify(&mut config, &pki.client);
    let line = pki.client.key.lines().nth(1).expect("a body").to_owned();
    let bytes = format!("{:?}", &line.as_bytes()[..8]);
    let shown = format!("{config:?} {:?}", Client::new(config.clone()).expect("valid"));
    assert!(!shown.contains(&line) && !shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
    config.tls.client_key = pem(&pki.client.key.replace("-----END", "-----TEND"));
    let error = Client::new(config).expect_err("no end");
    assert!(!format!("{error:?} {error}").contains(&line));
}

/// Guards clear text: certificates are nothing to an endpoint without TLS.
#[tokio::test]
async fn plain_endpoints_do_not_look_at_certificates() {
    let server = HttpServer::answering(|_| answer(200, PROTOBUF, b"")).await;
    let mut config = crate::batches::config(server.address, Protocol::HttpProtobuf);
    config.tls.ca = Some(Pem::File("/no/such/file".into()));
    let client = Client::new(config).expect("valid");
    assert_eq!(client.send(&client.prepare(&small("x"))).await, Outcome::Delivered);
}

/// Guards what is agreed on for OTLP/HTTP: HTTP/2 with a server that likes it, HTTP/1.1 with one that does not, or that knows nothing of agreements.
#[tokio::test]
async fn the_version_of_http_is_agreed_on() {
    let pki = Pki::new();
    let http2 = GrpcServer::start(|mut call| async move {
        let _ = call.body().await;
        let _ = call.respond.send_response(http::Response::new(()), true);
    })
    .await;
    let http1 = behind(Protocol::HttpProtobuf).await;
    let cases: [(&[&str], SocketAddr); 3] =
        [(&["h2", "http/1.1"], http2.address), (&["http/1.1"], http1), (&[], http1)];
    for (alpn, behind) in cases {
        let front = TlsFront::start(&Server { alpn, ..pki.server() }, behind).await;
        let mut config = config(front.address(), Protocol::HttpProtobuf, &pki);
        config.http_version = HttpVersion::Auto;
        let client = Client::new(config.clone()).expect("valid");
        for _ in 0..2 {
            assert_eq!(client.send(&client.prepare(&small("x"))).await, Outcome::Delivered, "{alpn:?}");
        }
        // Whoever insists on HTTP/2 does not get less.
        config.http_version = HttpVersion::Http2;
        let client = Client::new(config).expect("valid");
        let outcome = client.send(&client.prepare(&small("x"))).await;
        if alpn.contains(&"h2") {
            assert_eq!(outcome, Outcome::Delivered);
        } else {
            assert_eq!(retry(outcome).kind, FailureKind::Tls, "{alpn:?}");
        }
    }
}
