//! The API's values as the wire's.

use aqueduct_wire::encode::{ArraySink, AttributeSink, ValueRef};
use opentelemetry::{Array, Value};

use super::Attributes;
use crate::redact::{Left, Redactor};

/// At most so many characters of a text.
#[inline]
pub(crate) fn cut(text: &str, longest: Option<u32>) -> &str {
    match longest {
        // No text has more characters than bytes.
        Some(longest) if text.len() > longest as usize => shortened(text, longest as usize),
        _ => text,
    }
}

#[cold]
fn shortened(text: &str, longest: usize) -> &str {
    text.char_indices().nth(longest).map_or(text, |(end, _)| &text[..end])
}

/// Writes an attribute under these rules.
#[inline(always)]
pub(crate) fn put(out: &mut AttributeSink<'_>, key: &str, value: &Value, rules: &Attributes<'_>) {
    // What most are, by branches that a processor learns, where a jump by a table has to be looked up.
    if rules.redactor.is_some() {
        put_other(out, key, value, rules);
    } else if let Value::String(text) = value {
        out.push(key, ValueRef::Str(cut(text.as_str(), rules.value_length)));
    } else if let Value::I64(value) = value {
        out.push(key, ValueRef::Int(*value));
    } else {
        put_other(out, key, value, rules);
    }
}

#[inline(never)]
fn put_other(out: &mut AttributeSink<'_>, key: &str, value: &Value, rules: &Attributes<'_>) {
    match value {
        Value::String(text) => rules.push(out, key, ValueRef::Str(cut(text.as_str(), rules.value_length))),
        Value::I64(value) => rules.push(out, key, ValueRef::Int(*value)),
        Value::Bool(value) => rules.push(out, key, ValueRef::Bool(*value)),
        Value::F64(value) => rules.push(out, key, ValueRef::Double(*value)),
        Value::Array(Array::Bool(values)) => rules.push(out, key, ValueRef::Bools(values)),
        Value::Array(Array::I64(values)) => rules.push(out, key, ValueRef::Ints(values)),
        Value::Array(Array::F64(values)) => rules.push(out, key, ValueRef::Doubles(values)),
        Value::Array(Array::String(values)) => {
            let texts = |out: &mut ArraySink<'_>| {
                values
                    .iter()
                    .for_each(|text| out.push(ValueRef::Str(cut(text.as_str(), rules.value_length))));
            };
            rules.push(out, key, ValueRef::Array(&texts));
        }
        // A kind that a later version of the API adds.
        _ => rules.push(out, key, ValueRef::Empty),
    }
}

impl Attributes<'_> {
    /// Writes what the redactor leaves.
    #[inline]
    pub(crate) fn push(&self, out: &mut AttributeSink<'_>, key: &str, value: ValueRef<'_>) {
        match self.redactor {
            None => out.push(key, value),
            Some(redactor) => push_redacted(redactor, out, key, value),
        }
    }
}

#[cold]
fn push_redacted(redactor: &Redactor, out: &mut AttributeSink<'_>, key: &str, value: ValueRef<'_>) {
    match redactor.ask(key, &value) {
        Left::Same => out.push(key, value),
        Left::Nothing => {}
        Left::Text(text) => out.push(key, ValueRef::Str(&text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards characters: a text that is cut within one is no text any more, and a limit of bytes is not what the specification says.
    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("häuser", Some(2)), "hä");
        assert_eq!(cut("häuser", Some(6)), "häuser");
        assert_eq!(cut("häuser", Some(7)), "häuser");
        assert_eq!(cut("ä", Some(0)), "");
        assert_eq!(cut("", Some(0)), "");
        assert_eq!(cut("häuser", None), "häuser");
    }
}
