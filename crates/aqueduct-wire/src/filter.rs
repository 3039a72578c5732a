//! Leaving items out.

use crate::error::Fault;
use crate::fields::{Fields, Live, Place};
use crate::item::{Around, Described, Known};
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
/// For metrics the predicate is called for each data point. What is around an item is found once for all of its
/// neighbours ([`Item::resource`], [`Item::scope`], [`Item::metric`]), so that a predicate may ask each time.
///
/// # Errors
///
/// If the structure down to the items is invalid, which that of a validated chunk never is.
///
/// # Allocation
///
/// The new lengths, the kept stretches of less than 16 KiB and the list of both: 24 bytes for each stretch while it is
/// made and 32 for each piece. Larger stretches stay slices of the request, unless they are less than a quarter of it:
/// then they are copied too, so that what little is kept does not keep the whole request in memory. Nothing of size if
/// every item is kept.
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
        .message(Place::of(chunk.bytes()), Level::Request, &Around::new(chunk.signal(), chunk.bytes()))
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
    fn message(&mut self, body: Place, level: Level, around: &Around<'_>) -> Result<Left, Fault> {
        if level == Level::Metric {
            let metric = Known::of(self.request, body)?;
            return self.content(body, level, &around.within_metric(&metric), metric.live);
        }
        let described = Described::new(body, level);
        self.content(body, level, &around.within(&described), None)
    }

    /// The same for what is in the message; for a metric with the data of it that counts.
    fn content(
        &mut self,
        body: Place,
        level: Level,
        around: &Around<'_>,
        live: Option<Live>,
    ) -> Result<Left, Fault> {
        let inner = level.inner(self.signal);
        let (kept_before, removed_before) = (self.kept, self.removed);
        let mut fields = Fields::new(self.request, body, level);
        while let Some(field) = fields.next()? {
            // Data that another kind replaced is nobody's; it stays what it is.
            if !field.held || live.is_some_and(|live| !live.includes(field)) {
                self.rope.keep(field.whole);
                continue;
            }
            let Some(inner) = inner else {
                if (self.keep)(&Item::new(field.body, around)) {
                    self.kept += 1;
                    self.rope.keep(field.whole);
                } else {
                    self.removed += 1;
                }
                continue;
            };
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
