//! Trace states as the texts that they travel as.

use std::cell::Cell;
use std::thread::LocalKey;

use opentelemetry::trace::TraceState;

thread_local! {
    /// For the state of a span.
    pub(crate) static ITEM: Cell<String> = const { Cell::new(String::new()) };
    /// For the states of its links, which are written while the span's own is in use.
    pub(crate) static LINK: Cell<String> = const { Cell::new(String::new()) };
}

/// Lends the state in the form of the W3C's header, from a buffer of this thread that is used again.
#[inline]
pub(crate) fn with_trace_state<R>(
    state: &TraceState,
    buffer: &'static LocalKey<Cell<String>>,
    work: impl FnOnce(&str) -> R,
) -> R {
    let text = (state.into_iter().len() != 0).then(|| header(state, buffer));
    // In one place, where it is inlined.
    let done = work(text.as_deref().unwrap_or_default());
    if let Some(text) = text {
        let _ = buffer.try_with(|buffer| buffer.set(text));
    }
    done
}

/// The state in the form of the header, in the memory of the buffer.
fn header(state: &TraceState, buffer: &'static LocalKey<Cell<String>>) -> String {
    // On a thread that is ending there is none any more.
    let mut text = buffer.try_with(Cell::take).unwrap_or_default();
    text.clear();
    for (key, value) in state {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(key);
        text.push('=');
        text.push_str(value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the header's form, which the API writes too, and a buffer that is used again.
    #[test]
    fn as_the_api_writes_it() {
        for members in [vec![], vec![("a", "1")], vec![("ot", "th:8"), ("b", "2"), ("c", "")]] {
            let state = TraceState::from_key_value(members).unwrap_or_default();
            assert_eq!(with_trace_state(&state, &ITEM, str::to_owned), state.header());
        }
    }
}
