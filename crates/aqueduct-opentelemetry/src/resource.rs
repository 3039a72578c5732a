//! The resource: what is configured, what a provider says, and the encoded head that both become.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use aqueduct_wire::encode::ResourcePrefix;
use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_sdk::Resource;

use crate::encode::{Attributes, put};

pub(crate) const SERVICE_NAME: &str = "service.name";

/// How the name of a service that nobody has named begins (OpenTelemetry specification, "Resource SDK").
const UNKNOWN_SERVICE: &str = "unknown_service";

/// What is configured.
#[derive(Clone, Debug)]
pub(crate) struct Configured {
    resource: Resource,
    /// Attributes of the environment as they stand there, percent-encoded: the SDK reads them so.
    read: Vec<(Key, String)>,
}

impl Configured {
    pub(crate) fn new(resource: Resource, read: Vec<(Key, String)>) -> Configured {
        Configured { resource, read }
    }

    pub(crate) fn resource(&self) -> &Resource {
        &self.resource
    }

    /// The head of what is sent for a provider with this resource.
    pub(crate) fn prefix_with(&self, provider: &Resource) -> ResourcePrefix {
        prefix(&self.merged(provider))
    }

    /// What the provider says, and of what it does not say, what is configured. Two things that a provider says nobody has told it: the name of a
    /// service without a name, and what it has read from the environment, which is decoded here, and comes after what the program says here.
    pub(crate) fn merged(&self, provider: &Resource) -> Resource {
        let mut attributes: BTreeMap<Key, Value> =
            provider.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        for (key, ours) in &self.resource {
            match attributes.entry(key.clone()) {
                Entry::Vacant(entry) => {
                    entry.insert(ours.clone());
                }
                Entry::Occupied(mut entry) => {
                    let theirs = entry.get().as_str();
                    let unnamed = key.as_str() == SERVICE_NAME && is_unknown(&theirs);
                    let read = self.read.iter().any(|(read, text)| read == key && theirs.trim() == text);
                    if unnamed || read {
                        entry.insert(ours.clone());
                    }
                }
            }
        }
        let url = match (provider.schema_url(), self.resource.schema_url()) {
            (Some(a), Some(b)) if a != b => None,
            (a, b) => a.or(b),
        };
        let attributes = attributes.into_iter().map(|(key, value)| KeyValue::new(key, value));
        match url {
            Some(url) => Resource::builder_empty().with_schema_url(attributes, Cow::Owned(url.to_owned())),
            None => Resource::builder_empty().with_attributes(attributes),
        }
        .build()
    }
}

/// Whether it is `unknown_service`, or that with the name of the program behind a colon.
fn is_unknown(name: &str) -> bool {
    name.strip_prefix(UNKNOWN_SERVICE).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// The attributes in the order of their keys: equal resources have equal heads, which whoever comes later need not write twice.
pub(crate) fn prefix(resource: &Resource) -> ResourcePrefix {
    let sorted: BTreeMap<&Key, &Value> = resource.iter().collect();
    let rules = Attributes { count: u32::MAX, value_length: None, redactor: None };
    let head = ResourcePrefix::new(|out| {
        sorted.iter().for_each(|(key, value)| put(out, key.as_str(), value, &rules));
    });
    match resource.schema_url() {
        Some(url) => head.with_schema_url(url),
        None => head,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(attributes: &[(&'static str, &'static str)], url: Option<&'static str>) -> Resource {
        let attributes = attributes.iter().map(|(key, value)| KeyValue::new(*key, *value));
        match url {
            Some(url) => Resource::builder_empty().with_schema_url(attributes, url),
            None => Resource::builder_empty().with_attributes(attributes),
        }
        .build()
    }

    /// Guards whose word counts: the provider's, but for what nobody has told it.
    #[test]
    fn the_provider_wins_where_it_knows() {
        let ours = of(&[("service.name", "shop"), ("a", "ours"), ("b", "b c"), ("d", "ours")], None);
        let configured = Configured::new(ours, vec![(Key::new("b"), "b%20c".to_owned())]);
        let theirs = of(
            &[("service.name", "unknown_service:x"), ("a", "theirs"), ("b", "b%20c"), ("e", "theirs")],
            Some("url"),
        );
        let expected = of(
            &[("service.name", "shop"), ("a", "theirs"), ("b", "b c"), ("d", "ours"), ("e", "theirs")],
            Some("url"),
        );
        assert_eq!(configured.merged(&theirs), expected);
        for (theirs, expected) in [
            ("till", "till"),
            ("unknown_service_registry", "unknown_service_registry"),
            ("unknown_service", "shop"),
        ] {
            let merged = configured.merged(&of(&[("service.name", theirs)], None));
            assert_eq!(merged.get(&Key::new("service.name")), Some(expected.into()));
        }
    }

    /// Guards schema URLs: one that is not true of all attributes is none.
    #[test]
    fn urls_that_differ_are_none() {
        let configured = Configured::new(of(&[("a", "1")], Some("one")), Vec::new());
        assert_eq!(configured.merged(&of(&[], Some("one"))).schema_url(), Some("one"));
        assert_eq!(configured.merged(&of(&[], None)).schema_url(), Some("one"));
        assert_eq!(configured.merged(&of(&[], Some("two"))).schema_url(), None);
    }

    /// Guards what is sent: the same bytes for the same resource, whatever order its map has.
    #[test]
    fn the_head_is_in_order() {
        let keys = ["k8", "k1", "k5", "k3", "k7", "k2", "k6", "k4"].map(|key| (key, "v"));
        let mut reversed = keys;
        reversed.reverse();
        assert_eq!(prefix(&of(&keys, None)), prefix(&of(&reversed, None)));
    }
}
