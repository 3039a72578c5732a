//! Looking variables up, the one for the signal before the one for all, and noting what became of each.

use aqueduct_wire::Signal;

use super::{EnvNote, EnvUse};

/// Which of its two variables a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Signal,
    All,
}

pub(super) struct Variables<'a> {
    signal: Signal,
    lookup: &'a dyn Fn(&str) -> Option<String>,
    notes: Vec<EnvNote>,
}

impl<'a> Variables<'a> {
    pub(super) fn new(signal: Signal, lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { signal, lookup, notes: Vec::new() }
    }

    /// The first value that makes sense.
    pub(super) fn find<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<(T, Origin)> {
        let mut found: Option<(T, Origin)> = None;
        for origin in [Origin::Signal, Origin::All] {
            let Some((variable, value)) = self.set(name, origin) else { continue };
            let used = match (&found, parse(&value)) {
                (Some((_, first)), _) => EnvUse::Overridden { by: self.variable(name, *first) },
                (None, Ok(value)) => {
                    found = Some((value, origin));
                    EnvUse::Used
                }
                (None, Err(reason)) => EnvUse::Ignored(reason),
            };
            self.notes.push(EnvNote { variable, used });
        }
        found
    }

    /// Does without a variable, for this reason.
    pub(super) fn ignore(&mut self, name: &str, reason: &str) {
        for origin in [Origin::Signal, Origin::All] {
            if let Some((variable, _)) = self.set(name, origin) {
                self.notes.push(EnvNote { variable, used: EnvUse::Ignored(reason.to_owned()) });
            }
        }
    }

    /// Notes that what was found is not used as it stands.
    pub(super) fn differ(&mut self, name: &str, origin: Origin, but: String) {
        let variable = self.variable(name, origin);
        if let Some(note) = self.notes.iter_mut().find(|note| note.variable == variable) {
            note.used = EnvUse::UsedBut(but);
        }
    }

    pub(super) fn into_notes(self) -> Vec<EnvNote> {
        self.notes
    }

    fn set(&self, name: &str, origin: Origin) -> Option<(String, String)> {
        let variable = self.variable(name, origin);
        let value = (self.lookup)(&variable)?.trim().to_owned();
        (!value.is_empty()).then_some((variable, value))
    }

    fn variable(&self, name: &str, origin: Origin) -> String {
        let signal = match origin {
            Origin::All => String::new(),
            Origin::Signal => format!("{}_", self.signal.as_str().to_ascii_uppercase()),
        };
        format!("OTEL_EXPORTER_OTLP_{signal}{name}")
    }
}
