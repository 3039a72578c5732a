//! TLS: what a user can say about it, and connections that keep to it.

#[cfg(all(feature = "tls", any(feature = "grpc", feature = "http")))]
mod connector;
#[cfg(all(feature = "tls", any(feature = "grpc", feature = "http")))]
mod explain;
#[cfg(all(feature = "tls", any(feature = "grpc", feature = "http")))]
mod material;

use std::fmt;
use std::path::PathBuf;

#[cfg(all(feature = "tls", any(feature = "grpc", feature = "http")))]
pub(crate) use connector::Connector;
#[cfg(all(feature = "tls", any(feature = "grpc", feature = "http")))]
pub(crate) use explain::refused_late;

/// How `https://` endpoints are spoken to; endpoints without TLS do not look at it. Needs the feature `tls`.
///
/// The peer is always verified: its chain of certificates, their dates, and the name. There is no switch against it; for
/// a peer with a certificate of its own, trust that one with [`ca`](Self::ca).
///
/// Files are read when the client is built, where anything wrong with them is an error, and again before each
/// connection. What changed is used from then on, for new connections; while the new contents make no sense (half of them
/// written, say) the old ones stay in use, and [`ClientStatus::last_warning`](crate::ClientStatus::last_warning) says
/// so.
///
/// ```
/// use aqueduct_transport::{ClientConfig, Pem, Protocol, TlsVersion};
///
/// let mut config = ClientConfig::new("https://collector.example:4317", Protocol::Grpc);
/// config.tls.ca = Some(Pem::File("/etc/otel/ca.pem".into()));
/// config.tls.client_certificate = Some(Pem::File("/etc/otel/client.pem".into()));
/// config.tls.client_key = Some(Pem::File("/etc/otel/client.key".into()));
/// config.tls.min_version = TlsVersion::V1_3;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "ClientTlsConfig")]
pub struct TlsConfig {
    /// Certificates of the authorities to trust, instead of the system's: `OTEL_EXPORTER_OTLP_CERTIFICATE`. Default
    /// none: those of the system, as they were when the process first needed them (`SSL_CERT_FILE` and `SSL_CERT_DIR` overrule
    /// where they lie).
    #[doc(alias = "ca_file")]
    pub ca: Option<Pem>,
    /// The certificate by which a server that wants to know tells us from others (mutual TLS), followed by its
    /// intermediate ones: `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE`. Goes with [`client_key`](Self::client_key). Default none.
    #[doc(alias = "cert_file")]
    pub client_certificate: Option<Pem>,
    /// The private key of the client's certificate: PKCS#8, PKCS#1 or SEC1, not encrypted:
    /// `OTEL_EXPORTER_OTLP_CLIENT_KEY`. Default none.
    #[doc(alias = "key_file")]
    pub client_key: Option<Pem>,
    /// The name or address that the server's certificate must be for, where it is not the endpoint's host. The server
    /// is told it too (SNI), if it is a name. Default none.
    #[doc(alias = "server_name_override")]
    #[doc(alias = "domain_name")]
    pub server_name: Option<String>,
    /// The oldest version to speak. Default 1.2.
    pub min_version: TlsVersion,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TlsVersion {
    /// RFC 5246. Older ones are not spoken at all.
    #[default]
    V1_2,
    /// RFC 8446.
    V1_3,
}

/// Certificates or a key in the textual form of RFC 7468 (`-----BEGIN CERTIFICATE-----`).
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    /// In this file, at most 4 MiB, which is watched for changes.
    File(PathBuf),
    /// These bytes. `Debug` does not show them: they may be a key.
    Bytes(Vec<u8>),
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Bytes(bytes) => write!(f, "Bytes(.. {} bytes)", bytes.len()),
        }
    }
}
