//! The way through a request to what is edited.

use crate::error::Fault;
use crate::fields::{Fields, Live, Place};
use crate::path::locate;
use crate::rope::Rope;
use crate::schema::Level;
use crate::{Chunk, Invalid, Merged, Signal};

/// Lets `edit` append the new content of each message of the level `at`, or of each item, for which it is given the place of the
/// content and of a data point the field of the metric that its data is. What it appended is dropped where it
/// says that it changed nothing.
pub(super) fn rewrite<F>(chunk: &Chunk, at: Option<Level>, edit: F) -> Result<Merged, Invalid>
where
    F: FnMut(&mut Rope, Place, u32) -> Result<bool, Fault>,
{
    let (request, signal) = (chunk.bytes(), chunk.signal());
    let mut pass = Pass { request, signal, at, rope: Rope::default(), edit };
    let changed = pass
        .message(Place::of(request), Level::Request, 0)
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

impl<F: FnMut(&mut Rope, Place, u32) -> Result<bool, Fault>> Pass<'_, F> {
    /// Appends the content of a message on the way to what is edited; of a metric's data with its field.
    /// False if nothing is changed in it. As deep as the way to the items: five levels.
    fn message(&mut self, body: Place, level: Level, data: u32) -> Result<bool, Fault> {
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
            let differs = match inner {
                Some(inner) if self.at != Some(inner) => self.message(field.body, inner, field.number)?,
                _ => (self.edit)(&mut self.rope, field.body, data)?,
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
