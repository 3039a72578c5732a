//! The answers: export responses and statuses.

use super::JsonError;
use super::escape::{into_string, write_string};
use super::read::{exact_integer, number_text, parse_integer, unexpected_text};
use crate::Signal;
use crate::rpc::{Code, ExportResponse, Status};
use core::fmt;
use core::time::Duration;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};
use std::borrow::Cow;

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
/// If the text is no JSON object, or its known parts have other types than the protocol gives them; with line and column.
pub fn response_from_json(json: &[u8]) -> Result<ExportResponse, JsonError> {
    let Response(Partial { rejected, message }) = object(json)?;
    Ok(ExportResponse { rejected, message })
}

#[derive(Default)]
struct Response(Partial);

impl Fields for Response {
    fn value<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key == "partialSuccess" {
            self.0 = map.next_value::<Option<Object<Partial>>>()?.unwrap_or_default().0;
            return Ok(());
        }
        ignore(map)
    }
}

#[derive(Default)]
struct Partial {
    rejected: u64,
    message: String,
}

impl Fields for Partial {
    fn value<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "errorMessage" => self.message = map.next_value::<Option<_>>()?.unwrap_or_default(),
            _ if Signal::ALL.iter().any(|signal| rejected_key(*signal) == key) => {
                let rejected = map.next_value::<Option<Integer>>()?.map_or(0, |number| number.0);
                self.rejected = u64::try_from(rejected).unwrap_or(0);
            }
            _ => ignore(map)?,
        }
        Ok(())
    }
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
/// If the text is no JSON object, or its known parts have other types than the protocol gives them; with line and column.
pub fn status_from_json(json: &[u8]) -> Result<Status, JsonError> {
    let Reading { code, message, retry_delay } = object(json)?;
    let code = code.map_or(Code::Ok, |number| u32::try_from(number.0).map_or(Code::Unknown, Code::from_u32));
    let mut status = Status::new(code, message);
    status.retry_delay = retry_delay;
    Ok(status)
}

/// A status while it is read.
#[derive(Default)]
struct Reading {
    code: Option<Integer>,
    message: String,
    retry_delay: Option<Duration>,
}

impl Fields for Reading {
    fn value<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "code" => self.code = map.next_value()?,
            "message" => self.message = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "details" => {
                if let Some(Details(Some(delay))) = map.next_value()? {
                    self.retry_delay = Some(delay);
                }
            }
            _ => ignore(map)?,
        }
        Ok(())
    }
}

/// The delay that the last `RetryInfo` of a list of details has.
#[derive(Default)]
struct Details(Option<Duration>);

impl<'de> Deserialize<'de> for Details {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Details::default())
    }
}

impl<'de> Visitor<'de> for Details {
    type Value = Details;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Details, A::Error> {
        while let Some(Element(Detail { kind, delay })) = list.next_element()? {
            if kind.ends_with("/google.rpc.RetryInfo") {
                let delay = delay.map_or(Some(Duration::ZERO), |text| parse_duration(&text));
                self.0 = Some(delay.ok_or_else(|| de::Error::custom("invalid retry delay"))?);
            }
        }
        Ok(self)
    }
}

/// A detail; what is no object has nothing in it, and takes nothing away from the rest of the status.
struct Element(Detail);

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Element(Detail::default()))
    }
}

impl<'de> Visitor<'de> for Element {
    type Value = Element;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Element, A::Error> {
        Object(self.0).visit_map(map).map(|Object(detail)| Element(detail))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Element, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Element, E> {
        Ok(self)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Element, E> {
        Ok(self)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Element, E> {
        Ok(self)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Element, E> {
        Ok(self)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Element, E> {
        Ok(self)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Element, E> {
        Ok(self)
    }
}

#[derive(Default)]
struct Detail {
    kind: String,
    delay: Option<String>,
}

impl Fields for Detail {
    fn value<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "@type" => self.kind = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "retryDelay" => self.delay = map.next_value()?,
            _ => ignore(map)?,
        }
        Ok(())
    }
}

/// A string with its quotes.
fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    write_string(&mut out, text.as_bytes());
    into_string(out)
}

fn object<T: Fields + Default>(json: &[u8]) -> Result<T, JsonError> {
    Ok(serde_json::from_slice::<Object<T>>(json)?.0)
}

/// What an object is read into, key by key. What is not known is stepped over, so that nothing is kept of it.
trait Fields {
    fn value<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

fn ignore<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(drop)
}

/// An object: nothing else, while a derived reader would take a list too.
#[derive(Default)]
struct Object<T>(T);

impl<'de, T: Fields + Default> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object(T::default()))
    }
}

impl<'de, T: Fields> Visitor<'de> for Object<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Object<T>, A::Error> {
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            self.0.value(&key, &mut map)?;
        }
        Ok(self)
    }
}

/// A whole number, as a number or a string.
struct Integer(i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Integer(0))
    }
}

impl<'de> Visitor<'de> for Integer {
    type Value = Integer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer, as a number or a string")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Integer, E> {
        Ok(Integer(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Integer, E> {
        number.try_into().map(Integer).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Integer, E> {
        let exact = exact_integer(number).and_then(|number| number.try_into().ok());
        exact.map(Integer).ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Integer, E> {
        let number = parse_integer(text).and_then(|number| number.try_into().ok());
        number.map(Integer).ok_or_else(|| unexpected_text(&self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Integer, A::Error> {
        match number_text(map)? {
            Some(number) => self.visit_str(&number),
            None => Err(de::Error::invalid_type(Unexpected::Map, &self)),
        }
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
