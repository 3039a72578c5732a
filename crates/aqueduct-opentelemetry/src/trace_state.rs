//! The trace state that a decision leaves a span.

use std::cell::RefCell;

use aqueduct_sampling::{Decision, OtelTraceState, Threshold};
use opentelemetry::trace::TraceState;

/// This trace state, of the span or its parent, with the `th` of this decision, or without one.
pub(crate) fn decided(before: &TraceState, decision: Decision) -> TraceState {
    let threshold = decision.threshold();
    let ot = before.get(OT).unwrap_or_default();
    match threshold {
        None if ot.is_empty() || !ot.contains("th:") => before.clone(),
        Some(threshold) if before.into_iter().len() == 0 => of_root(threshold),
        _ if threshold.is_some() && OtelTraceState::parse(ot).threshold() == threshold => before.clone(),
        _ => {
            let mut text = String::new();
            decision.write_ot(ot, &mut text);
            // Both are valid, so neither can fail.
            let changed =
                if text.is_empty() { before.delete(OT) } else { before.insert(OT.to_owned(), text) };
            changed.unwrap_or_default()
        }
    }
}

const OT: &str = "ot";

thread_local! {
    static LAST: RefCell<Option<(Threshold, TraceState)>> = const { RefCell::new(None) };
}

/// A trace state with nothing in it but this `th`. The last one of the thread is kept: most roots have the same threshold as the one before.
fn of_root(threshold: Threshold) -> TraceState {
    let kept = LAST.try_with(|last| match &mut *last.borrow_mut() {
        Some((of, state)) if *of == threshold => state.clone(),
        last => last.insert((threshold, made(threshold))).1.clone(),
    });
    // A thread at its end has no place for it any more.
    kept.unwrap_or_else(|_| made(threshold))
}

fn made(threshold: Threshold) -> TraceState {
    let mut text = String::new();
    Decision::sample(Some(threshold)).write_ot("", &mut text);
    TraceState::NONE.insert(OT, text).unwrap_or_default()
}
