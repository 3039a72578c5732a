//! The value of the member `ot` of a trace state.

use std::fmt;

use crate::{Randomness, Threshold, hex};

/// Most bytes in the value of a member (W3C Trace Context, section 3.3.1.3.2).
pub const MAX_OT_BYTES: usize = 256;

/// What OpenTelemetry keeps in a trace state: the value of its member `ot`, a list `key:value;key:value`.
///
/// Read from the text and written to a text: `th` and `rv` are understood, the other sub-keys of the list are kept as they are, in their
/// order. Of several `th` or `rv` the first one counts. One that is not as the specification has it counts as absent; such a `th` is not written again, such an `rv`
/// is, because it belongs to somebody else. What could not stand in a trace state (a comma, an equals sign, a space, anything but printable ASCII)
/// is left out. Of a value of more than 256 bytes nothing is read.
///
/// # Examples
///
/// ```
/// use aqueduct_sampling::{OtelTraceState, Threshold};
///
/// let mut state = OtelTraceState::parse("rv:6e6d1a75832a2f;th:8;vendor:1");
/// assert_eq!(state.threshold().map(Threshold::adjusted_count), Some(2.0));
/// state.set_threshold("c".parse().ok());
/// assert_eq!(state.to_string(), "th:c;rv:6e6d1a75832a2f;vendor:1");
/// state.set_threshold(None);
/// assert_eq!(state.to_string(), "rv:6e6d1a75832a2f;vendor:1");
/// ```
#[doc(alias = "tracestate")]
#[doc(alias = "ot")]
#[derive(Clone, Copy, Debug, Default)]
pub struct OtelTraceState<'a> {
    fields: Fields<'a>,
    /// Whether the text is a plain list: nothing in it is out of place, nothing empty, no `th` or `rv` a second time.
    plain: bool,
    /// The first fields `th` and `rv` of the text, whatever their values.
    th: Option<&'a str>,
    rv: Option<&'a str>,
    /// What was set in their places.
    threshold: Option<Option<Threshold>>,
    drawn: Option<Randomness>,
}

