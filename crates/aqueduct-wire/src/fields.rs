//! The messages on the way to the items, field by field, as places in the request.

use crate::Signal;
use crate::cursor::{Cursor, LEN};
use crate::error::{Fault, InvalidKind};
use crate::rope::Rope;
use crate::schema::Level;
use bytes::Bytes;
use core::ops::Range;

/// A stretch of the request.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Place {
    /// All of `bytes`.
    pub(crate) fn of(bytes: &[u8]) -> Place {
        Place { start: 0, end: bytes.len() }
    }

    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        self.end - self.start
    }

    #[inline(always)]
    pub(crate) fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A field of a message.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Field {
    pub(crate) number: u32,
    /// Key, length and value.
    pub(crate) whole: Place,
    /// The content, if it is what the message holds; empty if the field belongs to the header.
    pub(crate) body: Place,
    /// Whether it is what the message holds.
    pub(crate) held: bool,
}

/// Reads the fields of a message in order.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Fields<'a> {
    request: &'a [u8],
    rest: Place,
    level: Level,
}

impl<'a> Fields<'a> {
    /// Of the message whose content is at `body`.
    #[inline]
    pub(crate) fn new(request: &'a [u8], body: Place, level: Level) -> Fields<'a> {
        Fields { request, rest: body, level }
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> Place {
        self.rest
    }

    /// The next field.
    ///
    /// # Errors
    ///
    /// As `scan` finds them: bytes for which it has no complaint give none here.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Field>, Fault> {
        if self.rest.len() == 0 {
            return Ok(None);
        }
        let start = self.rest.start;
        let mut cursor = Cursor::new(&self.request[self.rest.range()]);
        let at_key = cursor;
        let (number, wire) = cursor.key()?;
        let held = self.level.holds(number);
        let mut content = 0;
        if held {
            if wire != LEN {
                return Err(at_key.fault(InvalidKind::WireType));
            }
            content = cursor.bytes()?.len();
        } else {
            cursor.skip(number, wire, self.level.left())?;
        }
        let end = self.rest.end - cursor.rest.len();
        self.rest.start = end;
        let body = Place { start: end - content, end };
        Ok(Some(Field { number, whole: Place { start, end }, body, held }))
    }
}

impl Fields<'_> {
    /// The next field that is not of the header.
    #[inline]
    pub(crate) fn next_held(&mut self) -> Result<Option<Field>, Fault> {
        loop {
            match self.next()? {
                Some(field) if !field.held => {}
                other => return Ok(other),
            }
        }
    }
}

/// Fields that are taken out of their message together: what envelopes repeat, and what tells records apart.
#[derive(Clone, Debug)]
pub(crate) enum Header {
    /// They lie side by side.
    Side(Place),
    /// They do not, and are a copy: one, whatever number of results it is repeated in.
    Gathered(Bytes),
}

/// A [`Header`] while its fields are found.
#[derive(Debug, Default)]
struct Gathering {
    /// Fields side by side, as long as all are.
    side: Place,
    /// All of them, once they are not.
    apart: Vec<u8>,
}

impl Gathering {
    /// Appends a field.
    #[inline]
    fn push(&mut self, request: &[u8], place: Place) {
        if !self.apart.is_empty() {
            self.apart.extend_from_slice(&request[place.range()]);
        } else if self.side.len() == 0 {
            self.side = place;
        } else if self.side.end == place.start {
            self.side.end = place.end;
        } else {
            self.apart = [&request[self.side.range()], &request[place.range()]].concat();
        }
    }

    fn finish(self) -> Header {
        if self.apart.is_empty() {
            Header::Side(self.side)
        } else {
            // Without the room that it did not need: some are kept for as long as their source.
            Header::Gathered(self.apart.into_boxed_slice().into())
        }
    }
}

impl Header {
    pub(crate) const EMPTY: Header = Header::Side(Place { start: 0, end: 0 });

    /// All fields of a message that are not what it holds, and whether that is all there is.
    ///
    /// # Allocation
    ///
    /// None if they lie side by side in the request, else a copy of them.
    pub(crate) fn of(request: &[u8], body: Place, level: Level) -> Result<(Header, bool), Fault> {
        let mut header = Gathering::default();
        let mut alone = true;
        let mut fields = Fields::new(request, body, level);
        while let Some(field) = fields.next()? {
            if field.held {
                alone = false;
            } else {
                header.push(request, field.whole);
            }
        }
        Ok((header.finish(), alone))
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Header::Side(place) => place.len(),
            Header::Gathered(bytes) => bytes.len(),
        }
    }

    pub(crate) fn bytes<'a>(&'a self, request: &'a [u8]) -> &'a [u8] {
        match self {
            Header::Side(place) => &request[place.range()],
            Header::Gathered(bytes) => bytes,
        }
    }

    pub(crate) fn append_to(&self, rope: &mut Rope) {
        match self {
            Header::Side(place) => rope.keep(*place),
            Header::Gathered(bytes) => rope.lend(bytes),
        }
    }
}

