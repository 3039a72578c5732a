//! Changing the attributes of resources, scopes and items.
//!
//! # Examples
//!
//! ```
//! use aqueduct_wire::edit::Edit;
//! use aqueduct_wire::{Chunk, Limits, Signal};
//! use bytes::Bytes;
//!
//! // A log record of no resource.
//! let request = Bytes::from_static(b"\x0a\x0a\x12\x08\x12\x06\x1a\x04INFO");
//! let chunk = Chunk::validate(Signal::Logs, request, &Limits::default())?;
//!
//! let edit = Edit::resources().with_upsert("host", "a").with_delete("host.ip");
//! let edited = edit.apply(&chunk)?;
//! assert_eq!(edited.items(), 1);
//! assert_eq!(edited.to_bytes()[2..17], b"\x0a\x0d\x0a\x0b\x0a\x04host\x12\x03\x0a\x01a"[..]);
//! # Ok::<(), aqueduct_wire::Invalid>(())
//! ```

mod attributes;
mod value;

pub use value::Value;

use crate::error::Fault;
use crate::fields::{Fields, Live, Place};
use crate::path::locate;
use crate::rope::Rope;
use crate::schema::{DESCRIBED_BY, Level, RESOURCE_ATTRIBUTES, SCOPE_ATTRIBUTES, item_attributes};
use crate::{Chunk, Invalid, Merged, Signal};
use attributes::Attributes;

/// Changes to the attributes of all resources, all scopes or all items of a request.
///
/// The changes are made in the order in which they were given. Only the message whose attributes a change
/// makes others, and the lengths around it, are written anew; everything else stays as it is encoded and
/// where it is, so that the cost of editing resources and scopes does not depend on the number of items. A
/// request that no change concerns comes back as the very same bytes.
///
/// An attribute that is written anew is the key and the new value, without the unknown fields that were in
/// it. A resource or scope of several pieces, which protobuf allows, is seen as the one that it is. A record
/// without a resource has one without attributes, and gets one when an attribute is added; a scope likewise.
#[doc(alias("attributes_processor", "resource_processor"))]
#[derive(Clone, Debug)]
pub struct Edit {
    of: Of,
    changes: Vec<Change>,
}

/// What has the attributes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Of {
    Resources,
    Scopes,
    Items,
}

/// What happens to an attribute.
#[derive(Clone, Debug)]
struct Change {
    key: Box<[u8]>,
    action: Action,
}

/// With the `KeyValue` that is put in, after its length.
#[derive(Clone, Debug)]
enum Action {
    Insert(Box<[u8]>),
    Update(Box<[u8]>),
    Upsert(Box<[u8]>),
    Delete,
}

impl Edit {
    /// Of the attributes of resources (`Resource.attributes`).
    #[must_use]
    pub fn resources() -> Edit {
        Edit { of: Of::Resources, changes: Vec::new() }
    }

    /// Of the attributes of scopes (`InstrumentationScope.attributes`).
    #[must_use]
    pub fn scopes() -> Edit {
        Edit { of: Of::Scopes, changes: Vec::new() }
    }

    /// Of the attributes of spans, log records and data points, not of what is in them: events, links,
    /// exemplars.
    #[must_use]
    pub fn items() -> Edit {
        Edit { of: Of::Items, changes: Vec::new() }
    }

    /// Adds the attribute where there is none with this key.
    #[must_use]
    pub fn with_insert(self, key: impl AsRef<str>, value: impl Into<Value>) -> Edit {
        let pair = value::attribute(key.as_ref(), &value.into());
        self.with(key.as_ref(), Action::Insert(pair))
    }

    /// Gives the attribute this value where there is one with this key; of several with the key only the
    /// first one stays.
    #[must_use]
    pub fn with_update(self, key: impl AsRef<str>, value: impl Into<Value>) -> Edit {
        let pair = value::attribute(key.as_ref(), &value.into());
        self.with(key.as_ref(), Action::Update(pair))
    }

    /// Gives the attribute this value whether or not there is one: as [`Edit::with_update`], or else
    /// [`Edit::with_insert`].
    #[must_use]
    pub fn with_upsert(self, key: impl AsRef<str>, value: impl Into<Value>) -> Edit {
        let pair = value::attribute(key.as_ref(), &value.into());
        self.with(key.as_ref(), Action::Upsert(pair))
    }

    /// Removes every attribute with this key.
    #[must_use]
    pub fn with_delete(self, key: impl AsRef<str>) -> Edit {
        self.with(key.as_ref(), Action::Delete)
    }

