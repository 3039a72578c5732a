//! Taking together what has the same envelope.

use crate::error::Fault;
use crate::fields::{Fields, Header, Place};
use crate::path::locate;
use crate::rope::Rope;
use crate::schema::Level;
use crate::{Chunk, Invalid, Merged, Signal};
use std::borrow::Cow;
use std::collections::HashMap;

/// Makes one record of all records with the same resource: the first one's resource with the scopes of all,
/// in their order.
///
/// For requests that many small ones were merged into: each brings its resource, and most of them the same.
/// Records are the same if everything in them besides the scopes is equal byte for byte and in the same
/// order: resource, schema URL, unknown fields. Nothing is merged inside of a resource, so that no attribute
/// is doubled or lost. A record stands where the first one of its kind stood; the order of the items of a
/// resource is kept. A request without two equal ones comes back as the very same bytes.
///
/// [`fold_scopes`] also takes the scopes together.
///
/// # Errors
///
/// If the structure down to the scopes is invalid, which that of a validated chunk never is.
///
/// # Allocation
///
/// At most about 200 bytes for each record ([`Limits::max_envelopes`](crate::Limits::max_envelopes) bounds them), a copy
/// of each different envelope whose fields do not lie side by side, and as [`filter`](crate::filter) for the result.
///
/// # Examples
///
/// ```
/// use aqueduct_wire::{Chunk, Limits, Merger, Signal, fold, fold_scopes};
/// use bytes::Bytes;
///
/// // A log record with the severity text "INFO", of no resource and no scope.
/// let request = Bytes::from_static(b"\x0a\x0a\x12\x08\x12\x06\x1a\x04INFO");
/// let chunk = Chunk::validate(Signal::Logs, request, &Limits::default())?;
/// let mut merger = Merger::new(Signal::Logs);
/// merger.push(chunk.clone());
/// merger.push(chunk);
/// let batch = Chunk::from(merger.finish());
///
/// assert_eq!(batch.len(), 24);
/// assert_eq!(fold(&batch)?.to_bytes(), b"\x0a\x14\x12\x08\x12\x06\x1a\x04INFO\x12\x08\x12\x06\x1a\x04INFO"[..]);
/// assert_eq!(fold_scopes(&batch)?.to_bytes(), b"\x0a\x12\x12\x10\x12\x06\x1a\x04INFO\x12\x06\x1a\x04INFO"[..]);
/// # Ok::<(), aqueduct_wire::Invalid>(())
/// ```
pub fn fold(chunk: &Chunk) -> Result<Merged, Invalid> {
    folded(chunk, Depth::Records)
}

/// As [`fold`], and then makes one scope of all scopes of a resource with the same scope, schema URL and
/// unknown fields.
///
/// A scope stands where the first one of its kind stood in the resource. The order of the items of a scope is
/// kept; that between items of different scopes is not. Metrics are not taken together, even with equal
/// names.
///
/// # Errors
///
/// As [`fold`], down to the items or metrics.
///
/// # Allocation
///
/// As [`fold`], for each scope too.
pub fn fold_scopes(chunk: &Chunk) -> Result<Merged, Invalid> {
    folded(chunk, Depth::Scopes)
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Depth {
    Records,
    Scopes,
}

fn folded(chunk: &Chunk, depth: Depth) -> Result<Merged, Invalid> {
    let fold = Fold { request: chunk.bytes(), signal: chunk.signal() };
    let mut rope = Rope::default();
    let changed =
        fold.request(depth, &mut rope).map_err(|fault| locate(chunk.signal(), chunk.bytes(), fault))?;
    Ok(match changed {
        true => rope.finish(chunk.signal(), chunk.items(), chunk.bytes()),
        false => Merged::from_chunk(chunk.clone()),
    })
}

struct Fold<'a> {
    request: &'a [u8],
    signal: Signal,
}

/// Messages with equal headers, the first one and the others.
#[derive(Debug)]
struct Group {
    first: Alike,
    others: Vec<Alike>,
}

/// A message of a group.
#[derive(Copy, Clone, Debug)]
struct Alike {
    whole: Place,
    body: Place,
}

