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
        match (none, known.is_empty()) {
            (true, alone) => Ok((Vec::new(), unknown, !alone)),
            (false, false) => Ok((known, unknown, false)),
            (false, true) => Err("expected tracecontext, baggage or none".to_owned()),
        }
    };
    let Some((propagators, unknown, contradicts)) = reader.read(NAME, parse) else { return defaults };
    if contradicts {
        reader.differ(NAME, "as none, which stands alone".to_owned());
    } else if !unknown.is_empty() {
        reader.differ(NAME, format!("without {}, which is not known", unknown.join(", ")));
    }
    propagators
}