/// Which of a metric's data counts.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Live {
    /// The field: the kind of the last data.
    kind: u32,
    /// Data of this kind before here was replaced by another kind.
    from: usize,
}

impl Live {
    /// Of the metric whose content is at `body`; `None` if it has no data.
    ///
    /// The kinds are alternatives: the last one replaces others before it, and what belongs to the same one
    /// is merged.
    pub(crate) fn of(request: &[u8], body: Place) -> Result<Option<Live>, Fault> {
        Live::among(request, body, |_| ())
    }

    /// As [`Live::of`], and shows the metric's own fields on the way.
    pub(crate) fn among(
        request: &[u8],
        body: Place,
        mut own: impl FnMut(Field),
    ) -> Result<Option<Live>, Fault> {
        let mut fields = Fields::new(request, body, Level::Metric);
        let mut live: Option<Live> = None;
        while let Some(field) = fields.next()? {
            if !field.held {
                own(field);
            } else if live.is_none_or(|live| live.kind != field.number) {
                live = Some(Live { kind: field.number, from: field.whole.start });
            }
        }
        Ok(live)
    }

    /// The field of the metric that its data is.
    pub(crate) fn kind(self) -> u32 {
        self.kind
    }

    /// The next data that counts, from `fields` of the metric.
    pub(crate) fn next(self, fields: &mut Fields<'_>) -> Result<Option<Field>, Fault> {
        while let Some(field) = fields.next_held()? {
            if self.includes(field) {
                return Ok(Some(field));
            }
        }
        Ok(None)
    }

    /// The headers of all data that counts, and whether there are no points.
    pub(crate) fn header(self, request: &[u8], metric: Place) -> Result<(Header, bool), Fault> {
        let mut header = Gathering::default();
        let mut alone = true;
        let mut data = Fields::new(request, metric, Level::Metric);
        while let Some(field) = self.next(&mut data)? {
            let mut fields = Fields::new(request, field.body, Level::Data);
            while let Some(field) = fields.next()? {
                if field.held {
                    alone = false;
                } else {
                    header.push(request, field.whole);
                }
            }
        }
        Ok((header.finish(), alone))
    }

    #[inline]
    pub(crate) fn includes(self, field: Field) -> bool {
        field.number == self.kind && field.whole.start >= self.from
    }

    /// The key of the data's field.
    pub(crate) fn key(self) -> u8 {
        (self.kind << 3) as u8 | LEN
    }
}

/// The items in a message.
pub(crate) fn count(request: &[u8], body: Place, level: Level, signal: Signal) -> Result<u64, Fault> {
    let live = if level == Level::Metric { Live::of(request, body)? } else { None };
    let mut fields = Fields::new(request, body, level);
    let mut items = 0;
    while let Some(field) = fields.next()? {
        if field.held && live.is_none_or(|live| live.includes(field)) {
            items += match level.inner(signal) {
                Some(inner) => count(request, field.body, inner, signal)?,
                None => 1,
            };
        }
    }
    Ok(items)
}

/// Steps over the fields that nearly every span starts with, in the order in which encoders write them, up
/// to the attributes: straight compares, where the table would have to guess a jump for each. Stops early
/// at anything unusual. The trace id is then in the bytes from 2 to 18, and the span id in those from 20 to 28.
#[inline(always)]
pub(crate) fn usual_span(body: &[u8], is_text: impl FnOnce(&[u8]) -> bool) -> Option<&[u8]> {
    let (ids, mut rest) = body.split_first_chunk::<28>()?;
    if [ids[0], ids[1], ids[18], ids[19]] != [0x0a, 16, 0x12, 8] {
        return None;
    }
    if let Some((parent, after)) = rest.split_first_chunk::<10>()
        && parent[..2] == [0x22, 8]
    {
        rest = after;
    }
    if let [0x2a, len @ ..0x80, after @ ..] = rest
        && let Some((name, after)) = after.split_at_checked(usize::from(*len))
        && is_text(name)
    {
        rest = after;
    }
    if let [0x30, ..0x80, after @ ..] = rest {
        rest = after;
    }
    if let Some((times, after)) = rest.split_first_chunk::<18>()
        && times[0] == 0x39
        && times[9] == 0x41
    {
        rest = after;
    }
    Some(rest)
}
