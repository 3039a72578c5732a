//! The answers: export responses and statuses.

use super::JsonError;
use super::escape::{into_string, write_string};
use crate::Signal;
use crate::rpc::{Code, ExportResponse, Status};
use core::time::Duration;
use serde_json::Value;

/// Writes an export response; full success is `{}`.
#[must_use]
pub fn response_to_json(signal: Signal, response: &ExportResponse) -> String {
    if response.is_full() {
        return "{}".to_owned();
    }
    let mut out = String::from("{\"partialSuccess\":{");
    if response.rejected > 0 {
        out.push_str(&format!("\"{}\":\"{}\"", rejected_key(signal), response.rejected.min(i64::MAX as u64)));
    }
    if !response.message.is_empty() {
        out.push_str(if response.rejected > 0 { ",\"errorMessage\":" } else { "\"errorMessage\":" });
        out.push_str(&quoted(&response.message));
    }
    out.push_str("}}");
    out
}

fn rejected_key(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Metrics => "rejectedDataPoints",
        Signal::Logs => "rejectedLogRecords",
    }
}

/// Reads an export response of any signal.
///
/// # Errors
///
/// If the text is no JSON object, or its known parts have other types than the protocol gives them.
pub fn response_from_json(json: &[u8]) -> Result<ExportResponse, JsonError> {
    let value = object(json)?;
    let mut response = ExportResponse::FULL;
    match &value["partialSuccess"] {
        Value::Null => {}
        Value::Object(partial) => {
            for signal in Signal::ALL {
                if let Some(rejected) = partial.get(rejected_key(signal)) {
                    let rejected = integer(rejected).ok_or_else(|| wrong("number of rejected items"))?;
                    response.rejected = u64::try_from(rejected).unwrap_or(0);
                }
            }
            response.message = text(partial.get("errorMessage")).ok_or_else(|| wrong("error message"))?;
        }
        _ => return Err(wrong("partialSuccess")),
    }
    Ok(response)
}

/// Writes a `google.rpc.Status`, with its `RetryInfo` if there is one.
#[must_use]
pub fn status_to_json(status: &Status) -> String {
    let mut out = format!("{{\"code\":{},\"message\":{}", status.code.as_u32(), quoted(&status.message));
    if let Some(delay) = status.retry_delay {
        out.push_str(&format!(
            ",\"details\":[{{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"{}\"}}]",
            format_duration(delay)
        ));
    }
    out.push('}');
    out
}

/// Reads a `google.rpc.Status`. Details of unknown types are ignored.
///
/// # Errors
///
/// If the text is no JSON object, or its known parts have other types than the protocol gives them.
pub fn status_from_json(json: &[u8]) -> Result<Status, JsonError> {
    let value = object(json)?;
    let code = match &value["code"] {
        Value::Null => Code::Ok,
        code => {
            let number = integer(code).ok_or_else(|| wrong("status code"))?;
            u32::try_from(number).map_or(Code::Unknown, Code::from_u32)
        }
    };
    let mut status = Status::new(code, text(value.get("message")).ok_or_else(|| wrong("status message"))?);
    for detail in value["details"].as_array().map_or(&[][..], Vec::as_slice) {
        if detail["@type"].as_str().is_some_and(|name| name.ends_with("/google.rpc.RetryInfo")) {
            let delay = match &detail["retryDelay"] {
                Value::Null => Some(Duration::ZERO),
                delay => delay.as_str().and_then(parse_duration),
            };
            status.retry_delay = Some(delay.ok_or_else(|| wrong("retry delay"))?);
        }
    }
    Ok(status)
}

/// A string with its quotes.
fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    write_string(&mut out, text.as_bytes());
    into_string(out)
}

fn object(json: &[u8]) -> Result<Value, JsonError> {
    let value: Value = serde_json::from_slice(json)?;
    if value.is_object() { Ok(value) } else { Err(wrong("message, expected an object")) }
}

fn wrong(what: &str) -> JsonError {
    JsonError::Text { line: 1, column: 1, message: format!("invalid {what}") }
}

fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// A string that may be missing.
fn text(value: Option<&Value>) -> Option<String> {
    match value {
        None | Some(Value::Null) => Some(String::new()),
        Some(value) => value.as_str().map(str::to_owned),
    }
}

/// Seconds with the fraction that is needed, and an `s`, as proto3 JSON writes a duration.
fn format_duration(duration: Duration) -> String {
    let mut out = duration.as_secs().to_string();
    if duration.subsec_nanos() > 0 {
        let fraction = format!("{:09}", duration.subsec_nanos());
        out.push('.');
        out.push_str(fraction.trim_end_matches("000"));
    }
    out.push('s');
    out
}

/// Negative is zero, as for protobuf.
fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.strip_suffix('s')?;
    if let Some(positive) = text.strip_prefix('-') {
        return parse_seconds(positive).map(|_| Duration::ZERO);
    }
    parse_seconds(text)
}

fn parse_seconds(text: &str) -> Option<Duration> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(seconds) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanos = format!("{fraction:0<9}").parse().ok()?;
    Some(Duration::new(seconds.parse().ok()?, nanos))
}
