//! What spans, log records and points consist of.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use proptest::collection::vec;
use proptest::prelude::*;

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z.]{0,12}", any::<String>(), "[a-zäß漢]{100,200}"]
}

pub(crate) fn time() -> impl Strategy<Value = SystemTime> {
    prop_oneof![
        Just(UNIX_EPOCH),
        Just(UNIX_EPOCH - Duration::from_secs(1)),
        (0..u64::MAX / 2).prop_map(|nanos| UNIX_EPOCH + Duration::from_nanos(nanos)),
    ]
}

fn float() -> impl Strategy<Value = f64> {
    // Equality of what comes out is what is tested.
    any::<f64>().prop_filter("a number", |number| !number.is_nan())
}

fn value() -> impl Strategy<Value = Value> {
    let texts = vec(text().prop_map(StringValue::from), 0..4);
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::I64),
        float().prop_map(Value::F64),
        text().prop_map(Value::from),
        Just(Value::from("static")),
        vec(any::<bool>(), 0..4).prop_map(|values| Value::Array(Array::Bool(values))),
        vec(any::<i64>(), 0..4).prop_map(|values| Value::Array(Array::I64(values))),
        vec(float(), 0..4).prop_map(|values| Value::Array(Array::F64(values))),
        texts.prop_map(|values| Value::Array(Array::String(values))),
    ]
}

pub(crate) fn attributes(most: usize) -> impl Strategy<Value = Vec<KeyValue>> {
    vec((text(), value()).prop_map(|(key, value)| KeyValue::new(key, value)), 0..=most)
}

/// Few of them, so that spans share some.
pub(crate) fn scope() -> impl Strategy<Value = InstrumentationScope> {
    let scope = |name: &'static str, kind: u8| {
        let builder = InstrumentationScope::builder(name);
        let builder = if kind & 1 == 0 { builder } else { builder.with_version("1.0") };
        let builder = if kind & 2 == 0 { builder } else { builder.with_schema_url("https://example/1") };
        let builder = if kind & 4 == 0 {
            builder
        } else {
            builder.with_attributes([KeyValue::new("k", i64::from(kind))])
        };
        builder.build()
    };
    (prop_oneof![Just(""), Just("db"), Just("http-server")], 0_u8..8)
        .prop_map(move |(name, kind)| scope(name, kind))
}
