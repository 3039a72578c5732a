//! `OTEL_RESOURCE_ATTRIBUTES`.

use aqueduct_wire::grpc::decode_message;
use opentelemetry::Key;

use super::Reader;

type Attributes = Vec<(String, String)>;

/// The attributes, decoded; and as they stand there, which is how the SDK's detector reads them.
///
/// The specification wants all of them discarded if one cannot be read.
pub(super) fn attributes(reader: &mut Reader<'_>) -> (Attributes, Vec<(Key, String)>) {
    let parse = |text: &str| {
        let (mut decoded, mut raw) = (Vec::new(), Vec::new());
        for (at, member) in text.split(',').enumerate() {
            if member.trim().is_empty() {
                continue;
            }
            let wrong = |why: &str| format!("entry {} {why}; none of them is used", at + 1);
            let (key, value) = member.split_once('=').ok_or_else(|| wrong("is not name=value"))?;
            let (key, value) = (key.trim(), value.trim());
            let plain = [key, value].map(|text| decode_message(text.as_bytes()));
            if plain.iter().any(|text| text.contains(char::REPLACEMENT_CHARACTER)) {
                return Err(wrong("is not UTF-8 when it is decoded"));
            }
            let [name, plain] = plain;
            if name.is_empty() {
                return Err(wrong("has no name"));
            }
            raw.push((Key::new(key.to_owned()), value.to_owned()));
            decoded.push((name, plain));
        }
        Ok((decoded, raw))
    };
    reader.read("OTEL_RESOURCE_ATTRIBUTES", parse).unwrap_or_default()
}
