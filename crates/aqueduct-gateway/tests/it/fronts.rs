//! What may stand before a destination: a server that ends TLS, a socket in the file system, a proxy. Each leads to another server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener};

/// Carries bytes between a client and the server at this address.
async fn forward<S: AsyncRead + AsyncWrite + Unpin>(mut client: S, behind: SocketAddr) {
    let mut server = TcpStream::connect(behind).await.expect("listening");
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}

/// A folder that is removed in the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        // A plain counter that keeps the tests of one process apart.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("aqueduct-gateway-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a place for files");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    #[cfg(feature = "tls")]
    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A socket before the server at this address.
pub(crate) fn socket(path: &Path, behind: SocketAddr) {
    let listener = UnixListener::bind(path).expect("a free path");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(forward(stream, behind));
        }
    });
}

/// A proxy that leads every tunnel to one server, and remembers what it was asked.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) async fn start(behind: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heads = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let heads = Arc::clone(&heads);
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        // Byte by byte: what follows is the tunnel's.
                        let Ok(byte) = stream.read_u8().await else { return };
                        head.push(byte);
                    }
                    heads.lock().expect("no panics").push(String::from_utf8(head).expect("text"));
                    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.expect("it reads");
                    forward(stream, behind).await;
                });
            }
        });
        Self { address, asked }
    }

    /// The heads of the requests for tunnels.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panics").clone()
    }
}

#[cfg(feature = "tls")]
pub(crate) mod tls {
    //! Certificates made for a test, and a server that speaks TLS with them.

    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio_rustls::rustls::server::WebPkiClientVerifier;
    use tokio_rustls::rustls::{RootCertStore, ServerConfig};

    use super::*;

    /// Somebody who issues certificates.
    pub(crate) struct Authority {
        pub(crate) pem: String,
        issuer: Issuer<'static, KeyPair>,
    }

    /// A certificate and its key.
    pub(crate) struct Identity {
        pub(crate) certificate: String,
        pub(crate) key: String,
    }

    impl Authority {
        pub(crate) fn new(name: &str) -> Self {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let key = KeyPair::generate().expect("random numbers");
            let pem = params.self_signed(&key).expect("valid").pem();
            Self { pem, issuer: Issuer::new(params, key) }
        }

        pub(crate) fn issue(&self, name: &str) -> Identity {
            let params = CertificateParams::new([name.to_owned()]).expect("a name");
            let key = KeyPair::generate().expect("random numbers");
            let certificate = params.signed_by(&key, &self.issuer).expect("valid").pem();
            Identity { certificate, key: key.serialize_pem() }
        }
    }

    /// Ends TLS before the server at this address, as `identity`; clients must show a certificate of `demands`, if there is one.
    pub(crate) async fn front(
        identity: &Identity,
        demands: Option<&Authority>,
        behind: SocketAddr,
    ) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let acceptor = TlsAcceptor::from(Arc::new(config(identity, demands)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that does not trust us breaks off, which is its right.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        forward(stream, behind).await;
                    }
                });
            }
        });
        address
    }

    fn config(identity: &Identity, demands: Option<&Authority>) -> ServerConfig {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = match demands {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(certificate(&authority.pem)).expect("an authority");
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().expect("valid"))
            }
        };
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("PEM");
        let chain = vec![certificate(&identity.certificate)];
        let mut config = builder.with_single_cert(chain, key).expect("valid");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }

    fn certificate(pem: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM")
    }
}
