//! Messages with every field of the schema set, for what SDKs cannot say, sent by generated code.

mod logs;
mod metrics;
mod send;
mod traces;
mod values;

use aqueduct_wire::Signal;

use super::json::Specials;
use super::message::Message;
pub(super) use send::send;

/// Small items beside the elaborate ones: with them a request is too large to be copied into a slab, and travels by
/// reference.
const FILLERS: u32 = 400;

/// The request of a signal.
pub(super) fn message(signal: Signal, specials: &Specials) -> Message {
    match signal {
        Signal::Metrics => Message::Metrics(metrics::request(specials)),
        Signal::Logs => Message::Logs(logs::request(specials)),
        _ => Message::Traces(traces::request(specials)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::json::REAL;
    use super::super::{items, leaves};
    use super::*;

    const DEFAULTS: [&str; 8] = ["0", "0.0", "false", "\"\"", "[]", "None", "Unspecified", "Unset"];

    /// Whether a field is empty because what it holds are parts of their own.
    fn is_elsewhere(kind: &str) -> bool {
        let fields =
            ["scope_spans", "spans", "scope_metrics", "metrics", "data_points", "scope_logs", "log_records"];
        fields.contains(&kind.rsplit('.').next().unwrap_or_default())
    }

    /// A field's path without the indices, so that the same field of two items is one.
    fn kind(path: &str) -> String {
        let mut kind = String::new();
        let mut inside = false;
        for character in path.chars() {
            match character {
                '[' => inside = true,
                ']' => inside = false,
                other if !inside => kind.push(other),
                _ => {}
            }
        }
        kind
    }

    /// Guards the richness of the data: no field of the schema has its default value in all items. Fields of the profile
    /// signal, which other signals must not set, are exempt.
    #[test]
    fn every_field_is_set_somewhere() {
        for signal in Signal::ALL {
            let mut set: BTreeMap<String, bool> = BTreeMap::new();
            // A resource is a part of many items, and looked at once.
            let parts = items::of([&message(signal, &REAL)]).into_iter().flat_map(|item| item.0);
            for part in parts.collect::<BTreeSet<_>>() {
                for (path, value) in leaves::of(&part.text) {
                    let kind = kind(&path);
                    let is_set = is_elsewhere(&kind) || !DEFAULTS.contains(&value.as_str());
                    *set.entry(format!("{}.{kind}", part.name)).or_default() |= is_set;
                }
            }
            let unset: Vec<_> = set
                .iter()
                .filter(|(path, set)| !*set && !path.ends_with("strindex"))
                // `None` of an optional message stands at a path that is longer when it is set.
                .filter(|(path, _)| !set.keys().any(|other| other.starts_with(&format!("{path}."))))
                .map(|(path, _)| path)
                .collect();
            assert!(unset.is_empty(), "{signal}: {unset:#?}");
        }
    }
}
