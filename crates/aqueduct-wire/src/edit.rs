//! Changing the attributes of resources, scopes, items and what is in them, and the trace states of spans.
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
#[cfg(feature = "hash")]
mod hash;
mod inner;
mod kept;
mod pass;
mod trace_state;
mod trace_states;

pub use trace_state::{InvalidMember, TraceState};
pub use trace_states::TraceStateEdit;

use crate::encode::{EncodedAttributes, ValueRef};
use crate::schema::Level;
use crate::schema::numbers::{event, exemplar, exponential_point, histogram_point, link, metric};
use crate::schema::numbers::{number_point, span};
use crate::{Chunk, Invalid, Item, Merged, Signal};
use attributes::Attributes;
use core::borrow::Borrow;
use core::fmt;

/// Changes to the attributes of all resources, all scopes or all items of a request, or of what is in the items.
///
/// The changes are made in the order in which they were given. Only the message whose attributes a change
/// makes others, and the lengths around it, are written anew; everything else stays as it is encoded and
/// where it is, so that the cost of editing resources and scopes does not depend on the number of items. A
/// request that no change concerns comes back as the very same bytes.
///
/// An attribute that is written anew is the key and the new value, without the unknown fields that were in
/// it. A resource or scope of several pieces, which protobuf allows, is seen as the one that it is. A record
/// without a resource has one without attributes, and gets one when an attribute is added; a scope likewise.
///
/// Values are [`ValueRef`]s, lists too. Lists in one another beyond what [`validate`](crate::validate) accepts with
/// default limits become values without contents, as in [`encode`](crate::encode).
#[doc(alias("attributes_processor", "resource_processor"))]
#[derive(Clone)]
pub struct Edit {
    of: Of,
    /// Of the changes, each once.
    keys: Vec<Box<str>>,
    changes: Vec<Change>,
}

/// What has the attributes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Of {
    Resources,
    Scopes,
    Items,
    Events,
    Links,
    Exemplars,
}

/// What happens to the attribute with a key.
#[derive(Clone)]
struct Change {
    /// Which of the edit's keys.
    key: usize,
    action: Action,
}

/// With the `KeyValue` that is put in, after its length.
#[derive(Clone)]
enum Action {
    Insert(Box<[u8]>),
    Update(Box<[u8]>),
    Upsert(Box<[u8]>),
    Delete,
    #[cfg(feature = "hash")]
    Hash,
}

impl Edit {
    fn of(of: Of) -> Edit {
        Edit { of, keys: Vec::new(), changes: Vec::new() }
    }

    /// Of the attributes of resources (`Resource.attributes`).
    #[must_use]
    pub fn resources() -> Edit {
        Edit::of(Of::Resources)
    }

    /// Of the attributes of scopes (`InstrumentationScope.attributes`).
    #[must_use]
    pub fn scopes() -> Edit {
        Edit::of(Of::Scopes)
    }

    /// Of the attributes of spans, log records and data points, not of what is in them: events, links,
    /// exemplars. (The `metadata` of a metric, which is no item, is out of reach.)
    #[must_use]
    pub fn items() -> Edit {
        Edit::of(Of::Items)
    }

    /// Of the attributes of the events of spans (`Span.Event.attributes`). Metrics and logs have none and stay
    /// the same.
    #[must_use]
    pub fn events() -> Edit {
        Edit::of(Of::Events)
    }

    /// Of the attributes of the links of spans (`Span.Link.attributes`). Metrics and logs have none and stay
    /// the same.
    #[must_use]
    pub fn links() -> Edit {
        Edit::of(Of::Links)
    }

    /// Of the attributes of the exemplars of data points (`Exemplar.filtered_attributes`). Traces and logs have
    /// none and stay the same.
    #[must_use]
    pub fn exemplars() -> Edit {
        Edit::of(Of::Exemplars)
    }