impl Fold<'_> {
    /// Appends the folded request. False if it is the same.
    fn request(&self, depth: Depth, rope: &mut Rope) -> Result<bool, Fault> {
        let mut records = Grouping::new(self.request, Level::Record);
        let mut fields = Fields::new(self.request, Place::of(self.request), Level::Request);
        while let Some(field) = fields.next()? {
            if field.held {
                records.add(Alike { whole: field.whole, body: field.body })?;
            } else {
                // Before all records, wherever it was.
                rope.keep(field.whole);
            }
        }
        let mut changed = false;
        for group in &records.groups {
            changed |= match depth {
                Depth::Records => self.concatenate(group, Level::Record, rope)?,
                Depth::Scopes => self.scopes(group, rope)?,
            };
        }
        Ok(changed)
    }

    /// Appends the messages of a group as one. False if it is only one.
    fn concatenate(&self, group: &Group, level: Level, rope: &mut Rope) -> Result<bool, Fault> {
        if group.others.is_empty() {
            rope.keep(group.first.whole);
            return Ok(false);
        }
        let open = rope.open();
        rope.keep(group.first.body);
        for other in &group.others {
            let mut fields = Fields::new(self.request, other.body, level);
            while let Some(field) = fields.next_held()? {
                rope.keep(field.whole);
            }
        }
        rope.close(open, level.key());
        Ok(true)
    }

    /// Appends the records of a group as one, with its scopes folded. False if that is the one record that it
    /// was.
    fn scopes(&self, group: &Group, rope: &mut Rope) -> Result<bool, Fault> {
        let Some(level) = Level::Record.inner(self.signal) else {
            return self.concatenate(group, Level::Record, rope);
        };
        let open = rope.open();
        let mut scopes = Grouping::new(self.request, level);
        for (at, record) in core::iter::once(&group.first).chain(&group.others).enumerate() {
            let mut fields = Fields::new(self.request, record.body, Level::Record);
            while let Some(field) = fields.next()? {
                if field.held {
                    scopes.add(Alike { whole: field.whole, body: field.body })?;
                } else if at == 0 {
                    rope.keep(field.whole);
                }
            }
        }
        let mut changed = !group.others.is_empty();
        for scope in &scopes.groups {
            changed |= self.concatenate(scope, level, rope)?;
        }
        if changed {
            rope.close(open, Level::Record.key());
        } else {
            rope.discard(open);
            rope.keep(group.first.whole);
        }
        Ok(changed)
    }
}

/// Messages by their headers, in the order of the first of each.
#[derive(Debug)]
struct Grouping<'a> {
    request: &'a [u8],
    level: Level,
    groups: Vec<Group>,
    /// The group of a header.
    by_header: HashMap<Cow<'a, [u8]>, usize>,
    /// The group of the message before.
    last: Option<(Header, usize)>,
}

impl<'a> Grouping<'a> {
    fn new(request: &'a [u8], level: Level) -> Grouping<'a> {
        Grouping { request, level, groups: Vec::new(), by_header: HashMap::new(), last: None }
    }

    fn add(&mut self, message: Alike) -> Result<(), Fault> {
        let (header, _) = Header::of(self.request, message.body, self.level)?;
        let bytes = header.bytes(self.request);
        // Most often a message is like the one before it: comparing is cheaper than hashing.
        let group = match &self.last {
            Some((last, group)) if last.bytes(self.request) == bytes => Some(*group),
            _ => self.by_header.get(bytes).copied(),
        };
        let group = match group {
            Some(group) => {
                self.groups[group].others.push(message);
                group
            }
            None => {
                let key = match &header {
                    Header::Side(place) => Cow::Borrowed(&self.request[place.range()]),
                    Header::Gathered(bytes) => Cow::Owned(bytes.to_vec()),
                };
                self.by_header.insert(key, self.groups.len());
                self.groups.push(Group { first: message, others: Vec::new() });
                self.groups.len() - 1
            }
        };
        self.last = Some((header, group));
        Ok(())
    }
}
