//! The validator: one pass over every field, driven by the tables of the schema.

mod attributes;
mod exceeded;

use crate::cursor::{Cursor, LEN, MESSAGE_DEPTH};
use crate::error::{Exceeded, Fault, Invalid, InvalidKind};
use crate::fields::usual_span;
use crate::path::locate;
use crate::schema::{self, Kind, Message, Op, Role};
use crate::utf8::is_utf8;
use crate::{Limits, Signal};
use exceeded::exceeded;

/// What a request holds. Complete: records and items are what OTLP counts.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// `ResourceSpans`, `ResourceMetrics` or `ResourceLogs`.
    pub records: u64,
    /// Spans, data points or log records.
    pub items: u64,
}

/// Checks every field of a request, and counts.
///
/// Wire types, lengths, varints, UTF-8 of every string, lengths of ids, nesting and `limits`. What passes
/// is accepted by prost's (and so by any) decoder of opentelemetry-proto. It is stricter than that in these
/// points:
///
/// - a span has a trace id of 16 and a span id of 8 bytes, as the protocol requires; ids that may be absent
///   (parent span, link, log record, exemplar) are empty or of their length. Ids of zeros are let pass;
/// - `limits`.
///
/// Unknown fields are stepped over, groups too, and are no error. A value that a later one replaces is
/// checked as well.
///
/// # Errors
///
/// What is wrong and where; nothing is ever repaired.
///
/// # Allocation
///
/// None, unless the request is invalid.
#[doc(alias = "process_data_zero_copy")]
pub fn validate(signal: Signal, bytes: &[u8], limits: &Limits) -> Result<Summary, Invalid> {
    count(signal, bytes, limits).map(|(summary, _)| summary)
}

/// Validates, and counts the resource and scope records and the metrics too.
pub(crate) fn count(signal: Signal, bytes: &[u8], limits: &Limits) -> Result<(Summary, u64), Invalid> {
    let mut validator = Validator {
        summary: Summary::default(),
        envelopes: 0,
        max_items: limits.max_items,
        max_envelopes: limits.max_envelopes,
        max_depth: limits.max_depth,
        deep_values: false,
        max_attributes: limits.max_attributes,
        max_record_bytes: limits.max_record_bytes,
        run: 0,
    };
    if bytes.len() > limits.max_bytes {
        let limit = Some(Exceeded { limit: limits.max_bytes as u64, found: bytes.len() as u64 });
        return Err(Invalid { kind: InvalidKind::Bytes, offset: 0, path: Box::default(), limit });
    }
    match validator.message(bytes, schema::request(signal), Levels { left: MESSAGE_DEPTH as u32, values: 0 })
    {
        Ok(()) => Ok((validator.summary, validator.envelopes)),
        Err(fault) => {
            let mut invalid = locate(signal, bytes, fault);
            invalid.limit =
                exceeded(&invalid, limits, validator.deep_values, &bytes[invalid.offset..], bytes);
            Err(invalid)
        }
    }
}

/// How deep a message is.
#[derive(Copy, Clone, Debug)]
struct Levels {
    /// How many more levels of messages may be entered.
    left: u32,
    /// How many values are around this place.
    values: u32,
}

#[derive(Debug)]
struct Validator {
    summary: Summary,
    /// Records, their scopes, and metrics.
    envelopes: u64,
    max_items: u64,
    max_envelopes: u64,
    max_depth: usize,
    /// Whether that was exceeded.
    deep_values: bool,
    max_attributes: u64,
    max_record_bytes: usize,
    /// How many attributes the last run had ([`Validator::attributes`]).
    run: u64,
}

/// With fewer levels left than this, messages are no longer followed by recursion. The value of a span's
/// attribute is five levels down and an array in it adds two, so that twelve levels hold whatever occurs in
/// practice; and they keep the stack to some tens of kilobytes even without optimization.
const RECURSE_ABOVE: u32 = MESSAGE_DEPTH as u32 - 12;

const SAW_TRACE_ID: u8 = 1;
const SAW_SPAN_ID: u8 = 2;

