//! `headers` of exporters: names and values that HTTP can carry. Values are secrets and never repeated in messages.

use std::collections::HashSet;

use super::errors::Finding;
use super::read::{Field, Keys, Section};
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
    let mut headers = Headers::default();
    field.entries();
    field.members().for_each(|(name, field)| headers.add(name, &field, &field));
    headers.read
}

pub(crate) const HEADER: Keys = Keys { supported: &["name", "value"], refused: &[] };

/// As [`read`], or a list of a `name` and a `value` each, which is how the collector has it where it sends its own telemetry.
pub(crate) fn read_named(field: &Field<'_>) -> Vec<(String, Secret)> {
    if !matches!(field.node.value, Value::List(_)) {
        return read(field);
    }
    let mut headers = Headers::default();
    for item in field.items("headers").into_iter().flatten() {
        let section = Section::open(&item, &HEADER);
        let name = section.required("name", "the header's name");
        let value = section.required("value", "the header's value");
        let (Some(name), Some(value)) = (name, value) else { continue };
        if let Some(text) = name.text("a header name") {
            headers.add(text, &name, &value);
        }
    }
    headers.read
}

#[derive(Default)]
struct Headers {
    read: Vec<(String, Secret)>,
    seen: HashSet<String>,
}

impl Headers {
    /// Takes a header whose name stands at one field and whose value at another, or says what is wrong.
    fn add(&mut self, name: &str, at: &Field<'_>, field: &Field<'_>) {
        let lower = name.to_ascii_lowercase();
        let problem = if !is_token(name) {
            Some("expected a header name: letters, digits and `-`")
        } else if RESERVED.contains(&lower.as_str()) || lower.starts_with("grpc-") {
            Some("this header is set by the protocol itself: remove it")
        } else if !self.seen.insert(lower.clone()) {
            Some("this header is already set (names are case-insensitive)")
        } else {
            None
        };
        if let Some(problem) = problem {
            at.findings.error(Finding::new(at.key_at, at.path.clone(), problem));
        } else if let Some(value) = value(field) {
            self.read.push((lower, Secret::new(value)));
        }
    }
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
