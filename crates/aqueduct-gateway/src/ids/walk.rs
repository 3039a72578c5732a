//! Finding the identities in an OTLP request without decoding it.
//!
//! The bytes have been validated by the receiver, so the walk is shallow and trusting in what it skips; it still never reads
//! out of bounds: what does not parse ends the walk of that message.

use super::ItemId;
use aqueduct::wire::Signal;

/// What a walk met.
///
/// Complete: an item either carries an identity or does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Items with an identity, each of which was passed on.
    pub marked: u64,
    /// Items without one.
    pub foreign: u64,
}

/// Calls `visit` for every marked item of a request, in order, and counts the foreign ones.
pub fn for_each_id(signal: Signal, request: &[u8], mut visit: impl FnMut(ItemId)) -> Tally {
    let mut tally = Tally::default();
    let mut count = |id: Option<ItemId>| match id {
        Some(id) => {
            tally.marked += 1;
            visit(id);
        }
        None => tally.foreign += 1,
    };
    // Resource* = 1 of the request, Scope* = 2 of that, items = 2 of that: the same for all three signals, except that a
    // metric holds its points two levels deeper.
    for_each_message(request, RESOURCE, |resource| {
        for_each_message(resource, SCOPE, |scope| {
            for_each_message(scope, ITEM, |item| match signal {
                Signal::Traces => count(span_id(item)),
                Signal::Logs => count(log_id(item)),
                _ => for_each_point(item, &mut count),
            });
        });
    });
    tally
}

const RESOURCE: u32 = 1;
const SCOPE: u32 = 2;
const ITEM: u32 = 2;

const SPAN_TRACE_ID: u32 = 1;
const LOG_TRACE_ID: u32 = 9;
const METRIC_GAUGE: u32 = 5;
const METRIC_SUM: u32 = 7;
const METRIC_HISTOGRAM: u32 = 9;
const METRIC_EXPONENTIAL_HISTOGRAM: u32 = 10;
const METRIC_SUMMARY: u32 = 11;
const DATA_POINTS: u32 = 1;
const POINT_START: u32 = 2;
const POINT_INT: u32 = 6;

#[inline]
fn span_id(span: &[u8]) -> Option<ItemId> {
    // Every known encoder writes fields in order, so the trace id is first: tag 0x0a, length 16.
    if let Some(([0x0A, 0x10], rest)) = span.split_first_chunk::<2>()
        && let Some((id, _)) = rest.split_first_chunk::<16>()
    {
        return ItemId::from_trace_id(id);
    }
    trace_id(span, SPAN_TRACE_ID)
}

#[inline]
fn log_id(record: &[u8]) -> Option<ItemId> {
    // A log record's trace id comes after all its attributes. The generator's records end with trace id, span id and observed time,
    // and what looks like these three tags with our magic between them is no accident (one in 2^72): this saves the walk.
    if let Some(tail) = record.last_chunk::<LOG_TAIL>()
        && tail[..2] == [0x4A, 16]
        && tail[18..20] == [0x52, 8]
        && tail[28] == 0x59
        && let Some(id) = ItemId::from_trace_id(&tail[2..18])
    {
        return Some(id);
    }
    trace_id(record, LOG_TRACE_ID)
}

/// Trace id (18 bytes with tag and length), span id (10), observed time (9).
const LOG_TAIL: usize = 37;

fn trace_id(mut message: &[u8], number: u32) -> Option<ItemId> {
    while let Some(field) = next_field(&mut message) {
        if let (found, Value::Bytes(id)) = field
            && found == number
        {
            return ItemId::from_trace_id(id);
        }
    }
    None
}

fn for_each_point(mut metric: &[u8], count: &mut impl FnMut(Option<ItemId>)) {
    while let Some((number, value)) = next_field(&mut metric) {
        let Value::Bytes(data) = value else { continue };
        match number {
            METRIC_GAUGE | METRIC_SUM => {
                for_each_message(data, DATA_POINTS, |point| count(point_id(point)));
            }
            METRIC_HISTOGRAM | METRIC_EXPONENTIAL_HISTOGRAM | METRIC_SUMMARY => {
                for_each_message(data, DATA_POINTS, |_| count(None));
            }
            _ => {}
        }
    }
}

fn point_id(mut point: &[u8]) -> Option<ItemId> {
    let mut start = None;
    let mut value = None;
    while let Some((number, field)) = next_field(&mut point) {
        match (number, field) {
            (POINT_START, Value::Fixed64(nanos)) => start = Some(nanos),
            (POINT_INT, Value::Fixed64(bits)) => value = Some(bits as i64),
            _ => {}
        }
        if let (Some(start), Some(value)) = (start, value) {
            return ItemId::from_point(start, value);
        }
    }
    None
}

fn for_each_message<'a>(mut message: &'a [u8], number: u32, mut each: impl FnMut(&'a [u8])) {
    while let Some((found, value)) = next_field(&mut message) {
        if let Value::Bytes(bytes) = value
            && found == number
        {
            each(bytes);
        }
    }
}

/// A field's value as far as the walk cares.
enum Value<'a> {
    Bytes(&'a [u8]),
    Fixed64(u64),
    /// A varint or a 32-bit value: skipped.
    Other,
}

/// Takes the next field off the front; `None` at the end, or where the bytes are no field (a group, a truncation).
#[inline(always)]
fn next_field<'a>(rest: &mut &'a [u8]) -> Option<(u32, Value<'a>)> {
    if rest.is_empty() {
        return None;
    }
    let key = varint(rest)?;
    let value = match key & 7 {
        0 => {
            varint(rest)?;
            Value::Other
        }
        1 => {
            let (bytes, after) = rest.split_first_chunk::<8>()?;
            *rest = after;
            Value::Fixed64(u64::from_le_bytes(*bytes))
        }
        2 => {
            let len = usize::try_from(varint(rest)?).ok()?;
            let (bytes, after) = rest.split_at_checked(len)?;
            *rest = after;
            Value::Bytes(bytes)
        }
        5 => {
            *rest = rest.get(4..)?;
            Value::Other
        }
        _ => return None,
    };
    Some((u32::try_from(key >> 3).ok()?, value))
}

#[inline(always)]
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let (&first, after) = rest.split_first()?;
    if first < 0x80 {
        *rest = after;
        return Some(u64::from(first));
    }
    long_varint(rest)
}

#[inline]
fn long_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for (index, &byte) in rest.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7F) << (7 * index);
        if byte < 0x80 {
            *rest = &rest[index + 1..];
            return Some(value);
        }
    }
    None
}
