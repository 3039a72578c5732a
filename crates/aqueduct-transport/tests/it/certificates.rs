//! Certificates made for tests, and a server that speaks TLS with them in front of another that does not.

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

use crate::front::forward;

/// Somebody who issues certificates.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate, with those that lead to its authority, and its key.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let (params, key) = authority(name);
        let pem = params.self_signed(&key).expect("valid").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// An authority whose certificate is from this one.
    pub(crate) fn intermediate(&self, name: &str) -> Self {
        let (params, key) = authority(name);
        let pem = params.signed_by(&key, &self.issuer).expect("valid").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn issue(&self, names: &[&str]) -> Identity {
        self.issue_with(names, |_| {})
    }

    pub(crate) fn issue_with(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = subject(names);
        change(&mut params);
        let key = KeyPair::generate().expect("random numbers");
        let chain = params.signed_by(&key, &self.issuer).expect("valid").pem();
        Identity { chain, key: key.serialize_pem() }
    }
}

/// A certificate from nobody but itself.
pub(crate) fn self_signed(names: &[&str]) -> Identity {
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
pub(crate) struct Server {
    pub(crate) identity: Identity,
    /// The authority whose certificate it demands of clients.
    pub(crate) demands: Option<String>,
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
    /// The protocols it agrees to; empty for a server that knows nothing of that.
    pub(crate) alpn: &'static [&'static str],
}

impl Server {
    pub(crate) fn new(identity: Identity) -> Self {
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

/// Ends TLS in front of a server that speaks plain text.
pub(crate) struct TlsFront {
    pub(crate) address: SocketAddr,
    config: Arc<Mutex<Arc<ServerConfig>>>,
}

impl TlsFront {
    pub(crate) async fn start(server: &Server, behind: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let config = Arc::new(Mutex::new(server.config()));
        let current = config.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let acceptor = TlsAcceptor::from(current.lock().expect("no panics").clone());
                tokio::spawn(async move {
                    match acceptor.accept(tcp).into_fallible().await {
                        Ok(mut tls) => forward(&mut tls, behind).await,
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

    /// Serves new connections in this way.
    pub(crate) fn change(&self, server: &Server) {
        *self.config.lock().expect("no panics") = server.config();
    }
}
