//! A front that ends TLS, spoken to by a client of rustls itself.

use std::net::SocketAddr;
use std::sync::Arc;

use aqueduct_testkit::fronts::tls::{Authority, Identity, Server, TlsFront};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Sends back what it is sent.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

/// Whether a word comes back, for a client that trusts `authority` and shows this certificate.
async fn answers(address: SocketAddr, authority: &Authority, shows: Option<&Identity>) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("PEM")).expect("an authority");
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = match shows {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain: Result<_, _> = CertificateDer::pem_slice_iter(identity.chain.as_bytes()).collect();
            let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("PEM");
            builder.with_client_auth_cert(chain.expect("PEM"), key).expect("a key that fits")
        }
    };
    let tcp = TcpStream::connect(address).await.expect("listening");
    let name = ServerName::try_from("localhost").expect("a name");
    let Ok(mut stream) = TlsConnector::from(Arc::new(config)).connect(name, tcp).await else { return false };
    let mut heard = [0; 4];
    stream.write_all(b"word").await.is_ok()
        && stream.read_exact(&mut heard).await.is_ok()
        && &heard == b"word"
}

/// Guards the tests of TLS against a front that lets everybody through: who is who is checked in both directions.
#[tokio::test]
async fn only_those_who_may_get_through() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (friend, stranger) = (ours.issue(&["friend"]), theirs.issue(&["stranger"]));
    let front = TlsFront::start(&Server::new(ours.issue(&["localhost"])), echo().await).await;
    assert!(answers(front.address(), &ours, None).await);
    assert!(!answers(front.address(), &theirs, None).await, "a server that is not trusted");

    let demanding = Server { demands: Some(ours.pem.clone()), ..Server::new(ours.issue(&["localhost"])) };
    front.change(&demanding);
    assert!(answers(front.address(), &ours, Some(&friend)).await);
    assert!(!answers(front.address(), &ours, Some(&stranger)).await, "a client that is not trusted");
    assert!(!answers(front.address(), &ours, None).await, "a client that shows nothing");
    let elsewhere = Server::new(ours.issue(&["elsewhere"]));
    front.change(&elsewhere);
    assert!(!answers(front.address(), &ours, None).await, "another name");
}
