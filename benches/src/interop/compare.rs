//! What is missing, too much or different, field by field.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::items::{Item, Part};
use super::leaves;

/// How many differences are told: whoever reads them has understood by then.
const TOLD: usize = 24;

/// What differs between the items that should be there and those that are; nothing if they are the same.
pub(super) fn differences(mut expected: Vec<Item>, mut actual: Vec<Item>) -> Vec<String> {
    expected.sort();
    actual.sort();
    let (missing, extra) = unmatched(expected, actual);
    let mut told = Vec::new();
    let mut extra: Vec<Option<Item>> = extra.into_iter().map(Some).collect();
    for item in &missing {
        // The most similar one that is too much is probably the same item, changed.
        let score = |other: &Option<Item>| other.as_ref().map_or(0, |other| similarity(item, other));
        let best = extra.iter_mut().max_by_key(|other| score(other)).filter(|other| score(other) > 0);
        match best.and_then(Option::take) {
            Some(other) => told.extend(changed(item, &other)),
            None => told.push(format!("missing: {}", label(item))),
        }
        if told.len() > TOLD {
            break;
        }
    }
    told.extend(extra.iter().flatten().map(|item| format!("unexpected: {}", label(item))));
    if told.len() > TOLD {
        told.truncate(TOLD);
        told.push(format!("and so on, in all {} missing or changed", missing.len()));
    }
    told
}

/// The number of fields in all items.
pub(super) fn fields(items: &[Item]) -> usize {
    // A resource is a part of many items, and counted once for each, but read once.
    let mut known: BTreeMap<*const Part, usize> = BTreeMap::new();
    let parts = items.iter().flat_map(|item| &item.0);
    parts.map(|part| *known.entry(Arc::as_ptr(part)).or_insert_with(|| leaves::of(&part.text).len())).sum()
}

/// What only one of two sorted lists has, an item as often as it occurs more often.
fn unmatched(expected: Vec<Item>, actual: Vec<Item>) -> (Vec<Item>, Vec<Item>) {
    let (mut missing, mut extra) = (Vec::new(), Vec::new());
    let (mut expected, mut actual) = (expected.into_iter().peekable(), actual.into_iter().peekable());
    loop {
        let order = match (expected.peek(), actual.peek()) {
            (None, None) => return (missing, extra),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => one.cmp(other),
        };
        match order {
            Ordering::Less => missing.extend(expected.next()),
            Ordering::Greater => extra.extend(actual.next()),
            Ordering::Equal => drop((expected.next(), actual.next())),
        }
    }
}

/// The number of fields that two items have in common; none if they are of different kinds.
fn similarity(one: &Item, other: &Item) -> usize {
    let names = |item: &Item| item.0.iter().map(|part| part.name).collect::<Vec<_>>();
    if names(one) != names(other) {
        return 0;
    }
    let (one, other) = (fields_of(one), fields_of(other));
    one.iter().filter(|(path, value)| other.get(*path) == Some(value)).count()
}

/// The fields by which two items differ.
fn changed(expected: &Item, actual: &Item) -> Vec<String> {
    let label = label(expected);
    let (expected, actual) = (fields_of(expected), fields_of(actual));
    let mut told = Vec::new();
    for (path, value) in &expected {
        match actual.get(path) {
            Some(other) if other == value => {}
            Some(other) => told.push(format!("{label}: {path}: {value} became {other}")),
            None => told.push(format!("{label}: {path}: {value} got lost")),
        }
    }
    let added = actual.iter().filter(|(path, _)| !expected.contains_key(*path));
    told.extend(added.map(|(path, value)| format!("{label}: {path}: {value} was added")));
    if told.is_empty() {
        told.push(format!("{label}: encoded differently, printed alike"));
    }
    told
}

fn fields_of(item: &Item) -> BTreeMap<String, String> {
    let parts = item.0.iter();
    parts
        .flat_map(|part| {
            leaves::of(&part.text).into_iter().map(|(path, value)| (format!("{}.{path}", part.name), value))
        })
        .collect()
}

/// Something by which a person recognizes an item.
fn label(item: &Item) -> String {
    let Some(part) = item.0.last() else { return "nothing".to_owned() };
    let leaves = leaves::of(&part.text);
    let wanted = ["name", "event_name", "body.value.StringValue", "attributes[0].value.value.StringValue"];
    let name = wanted.iter().find_map(|wanted| {
        leaves.iter().find(|(path, value)| path == wanted && value != "\"\"").map(|(_, value)| value.as_str())
    });
    format!("{} {}", part.name, name.unwrap_or("without a name"))
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

    use super::super::{items, message::Message};
    use super::*;

    fn items(spans: Vec<Span>) -> Vec<Item> {
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        items::of([&Message::Traces(ExportTraceServiceRequest { resource_spans })])
    }

    fn span(name: &str, flags: u32) -> Span {
        Span { name: name.to_owned(), flags, ..Span::default() }
    }

    /// Guards the judgement: each kind of damage is seen and told, and an order is no damage.
    #[test]
    fn damage_is_told() {
        let whole = || vec![span("a", 1), span("b", 2), span("c", 3)];
        assert_eq!(differences(items(whole()), items(whole().into_iter().rev().collect())), [""; 0]);
        let damaged = differences(items(whole()), items(vec![span("a", 1), span("b", 7), span("c", 3)]));
        assert_eq!(damaged, ["span \"b\": span.flags: 2 became 7"]);
        let lost = differences(items(whole()), items(vec![span("a", 1), span("b", 2)]));
        assert_eq!(lost, ["missing: span \"c\""]);
        let twice = differences(items(vec![span("a", 1)]), items(vec![span("a", 1), span("a", 1)]));
        assert_eq!(twice, ["unexpected: span \"a\""]);
    }
}
