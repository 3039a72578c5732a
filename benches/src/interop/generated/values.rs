//! Attribute values of every kind, and texts that are hard to carry.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::super::json::Specials;

/// Everything that an escape or a wrong length would spoil.
pub(super) const TEXT: &str =
    "Grüße 日本語 🦀 مرحبا \0 \u{10ffff} \u{2028} \"quoted\" back\\slash \r\n\t {[(,:";

pub(super) const START: u64 = 1_700_000_000_123_456_789;
pub(super) const END: u64 = 1_700_000_001_987_654_321;

pub(super) fn text(text: &str) -> AnyValue {
    any(Value::StringValue(text.to_owned()))
}

pub(super) fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

pub(super) fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), key_strindex: 0 }
}

/// The number of a filler or a variant, as an attribute that tells it from others.
pub(super) fn number(number: u32) -> KeyValue {
    pair("number", any(Value::IntValue(number.into())))
}

fn list(values: impl IntoIterator<Item = Value>) -> Value {
    Value::ArrayValue(ArrayValue { values: values.into_iter().map(any).collect() })
}

/// Lists and maps in each other, this many levels deep.
fn nested(levels: u32) -> Value {
    match levels {
        0 => Value::StringValue("bottom".to_owned()),
        odd if odd % 2 == 1 => list([nested(levels - 1), Value::BoolValue(true)]),
        _ => Value::KvlistValue(KeyValueList {
            values: vec![pair("down", any(nested(levels - 1))), pair("", text("an empty key"))],
        }),
    }
}

/// Every kind of value, with the extremes of each.
pub(super) fn attributes(specials: &Specials) -> Vec<KeyValue> {
    let integers = [0, 1, -1, 1 << 53, (1 << 53) + 1, -(1 << 53) - 1, i64::MAX, i64::MIN];
    let doubles = [
        0.0,
        -0.0,
        1.0,
        0.1,
        -2.5,
        f64::MIN_POSITIVE,
        5e-324,
        f64::MAX,
        1e21,
        0.1 + 0.2,
        specials.nan,
        specials.plus,
        specials.minus,
    ];
    let mut attributes = vec![
        pair("text", text(TEXT)),
        pair("empty text", text("")),
        pair("", text("an empty key")),
        pair("long", text(&"0123456789abcdef".repeat(300))),
        pair("text like a number", text("NaN")),
        pair("true", any(Value::BoolValue(true))),
        pair("false", any(Value::BoolValue(false))),
        pair("bytes", any(Value::BytesValue((0..=255).collect()))),
        pair("no bytes", any(Value::BytesValue(Vec::new()))),
        pair("empty value", AnyValue { value: None }),
        KeyValue { key: "no value".to_owned(), value: None, key_strindex: 0 },
        pair("empty list", any(list([]))),
        pair("empty map", any(Value::KvlistValue(KeyValueList { values: Vec::new() }))),
        pair("integers", any(list(integers.map(Value::IntValue)))),
        pair("doubles", any(list(doubles.map(Value::DoubleValue)))),
        pair(
            "mixed",
            any(list([
                Value::BoolValue(true),
                Value::BoolValue(false),
                Value::IntValue(7),
                Value::StringValue(TEXT.to_owned()),
            ])),
        ),
        pair("nested", any(nested(4))),
        pair(TEXT, text("a key that is hard to carry")),
        // The schema asks senders not to, and nobody on the way may decide which of them to drop.
        pair("twice", text("one")),
        pair("twice", text("two")),
    ];
    attributes
        .extend(integers.map(|integer| pair(&format!("integer {integer}"), any(Value::IntValue(integer)))));
    attributes.extend(
        (0..).zip(doubles).map(|(index, double): (u32, _)| {
            pair(&format!("double {index}"), any(Value::DoubleValue(double)))
        }),
    );
    attributes
}

/// A resource with all it can have.
pub(super) fn resource(specials: &Specials) -> Resource {
    let entity = EntityRef {
        schema_url: "https://example.com/entities".to_owned(),
        r#type: "service".to_owned(),
        id_keys: vec!["service.name".to_owned(), TEXT.to_owned()],
        description_keys: vec!["service.version".to_owned(), String::new()],
    };
    // Here only: values that are this deep take long to print.
    let deep = pair("deep", any(nested(24)));
    let attributes = attributes(specials).into_iter().chain([deep]).collect();
    Resource { attributes, dropped_attributes_count: u32::MAX, entity_refs: vec![entity] }
}

/// A resource with a name and nothing more.
pub(super) fn plain_resource() -> Resource {
    Resource { attributes: vec![pair("service.name", text("plain"))], ..Resource::default() }
}

/// A scope with all it can have.
pub(super) fn scope(specials: &Specials) -> InstrumentationScope {
    InstrumentationScope {
        name: TEXT.to_owned(),
        version: "1.2.3-β".to_owned(),
        attributes: attributes(specials),
        dropped_attributes_count: 3,
    }
}

/// A trace id that differs for each number.
pub(super) fn trace_id(number: u32) -> Vec<u8> {
    let number = number.to_be_bytes();
    [[0xff, 0, 0x80, 1], number, [0; 4], number].concat()
}

/// A span id that differs for each number.
pub(super) fn span_id(number: u32) -> Vec<u8> {
    [[0xfe, 0, 0x7f, 2], number.to_be_bytes()].concat()
}
