//! Certificates and keys: from PEM to a TLS configuration.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::client::ClientConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{Error, InconsistentKeys, RootCertStore, version};

use super::{Pem, TlsConfig, TlsVersion};
use crate::error::ConfigError;

/// More than the certificates of all public authorities together (200 KiB); bounds what a wrong path can cost.
const MAX_FILE: u64 = 4 << 20;

const CA: &str = "ca";
const CERTIFICATE: &str = "client_certificate";
const KEY: &str = "client_key";

/// What the files and bytes of a [`TlsConfig`] held when they were read.
#[derive(PartialEq, Eq)]
pub(super) struct Material {
    ca: Option<Vec<u8>>,
    certificate: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
}

impl Material {
    pub(super) fn read(config: &TlsConfig) -> Result<Self, ConfigError> {
        Ok(Self {
            ca: read(CA, config.ca.as_ref())?,
            certificate: read(CERTIFICATE, config.client_certificate.as_ref())?,
            key: read(KEY, config.client_key.as_ref())?,
        })
    }

    /// The configuration of sessions with this material, which was read for that configuration of ours.
    pub(super) fn session(&self, config: &TlsConfig) -> Result<ClientConfig, ConfigError> {
        let roots = match &self.ca {
            Some(pem) => authorities(pem).map(Arc::new),
            None => system(),
        };
        let versions: &[_] = match config.min_version {
            TlsVersion::V1_2 => &[&version::TLS13, &version::TLS12],
            TlsVersion::V1_3 => &[&version::TLS13],
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .map_err(|error| wrong("min_version", None, error))?
            .with_root_certificates(roots.map_err(|reason| wrong(CA, config.ca.as_ref(), reason))?);
        let (certificate, key) = match (&self.certificate, &self.key) {
            (None, None) => return Ok(builder.with_no_client_auth()),
            (Some(certificate), Some(key)) => (certificate, key),
            (Some(_), None) => return Err(wrong(KEY, None, "client_certificate needs its key")),
            (None, Some(_)) => return Err(wrong(CERTIFICATE, None, "client_key needs its certificate")),
        };
        let chain = certificates(certificate)
            .map_err(|reason| wrong(CERTIFICATE, config.client_certificate.as_ref(), reason))?;
        let wrong_key = |reason: &str| wrong(KEY, config.client_key.as_ref(), reason);
        let key = private_key(key).map_err(wrong_key)?;
        builder.with_client_auth_cert(chain, key).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                wrong_key("is not the key of client_certificate")
            }
            other => wrong_key(&other.to_string()),
        })
    }
}

fn wrong(setting: &'static str, pem: Option<&Pem>, reason: impl ToString) -> ConfigError {
    let file = match pem {
        Some(Pem::File(path)) => Some(path.clone()),
        Some(Pem::Bytes(_)) | None => None,
    };
    ConfigError::Tls { setting, file, reason: reason.to_string() }
}

fn read(setting: &'static str, pem: Option<&Pem>) -> Result<Option<Vec<u8>>, ConfigError> {
    let bytes = match pem {
        None => return Ok(None),
        Some(Pem::Bytes(bytes)) => Ok(bytes.clone()),
        Some(Pem::File(path)) => read_file(path),
    };
    bytes.map(Some).map_err(|error| wrong(setting, pem, error))
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for someone to write to it.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other("is larger than 4 MiB"));
    }
    Ok(bytes)
}

/// The authorities in a PEM file. One that makes no sense among others that do is left out: to trust fewer is safe.
fn authorities(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match roots.add_parsable_certificates(certificates(pem)?) {
        (0, _) => Err("holds no certificate that could be an authority's".to_owned()),
        _ => Ok(roots),
    }
}

/// The authorities that the system trusts, read once: on some systems that takes 100 ms.
fn system() -> Result<Arc<RootCertStore>, String> {
    static SYSTEM: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = SYSTEM.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        // Of a store with errors in it, what can be read is trusted.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    });
    if roots.is_empty() {
        return Err(
            "the system has no list of certificate authorities; name those to trust here, or install \
                    ca-certificates"
                .to_owned(),
        );
    }
    Ok(roots.clone())
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, PemError> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err("holds no PEM certificate".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("is no valid PEM: {error}")),
    }
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, &'static str> {
    // "BEGIN ENCRYPTED PRIVATE KEY" (PKCS#8) or "Proc-Type: 4,ENCRYPTED" (the traditional form).
    if pem.windows(9).any(|window| window == b"ENCRYPTED") {
        return Err("is encrypted, which is not supported; decrypt it with `openssl pkey`");
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        PemError::NoItemsFound => "holds no PEM private key",
        // The error itself may quote a line of the key.
        _ => "is no valid PEM",
    })
}
