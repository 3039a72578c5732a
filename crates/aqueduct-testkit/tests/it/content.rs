//! Generator and oracle: the same for the same seed, and no difference goes unnoticed.

use aqueduct_testkit::{Generator, Oracle, Verdict};
use aqueduct_wire::{Limits, Signal, validate};

/// Guards what every user of the generator assumes: valid requests, the number of items asked for, the same for the same seed.
#[test]
fn requests_are_valid_counted_and_repeatable() {
    for signal in Signal::ALL {
        let (mut first, mut second, mut other) = (Generator::new(7), Generator::new(7), Generator::new(8));
        for items in [0, 1, 2, 50, 300] {
            let request = first.request(signal, items);
            assert_eq!(request, second.request(signal, items));
            assert!(items == 0 || request != other.request(signal, items));
            let summary = validate(signal, &request, &Limits::default()).expect("valid");
            assert_eq!(summary.items, items as u64);
        }
    }
}

/// Guards "every field exercised": in a few hundred items, each field of each record is set at least once and unset at least once.
/// The debug text of a message names every field, so a field that never differs from its default shows up as a single value.
#[test]
fn every_field_varies() {
    fn values(text: &str) -> std::collections::BTreeMap<String, std::collections::BTreeSet<String>> {
        let mut seen = std::collections::BTreeMap::<String, std::collections::BTreeSet<String>>::new();
        for line in text.lines() {
            if let Some((name, value)) = line.trim().split_once(": ")
                && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            {
                seen.entry(name.to_owned()).or_default().insert(value.to_owned());
            }
        }
        seen
    }
    let mut generator = Generator::new(3);
    let texts = [
        (0..60).map(|_| format!("{:#?}", generator.traces(5))).collect::<String>(),
        (0..60).map(|_| format!("{:#?}", generator.metrics(5))).collect(),
        (0..60).map(|_| format!("{:#?}", generator.logs(5))).collect(),
    ];
    for text in texts {
        let fields = values(&text);
        assert!(fields.len() > 20, "{:?}", fields.keys());
        for (name, values) in fields {
            // Lists print as `name: [` or `name: []`; the two profile-only fields stay at zero.
            if name.ends_with("strindex") {
                continue;
            }
            assert!(
                values.len() > 1 || values.contains("[") || values.contains("Some("),
                "{name}: {values:?}"
            );
        }
    }
}

/// Guards the oracle's purpose: merging and reordering are fine; a loss, a copy and an altered item are each found.
#[test]
fn the_oracle_finds_losses_copies_and_alterations() {
    for signal in Signal::ALL {
        let mut generator = Generator::new(11);
        let requests: Vec<_> = (1..=20).map(|items| generator.request(signal, items)).collect();
        let mut oracle = Oracle::new();
        requests.iter().for_each(|request| oracle.expect(signal, request));

        let mut exact = oracle.clone();
        let merged: Vec<u8> = requests.iter().rev().flat_map(|request| request.iter().copied()).collect();
        exact.receive(signal, &merged);
        exact.assert_exact();

        let mut lossy = oracle.clone();
        requests[1..].iter().for_each(|request| lossy.receive(signal, request));
        assert_eq!(lossy.verdict(), Verdict { delivered: 209, missing: 1, ..Verdict::default() });

        let mut doubled = oracle.clone();
        doubled.receive(signal, &merged);
        doubled.receive(signal, &requests[4]);
        doubled.assert_complete();
        assert_eq!(doubled.verdict(), Verdict { delivered: 210, duplicated: 5, ..Verdict::default() });

        let mut stranger = oracle.clone();
        stranger.receive(signal, &merged);
        stranger.receive(signal, &Generator::new(12).request(signal, 3));
        assert_eq!(stranger.verdict().unexpected, 3);
    }
}

/// Guards the surroundings: the same span under another resource is another item.
#[test]
fn the_resource_is_part_of_an_item() {
    use prost::Message;
    let mut request = Generator::new(1).traces(1);
    let mut oracle = Oracle::new();
    oracle.expect(Signal::Traces, &request.encode_to_vec());
    request.resource_spans[0].resource = None;
    request.resource_spans[0].schema_url = "other".to_owned();
    oracle.receive(Signal::Traces, &request.encode_to_vec());
    assert_eq!(oracle.verdict(), Verdict { missing: 1, unexpected: 1, ..Verdict::default() });
}
