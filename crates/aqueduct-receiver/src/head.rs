//! What the headers of a request ask for.

use crate::refusal::Refusal;
use crate::stats::RefuseReason;
use aqueduct_wire::{Signal, rpc::health};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// How a body is compressed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    #[cfg(feature = "zstd")]
    Zstd,
}

/// What we can inflate, as the value of `Accept-Encoding`.
pub(crate) const ENCODINGS: HeaderValue =
    HeaderValue::from_static(if cfg!(feature = "zstd") { "gzip, zstd" } else { "gzip" });
/// The same as the value of `grpc-accept-encoding`.
pub(crate) const GRPC_ENCODINGS: HeaderValue =
    HeaderValue::from_static(if cfg!(feature = "zstd") { "identity,gzip,zstd" } else { "identity,gzip" });

impl Encoding {
    fn parse(name: &[u8]) -> Option<Encoding> {
        if name.eq_ignore_ascii_case(b"identity") {
            return Some(Encoding::Identity);
        }
        if name.eq_ignore_ascii_case(b"gzip") {
            return Some(Encoding::Gzip);
        }
        #[cfg(feature = "zstd")]
        if name.eq_ignore_ascii_case(b"zstd") {
            return Some(Encoding::Zstd);
        }
        None
    }
}

/// How a body is written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Protobuf,
    Json,
}

/// In which language to answer.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Grpc,
    Http(Format),
}

/// What is asked for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Export(Signal),
    /// `grpc.health.v1.Health/Check`.
    Health,
}

/// A request whose headers are in order.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) asked: Asked,
    pub(crate) style: Style,
    pub(crate) encoding: Encoding,
}

/// Which languages a connection speaks.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Grpc,
    Http,
    Both,
}

const GRPC: &[u8] = b"application/grpc";
const PROTOBUF: &[u8] = b"application/x-protobuf";
const JSON: &[u8] = b"application/json";
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const SUPPORTED_TYPES: &str = if cfg!(feature = "json") {
    "content-type must be application/x-protobuf or application/json"
} else {
    "content-type must be application/x-protobuf"
};
const NO_GRPC: &str = "gRPC needs HTTP/2; content-type must be application/x-protobuf or application/json";
const ONLY_GRPC: &str =
    "this port speaks gRPC: content-type must be application/grpc or application/grpc+proto";

impl Head {
    /// Reads the headers; a refusal comes with the language to say it in.
    pub(crate) fn read(
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        speaks: Speaks,
    ) -> Result<Head, (Style, Refusal)> {
        let mut types = headers.get_all(CONTENT_TYPE).iter();
        let media = types.next().map_or(&b""[..], media_type);
        let doubled = types.next().is_some();
        if media.get(..GRPC.len()).is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
            && speaks != Speaks::Http
        {
            return grpc(method, path, headers, media, doubled).map_err(|refusal| (Style::Grpc, refusal));
        }
        let format = if media.eq_ignore_ascii_case(JSON) { Format::Json } else { Format::Protobuf };
        let style = Style::Http(if cfg!(feature = "json") { format } else { Format::Protobuf });
        if speaks == Speaks::Grpc {
            return Err((style, Refusal::new(RefuseReason::ContentType, ONLY_GRPC)));
        }
        http(method, path, headers, media, doubled, format)
            .map(|(signal, encoding)| Head { asked: Asked::Export(signal), style, encoding })
            .map_err(|refusal| (style, refusal))
    }
}

fn grpc(
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    media: &[u8],
    doubled: bool,
) -> Result<Head, Refusal> {
    let subtype = &media[GRPC.len()..];
    if !(subtype.is_empty() || subtype.eq_ignore_ascii_case(b"+proto")) {
        let message = "content-type must be application/grpc or application/grpc+proto";
        return Err(Refusal::new(RefuseReason::ContentType, message));
    }
    if method != Method::POST {
        return Err(Refusal::new(RefuseReason::Method, "gRPC needs the method POST"));
    }
    if doubled {
        return Err(Refusal::new(RefuseReason::DuplicateHeader, "two content-type headers"));
    }
    let asked = match Signal::from_grpc_path(path) {
        Some(signal) => Asked::Export(signal),
        None if path == health::CHECK_PATH => Asked::Health,
        None => return Err(Refusal::new(RefuseReason::NotFound, format!("unknown method {}", shown(path)))),
    };
    let mut encodings = headers.get_all(&GRPC_ENCODING).iter();
    let encoding = match encodings.next() {
        None => Encoding::Identity,
        Some(name) => Encoding::parse(name.as_bytes()).ok_or_else(|| unsupported(name, "grpc-encoding"))?,
    };
    if encodings.next().is_some() {
        return Err(Refusal::new(RefuseReason::DuplicateHeader, "two grpc-encoding headers"));
    }
    Ok(Head { asked, style: Style::Grpc, encoding })
}

fn http(
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    media: &[u8],
    doubled: bool,
    format: Format,
) -> Result<(Signal, Encoding), Refusal> {
    let Some(signal) = Signal::from_http_path(path) else {
        let message = format!("unknown path {}: use /v1/traces, /v1/metrics or /v1/logs", shown(path));
        return Err(Refusal::new(RefuseReason::NotFound, message));
    };
    if method != Method::POST {
        return Err(Refusal::new(RefuseReason::Method, "use the method POST"));
    }
    if doubled {
        return Err(Refusal::new(RefuseReason::DuplicateHeader, "two content-type headers"));
    }
    if media.get(..GRPC.len()).is_some_and(|start| start.eq_ignore_ascii_case(GRPC)) {
        return Err(Refusal::new(RefuseReason::ContentType, NO_GRPC));
    }
    let known = match format {
        Format::Json => cfg!(feature = "json"),
        Format::Protobuf => media.eq_ignore_ascii_case(PROTOBUF),
    };
    if !known {
        return Err(Refusal::new(RefuseReason::ContentType, SUPPORTED_TYPES));
    }
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    let encoding = match encodings.next() {
        None => Encoding::Identity,
        Some(name) => {
            Encoding::parse(name.as_bytes()).ok_or_else(|| unsupported(name, "content-encoding"))?
        }
    };
    if encodings.next().is_some() {
        let message = "two content-encoding headers: a body may be compressed once";
        return Err(Refusal::new(RefuseReason::ContentEncoding, message));
    }
    Ok((signal, encoding))
}

/// The media type without its parameters.
fn media_type(value: &HeaderValue) -> &[u8] {
    let value = value.as_bytes();
    let end = value.iter().position(|&byte| byte == b';').unwrap_or(value.len());
    value[..end].trim_ascii_end()
}

fn unsupported(name: &HeaderValue, header: &str) -> Refusal {
    let name = String::from_utf8_lossy(name.as_bytes());
    let supported = if cfg!(feature = "zstd") { "identity, gzip and zstd" } else { "identity and gzip" };
    let message = format!("{header} {} is not supported, but {supported} are", shown(&name));
    Refusal::new(RefuseReason::ContentEncoding, message)
}

/// What the client sent, short enough and plain enough to be sent back in a message.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(80).map(|c| if c.is_control() { '?' } else { c }).collect();
    if shown.len() < text.len() && text.chars().count() > 80 {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests;
