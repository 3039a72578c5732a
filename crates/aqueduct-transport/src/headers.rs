//! The headers that every request of a client carries.

use http::header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT};

use crate::config::ClientConfig;
use crate::error::ConfigError;

/// Our own name, in the form that the specification asks of exporters ("User Agent").
const PRODUCT: &str = concat!("OTel-OTLP-Exporter-Rust/", env!("CARGO_PKG_VERSION"));

/// Headers that the client or the protocol sets; a second value would make the request ambiguous.
const RESERVED: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "grpc-accept-encoding",
    "grpc-encoding",
    "grpc-timeout",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
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
    append(&mut headers, &config.headers)?;
    Ok(headers)
}

/// Adds these headers, as they were configured or provided.
pub(crate) fn append(headers: &mut HeaderMap, pairs: &[(String, String)]) -> Result<(), ConfigError> {
    for (name, value) in pairs {
        let (name, value) = parse(name, value)?;
        headers.append(name, value);
    }
    Ok(())
}

/// A header that a user may set.
pub(crate) fn parse(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), ConfigError> {
    let refuse = |reason| ConfigError::Header { name: name.to_owned(), reason };
    let parsed: HeaderName = name.trim().parse().map_err(|_| refuse("no valid header name"))?;
    if RESERVED.contains(&parsed.as_str()) {
        return Err(refuse("is set by the client itself"));
    }
    let mut value = HeaderValue::try_from(value.trim())
        .map_err(|_| refuse("the value holds characters that no header may hold"))?;
    // Keeps tokens out of HTTP/2's shared compression table and out of debug output.
    value.set_sensitive(true);
    Ok((parsed, value))
}

/// Adds the headers that were provided for this request; each takes the place of those of its name.
#[cfg(any(feature = "grpc", feature = "http"))]
pub(crate) fn replace(headers: &mut HeaderMap, provided: Option<&HeaderMap>) {
    for name in provided.into_iter().flat_map(HeaderMap::keys) {
        headers.remove(name);
    }
    for (name, value) in provided.into_iter().flatten() {
        headers.append(name.clone(), value.clone());
    }
}
