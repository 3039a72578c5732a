//! Certificates made for a test, and a server that speaks TLS with them before another that does not.
//!
//! ```
//! use aqueduct_testkit::fronts::tls::{Authority, Server, TlsFront};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # let plain = "127.0.0.1:1".parse().expect("an address");
//! let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
//! // Clients need a certificate of ours.
//! let server = Server { demands: Some(ours.pem.clone()), ..Server::new(ours.issue(&["localhost"])) };
//! let front = TlsFront::start(&server, plain).await;
//! assert_ne!(front.address().port(), 0);
//! // From now on it is a stranger.
//! front.change(&Server::new(theirs.issue(&["localhost"])));
//! # }
//! ```

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};

use super::forward;

/// Somebody who issues certificates.
#[derive(Debug)]
pub struct Authority {
    /// Its own certificate.
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate, with those that lead to its authority, and its key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificates as PEM, its own first.
    pub chain: String,
    /// The key as PEM.
    pub key: String,
}

impl Authority {
    /// An authority that nobody vouches for.
    pub fn new(name: &str) -> Self {
        let (params, key) = authority(name);
        let pem = params.self_signed(&key).expect("valid").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// An authority whose certificate is from this one.
    pub fn intermediate(&self, name: &str) -> Self {
        let (params, key) = authority(name);
        let pem = params.signed_by(&key, &self.issuer).expect("valid").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for these host names and addresses.
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.issue_with(names, |_| {})
    }

    /// The same, with something else changed about it.
    pub fn issue_with(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = subject(names);
        change(&mut params);
        let key = KeyPair::generate().expect("random numbers");
        let chain = params.signed_by(&key, &self.issuer).expect("valid").pem();
        Identity { chain, key: key.serialize_pem() }
    }
}

/// A certificate from nobody but itself.
pub fn self_signed(names: &[&str]) -> Identity {
    let key = KeyPair::generate().expect("random numbers");
    let chain = subject(names).self_signed(&key).expect("valid").pem();
    Identity { chain, key: key.serialize_pem() }
}

fn authority(name: &str) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (params, KeyPair::generate().expect("random numbers"))
}

fn subject(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.push(DnType::CommonName, "somebody");
    params
}

/// How a server speaks TLS.
#[derive(Debug)]
pub struct Server {
    /// As whom.
    pub identity: Identity,
    /// The authority, as PEM, whose certificate it demands of clients.
    pub demands: Option<String>,
    /// The versions of TLS that it speaks.
    pub versions: Vec<&'static SupportedProtocolVersion>,
    /// The protocols it agrees to; empty for a server that knows nothing of that.
    pub alpn: &'static [&'static str],
}

impl Server {
    /// TLS 1.2 and 1.3 with HTTP/2 and HTTP/1.1 in it, for every client.
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            demands: None,
            versions: vec![&version::TLS13, &version::TLS12],
            alpn: &["h2", "http/1.1"],
        }
    }

    fn config(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&self.versions)
            .expect("versions");
        let builder = match &self.demands {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                roots
                    .add(CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM"))
                    .expect("an authority");
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().expect("valid"))
            }
        };
        let chain = CertificateDer::pem_slice_iter(self.identity.chain.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(self.identity.key.as_bytes()).expect("PEM");
        let mut config =
            builder.with_single_cert(chain.collect::<Result<_, _>>().expect("PEM"), key).expect("valid");
        config.alpn_protocols = self.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

/// Ends TLS before a server that speaks plain text, on a free port of 127.0.0.1.
#[derive(Debug)]
pub struct TlsFront {
    address: SocketAddr,
    config: Arc<Mutex<Arc<ServerConfig>>>,
}

impl TlsFront {
    /// A front before the server at `behind`. It stays when this is dropped, until the runtime ends.
    pub async fn start(server: &Server, behind: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let config = Arc::new(Mutex::new(server.config()));
        let current = config.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let acceptor = TlsAcceptor::from(current.lock().expect("no panics").clone());
                tokio::spawn(async move {
                    match acceptor.accept(tcp).into_fallible().await {
                        Ok(tls) => forward(tls, behind).await,
                        // Reads on, or the kernel would reset the connection with our alert still in it.
                        Err((_, mut tcp)) => {
                            let _ = tokio::io::copy(&mut tcp, &mut tokio::io::sink()).await;
                        }
                    }
                });
            }
        });
        Self { address, config }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves new connections in this way.
    pub fn change(&self, server: &Server) {
        *self.config.lock().expect("no panics") = server.config();
    }
}
