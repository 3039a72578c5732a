//! OTLP/JSON read and written by `opentelemetry-proto` and `serde_json`, with what these two lack.
//!
//! The specification takes the JSON mapping of protobuf, in which a double that is no finite number is a string. serde's
//! derived code knows that for quantiles only. So such numbers go through it as [`MARKS`]: finite numbers that nobody
//! uses, which are exchanged for the real ones in the encoded message, where both have eight bytes.
//! It also insists on fields that the mapping lets absent when they have their default value; these are filled in.

use aqueduct_wire::Signal;
use serde_json::Value;

use super::message::Message;
use crate::Failure;

/// What the mapping calls it, the number itself, and the number that stands for it.
const SPECIAL: [(&str, f64, f64); 3] = [
    ("NaN", f64::NAN, MARKS.nan),
    ("Infinity", f64::INFINITY, MARKS.plus),
    ("-Infinity", f64::NEG_INFINITY, MARKS.minus),
];

/// Doubles that are no finite numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Specials {
    pub(super) nan: f64,
    pub(super) plus: f64,
    pub(super) minus: f64,
}

/// The real ones.
pub(super) const REAL: Specials = Specials { nan: f64::NAN, plus: f64::INFINITY, minus: f64::NEG_INFINITY };
/// What stands for them while serde handles a message.
pub(super) const MARKS: Specials = Specials {
    nan: 1.234_567_890_123_456_7e301,
    plus: 2.345_678_901_234_567e301,
    minus: 3.456_789_012_345_678e301,
};

/// The doubles of OTLP, by their names in JSON.
const DOUBLES: [&str; 9] =
    ["doubleValue", "asDouble", "sum", "min", "max", "zeroThreshold", "explicitBounds", "quantile", "value"];

/// The message that a JSON text says.
pub(super) fn read(signal: Signal, text: &[u8]) -> Result<Message, Failure> {
    let mut value: Value = serde_json::from_slice(text)?;
    prepare(&mut value, "");
    let message = match signal {
        Signal::Traces => Message::Traces(serde_json::from_value(value)?),
        Signal::Metrics => Message::Metrics(serde_json::from_value(value)?),
        Signal::Logs => Message::Logs(serde_json::from_value(value)?),
        _ => return Err(format!("{signal} is a signal that this check does not know").into()),
    };
    let mut bytes = message.encode();
    for (_, real, mark) in SPECIAL {
        exchange(&mut bytes, &mark.to_le_bytes(), &real.to_le_bytes());
    }
    Message::decode(signal, &bytes)
}

/// The JSON text of a message in which [`MARKS`] stand for what is no finite number.
pub(super) fn write(message: &Message) -> Result<String, Failure> {
    let mut text = match message {
        Message::Traces(request) => serde_json::to_string(request)?,
        Message::Metrics(request) => serde_json::to_string(request)?,
        Message::Logs(request) => serde_json::to_string(request)?,
    };
    for (name, _, mark) in SPECIAL {
        text = text.replace(&serde_json::to_string(&mark)?, &format!("\"{name}\""));
    }
    Ok(text)
}

/// Marks what is no finite number, and fills in what serde insists on. `name` is the field that holds `value`.
fn prepare(value: &mut Value, name: &str) {
    match value {
        Value::String(text) if DOUBLES.contains(&name) => {
            if let Some((_, _, mark)) = SPECIAL.iter().find(|(special, _, _)| special == text) {
                *value = Value::from(*mark);
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| prepare(element, name)),
        Value::Object(fields) => {
            match name {
                "arrayValue" | "kvlistValue" => {
                    fields.entry("values").or_insert_with(|| Value::Array(Vec::new()));
                }
                "attributes" | "filteredAttributes" | "metadata" => {
                    fields.entry("key").or_insert_with(|| Value::String(String::new()));
                }
                _ => {}
            }
            // The elements of a list of key-value pairs are fields of `values`, told apart by their shape.
            let pairs = name == "kvlistValue";
            for (field, value) in fields {
                prepare(value, if pairs && field == "values" { "attributes" } else { field });
            }
        }
        _ => {}
    }
}

fn exchange(bytes: &mut [u8], from: &[u8; 8], to: &[u8; 8]) {
    let places: Vec<usize> =
        bytes.windows(8).enumerate().filter(|(_, window)| window == from).map(|(place, _)| place).collect();
    for place in places {
        bytes[place..place + 8].copy_from_slice(to);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{compare, generated, items};
    use super::*;

    /// Guards the judge itself: what it writes as JSON and reads again is what it was, NaN and infinities included.
    #[test]
    fn json_keeps_everything() {
        for signal in Signal::ALL {
            let text = write(&generated::message(signal, &MARKS)).unwrap();
            assert!(text.contains("\"NaN\"") && text.contains("\"-Infinity\""), "{signal}");
            let read = read(signal, text.as_bytes()).unwrap();
            let expected = generated::message(signal, &REAL);
            assert_eq!(compare::differences(items::of([&expected]), items::of([&read])), [""; 0], "{signal}");
        }
    }

    /// Guards the leniency: fields with default values may be absent.
    #[test]
    fn defaults_may_be_absent() {
        let text = br#"{"resourceSpans":[{"resource":{"attributes":[
            {"value":{"arrayValue":{}}}, {"key":"k","value":{"kvlistValue":{"values":[{"value":{}}]}}}]}}]}"#;
        let Message::Traces(request) = read(Signal::Traces, text).unwrap() else { panic!("traces") };
        assert_eq!(request.resource_spans[0].resource.as_ref().unwrap().attributes.len(), 2);
    }
}