impl Validator {
    /// Checks the fields of a message. Most of the time goes by here and in [`Validator::attributes`]: the
    /// cursor stays in registers as long as nothing takes its address.
    fn message(&mut self, body: &[u8], message: &'static Message, levels: Levels) -> Result<(), Fault> {
        let mut cursor = Cursor::new(body);
        let mut saw = 0;
        let mut attributes = 0;
        let mut data = Data { key: 0, items_before: self.summary.items };
        if message.role == Role::Span
            && let Some(rest) = usual_span(body, is_utf8)
        {
            saw = SAW_TRACE_ID | SAW_SPAN_ID;
            cursor.rest = rest;
        }
        while let [key, ref rest @ ..] = *cursor.rest {
            let at_key = cursor;
            let mut key = key;
            cursor.rest = rest;
            if key >= 0x80 {
                if let [1, ref rest @ ..] = *rest {
                    cursor.rest = rest;
                } else {
                    cursor = at_key;
                    let (number, wire) = cursor.key()?;
                    // A known key in more bytes than it needs is read as if it were the short one.
                    match message.field(number) {
                        Some(field) => key = field.number << 3 | wire,
                        None => {
                            cursor.skip(number, wire, levels.left as usize)?;
                            continue;
                        }
                    }
                }
            }
            match message.table[usize::from(key)] {
                Op::Varint => drop(cursor.varint()?),
                Op::Fixed32 => drop(cursor.take(4)?),
                Op::Fixed64 => drop(cursor.take(8)?),
                Op::String => text(cursor.bytes()?)?,
                Op::Bytes => drop(cursor.bytes()?),
                Op::TraceId => {
                    saw |= SAW_TRACE_ID;
                    id(cursor.bytes()?, 16)?;
                }
                Op::SpanId => {
                    saw |= SAW_SPAN_ID;
                    id(cursor.bytes()?, 8)?;
                }
                Op::TraceIdOrNone => id_or_none(cursor.bytes()?, 16)?,
                Op::SpanIdOrNone => id_or_none(cursor.bytes()?, 8)?,
                Op::Attribute if at_key.rest.first() == Some(&key) => {
                    cursor.rest = self.attributes(at_key.rest, key, levels)?;
                    attributes += self.run;
                    if attributes > self.max_attributes {
                        return Err(Fault::at(InvalidKind::Attributes, body));
                    }
                }
                Op::Attribute => {
                    self.child(cursor.bytes()?, message, key >> 3, levels)?;
                    attributes += 1;
                    if attributes > self.max_attributes {
                        return Err(Fault::at(InvalidKind::Attributes, body));
                    }
                }
                Op::Message => {
                    if message.role == Role::Metric {
                        self.replace(&mut data, key);
                    }
                    self.child(cursor.bytes()?, message, key >> 3, levels)?;
                }
                Op::PackedVarint => {
                    let mut packed = Cursor::new(cursor.bytes()?);
                    while !packed.is_empty() {
                        packed.varint()?;
                    }
                }
                Op::PackedFixed64 => {
                    let packed = cursor.bytes()?;
                    if !packed.len().is_multiple_of(8) {
                        return Err(Fault::at(InvalidKind::Truncated, packed));
                    }
                }
                Op::Other => {
                    cursor = other(at_key, message, levels)?;
                }
            }
        }
        if message.role == Role::Span && saw != SAW_TRACE_ID | SAW_SPAN_ID {
            return Err(Fault::at(InvalidKind::MissingId, body));
        }
        Ok(())
    }

    /// Checks the message in field `number` of `parent`.
    fn child(
        &mut self,
        body: &[u8],
        parent: &'static Message,
        number: u8,
        levels: Levels,
    ) -> Result<(), Fault> {
        let Some(child) = parent.children.get(usize::from(number)).copied().flatten() else {
            return Ok(());
        };
        let levels = self.enter(body, child, levels)?;
        if levels.left >= RECURSE_ABOVE {
            self.message(body, child, levels)
        } else {
            self.deep(body, child, levels)
        }
    }

