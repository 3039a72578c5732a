//! Counting without looking into the items.

use crate::cursor::{Cursor, LEN, MESSAGE_DEPTH};
use crate::error::{Fault, Invalid, InvalidKind};
use crate::path::locate;
use crate::schema::{ITEMS, POINTS, RECORDS, SCOPES, is_data};
use crate::{Signal, Summary};

/// Counts the records and items of a request, and checks the structure down to the items, not inside of them.
///
/// For bytes that were validated before, or whose counts are needed before they are. Agrees with
/// [`validate`](crate::validate) on every request that is valid.
///
/// # Errors
///
/// If the lengths, keys and wire types on the way to the items are wrong.
///
/// # Allocation
///
/// None, unless the request is invalid.
pub fn scan(signal: Signal, bytes: &[u8]) -> Result<Summary, Invalid> {
    let mut summary = Summary::default();
    let counted = each(bytes, RECORDS, 0, |record| {
        summary.records += 1;
        each(record, SCOPES, 1, |scope| {
            summary.items += match signal {
                Signal::Metrics => metrics(scope)?,
                Signal::Traces | Signal::Logs => count(scope, ITEMS, 2)?,
            };
            Ok(())
        })
    });
    match counted {
        Ok(()) => Ok(summary),
        Err(fault) => Err(locate(signal, bytes, fault)),
    }
}

/// The data points of the metrics in a scope.
fn metrics(scope: &[u8]) -> Result<u64, Fault> {
    let mut points = 0;
    each(scope, ITEMS, 2, |metric| {
        points += data_points(metric)?;
        Ok(())
    })?;
    Ok(points)
}

/// The data points of a metric. Its kinds of data (gauge, sum, histogram, exponential histogram, summary)
/// are alternatives: the last one counts, and what belongs to the same one adds up.
fn data_points(metric: &[u8]) -> Result<u64, Fault> {
    let (mut points, mut last) = (0, 0);
    let mut cursor = Cursor::new(metric);
    while !cursor.is_empty() {
        let at_key = cursor;
        match cursor.key()? {
            (kind, LEN) if is_data(kind) => {
                if kind != last {
                    (points, last) = (0, kind);
                }
                points += count(cursor.bytes()?, POINTS, 4)?;
            }
            (kind, _) if is_data(kind) => return Err(at_key.fault(InvalidKind::WireType)),
            (number, wire) => cursor.skip(number, wire, MESSAGE_DEPTH - 3)?,
        }
    }
    Ok(points)
}

/// Calls `visit` with the content of every message in field `number` of a body that is `level` messages deep.
#[inline(always)]
fn each<'a>(
    body: &'a [u8],
    number: u32,
    level: usize,
    mut visit: impl FnMut(&'a [u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let usual_key = (number << 3) as u8 | LEN;
    let mut cursor = Cursor::new(body);
    while let [key, ref rest @ ..] = *cursor.rest {
        if key == usual_key {
            cursor.rest = rest;
            visit(cursor.bytes()?)?;
            continue;
        }
        let at_key = cursor;
        match cursor.key()? {
            (found, LEN) if found == number => visit(cursor.bytes()?)?,
            (found, _) if found == number => return Err(at_key.fault(InvalidKind::WireType)),
            (found, wire) => cursor.skip(found, wire, MESSAGE_DEPTH - level)?,
        }
    }
    Ok(())
}

/// How many messages there are in field `number`.
#[inline(always)]
fn count(body: &[u8], number: u32, level: usize) -> Result<u64, Fault> {
    let mut count = 0;
    each(body, number, level, |_| {
        count += 1;
        Ok(())
    })?;
    Ok(count)
}
