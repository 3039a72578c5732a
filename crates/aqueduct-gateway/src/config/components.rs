//! Component names `type[/name]`, and the sections that define components under such names.

use super::errors::Finding;
use super::position::Position;
use super::read::{Field, nearest, sorted};

/// A section whose keys are component names.
#[derive(Debug)]
pub(crate) struct Kind {
    /// `receiver`, `processor` or `exporter`.
    pub(crate) noun: &'static str,
    /// The supported types.
    pub(crate) supported: &'static [&'static str],
    /// Well-known types of the collector that are not, with what to do instead.
    pub(crate) refused: &'static [(&'static str, &'static str)],
}

/// A component as defined: parsed, or known to be defined although it is unusable (and reported).
#[derive(Debug)]
pub(crate) struct Defined<T> {
    pub(crate) name: String,
    pub(crate) at: Position,
    pub(crate) path: String,
    pub(crate) component: Option<T>,
}

impl Kind {
    /// Reads every component of the section with `read(type, name, field)`.
    pub(crate) fn define<T>(
        &self,
        section: Option<Field<'_>>,
        mut read: impl FnMut(&str, &str, &Field<'_>) -> Option<T>,
    ) -> Vec<Defined<T>> {
        let mut defined = Vec::new();
        if let Some(section) = &section {
            section.entries();
        }
        for (name, field) in section.iter().flat_map(Field::members) {
            let component = self.component_type(name, &field).and_then(|kind| read(kind, name, &field));
            defined.push(Defined { name: name.to_owned(), at: field.key_at, path: field.path, component });
        }
        defined
    }

    /// The type in `type[/name]`, if it is supported.
    fn component_type<'n>(&self, name: &'n str, field: &Field<'_>) -> Option<&'n str> {
        let (kind, instance) = name.split_once('/').map_or((name, None), |(kind, name)| (kind, Some(name)));
        let noun = self.noun;
        let findings = field.findings;
        if !self.supported.contains(&kind) {
            let kind = super::yaml::shorten(kind);
            let message = format!("the {noun} type `{kind}` is not supported");
            let mut finding = Finding::new(field.key_at, field.path.clone(), message);
            if let Some((_, instead)) = self.refused.iter().find(|(refused, _)| *refused == kind) {
                finding = finding.with_help(*instead);
            } else if let Some(near) = nearest(&kind, self.supported.iter().copied()) {
                finding = finding.with_help(format!("did you mean `{near}`?"));
            }
            findings.error(finding.with_help(format!("supported {noun} types: {}", sorted(self.supported))));
            return None;
        }
        if instance
            .is_some_and(|name| name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()))
        {
            let message = format!("expected a name without spaces after `{kind}/`");
            findings.error(Finding::new(field.key_at, field.path.clone(), message));
            return None;
        }
        Some(kind)
    }
}