    /// Counts a message and holds it to the limits.
    #[inline(always)]
    fn enter(&mut self, body: &[u8], child: &'static Message, mut levels: Levels) -> Result<Levels, Fault> {
        if levels.left == 0 {
            return Err(Fault::at(InvalidKind::Depth, body));
        }
        levels.left -= 1;
        match child.role {
            Role::Plain => {}
            Role::Record => {
                self.summary.records += 1;
                if body.len() > self.max_record_bytes {
                    return Err(Fault::at(InvalidKind::RecordBytes, body));
                }
                self.envelope(body)?;
            }
            Role::Scope | Role::Metric => self.envelope(body)?,
            Role::Item | Role::Span => {
                self.summary.items += 1;
                if self.summary.items > self.max_items {
                    return Err(Fault::at(InvalidKind::Items, body));
                }
            }
            Role::AnyValue => {
                levels.values += 1;
                if levels.values as usize > self.max_depth {
                    self.deep_values = true;
                    return Err(Fault::at(InvalidKind::Depth, body));
                }
            }
        }
        Ok(levels)
    }

    /// Counts a record, a scope or a metric.
    fn envelope(&mut self, body: &[u8]) -> Result<(), Fault> {
        self.envelopes += 1;
        if self.envelopes > self.max_envelopes {
            return Err(Fault::at(InvalidKind::Envelopes, body));
        }
        Ok(())
    }

    /// [`Validator::message`] without recursion, for what is nested deeply: only an attacker's values are.
    #[cold]
    #[inline(never)]
    fn deep(&mut self, body: &[u8], message: &'static Message, levels: Levels) -> Result<(), Fault> {
        let mut here = (Cursor::new(body), message, levels, 0);
        let mut parents = [here; RECURSE_ABOVE as usize];
        let mut open = 0;
        loop {
            let (mut cursor, message, levels, mut attributes) = here;
            if cursor.is_empty() {
                if open == 0 {
                    return Ok(());
                }
                open -= 1;
                here = parents[open];
                continue;
            }
            let field = cursor.rest;
            let (number, wire) = cursor.key()?;
            match message.field(number).map(|field| field.kind) {
                Some(Kind::Message(child)) if wire == LEN => {
                    let body = cursor.bytes()?;
                    if message.holds_attributes(number) {
                        attributes += 1;
                        if attributes > self.max_attributes {
                            return Err(Fault::at(InvalidKind::Attributes, field));
                        }
                    }
                    let inner = self.enter(body, child, levels)?;
                    parents[open] = (cursor, message, levels, attributes);
                    open += 1;
                    here = (Cursor::new(body), child, inner, 0);
                }
                None => {
                    cursor.skip(number, wire, levels.left as usize)?;
                    here.0 = cursor;
                }
                Some(_) => {
                    // A field that holds no message, by itself: this goes no level down.
                    cursor.skip(number, wire, 1)?;
                    self.message(&field[..field.len() - cursor.rest.len()], message, levels)?;
                    here.0 = cursor;
                }
            }
        }
    }

    /// A metric's kinds of data are alternatives: one that follows another replaces it, and its points with
    /// it.
    fn replace(&mut self, data: &mut Data, key: u8) {
        if data.key != key {
            self.summary.items = data.items_before;
            data.key = key;
        }
    }
}

/// A field that is not in the table: an unknown one is skipped, a known one has the wrong wire type.
#[cold]
#[inline(never)]
fn other<'a>(at_key: Cursor<'a>, message: &'static Message, levels: Levels) -> Result<Cursor<'a>, Fault> {
    let mut cursor = at_key;
    let (number, wire) = cursor.key()?;
    match message.field(number) {
        Some(_) => Err(at_key.fault(InvalidKind::WireType)),
        None => {
            cursor.skip(number, wire, levels.left as usize)?;
            Ok(cursor)
        }
    }
}

/// Which of a metric's alternatives was seen last, and how many items there were before the metric.
#[derive(Debug)]
struct Data {
    key: u8,
    items_before: u64,
}

#[inline(always)]
fn text(bytes: &[u8]) -> Result<(), Fault> {
    if is_utf8(bytes) { Ok(()) } else { Err(Fault::at(InvalidKind::Utf8, bytes)) }
}

#[inline(always)]
fn id(bytes: &[u8], len: usize) -> Result<(), Fault> {
    if bytes.len() == len { Ok(()) } else { Err(Fault::at(InvalidKind::IdLength, bytes)) }
}

#[inline(always)]
fn id_or_none(bytes: &[u8], len: usize) -> Result<(), Fault> {
    if bytes.is_empty() { Ok(()) } else { id(bytes, len) }
}
