//! What one request holds: its part of the budget, and its body as it arrives.

use crate::budget::{ReceiveBudget, Reservation};
use crate::refusal::Refusal;
use crate::stats::RefuseReason;
use bytes::Bytes;
use std::time::Duration;

/// The part of the receive budget that one request holds.
#[derive(Debug)]
pub(crate) struct Held {
    reservation: Reservation,
    capacity: usize,
    retry_after: Duration,
}

impl Held {
    /// Nothing yet.
    pub(crate) fn new(budget: &ReceiveBudget, retry_after: Duration) -> Held {
        Held { reservation: budget.reserve_nothing(), capacity: budget.capacity(), retry_after }
    }

    /// Holds `more` bytes. If there is no room: what no emptier budget could hold either is too large.
    pub(crate) fn grow(&mut self, more: usize) -> Result<(), Refusal> {
        if self.reservation.grow(more) {
            return Ok(());
        }
        if self.reservation.bytes().saturating_add(more) > self.capacity {
            return Err(too_large(self.capacity));
        }
        Err(Refusal::overload(RefuseReason::Budget, "the receive budget is exhausted", self.retry_after))
    }

    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        self.reservation.shrink_to(bytes);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.reservation.bytes()
    }
}

pub(crate) fn too_large(limit: usize) -> Refusal {
    Refusal::new(RefuseReason::TooLarge, format!("the request is larger than {limit} bytes"))
}

/// The body of one request, as it arrives.
///
/// One piece is kept as it is. From the second on they are copied into one buffer, which grows by doubling: a peer
/// that announces much and sends little costs no more than twice what it sent, or [`TRUSTED`] bytes.
#[derive(Debug)]
pub(crate) struct Gather {
    held: Held,
    state: State,
}

#[derive(Debug)]
enum State {
    Whole(Bytes),
    Joined(Vec<u8>),
}

/// Announced lengths up to this are believed: one allocation serves most requests, and lies are cheap.
const TRUSTED: usize = 256 * 1024;

impl Gather {
    pub(crate) fn new(held: Held) -> Gather {
        Gather { held, state: State::Whole(Bytes::new()) }
    }

    /// What has arrived.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.state {
            State::Whole(bytes) => bytes,
            State::Joined(buffer) => buffer,
        }
    }

    /// Adds a piece. `expected` is the length that the whole body is announced to have; the caller has checked that the
    /// pieces do not go beyond the limit.
    pub(crate) fn push(&mut self, piece: Bytes, expected: Option<usize>) -> Result<(), Refusal> {
        match &mut self.state {
            State::Whole(whole) if whole.is_empty() => {
                self.held.grow(piece.len())?;
                *whole = piece;
            }
            State::Whole(_) if piece.is_empty() => {}
            State::Whole(whole) => {
                let needed = whole.len() + piece.len();
                let mut buffer = Vec::new();
                // The first piece stays alive, and reserved, until it is copied.
                grow(&mut buffer, &mut self.held, needed, expected)?;
                buffer.extend_from_slice(whole);
                buffer.extend_from_slice(&piece);
                self.held.shrink_to(buffer.capacity());
                self.state = State::Joined(buffer);
            }
            State::Joined(buffer) => {
                let needed = buffer.len() + piece.len();
                if needed > buffer.capacity() {
                    grow(buffer, &mut self.held, needed, expected)?;
                }
                buffer.extend_from_slice(&piece);
            }
        }
        Ok(())
    }

    /// The body, and what it holds.
    pub(crate) fn finish(self) -> (Bytes, Held) {
        let mut held = self.held;
        let bytes = match self.state {
            State::Whole(bytes) => bytes,
            State::Joined(buffer) => into_bytes(buffer, &mut held),
        };
        (bytes, held)
    }
}

/// Makes room for `needed` bytes in all.
fn grow(
    buffer: &mut Vec<u8>,
    held: &mut Held,
    needed: usize,
    expected: Option<usize>,
) -> Result<(), Refusal> {
    let doubled = needed.saturating_mul(2).max(TRUSTED);
    let capacity = expected.map_or(doubled, |all| all.min(doubled)).max(needed);
    held.grow(capacity - buffer.capacity())?;
    buffer.reserve_exact(capacity - buffer.len());
    Ok(())
}

/// Turns a buffer that was grown by guesses into bytes. Waste of more than an eighth is given back to the allocator.
pub(crate) fn into_bytes(mut buffer: Vec<u8>, held: &mut Held) -> Bytes {
    let spare = buffer.capacity() - buffer.len();
    if spare > buffer.len() / 8 {
        buffer.shrink_to_fit();
        held.shrink_to(held.bytes().saturating_sub(spare));
    }
    Bytes::from(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(capacity: usize) -> (ReceiveBudget, Gather) {
        let budget = ReceiveBudget::new(capacity);
        let held = Held::new(&budget, Duration::from_secs(1));
        (budget, Gather::new(held))
    }

    /// Guards that a body in one piece is the piece itself: no copy.
    #[test]
    fn one_piece_is_not_copied() {
        let (budget, mut gather) = gather(1000);
        let piece = Bytes::from(vec![7; 100]);
        gather.push(piece.clone(), None).expect("room");
        gather.push(Bytes::new(), None).expect("room");
        let (bytes, held) = gather.finish();
        assert_eq!((bytes.as_ptr(), bytes.len(), budget.used()), (piece.as_ptr(), 100, 100));
        drop(held);
        assert_eq!(budget.used(), 0);
    }

    /// Guards content and accounting of a body in many pieces, with and without an announced length.
    #[test]
    fn many_pieces_are_joined() {
        for expected in [None, Some(300_000), Some(3)] {
            let (budget, mut gather) = gather(1 << 20);
            let all: Vec<u8> = (0..300_000u32).map(|n| n as u8).collect();
            for piece in all.chunks(7_777) {
                gather.push(Bytes::copy_from_slice(piece), expected).expect("room");
            }
            let (bytes, held) = gather.finish();
            assert_eq!(bytes, all);
            assert!(held.bytes() >= all.len() && held.bytes() <= all.len() * 9 / 8, "{}", held.bytes());
            drop(held);
            assert_eq!(budget.used(), 0);
        }
    }

    /// Guards that a promise of much costs little until it is kept.
    #[test]
    fn announced_lengths_are_not_trusted() {
        let (budget, mut gather) = gather(64 << 20);
        for _ in 0..2 {
            gather.push(Bytes::from_static(&[0; 100]), Some(60 << 20)).expect("room");
        }
        assert!(budget.peak() <= TRUSTED + 100, "{}", budget.peak());
    }

    /// Guards the two answers to a full budget, and that a refused piece leaves nothing behind.
    #[test]
    fn a_full_budget_is_overload_unless_nothing_could_ever_fit() {
        let (budget, mut gather) = gather(1000);
        let other = budget.try_reserve(900).expect("room");
        let refusal = gather.push(Bytes::from(vec![0; 200]), None).expect_err("full");
        assert_eq!(refusal.reason, RefuseReason::Budget);
        drop(other);
        let refusal = gather.push(Bytes::from(vec![0; 1001]), None).expect_err("too large");
        assert_eq!(refusal.reason, RefuseReason::TooLarge);
        drop(gather);
        assert_eq!(budget.used(), 0);
    }
}
