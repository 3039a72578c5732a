//! Where the encoder puts a trace id, learnt from what it writes.
//!
//! Asking a view for the trace id is a walk over the whole item. The items that the generator sends are all written by one encoder, so that
//! the bytes around the id, and how far it is from the front or the end, are always the same. They are what two items have in common that
//! differ in everything they say.

use super::ItemId;
use aqueduct::wire::encode::{Encoder, LogSource, SpanSource};
use std::sync::LazyLock;

/// So many bytes at the front of a span have the trace id in them.
pub(super) const SPAN_HEAD: usize = 18;
/// So many bytes at the end of a log record have the trace id, the span id and the observed time in them.
pub(super) const LOG_TAIL: usize = 37;

/// The bytes around a trace id in a piece of `N` bytes of an item.
#[derive(Debug)]
pub(super) struct Layout<const N: usize> {
    /// Where the id is; `None` if the encoder puts it elsewhere, and nothing can be told from the piece.
    id_at: Option<usize>,
    /// What does not depend on what the item says, and where.
    fixed: Vec<(usize, u8)>,
}

/// At the front of a span.
pub(super) fn of_spans() -> &'static Layout<SPAN_HEAD> {
    static LAYOUT: LazyLock<Layout<SPAN_HEAD>> =
        LazyLock::new(|| Layout::learn(|item| Encoder::new().span(item).body().first_chunk().copied()));
    &LAYOUT
}

/// At the end of a log record.
pub(super) fn of_logs() -> &'static Layout<LOG_TAIL> {
    static LAYOUT: LazyLock<Layout<LOG_TAIL>> =
        LazyLock::new(|| Layout::learn(|item| Encoder::new().log(item).body().last_chunk().copied()));
    &LAYOUT
}

impl<const N: usize> Layout<N> {
    fn learn(piece: impl Fn(&Item) -> Option<[u8; N]>) -> Self {
        let items = [Item { producer: 0, byte: 0 }, Item { producer: u32::MAX, byte: 0xFF }];
        let (Some(one), Some(other)) = (piece(&items[0]), piece(&items[1])) else {
            return Self { id_at: None, fixed: Vec::new() };
        };
        let id = items[0].id().to_trace_id();
        let id_at = one.windows(id.len()).position(|window| window == id);
        let of_id = id_at.map_or(0..0, |at| at..at + id.len());
        let fixed = (0..N).filter(|at| one[*at] == other[*at] && !of_id.contains(at));
        Self { id_at, fixed: fixed.map(|at| (at, one[at])).collect() }
    }

    /// The trace id in this piece of an item, if the item was written as ours are.
    #[inline]
    pub(super) fn id_in<'a>(&self, piece: &'a [u8; N]) -> Option<&'a [u8]> {
        let at = self.id_at?;
        let alike = self.fixed.iter().all(|(at, byte)| piece.get(*at) == Some(byte));
        if alike { piece.get(at..at + 16) } else { None }
    }
}

/// An item that says nothing but its identity and its times.
#[derive(Debug)]
struct Item {
    producer: u32,
    /// What numbers are made of.
    byte: u8,
}

impl Item {
    fn id(&self) -> ItemId {
        ItemId { producer: self.producer, sequence: u64::from_le_bytes([self.byte; 8]) }
    }

    /// No part of it is a part of the other one's, and it is not zero, which would be left out.
    fn time(&self) -> u64 {
        u64::from_le_bytes([self.byte ^ 0x55; 8])
    }
}

impl SpanSource for Item {
    fn trace_id(&self) -> [u8; 16] {
        self.id().to_trace_id()
    }

    fn span_id(&self) -> [u8; 8] {
        [self.byte; 8]
    }

    fn name(&self) -> &str {
        ""
    }
}

impl LogSource for Item {
    fn observed_time_unix_nano(&self) -> u64 {
        self.time()
    }

    fn trace_id(&self) -> Option<[u8; 16]> {
        Some(self.id().to_trace_id())
    }

    fn span_id(&self) -> Option<[u8; 8]> {
        Some([self.byte; 8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the shortcut: without it, or with fewer bytes to go by than the encoder gives, the sink would be slow or too sure.
    #[test]
    fn the_layout_is_found() {
        let (spans, logs) = (of_spans(), of_logs());
        // A key and a length before each id, a key before the time.
        assert_eq!((spans.id_at, spans.fixed.len()), (Some(2), 2));
        assert_eq!((logs.id_at, logs.fixed.len()), (Some(2), 5));
    }

    /// Guards foreign items: what only looks similar has no id here.
    #[test]
    fn other_items_are_left_to_the_view() {
        let mut record = Encoder::new().log(&Item { producer: 5, byte: 9 }).body().to_vec();
        let last = record.last_chunk_mut::<LOG_TAIL>().expect("it is longer");
        assert_eq!(of_logs().id_in(last).and_then(ItemId::from_trace_id).map(|id| id.producer), Some(5));
        for (at, _) in &of_logs().fixed {
            last[*at] ^= 1;
            assert_eq!(of_logs().id_in(last), None);
            last[*at] ^= 1;
        }
    }
}