    fn with(mut self, key: &str, action: Action) -> Edit {
        self.changes.push(Change { key: key.as_bytes().into(), action });
        self
    }

    /// Makes the changes.
    ///
    /// # Errors
    ///
    /// If the structure down to the attributes of what is edited is invalid, which that of a validated chunk
    /// never is.
    ///
    /// # Allocation
    ///
    /// About 60 bytes for each field of the largest message that is edited; and the result as in
    /// [`filter`](crate::filter).
    pub fn apply(&self, chunk: &Chunk) -> Result<Merged, Invalid> {
        let mut pass = Pass {
            edit: self,
            request: chunk.bytes(),
            signal: chunk.signal(),
            rope: Rope::default(),
            attributes: Attributes::new(chunk.bytes()),
        };
        let changed = pass
            .message(Place::of(chunk.bytes()), Level::Request, None)
            .map_err(|fault| locate(chunk.signal(), chunk.bytes(), fault))?;
        Ok(match changed {
            true => pass.rope.finish(chunk.signal(), chunk.items(), chunk.bytes()),
            false => Merged::from_chunk(chunk.clone()),
        })
    }
}

struct Pass<'a> {
    edit: &'a Edit,
    request: &'a [u8],
    signal: Signal,
    rope: Rope,
    /// Of what is being edited.
    attributes: Attributes<'a>,
}

impl Pass<'_> {
    /// Appends the content of a message on the way to what is edited; of a metric's data with its field.
    /// False if nothing is changed in it.
    fn message(&mut self, body: Place, level: Level, data: Option<u32>) -> Result<bool, Fault> {
        let inner = level.inner(self.signal);
        let live = if level == Level::Metric { Live::of(self.request, body)? } else { None };
        let mut changed = false;
        let mut fields = Fields::new(self.request, body, level);
        while let Some(field) = fields.next()? {
            if !field.held || live.is_some_and(|live| !live.includes(field)) {
                self.rope.keep(field.whole);
                continue;
            }
            let open = self.rope.open();
            let differs = match (inner, self.edit.of) {
                (None, _) => self.item(field.body, item_attributes(self.signal, data.unwrap_or_default()))?,
                (Some(inner @ Level::Record), Of::Resources) => {
                    self.described(field.body, inner, RESOURCE_ATTRIBUTES)?
                }
                (Some(inner @ (Level::Items | Level::Metrics)), Of::Scopes) => {
                    self.described(field.body, inner, SCOPE_ATTRIBUTES)?
                }
                (Some(inner), _) => self.message(field.body, inner, live.map(|_| field.number))?,
            };
            if differs {
                let key = if inner.is_none() { level.items_key() } else { inner.map_or(0, Level::key) };
                self.rope.close(open, live.map_or(key, Live::key));
            } else {
                self.rope.discard(open);
                self.rope.keep(field.whole);
            }
            changed |= differs;
        }
        Ok(changed)
    }

    /// Makes the changes to the attributes that were read. False if they are the same.
    fn change(&mut self) -> bool {
        for change in &self.edit.changes {
            self.attributes.change(change);
        }
        self.attributes.differ()
    }

    /// Appends the content of an item, edited. False and nothing of use if it is the same.
    fn item(&mut self, body: Place, attributes: u32) -> Result<bool, Fault> {
        self.attributes.clear(attributes);
        self.attributes.read(body)?;
        let differs = self.change();
        if differs {
            self.attributes.append_piece(0, &mut self.rope);
        }
        Ok(differs)
    }

    /// Appends the content of a record or scope with its resource or scope edited. False and nothing of use
    /// if it is the same.
    fn described(&mut self, body: Place, level: Level, attributes: u32) -> Result<bool, Fault> {
        self.attributes.clear(attributes);
        let mut fields = Fields::new(self.request, body, level);
        while let Some(field) = fields.next()? {
            if field.number == DESCRIBED_BY {
                self.attributes.read_field(field.whole)?;
            }
        }
        if !self.change() {
            return Ok(false);
        }
        if self.attributes.pieces() == 0 {
            let open = self.rope.open();
            self.attributes.append_added(&mut self.rope);
            self.rope.close(open, value::key(DESCRIBED_BY));
        }
        let mut piece = 0;
        let mut fields = Fields::new(self.request, body, level);
        while let Some(field) = fields.next()? {
            if field.number == DESCRIBED_BY {
                let open = self.rope.open();
                self.attributes.append_piece(piece, &mut self.rope);
                self.rope.close(open, value::key(DESCRIBED_BY));
                piece += 1;
            } else {
                self.rope.keep(field.whole);
            }
        }
        Ok(true)
    }
}
