//! Instrumentation scopes, encoded once.

use std::sync::OnceLock;

use aqueduct_wire::encode::{AttributeSink, ScopePrefix};
use opentelemetry::{InstrumentationScope, KeyValue};

use super::{Attributes, put};

/// A power of two, so that a remainder is a mask.
const SLOTS: usize = 256;

/// Further slots that are looked at when that of a scope has another one.
const PROBES: usize = 16;

/// The scopes that were met, each with its encoded head.
///
/// A program has a few dozen, and they stay. Found by the length and two bytes of the name, and confirmed by comparing, which for names that are constants
/// ends at the address: no hash is computed. A scope that finds no slot (or more than 256, which are made at run time and should be attributes) is
/// encoded for each item.
pub(crate) struct Scopes {
    slots: Box<[OnceLock<Entry>]>,
}

struct Entry {
    scope: InstrumentationScope,
    /// Stands for the scope's own name, if it is not empty: that of a log record's target.
    target: Option<Box<str>>,
    prefix: ScopePrefix,
}

impl Scopes {
    pub(crate) fn new() -> Scopes {
        Scopes { slots: (0..SLOTS).map(|_| OnceLock::new()).collect() }
    }

    /// Lends the head of a scope.
    #[inline]
    pub(crate) fn with<R>(
        &self,
        scope: &InstrumentationScope,
        target: Option<&str>,
        work: impl FnOnce(&ScopePrefix) -> R,
    ) -> R {
        let first = place(target.unwrap_or(scope.name()));
        let known = match self.slots[first & (SLOTS - 1)].get() {
            Some(entry) if entry.is(scope, target) => Some(entry),
            _ => self.find(first, scope, target),
        };
        let own;
        let head = match known {
            Some(entry) => &entry.prefix,
            None => {
                own = prefix(scope, target);
                &own
            }
        };
        // In one place, where it is inlined.
        work(head)
    }

    /// The entry of a scope that is not in its first place. It is made if there is a slot for it.
    #[inline(never)]
    fn find(&self, first: usize, scope: &InstrumentationScope, target: Option<&str>) -> Option<&Entry> {
        // Another thread may be quicker to fill a slot, which then is one with another scope.
        let make =
            || Entry { scope: scope.clone(), target: target.map(Box::from), prefix: prefix(scope, target) };
        let probes = (0..PROBES).map(|probe| &self.slots[(first + probe) & (SLOTS - 1)]);
        probes.map(|slot| slot.get_or_init(make)).find(|entry| entry.is(scope, target))
    }
}

impl Entry {
    #[inline(always)]
    fn is(&self, scope: &InstrumentationScope, target: Option<&str>) -> bool {
        self.target.as_deref() == target
            && same_text(self.scope.name(), scope.name())
            && same_option(self.scope.version(), scope.version())
            && same_option(self.scope.schema_url(), scope.schema_url())
            && same_attributes(&self.scope, scope)
    }
}

#[inline]
fn same_text(a: &str, b: &str) -> bool {
    (a.as_ptr() == b.as_ptr() && a.len() == b.len()) || a == b
}

#[inline]
fn same_attributes(a: &InstrumentationScope, b: &InstrumentationScope) -> bool {
    let (mut a, mut b) = (a.attributes(), b.attributes());
    match (a.next(), b.next()) {
        // Nearly all.
        (None, None) => true,
        (Some(first), Some(other)) => first == other && a.eq(b),
        _ => false,
    }
}

#[inline]
fn same_option(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same_text(a, b),
        (None, None) => true,
        _ => false,
    }
}

/// Where a scope of this name is looked for first.
#[inline]
fn place(name: &str) -> usize {
    let bytes = name.as_bytes();
    let (first, last) = (bytes.first().copied().unwrap_or(0), bytes.last().copied().unwrap_or(0));
    bytes.len().wrapping_mul(31) ^ usize::from(first) ^ usize::from(last).wrapping_mul(7)
}

/// The head of a scope, encoded.
pub(crate) fn prefix(scope: &InstrumentationScope, target: Option<&str>) -> ScopePrefix {
    let head = ScopePrefix::new(target.unwrap_or(scope.name()), scope.version().unwrap_or_default());
    let head = if scope.attributes().next().is_some() {
        head.with_attributes(|out| put_all(out, scope.attributes()))
    } else {
        head
    };
    match scope.schema_url() {
        Some(url) => head.with_schema_url(url),
        None => head,
    }
}

/// Without limits: they are for items.
fn put_all<'a>(out: &mut AttributeSink<'_>, attributes: impl Iterator<Item = &'a KeyValue>) {
    let rules = Attributes { count: u32::MAX, value_length: None, redactor: None };
    for attribute in attributes {
        put(out, attribute.key.as_str(), &attribute.value, &rules);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(name: String) -> InstrumentationScope {
        InstrumentationScope::builder(name).build()
    }

    fn head(scopes: &Scopes, scope: &InstrumentationScope, target: Option<&str>) -> Vec<u8> {
        scopes.with(scope, target, |prefix| prefix.as_bytes().to_vec())
    }

    /// Guards scopes that fall into the same place, and more of them than there are places.
    #[test]
    fn each_scope_has_its_own_head() {
        let scopes = Scopes::new();
        for _ in 0..2 {
            for number in 0..2 * SLOTS {
                // All of one place.
                let scope = scope(format!("a{number:05}z"));
                assert_eq!(head(&scopes, &scope, None), prefix(&scope, None).as_bytes());
            }
        }
    }

    /// Guards what makes two scopes different ones.
    #[test]
    fn everything_about_a_scope_counts() {
        let scopes = Scopes::new();
        let with = |version: Option<&'static str>, url: Option<&'static str>, attribute: Option<i64>| {
            let mut builder = InstrumentationScope::builder("same");
            if let Some(version) = version {
                builder = builder.with_version(version);
            }
            if let Some(url) = url {
                builder = builder.with_schema_url(url);
            }
            builder.with_attributes(attribute.map(|value| KeyValue::new("k", value))).build()
        };
        let kinds = [
            (with(None, None, None), None),
            (with(Some("1"), None, None), None),
            (with(None, Some("1"), None), None),
            (with(None, None, Some(1)), None),
            (with(None, None, Some(2)), None),
            (with(None, None, None), Some("same")),
            (with(None, None, None), Some("other")),
        ];
        for _ in 0..2 {
            for (scope, target) in &kinds {
                let expected = prefix(scope, *target);
                assert_eq!(head(&scopes, scope, *target), expected.as_bytes());
            }
        }
    }
}
