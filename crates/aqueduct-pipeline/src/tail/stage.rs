//! The sampler with the receipts of what it holds.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use aqueduct_metrics::{DropReason, Receipt};
use aqueduct_sampling::OtelTraceState;
use aqueduct_sampling::tail::{Decided, Odds, TailSampler, Verdict};
use aqueduct_wire::edit::TraceStateEdit;
use aqueduct_wire::{Chunk, Signal, put_together, take_apart};
use tokio::sync::Notify;

use super::{HeldSpan, TailStatus};
use crate::intake::Shared;

/// The stage takes nothing any more: the pipeline is shutting down.
#[derive(Debug)]
pub(crate) struct Closed;

/// Where spans wait for the decision on their trace.
#[derive(Debug)]
pub(crate) struct Stage {
    state: Mutex<State>,
    /// Told when a decision is due before the time that the timer waits for.
    wake: Notify,
}

#[derive(Debug)]
struct State {
    sampler: TailSampler<HeldSpan>,
    /// Of each lane, for all that is held.
    receipts: Vec<Receipt>,
    /// When the timer looks again.
    timer: Option<Instant>,
    closed: bool,
}

impl Stage {
    pub(crate) fn new(sampler: TailSampler<HeldSpan>, shared: &Shared) -> Stage {
        let receipts = shared.lanes.iter().map(|lane| lane.ledger.accept(0)).collect();
        let state = State { sampler, receipts, timer: None, closed: false };
        Stage { state: Mutex::new(state), wake: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Spans and receipts are moved together, so a panic elsewhere does not part them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the sampler did so far.
    pub(crate) fn status(&self) -> TailStatus {
        let state = self.state();
        let max_bytes = state.sampler.config().max_bytes as u64;
        TailStatus { stats: state.sampler.stats(), max_bytes }
    }

    /// Spans held.
    pub(crate) fn items(&self) -> u64 {
        self.state().sampler.stats().held_spans
    }

    /// Takes the spans of a chunk. What is decided by that goes on to the open batch of a shard.
    pub(crate) fn take(&self, shared: &Shared, shard: usize, chunk: &Chunk) -> Result<(), Closed> {
        let mut spans = Vec::with_capacity(usize::try_from(chunk.items()).unwrap_or_default().min(1 << 16));
        let apart = take_apart(chunk, |item, envelope| spans.push(HeldSpan::new(item, envelope)));
        spans.iter_mut().for_each(HeldSpan::share);
        let now = Instant::now();
        let mut state = self.state();
        if state.closed {
            return Err(Closed);
        }
        if apart.is_err() {
            // What its owner only says to be valid is not sampled, and not thrown away either.
            let receipts = shared.lanes.iter().map(|lane| lane.ledger.accept(chunk.items())).collect();
            shared.put_held(shard, chunk.clone(), receipts);
            return Ok(());
        }
        for (receipt, lane) in state.receipts.iter_mut().zip(&shared.lanes) {
            // It is of the same ledger, so it is taken.
            let _ = receipt.absorb(lane.ledger.accept(spans.len() as u64));
        }
        let State { sampler, receipts, timer, .. } = &mut *state;
        for span in spans {
            sampler.offer(span, now, |decided| settle(shared, shard, receipts, decided));
        }
        let due = sampler.next_deadline();
        if due.is_some_and(|due| timer.is_none_or(|timer| due < timer)) {
            *timer = due;
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Decides what is due, and says when to look again.
    fn poll(&self, shared: &Shared) -> Option<Instant> {
        let mut state = self.state();
        let State { sampler, receipts, timer, .. } = &mut *state;
        sampler.poll(Instant::now(), |decided| settle(shared, 0, receipts, decided));
        *timer = sampler.next_deadline();
        *timer
    }

    /// Decides everything. With `close`, takes nothing afterwards.
    pub(crate) fn drain(&self, shared: &Shared, close: bool) {
        let mut state = self.state();
        state.closed |= close;
        let State { sampler, receipts, .. } = &mut *state;
        sampler.drain(Instant::now(), |decided| settle(shared, 0, receipts, decided));
    }

    /// The timer. Runs on the worker until the pipeline is dropped.
    pub(crate) async fn run(&self, shared: &Shared) {
        loop {
            match self.poll(shared) {
                Some(due) => {
                    let _ = tokio::time::timeout_at(due.into(), self.wake.notified()).await;
                }
                None => self.wake.notified().await,
            }
        }
    }
}

/// Gives a trace that is sampled on, and settles one that is not.
fn settle(shared: &Shared, shard: usize, receipts: &mut [Receipt], decided: Decided<HeldSpan>) {
    let spans = decided.spans.len() as u64;
    let mine = receipts.iter_mut().map(|receipt| receipt.split(spans));
    match decided.verdict {
        Verdict::NotSampled => mine.for_each(|receipt| receipt.dropped(DropReason::NotSampled)),
        Verdict::Sampled(odds) => {
            let receipts = mine.collect();
            shared.put_held(shard, request(&decided.spans, odds), receipts);
        }
    }
}

/// A request of a trace's spans, with what their trace states say now.
fn request(spans: &[HeldSpan], odds: Odds) -> Chunk {
    let chunk = put_together(Signal::Traces, spans.iter().map(HeldSpan::parts));
    if odds == Odds::Certain {
        return chunk;
    }
    let mut text = String::new();
    let edited = TraceStateEdit::new().apply_each(&chunk, |_, state| {
        let ot = state.get("ot").unwrap_or_default();
        let mut value = OtelTraceState::parse(ot);
        let own = value.threshold();
        let after = odds.apply(own);
        if own == after {
            return;
        }
        value.set_threshold(after);
        text.clear();
        value.write_to(&mut text);
        if text.is_empty() {
            state.remove("ot");
        } else {
            // What is written is a value: printable, and at most 256 bytes.
            let _ = state.set("ot", &text);
        }
    });
    edited.map_or(chunk, Chunk::from)
}
