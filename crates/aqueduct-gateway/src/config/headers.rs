//! `headers` of exporters: names and values that HTTP can carry. Values are secrets and never repeated in messages.

use std::collections::HashSet;

use super::errors::Finding;
use super::read::Field;
use super::secret::Secret;
use super::yaml::Value;

/// Headers that the protocol itself sets; a second value would break requests.
const RESERVED: [&str; 11] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Reads a mapping of header names to texts.
pub(crate) fn read(field: &Field<'_>) -> Vec<(String, Secret)> {
    let mut headers = Vec::new();
    let mut seen = HashSet::new();
    field.entries();
    for (name, field) in field.members() {
        let lower = name.to_ascii_lowercase();
        let problem = if !is_token(name) {
            Some("expected a header name: letters, digits and `-`")
        } else if RESERVED.contains(&lower.as_str()) || lower.starts_with("grpc-") {
            Some("this header is set by the protocol itself: remove it")
        } else if !seen.insert(lower.clone()) {
            Some("this header is already set (names are case-insensitive)")
        } else {
            None
        };
        if let Some(problem) = problem {
            field.findings.error(Finding::new(field.key_at, field.path.clone(), problem));
            continue;
        }
        if let Some(value) = value(&field) {
            headers.push((lower, Secret::new(value)));
        }
    }
    headers
}

fn value<'a>(field: &Field<'a>) -> Option<&'a str> {
    let problem = match &field.node.value {
        Value::Scalar(scalar) if scalar.is_null() => "found nothing, expected the header's value",
        Value::Scalar(scalar) if scalar.text.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b)) => {
            return Some(&scalar.text);
        }
        Value::Scalar(_) => {
            "the value (not shown) has characters that a header cannot carry, such as a line break"
        }
        _ => "found a list or mapping, expected the header's value",
    };
    field.fail(Finding::new(field.node.at, field.path.clone(), problem));
    None
}

/// RFC 9110, 5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
