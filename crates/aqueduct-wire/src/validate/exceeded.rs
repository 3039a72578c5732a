//! What an error says of the limit behind it: looked up afterwards, by a second walk.

use crate::Limits;
use crate::cursor::{Cursor, LEN, MESSAGE_DEPTH};
use crate::error::{Exceeded, Invalid, InvalidKind};

/// The limit behind an error, and what was found. Counting stops at the first one too many. `values`: what is too deep are values, and
/// not messages of any kind.
#[cold]
pub(super) fn exceeded(
    invalid: &Invalid,
    limits: &Limits,
    values: bool,
    place: &[u8],
    request: &[u8],
) -> Option<Exceeded> {
    let (limit, found) = match invalid.kind {
        InvalidKind::Items => (limits.max_items, limits.max_items.saturating_add(1)),
        InvalidKind::Envelopes => (limits.max_envelopes, limits.max_envelopes.saturating_add(1)),
        InvalidKind::Attributes => (limits.max_attributes, limits.max_attributes.saturating_add(1)),
        InvalidKind::Depth => {
            let limit = if values { limits.max_depth } else { MESSAGE_DEPTH } as u64;
            (limit, limit + 1)
        }
        // The place is the start of the record, whose length stands before it.
        InvalidKind::RecordBytes => {
            let found = record_at(request, request.len() - place.len());
            (limits.max_record_bytes as u64, found as u64)
        }
        _ => return None,
    };
    Some(Exceeded { limit, found })
}

/// How long the record is whose content begins at `offset`.
fn record_at(request: &[u8], offset: usize) -> usize {
    let mut cursor = Cursor::new(request);
    while let Ok((number, wire)) = cursor.key() {
        let mut inside = cursor;
        if wire == LEN
            && let Ok(content) = inside.bytes()
            && request.len() - inside.rest.len() - content.len() == offset
        {
            return content.len();
        }
        if cursor.skip(number, wire, MESSAGE_DEPTH).is_err() {
            break;
        }
    }
    0
}