    /// Adds the attribute where there is none with this key.
    #[must_use]
    pub fn with_insert<'v>(self, key: impl AsRef<str>, value: impl Into<ValueRef<'v>>) -> Edit {
        let pair = pair(key.as_ref(), value.into());
        self.with(key.as_ref(), Action::Insert(pair))
    }

    /// Gives the attribute this value where there is one with this key; of several with the key only the
    /// first one stays.
    #[must_use]
    pub fn with_update<'v>(self, key: impl AsRef<str>, value: impl Into<ValueRef<'v>>) -> Edit {
        let pair = pair(key.as_ref(), value.into());
        self.with(key.as_ref(), Action::Update(pair))
    }

    /// Gives the attribute this value whether or not there is one: as [`Edit::with_update`], or else
    /// [`Edit::with_insert`].
    #[must_use]
    pub fn with_upsert<'v>(self, key: impl AsRef<str>, value: impl Into<ValueRef<'v>>) -> Edit {
        let pair = pair(key.as_ref(), value.into());
        self.with(key.as_ref(), Action::Upsert(pair))
    }

    /// Removes every attribute with this key.
    #[must_use]
    pub fn with_delete(self, key: impl AsRef<str>) -> Edit {
        self.with(key.as_ref(), Action::Delete)
    }

    /// Puts the SHA-256 of the attribute's value in its place, as a string of 64 lower-case hexadecimal digits, where there
    /// is one with this key; of several with the key only the first one stays.
    ///
    /// What is hashed is what the action `hash` of the OpenTelemetry Collector's attributes processor hashes, so
    /// that both give the same (versions of it that left empty strings empty are old):
    ///
    /// | value | bytes |
    /// |---|---|
    /// | string | its UTF-8, also if it is empty |
    /// | integer | 8, of its two's complement, the lowest first |
    /// | double | 8, of its IEEE 754 bits, the lowest first |
    /// | boolean | one: 1 or 0 |
    /// | bytes, array, list of keys and values, none | they are not hashed: the value becomes an empty string |
    ///
    /// To hash twice is to hash the digits of the first hash. A hash without a secret hides only what cannot be
    /// guessed: whoever can list all candidates, such as phone numbers, finds the value by trying.
    ///
    /// Feature `hash`.
    ///
    /// # Examples
    ///
    /// ```
    /// use aqueduct_wire::edit::Edit;
    /// use aqueduct_wire::{Chunk, Limits, Signal};
    ///
    /// // A log record with the attribute "user" of value "foo".
    /// let request = b"\x0a\x13\x12\x11\x12\x0f\x32\x0d\x0a\x04user\x12\x05\x0a\x03foo".to_vec();
    /// let chunk = Chunk::validate(Signal::Logs, request.into(), &Limits::default())?;
    ///
    /// let hashed = Edit::items().with_hash("user").apply(&chunk)?.to_bytes();
    /// assert!(hashed.ends_with(b"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"));
    /// # Ok::<(), aqueduct_wire::Invalid>(())
    /// ```
    #[cfg(feature = "hash")]
    #[must_use]
    pub fn with_hash(self, key: impl AsRef<str>) -> Edit {
        self.with(key.as_ref(), Action::Hash)
    }

    fn with(mut self, key: &str, action: Action) -> Edit {
        let key = self.keys.iter().position(|known| **known == *key).unwrap_or_else(|| {
            self.keys.push(key.into());
            self.keys.len() - 1
        });
        self.changes.push(Change { key, action });
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
    /// Nothing for fields that are stepped over. While it works: up to 100 bytes for each key of the changes, 1.5 KiB, and for
    /// each message that is written anew up to its content and 48 bytes. And the result as in
    /// [`filter`](crate::filter).
    pub fn apply(&self, chunk: &Chunk) -> Result<Merged, Invalid> {
        let signal = chunk.signal();
        let mut attributes = Attributes::new(chunk.bytes(), self);
        match self.of {
            Of::Resources => pass::rewrite(chunk, Some(Level::Record), |rope, body, _, _| {
                attributes.described(rope, body, Level::Record)
            }),
            Of::Scopes => {
                let scope = Level::Record.inner(signal).unwrap_or(Level::Items);
                pass::rewrite(chunk, Some(scope), |rope, body, _, _| attributes.described(rope, body, scope))
            }
            Of::Items => pass::rewrite(chunk, None, |rope, body, data, _| {
                attributes.message(rope, body, crate::schema::item_attributes(signal, data))
            }),
            of if !of.occurs_in(signal) => Ok(Merged::from_chunk(chunk.clone())),
            of => pass::rewrite(chunk, None, |rope, body, data, _| match of.within_item(data) {
                Some((number, inner)) => attributes.within(rope, body, number, inner),
                None => Ok(false),
            }),
        }
    }

    /// Makes changes of its own to the attributes of each item: those of the edit that `each` gives for it, which is one of
    /// [`items`](Edit::items). An item for which it gives none, or an edit of something else, stays as it is.
    ///
    /// # Errors
    ///
    /// As [`Edit::apply`].
    ///
    /// # Allocation
    ///
    /// As [`Edit::apply`], and for each item with an edit two lists of its keys.
    ///
    /// # Examples
    ///
    /// ```
    /// use aqueduct_wire::edit::Edit;
    /// use aqueduct_wire::{Chunk, Limits, Signal};
    ///
    /// // Two log records with the severity texts "A" and "B".
    /// let request = b"\x0a\x0c\x12\x0a\x12\x03\x1a\x01A\x12\x03\x1a\x01B".to_vec();
    /// let chunk = Chunk::validate(Signal::Logs, request.into(), &Limits::default())?;
    ///
    /// let marked = Edit::items().with_upsert("last", true);
    /// let edited = Edit::apply_each(&chunk, |record| record.bytes().ends_with(b"B").then_some(&marked))?;
    /// assert!(edited.to_bytes().ends_with(b"\x12\x0f\x1a\x01B\x32\x0a\x0a\x04last\x12\x02\x10\x01"));
    /// # Ok::<(), aqueduct_wire::Invalid>(())
    /// ```
    pub fn apply_each<E: Borrow<Edit>>(
        chunk: &Chunk,
        mut each: impl FnMut(&Item<'_>) -> Option<E>,
    ) -> Result<Merged, Invalid> {
        let (signal, request) = (chunk.signal(), chunk.bytes());
        pass::rewrite(chunk, None, |rope, body, data, around| match each(&Item::new(body, around)) {
            Some(edit) if edit.borrow().of == Of::Items => Attributes::new(request, edit.borrow()).message(
                rope,
                body,
                crate::schema::item_attributes(signal, data),
            ),
            _ => Ok(false),
        })
    }
}

impl Of {
    /// Whether the items of this signal can have such messages.
    fn occurs_in(self, signal: Signal) -> bool {
        match self {
            Of::Events | Of::Links => signal == Signal::Traces,
            Of::Exemplars => signal == Signal::Metrics,
            Of::Resources | Of::Scopes | Of::Items => true,
        }
    }

    /// The field of an item that such messages are, and theirs that the attributes are; of a data point by the field of the
    /// metric that its data is.
    fn within_item(self, data: u32) -> Option<(u32, u32)> {
        match (self, data) {
            (Of::Events, _) => Some((span::EVENTS, event::ATTRIBUTES)),
            (Of::Links, _) => Some((span::LINKS, link::ATTRIBUTES)),
            (_, metric::GAUGE | metric::SUM) => Some((number_point::EXEMPLARS, exemplar::ATTRIBUTES)),
            (_, metric::HISTOGRAM) => Some((histogram_point::EXEMPLARS, exemplar::ATTRIBUTES)),
            (_, metric::EXPONENTIAL_HISTOGRAM) => Some((exponential_point::EXEMPLARS, exemplar::ATTRIBUTES)),
            _ => None,
        }
    }
}

/// A `KeyValue` after its length, as it follows the key of the field that it is.
fn pair(key: &str, value: ValueRef<'_>) -> Box<[u8]> {
    let encoded = EncodedAttributes::new(|attributes| attributes.push(key, value));
    encoded.bytes().get(1..).unwrap_or_default().into()
}

/// The actions and their keys, without the values: what is configured may be a secret.
impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes = self.changes.iter().map(|change| (change.action.name(), &self.keys[change.key]));
        f.debug_struct("Edit")
            .field("of", &self.of)
            .field("changes", &changes.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Action {
    fn name(&self) -> &'static str {
        match self {
            Action::Insert(_) => "insert",
            Action::Update(_) => "update",
            Action::Upsert(_) => "upsert",
            Action::Delete => "delete",
            #[cfg(feature = "hash")]
            Action::Hash => "hash",
        }
    }
}
