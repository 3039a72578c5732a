//! `OTEL_PROPAGATORS`.

use super::Reader;

/// A propagator that `OTEL_PROPAGATORS` names; see [`Aqueduct::propagators`](crate::Aqueduct::propagators).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PropagatorSetting {
    /// `tracecontext`: the W3C's `traceparent` and `tracestate`.
    TraceContext,
    /// `baggage`: the W3C's `baggage`.
    Baggage,
}

/// In the order in which they are named, each once. `none` is none of them.
pub(super) fn read(reader: &mut Reader<'_>) -> Vec<PropagatorSetting> {
    const NAME: &str = "OTEL_PROPAGATORS";
    let defaults = vec![PropagatorSetting::TraceContext, PropagatorSetting::Baggage];
    let parse = |text: &str| {
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        let mut none = false;
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match name.to_ascii_lowercase().as_str() {
                "tracecontext" => known.push(PropagatorSetting::TraceContext),
                "baggage" => known.push(PropagatorSetting::Baggage),
                "none" => none = true,
                _ => unknown.push(name.to_owned()),
            }
        }
        let mut seen = Vec::new();
        known.retain(|propagator| {
            let new = !seen.contains(propagator);
            seen.push(*propagator);
            new
        });
        if none {
            return Ok((Vec::new(), unknown));
        }
        if known.is_empty() {
            Err("expected tracecontext, baggage or none".to_owned())
        } else {
            Ok((known, unknown))
        }
    };
    let Some((propagators, unknown)) = reader.read(NAME, parse) else { return defaults };
    if !unknown.is_empty() {
        reader.differ(NAME, format!("without {}, which is not known", unknown.join(", ")));
    }
    propagators
}
