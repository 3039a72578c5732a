//! What is around an item, kept while its neighbours are visited: looked up once for all of them, not once for each.

use crate::Signal;
use crate::cursor::{Cursor, LEN};
use crate::error::Fault;
use crate::fields::{Fields, Live, Place};
use crate::schema::numbers::metric;
use crate::schema::{DESCRIBED_BY, Level};
use crate::view::Body;
#[cfg(test)]
use core::cell::Cell;
use core::cell::OnceCell;

#[cfg(test)]
thread_local! {
    /// How many messages were looked through.
    pub(super) static WALKS: Cell<u64> = const { Cell::new(0) };
}

#[inline(always)]
fn note_walk() {
    #[cfg(test)]
    WALKS.set(WALKS.get() + 1);
}

/// The messages around an item.
#[derive(Copy, Clone)]
pub(crate) struct Around<'w> {
    pub(super) signal: Signal,
    pub(super) request: &'w [u8],
    pub(super) record: Option<&'w Described>,
    pub(super) scope: Option<&'w Described>,
    pub(super) metric: Option<&'w Known>,
}

impl<'w> Around<'w> {
    /// The request itself.
    pub(crate) fn new(signal: Signal, request: &'w [u8]) -> Around<'w> {
        Around { signal, request, record: None, scope: None, metric: None }
    }

    /// Also within this record or scope; other messages describe nothing.
    #[inline]
    pub(crate) fn within(self, described: &'w Described) -> Around<'w> {
        match described.level {
            Level::Record => Around { record: Some(described), ..self },
            Level::Items | Level::Metrics => Around { scope: Some(described), ..self },
            Level::Request | Level::Metric | Level::Data => self,
        }
    }

    /// Also within this metric.
    #[inline]
    pub(crate) fn within_metric(self, metric: &'w Known) -> Around<'w> {
        Around { metric: Some(metric), ..self }
    }
}

/// A record or scope. Its resource or scope is looked for when it is first asked for.
#[derive(Debug)]
pub(crate) struct Described {
    body: Place,
    level: Level,
    found: OnceCell<Found>,
}

/// The resource of a record, or the scope of a scope record.
#[derive(Debug)]
enum Found {
    Nothing,
    /// Its content.
    One(Place),
    /// Its content, which protobuf lets be written in several pieces: joined, because they would have to be looked for
    /// each time.
    Joined(Vec<u8>),
}

impl Described {
    /// The message with the content at `body`.
    #[inline]
    pub(crate) fn new(body: Place, level: Level) -> Described {
        Described { body, level, found: OnceCell::new() }
    }

    pub(super) fn by<'a>(&'a self, request: &'a [u8]) -> Option<Body<'a>> {
        match self.found.get_or_init(|| self.find(request)) {
            Found::Nothing => None,
            Found::One(place) => Some(Body::from(&request[place.range()])),
            Found::Joined(bytes) => Some(Body::from(&bytes[..])),
        }
    }

    fn find(&self, request: &[u8]) -> Found {
        note_walk();
        let mut found = Found::Nothing;
        let mut fields = Fields::new(request, self.body, self.level);
        while let Ok(Some(field)) = fields.next() {
            if field.number == DESCRIBED_BY
                && let Some(content) = content(request, field.whole)
            {
                let piece = &request[content.range()];
                match &mut found {
                    Found::Nothing => found = Found::One(content),
                    Found::One(first) => found = Found::Joined([&request[first.range()], piece].concat()),
                    Found::Joined(bytes) => bytes.extend_from_slice(piece),
                }
            }
        }
        found
    }
}

/// What is known of a metric after one walk through its fields.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Known {
    pub(super) body: Place,
    pub(super) name: Place,
    pub(super) unit: Place,
    /// The field that its data is, and where it counts; `None` if it has no data.
    pub(crate) live: Option<Live>,
}

impl Known {
    /// Of the metric whose content is at `body`.
    pub(crate) fn of(request: &[u8], body: Place) -> Result<Known, Fault> {
        note_walk();
        let (mut name, mut unit) = (Place::default(), Place::default());
        let live = Live::among(request, body, |field| {
            let known = match field.number {
                metric::NAME => &mut name,
                metric::UNIT => &mut unit,
                _ => return,
            };
            // The last one counts.
            *known = content(request, field.whole).unwrap_or(*known);
        })?;
        Ok(Known { body, name, unit, live })
    }
}

/// The content of a field that has a length.
fn content(request: &[u8], whole: Place) -> Option<Place> {
    let mut cursor = Cursor::new(&request[whole.range()]);
    match cursor.key() {
        Ok((_, LEN)) => {
            cursor.bytes().ok().map(|content| Place { start: whole.end - content.len(), ..whole })
        }
        _ => None,
    }
}
