//! Changing the trace states of spans and links.

use super::inner::{next, next_of, tag};
use super::kept::Kept;
use super::pass;
use super::trace_state::{InvalidMember, TraceState, check};
use crate::cursor::Cursor;
use crate::error::{Fault, InvalidKind};
use crate::fields::Place;
use crate::item::Around;
use crate::rope::Rope;
use crate::schema::numbers::{link, span};
use crate::{Chunk, Invalid, Item, Merged, Signal};
use core::fmt;

/// Changes to the trace states of all spans of a request (`Span.trace_state`), and of their links if it is told so
/// (`Span.Link.trace_state`). Metrics and logs have none and stay the same.
///
/// The changes are made in the order in which they were given, by the rules of [`TraceState`]. As with
/// [`Edit`](super::Edit), only what a change makes others is written anew. Of a field that is there several times,
/// which protobuf allows, the last one counts and is the only one after a change; one that becomes empty is left out.
///
/// # Examples
///
/// ```
/// use aqueduct_wire::edit::TraceStateEdit;
/// use aqueduct_wire::{Chunk, Limits, Signal};
///
/// // A span with two ids and a trace state of two members.
/// let span = b"\x0a\x10..trace.id......\x12\x08.span.id\x1a\x09a=1,ot=th";
/// let request = [&[0x0a, 43, 0x12, 41, 0x12, 39], &span[..]].concat();
/// let chunk = Chunk::validate(Signal::Traces, request.into(), &Limits::default())?;
///
/// let edited = TraceStateEdit::new().with_upsert("b", "2")?.with_delete("ot").apply(&chunk)?;
/// assert!(edited.to_bytes().ends_with(b"\x1a\x07b=2,a=1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "tracestate")]
#[derive(Clone, Default)]
pub struct TraceStateEdit {
    links: bool,
    changes: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Update(Box<str>, Box<str>),
    Upsert(Box<str>, Box<str>),
    Delete(Box<str>),
    Clear,
}

impl TraceStateEdit {
    /// Of the trace states of spans, with no changes yet.
    #[must_use]
    pub fn new() -> TraceStateEdit {
        TraceStateEdit::default()
    }

    /// The links of the spans too.
    #[must_use]
    pub fn with_links(mut self) -> TraceStateEdit {
        self.links = true;
        self
    }

    /// Gives the member with this key the value, where there is one.
    ///
    /// # Errors
    ///
    /// If the key or the value is not as the specification wants it.
    pub fn with_update(
        self,
        key: impl AsRef<str>,
        value: impl AsRef<str>,
    ) -> Result<TraceStateEdit, InvalidMember> {
        check(key.as_ref(), value.as_ref())?;
        Ok(self.with(Change::Update(key.as_ref().into(), value.as_ref().into())))
    }

    /// Gives the member with this key the value, whether or not there is one.
    ///
    /// # Errors
    ///
    /// As [`TraceStateEdit::with_update`].
    pub fn with_upsert(
        self,
        key: impl AsRef<str>,
        value: impl AsRef<str>,
    ) -> Result<TraceStateEdit, InvalidMember> {
        check(key.as_ref(), value.as_ref())?;
        Ok(self.with(Change::Upsert(key.as_ref().into(), value.as_ref().into())))
    }

    /// Removes the member with this key.
    #[must_use]
    pub fn with_delete(self, key: impl AsRef<str>) -> TraceStateEdit {
        self.with(Change::Delete(key.as_ref().into()))
    }

    /// Removes all members. A trace state that had some becomes none: the field is left out.
    #[must_use]
    pub fn with_clear(self) -> TraceStateEdit {
        self.with(Change::Clear)
    }

    fn with(mut self, change: Change) -> TraceStateEdit {
        self.changes.push(change);
        self
    }

    /// Makes the changes.
    ///
    /// # Errors
    ///
    /// If the structure down to the trace states is invalid, or one of them is no UTF-8, which in a validated chunk
    /// never is.
    ///
    /// # Allocation
    ///
    /// While it works: for each span and link that is written anew up to its content and 48 bytes, and the largest trace state
    /// that is changed. And the result as in [`filter`](crate::filter).
    pub fn apply(&self, chunk: &Chunk) -> Result<Merged, Invalid> {
        self.apply_each(chunk, |_, _| {})
    }

    /// Makes the changes, and lets `each` change the trace state of each span after them. For links it is not asked.
    ///
    /// # Errors
    ///
    /// As [`TraceStateEdit::apply`].
    ///
    /// # Allocation
    ///
    /// As [`TraceStateEdit::apply`].
    ///
    /// # Examples
    ///
    /// Half of the spans are kept, and say so:
    ///
    /// ```
    /// use aqueduct_wire::edit::TraceStateEdit;
    /// use aqueduct_wire::{Chunk, Invalid, Merged};
    ///
    /// fn mark_as_sampled(chunk: &Chunk) -> Result<Merged, Invalid> {
    ///     TraceStateEdit::new().apply_each(chunk, |_span, state| {
    ///         let others = state.get("ot").into_iter().flat_map(|ot| ot.split(';'));
    ///         let others = others.filter(|field| !field.starts_with("th:"));
    ///         let ot = others.chain(["th:8"]).collect::<Vec<_>>().join(";");
    ///         // What the sender wrote may be no value, or too long for one more field: then it stays as it is.
    ///         let _ = state.set("ot", &ot);
    ///     })
    /// }
    /// # let chunk = Chunk::from_valid(aqueduct_wire::Signal::Traces, 0, Default::default());
    /// # assert!(mark_as_sampled(&chunk).is_ok());
    /// ```
    pub fn apply_each(
        &self,
        chunk: &Chunk,
        each: impl FnMut(&Item<'_>, &mut TraceState<'_>),
    ) -> Result<Merged, Invalid> {
        if chunk.signal() != Signal::Traces {
            return Ok(Merged::from_chunk(chunk.clone()));
        }
        let mut states = States {
            request: chunk.bytes(),
            edit: self,
            each,
            state: TraceState::new(""),
            of_span: String::new(),
            of_link: String::new(),
        };
        pass::rewrite(chunk, None, |rope, body, _, around| states.span(rope, body, around))
    }
}

