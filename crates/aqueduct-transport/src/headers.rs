//! The headers that every request of a client carries.

use http::header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT};

use crate::config::ClientConfig;
use crate::error::ConfigError;

/// Our own name, in the form that the specification asks of exporters ("User Agent").
const PRODUCT: &str = concat!("OTel-OTLP-Exporter-Rust/", env!("CARGO_PKG_VERSION"));

/// Headers that the client or the protocol sets; a second value would make the request ambiguous.
const RESERVED: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "grpc-accept-encoding",
    "grpc-encoding",
    "grpc-timeout",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// The user agent and the user's own headers.
pub(crate) fn base(config: &ClientConfig) -> Result<HeaderMap, ConfigError> {
    let agent = match config.user_agent.as_deref().map(str::trim) {
        None | Some("") => PRODUCT.to_owned(),
        Some(own) => format!("{own} {PRODUCT}"),
    };
    let mut headers = HeaderMap::with_capacity(config.headers.len() + 8);
    headers.insert(USER_AGENT, HeaderValue::try_from(agent).map_err(|_| ConfigError::UserAgent)?);
    for (name, value) in &config.headers {
        let refuse = |reason| ConfigError::Header { name: name.clone(), reason };
        let parsed: HeaderName = name.trim().parse().map_err(|_| refuse("no valid header name"))?;
        if RESERVED.contains(&parsed.as_str()) {
            return Err(refuse("is set by the client itself"));
        }
        let mut value = HeaderValue::try_from(value.trim())
            .map_err(|_| refuse("the value holds characters that no header may hold"))?;
        // Keeps tokens out of HTTP/2's shared compression table and out of debug output.
        value.set_sensitive(true);
        headers.append(parsed, value);
    }
    Ok(headers)
}
