//! Leaving items out.

use crate::error::Fault;
use crate::fields::{Fields, Live, Place};
use crate::path::locate;
use crate::rope::Rope;
use crate::schema::Level;
use crate::{Chunk, Invalid, Item, Merged, Signal};

/// What [`filter`] returns.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Filtered {
    /// The request without the items that were left out; empty if none is left.
    pub kept: Merged,
    /// How many items were left out.
    pub removed: u64,
}

/// Leaves out the items for which `keep` says no: spans, log records, data points.
///
/// Only the lengths around what was left out are written anew. Everything else stays as it is encoded and
/// where it is, unknown fields too. A metric, scope or resource that loses its last item is left out as well, with
/// whatever empty ones it holds, and a request that loses its last one is empty. One that never had any stays where
/// something else does. If every item is kept, the result is the very same bytes.
///
/// For metrics the predicate is called for each data point; to look into [`Item::metric`] each time is to read the
/// metric as often as it has points, so keep what was decided for the metric while it is the same.
///
/// # Errors
///
/// If the structure down to the items is invalid, which that of a validated chunk never is.
///
/// # Allocation
///
/// The new lengths, the kept stretches of less than 16 KiB (larger ones stay slices of the request) and the
/// list of both; nothing of size if every item is kept.
///
/// # Examples
///
/// ```
/// use aqueduct_wire::{Chunk, Limits, Signal, filter};
/// use bytes::Bytes;
///
/// // Log records with the severity texts "A" and "B".
/// let request = Bytes::from_static(b"\x0a\x0c\x12\x0a\x12\x03\x1a\x01A\x12\x03\x1a\x01B");
/// let chunk = Chunk::validate(Signal::Logs, request, &Limits::default())?;
///
/// let filtered = filter(&chunk, |record| record.bytes().ends_with(b"B"))?;
/// assert_eq!((filtered.kept.items(), filtered.removed), (1, 1));
/// assert_eq!(filtered.kept.to_bytes(), b"\x0a\x07\x12\x05\x12\x03\x1a\x01B"[..]);
///
/// let same = filter(&chunk, |_| true)?;
/// assert_eq!(same.kept.to_bytes().as_ptr(), chunk.bytes().as_ptr());
/// # Ok::<(), aqueduct_wire::Invalid>(())
/// ```
pub fn filter(chunk: &Chunk, keep: impl FnMut(&Item<'_>) -> bool) -> Result<Filtered, Invalid> {
    let mut pass = Pass {
        request: chunk.bytes(),
        signal: chunk.signal(),
        rope: Rope::default(),
        kept: 0,
        removed: 0,
        keep,
    };
    let left = pass
        .message(Place::of(chunk.bytes()), Level::Request, None)
        .map_err(|fault| locate(chunk.signal(), chunk.bytes(), fault))?;
    let kept = match left {
        Left::All => Merged::from_chunk(chunk.clone()),
        Left::Nothing => Rope::default().finish(chunk.signal(), 0, chunk.bytes()),
        Left::Some => pass.rope.finish(chunk.signal(), pass.kept, chunk.bytes()),
    };
    Ok(Filtered { kept, removed: pass.removed })
}

struct Pass<'a, F> {
    request: &'a [u8],
    signal: Signal,
    rope: Rope,
    kept: u64,
    removed: u64,
    keep: F,
}

/// What there is still of a message.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Left {
    /// Nothing was left out.
    All,
    Some,
    /// Items were left out, and none is left.
    Nothing,
}

impl<F: FnMut(&Item<'_>) -> bool> Pass<'_, F> {
    /// Appends what is kept of the content of a message. As deep as the way to the items: five levels.
    fn message(&mut self, body: Place, level: Level, metric: Option<Place>) -> Result<Left, Fault> {
        let inner = level.inner(self.signal);
        let live = if level == Level::Metric { Live::of(self.request, body)? } else { None };
        let (kept_before, removed_before) = (self.kept, self.removed);
        let mut fields = Fields::new(self.request, body, level);
        while let Some(field) = fields.next()? {
            // Data that another kind replaced is nobody's; it stays what it is.
            if !field.held || live.is_some_and(|live| !live.includes(field)) {
                self.rope.keep(field.whole);
                continue;
            }
            let Some(inner) = inner else {
                let metric = metric.map(|place| &self.request[place.range()]);
                if (self.keep)(&Item::new(self.signal, &self.request[field.body.range()], metric)) {
                    self.kept += 1;
                    self.rope.keep(field.whole);
                } else {
                    self.removed += 1;
                }
                continue;
            };
            let around = if inner == Level::Metric { Some(field.body) } else { metric };
            let open = self.rope.open();
            match self.message(field.body, inner, around)? {
                Left::All => {
                    self.rope.discard(open);
                    self.rope.keep(field.whole);
                }
                // The kind of a metric and what else its data says must not go with one of several lists of
                // points.
                Left::Nothing if inner != Level::Data => self.rope.discard(open),
                Left::Nothing | Left::Some => self.rope.close(open, live.map_or(inner.key(), Live::key)),
            }
        }
        Ok(if self.removed == removed_before {
            Left::All
        } else if self.kept == kept_before {
            Left::Nothing
        } else {
            Left::Some
        })
    }
}
