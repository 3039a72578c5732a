//! The values of log records, which may nest.

use aqueduct_wire::encode::{ArraySink, AttributeSink, ValueRef};
use opentelemetry::logs::AnyValue;

use super::{Attributes, cut};

/// Lends a value under these rules. The encoder ends the recursion: it does not ask for what is nested more deeply than receivers take.
pub(crate) fn lend(value: &AnyValue, rules: &Attributes<'_>, work: &mut dyn FnMut(ValueRef<'_>)) {
    match value {
        AnyValue::String(text) => work(ValueRef::Str(cut(text.as_str(), rules.value_length))),
        AnyValue::Int(value) => work(ValueRef::Int(*value)),
        AnyValue::Double(value) => work(ValueRef::Double(*value)),
        AnyValue::Boolean(value) => work(ValueRef::Bool(*value)),
        AnyValue::Bytes(bytes) => {
            let longest = rules.value_length.map_or(usize::MAX, |longest| longest as usize);
            work(ValueRef::Bytes(&bytes[..bytes.len().min(longest)]));
        }
        AnyValue::ListAny(values) => {
            let list = |out: &mut ArraySink<'_>| {
                values.iter().for_each(|value| lend(value, rules, &mut |value| out.push(value)));
            };
            work(ValueRef::Array(&list));
        }
        AnyValue::Map(entries) => {
            let map = |out: &mut AttributeSink<'_>| {
                for (key, value) in &**entries {
                    lend(value, rules, &mut |value| rules.push(out, key.as_str(), value));
                }
            };
            work(ValueRef::KvList(&map));
        }
        // A kind that a later version of the API adds.
        _ => work(ValueRef::Empty),
    }
}