struct States<'a, F> {
    request: &'a [u8],
    edit: &'a TraceStateEdit,
    each: F,
    state: TraceState<'a>,
    /// What they become.
    of_span: String,
    of_link: String,
}

/// A trace state that becomes another one.
#[derive(Copy, Clone, Debug)]
struct Changed {
    /// The field that counted, if there was one.
    last: Option<Place>,
}

impl<F: FnMut(&Item<'_>, &mut TraceState<'_>)> States<'_, F> {
    /// Appends the content of a span, edited. False and nothing of use if it is the same.
    fn span(&mut self, rope: &mut Rope, body: Place, around: &Around<'_>) -> Result<bool, Fault> {
        let before = self.read(body, span::TRACE_STATE)?;
        (self.each)(&Item::new(body, around), &mut self.state);
        let changed = self.state.changed(&mut self.of_span).then_some(Changed { last: before });
        if changed.is_none() && !self.edit.links {
            return Ok(false);
        }
        let mut differs = changed.is_some();
        let mut kept = Kept::new(self.request, body);
        let mut cursor = Cursor::new(&self.request[body.range()]);
        while let Some((number, whole, content)) = next(&mut cursor, body.end)? {
            if let (span::TRACE_STATE, Some(changed)) = (number, changed) {
                replace(changed, whole, &self.of_span, &mut kept, rope);
            } else if number == span::LINKS && self.edit.links {
                let before = self.read(content, link::TRACE_STATE)?;
                if self.state.changed(&mut self.of_link) {
                    differs = true;
                    kept.cut(whole, rope);
                    self.link(rope, content, Changed { last: before })?;
                }
            }
        }
        kept.finish(rope);
        if let Some(Changed { last: None }) = changed {
            put(&self.of_span, rope);
        }
        Ok(differs)
    }

    /// Appends a link whose trace state changes.
    fn link(&self, rope: &mut Rope, body: Place, changed: Changed) -> Result<(), Fault> {
        let open = rope.open();
        let mut kept = Kept::new(self.request, body);
        let mut cursor = Cursor::new(&self.request[body.range()]);
        while let Some((whole, _)) = next_of(&mut cursor, body.end, link::TRACE_STATE)? {
            replace(changed, whole, &self.of_link, &mut kept, rope);
        }
        kept.finish(rope);
        if changed.last.is_none() {
            put(&self.of_link, rope);
        }
        rope.close(open, tag(span::LINKS));
        Ok(())
    }

    /// Reads the trace state of a message, which is field `number`, and makes the changes. The field that counts, if
    /// there is one.
    fn read(&mut self, body: Place, number: u32) -> Result<Option<Place>, Fault> {
        let mut cursor = Cursor::new(&self.request[body.range()]);
        let mut last = None;
        while let Some(field) = next_of(&mut cursor, body.end, number)? {
            last = Some(field);
        }
        let content = last.map_or(&self.request[..0], |(_, content)| &self.request[content.range()]);
        let header = core::str::from_utf8(content).map_err(|_| Fault::at(InvalidKind::Utf8, content))?;
        self.state.reset(header);
        for change in &self.edit.changes {
            change.make(&mut self.state);
        }
        Ok(last.map(|(whole, _)| whole))
    }
}

impl Change {
    fn make(&self, state: &mut TraceState<'_>) {
        match self {
            // Both were checked when they were given.
            Change::Update(key, value) if state.get(key).is_some() => drop(state.set(key, value)),
            Change::Upsert(key, value) => drop(state.set(key, value)),
            Change::Delete(key) => drop(state.remove(key)),
            Change::Clear => state.clear(),
            Change::Update(..) => {}
        }
    }
}

/// Appends the new trace state where the old one counted, and nothing for those before it.
fn replace(changed: Changed, field: Place, header: &str, kept: &mut Kept<'_>, rope: &mut Rope) {
    kept.cut(field, rope);
    if changed.last == Some(field) {
        put(header, rope);
    }
}

/// Appends a trace state, unless it is empty.
fn put(header: &str, rope: &mut Rope) {
    const _: () = assert!(span::TRACE_STATE == link::TRACE_STATE);
    if !header.is_empty() {
        let open = rope.open();
        rope.write(header.as_bytes());
        rope.close(open, tag(span::TRACE_STATE));
    }
}

/// The actions and their keys, without the values.
impl fmt::Debug for TraceStateEdit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes = self.changes.iter().map(|change| match change {
            Change::Update(key, _) => ("update", &**key),
            Change::Upsert(key, _) => ("upsert", &**key),
            Change::Delete(key) => ("delete", &**key),
            Change::Clear => ("clear", ""),
        });
        f.debug_struct("TraceStateEdit")
            .field("links", &self.links)
            .field("changes", &changes.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