impl<'a> OtelTraceState<'a> {
    /// Reads the value of a member `ot`; an empty text is the value of none.
    #[must_use]
    pub fn parse(text: &'a str) -> OtelTraceState<'a> {
        let mut state = OtelTraceState::default();
        if text.is_empty() || text.len() > MAX_OT_BYTES {
            return state;
        }
        state.fields = Fields { rest: text };
        state.plain = true;
        let (mut start, mut seen) = (0, 0);
        for (at, byte) in text.bytes().enumerate() {
            let class = CLASS[usize::from(byte)];
            seen |= class;
            if class == SEPARATOR {
                state.note(&text[start..at]);
                start = at + 1;
            }
        }
        state.note(&text[start..]);
        if seen & WRONG != 0 {
            (state.th, state.rv, state.plain) = (None, None, false);
            state.fields.for_each(|field| state.note(field));
        }
        state
    }

    #[inline]
    fn note(&mut self, field: &'a str) {
        let place = match field.as_bytes() {
            [b't', b'h', b':', ..] => &mut self.th,
            [b'r', b'v', b':', ..] => &mut self.rv,
            other => {
                self.plain &= !other.is_empty();
                return;
            }
        };
        self.plain &= place.is_none();
        place.get_or_insert(field);
    }

    /// The threshold that was applied so far; `None` if it is not known.
    #[must_use]
    pub fn threshold(&self) -> Option<Threshold> {
        self.threshold.unwrap_or_else(|| self.th?[TH.len()..].parse().ok())
    }

    /// Writes this threshold, or with `None` none: of an item that is dropped, or kept for another reason than its randomness.
    pub fn set_threshold(&mut self, threshold: Option<Threshold>) {
        self.threshold = Some(threshold);
    }

    /// The explicit randomness `rv`.
    #[must_use]
    pub fn explicit_randomness(&self) -> Option<Randomness> {
        self.drawn.or_else(|| self.rv?[RV.len()..].parse().ok())
    }

    /// The randomness of the trace: `rv`, else that of its id.
    #[must_use]
    pub fn randomness(&self, trace_id: &[u8; 16]) -> Randomness {
        self.explicit_randomness().unwrap_or_else(|| Randomness::from_trace_id(trace_id))
    }

    /// Writes this `rv` if there is none: one that is there is never replaced. False if there was one. For roots alone: who begins a trace without a
    /// random id draws it.
    pub fn set_randomness(&mut self, randomness: Randomness) -> bool {
        let absent = self.rv.is_none() && self.drawn.is_none();
        if absent {
            self.drawn = Some(randomness);
        }
        absent
    }

    /// Appends the value to a text. Nothing is appended if it is empty; then the trace state should have no member `ot`.
    ///
    /// It has at most 256 bytes: `th` and `rv` come first, and other sub-keys that would exceed it are left out.
    ///
    /// # Allocation
    ///
    /// None but that of the text, which grows at most once.
    pub fn write_to(&self, out: &mut String) {
        let begin = out.len();
        out.reserve(self.fields.rest.len() + 2 * (FIELD + 1));
        if let Some(threshold) = self.threshold() {
            out.push_str(TH);
            out.push_str(hex::Text::trimmed(threshold.value()).as_ref());
        }
        if let Some(rv) = self.rv {
            put(out, begin, rv);
        } else if let Some(drawn) = self.drawn {
            // In front of everything that can be long: there is room.
            if out.len() > begin {
                out.push(';');
            }
            out.push_str(RV);
            out.push_str(hex::Text::whole(drawn.value()).as_ref());
        }
        let length = out.len() - begin;
        if self.plain && length + 1 + self.fields.rest.len() <= MAX_OT_BYTES {
            self.put_others(out, begin);
        } else {
            self.fields
                .filter(|field| !is(field, TH) && !is(field, RV))
                .for_each(|field| put(out, begin, field));
        }
    }

    /// Appends what stands before, between and behind `th` and `rv` in a plain list, each in one piece.
    fn put_others(&self, out: &mut String, begin: usize) {
        let text = self.fields.rest;
        let place = |field: Option<&str>| {
            field.map(|field| (field.as_ptr().addr() - text.as_ptr().addr(), field.len()))
        };
        let (mut first, mut second) = (place(self.th), place(self.rv));
        if first.is_none() || second.is_some_and(|second| Some(second) < first) {
            (first, second) = (second, first);
        }
        let mut from = 0;
        for (at, length) in [first, second].into_iter().flatten() {
            if from + 1 < at {
                put(out, begin, &text[from..at - 1]);
            }
            from = at + length + 1;
        }
        if from < text.len() {
            put(out, begin, &text[from..]);
        }
    }

    /// Whether [`write_to`](Self::write_to) would append nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.threshold().is_none()
            && self.drawn.is_none()
            && self.fields.into_iter().all(|field| is(field, TH))
    }
}

const TH: &str = "th:";
const RV: &str = "rv:";
/// Bytes of `th` or `rv` with its key.
const FIELD: usize = TH.len() + hex::DIGITS as usize;

/// Whether the field has this key, of three bytes with its colon.
fn is(field: &str, key: &str) -> bool {
    field.as_bytes().first_chunk::<3>().is_some_and(|begin| begin[..] == *key.as_bytes())
}

/// What ends a field.
const SEPARATOR: u8 = 1;
/// What may not stand in the value of a member.
const WRONG: u8 = 2;

/// What each byte is.
const CLASS: [u8; 256] = {
    let mut class = [WRONG; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        class[byte as usize] = match byte {
            b';' => SEPARATOR,
            b',' | b'=' => WRONG,
            _ => 0,
        };
        byte += 1;
    }
    class
};

/// The parts of a list that may stand in a trace state.
#[derive(Clone, Copy, Debug, Default)]
struct Fields<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Fields<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        while !self.rest.is_empty() {
            let (field, rest) = self.rest.split_once(';').unwrap_or((self.rest, ""));
            self.rest = rest;
            if !field.is_empty() && field.bytes().all(|byte| CLASS[usize::from(byte)] != WRONG) {
                return Some(field);
            }
        }
        None
    }
}

/// Appends a field to the list that begins at `begin`, if there is room.
fn put(out: &mut String, begin: usize, field: &str) {
    let length = out.len() - begin;
    if length == 0 {
        out.push_str(field);
    } else if length + 1 + field.len() <= MAX_OT_BYTES {
        out.push(';');
        out.push_str(field);
    }
}

impl fmt::Display for OtelTraceState<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write_to(&mut text);
        f.pad(&text)
    }
}
