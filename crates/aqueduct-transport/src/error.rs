//! What can be wrong with a configuration.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

/// Why a [`Client`](crate::Client) cannot be built from a [`ClientConfig`](crate::ClientConfig), a
/// [`ConnectionPool`](crate::ConnectionPool) from a [`PoolConfig`](crate::PoolConfig), or a policy from its numbers.
///
/// Nothing of the network is looked at when a client is built, so none of these depends on the peer. Files with
/// certificates are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The endpoint is no URL of the form `http://host:port[/path]`, with `https` or `unix:/path` as it may be; for gRPC,
    /// `host:port` will do as well.
    Endpoint {
        /// The endpoint as it was given.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The endpoint's scheme is one that cannot be spoken on this system: `unix` where there are no such sockets.
    Scheme {
        /// The endpoint as it was given.
        endpoint: String,
        /// What is lacking.
        reason: &'static str,
    },
    /// A header's name or value may not appear in a request, or the header is one that the client sets itself.
    Header {
        /// The header's name as it was given.
        name: String,
        /// What is wrong with it. Never contains the value, which may be a secret.
        reason: &'static str,
    },
    /// A certificate, a key or a name that TLS cannot work with.
    Tls {
        /// The field of [`TlsConfig`](crate::TlsConfig).
        setting: &'static str,
        /// The file that the field names, if it does.
        file: Option<PathBuf>,
        /// What is wrong with it. Never quotes a key.
        reason: String,
    },
    /// The proxy on the way to an endpoint is none that can be used.
    Proxy {
        /// The proxy as it was given, without its credentials.
        proxy: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The user agent holds characters that no header may hold.
    UserAgent,
    /// A compression level outside the codec's range.
    Level {
        /// The codec: `gzip` or `zstd`.
        codec: &'static str,
        /// The level that was asked for.
        level: i64,
        /// Lowest level of the codec.
        lowest: i64,
        /// Highest level of the codec.
        highest: i64,
    },
    /// A number or a duration outside the range that makes sense.
    Range {
        /// The field of the configuration.
        field: &'static str,
        /// What it must be.
        reason: &'static str,
    },
    /// The configuration asks for something this build of the crate was compiled without.
    FeatureMissing {
        /// The feature of this crate that unlocks it.
        feature: &'static str,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint { endpoint, reason } => write!(f, "endpoint {endpoint:?}: {reason}"),
            Self::Scheme { endpoint, reason } => write!(f, "endpoint {endpoint:?}: {reason}"),
            Self::Header { name, reason } => write!(f, "header {name:?}: {reason}"),
            Self::Tls { setting, file: Some(file), reason } => {
                write!(f, "TLS setting {setting}: {}: {reason}", file.display())
            }
            Self::Tls { setting, file: None, reason } => write!(f, "TLS setting {setting}: {reason}"),
            Self::Proxy { proxy, reason } => write!(f, "proxy {proxy:?}: {reason}"),
            Self::UserAgent => f.write_str("user agent: characters that no header may hold"),
            Self::Level { codec, level, lowest, highest } => {
                write!(f, "compression level {level}: {codec} knows {lowest} to {highest}")
            }
            Self::Range { field, reason } => write!(f, "{field}: {reason}"),
            Self::FeatureMissing { feature } => {
                write!(f, "aqueduct-transport was built without its feature {feature:?}")
            }
        }
    }
}

impl Error for ConfigError {}
