//! The way through a request to what is edited.

use crate::error::Fault;
use crate::fields::{Fields, Live, Place};
use crate::item::{Around, Described, Known};
use crate::path::locate;
use crate::rope::Rope;
use crate::schema::Level;
use crate::{Chunk, Invalid, Merged, Signal};

/// Lets `edit` append the new content of each message of the level `at`, or of each item, for which it is given the place of the
/// content, of a data point the field of the metric that its data is, and what is around it. What it appended is dropped
/// where it says that it changed nothing.
pub(super) fn rewrite<F>(chunk: &Chunk, at: Option<Level>, edit: F) -> Result<Merged, Invalid>
where
    F: FnMut(&mut Rope, Place, u32, &Around<'_>) -> Result<bool, Fault>,
{
    let (request, signal) = (chunk.bytes(), chunk.signal());
    let mut pass = Pass { request, signal, at, rope: Rope::default(), edit };
    let changed = pass
        .message(Place::of(request), Level::Request, 0, &Around::new(signal, request))
        .map_err(|fault| locate(signal, request, fault))?;
    Ok(match changed {
        true => pass.rope.finish(signal, chunk.items(), request),
        false => Merged::from_chunk(chunk.clone()),
    })
}

struct Pass<'a, F> {
    request: &'a [u8],
    signal: Signal,
    at: Option<Level>,
    rope: Rope,
    edit: F,
}

impl<F: FnMut(&mut Rope, Place, u32, &Around<'_>) -> Result<bool, Fault>> Pass<'_, F> {
    /// Appends the content of a message on the way to what is edited; of a metric's data with its field.
    /// False if nothing is changed in it. As deep as the way to the items: five levels.
    fn message(&mut self, body: Place, level: Level, data: u32, around: &Around<'_>) -> Result<bool, Fault> {
        if level == Level::Metric {
            let metric = Known::of(self.request, body)?;
            return self.content(body, level, data, &around.within_metric(&metric), metric.live);
        }
        let described = Described::new(body, level);
        self.content(body, level, data, &around.within(&described), None)
    }

    /// The same for what is in the message; for a metric with the data of it that counts.
    fn content(
        &mut self,
        body: Place,
        level: Level,
        data: u32,
        around: &Around<'_>,
        live: Option<Live>,
    ) -> Result<bool, Fault> {
        let inner = level.inner(self.signal);
        let mut changed = false;
        let mut fields = Fields::new(self.request, body, level);
        while let Some(field) = fields.next()? {
            if !field.held || live.is_some_and(|live| !live.includes(field)) {
                self.rope.keep(field.whole);
                continue;
            }
            let open = self.rope.open();
            let differs = match inner {
                Some(inner) if self.at != Some(inner) => {
                    self.message(field.body, inner, field.number, around)?
                }
                _ => (self.edit)(&mut self.rope, field.body, data, around)?,
            };
            if differs {
                let key = inner.map_or(level.items_key(), Level::key);
                self.rope.close(open, live.map_or(key, Live::key));
            } else {
                self.rope.discard(open);
                self.rope.keep(field.whole);
            }
            changed |= differs;
        }
        Ok(changed)
    }
}
