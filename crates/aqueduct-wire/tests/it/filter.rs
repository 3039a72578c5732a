//! Leaving items out, against prost and to the byte.

use crate::odd::{Flat, flat, odd};
use crate::operations::{chosen, config, field, mutants, request, signals};
use crate::oracle::Request;
use aqueduct_wire::view::{self, MetricData, Resource, Scope};
use aqueduct_wire::{Chunk, Item, Limits, MetricKind, Signal, filter};
use proptest::prelude::*;

proptest! {
    #![proptest_config(config())]

    /// What is left is what prost leaves when the items are taken out of its structs and emptied envelopes
    /// with them.
    #[test]
    fn as_in_structs(signal in signals(), seed: u64, items in 0..40_usize, one_in in 1..5_u64) {
        let chunk = request(signal, seed, items);
        let filtered = filter(&chunk, |item| chosen(item.bytes(), one_in)).unwrap();
        let mut expected = Request::decode(signal, chunk.bytes()).unwrap();
        expected.retain(|item| chosen(item, one_in));
        let bytes = filtered.kept.to_bytes();
        prop_assert_eq!(&Request::decode(signal, &bytes).unwrap(), &expected);
        prop_assert_eq!(filtered.kept.items(), expected.summary().items);
        prop_assert_eq!(filtered.kept.items() + filtered.removed, chunk.items());
        prop_assert_eq!(filtered.kept.len(), bytes.len());
    }

    /// However a request is encoded: the items that are left have the same bytes around them, unknown fields
    /// included, and are counted.
    #[test]
    fn odd_encodings_survive(signal in signals(), seed: u64, items in 0..40_usize, one_in in 1..5_u64) {
        let bytes = odd(signal, request(signal, seed, items).bytes(), seed);
        let chunk = Chunk::validate(signal, bytes.into(), &Limits::DEFAULT).unwrap();
        let filtered = filter(&chunk, |item| chosen(item.bytes(), one_in)).unwrap();
        let bytes = filtered.kept.to_bytes();
        let left: Vec<Flat> = flat(signal, chunk.bytes()).into_iter().filter(|item| chosen(&item.1, one_in)).collect();
        prop_assert_eq!(filtered.removed, chunk.items() - left.len() as u64);
        prop_assert_eq!(flat(signal, &bytes), left);
        prop_assert_eq!(Chunk::validate(signal, bytes, &Limits::DEFAULT).unwrap().items(), filtered.kept.items());
    }

    /// What an item says of its surroundings is what the views say, however the request is encoded.
    #[test]
    fn surroundings_are_those_of_the_views(signal in signals(), seed: u64, items in 0..40_usize) {
        let plain = request(signal, seed, items);
        let bytes = odd(signal, plain.bytes(), seed);
        for chunk in [plain, Chunk::validate(signal, bytes.into(), &Limits::DEFAULT).unwrap()] {
            let mut seen = Vec::new();
            let filtered = filter(&chunk, |item| {
                seen.push(around(item));
                true
            });
            prop_assert_eq!(filtered.unwrap().removed, 0);
            prop_assert_eq!(seen, around_by_views(signal, chunk.bytes()));
        }
    }

    /// What a result holds is its own bytes, and all of the request if any slice of it is kept; at most four times its length.
    #[test]
    fn what_is_held_is_bounded(signal in signals(), seed: u64, items in 0..200_usize, one_in in 1..5_u64) {
        let chunk = request(signal, seed, items);
        let kept = filter(&chunk, |item| chosen(item.bytes(), one_in)).unwrap().kept;
        prop_assert!(kept.held_bytes() <= 4 * kept.len() + 3, "{} {}", kept.held_bytes(), kept.len());
        let (held, len) = (kept.held_bytes(), chunk.len());
        let source = chunk.into_bytes();
        prop_assert!(source.is_unique() || held >= len, "{} of {}", held, len);
    }

    /// Keeping everything is the same memory.
    #[test]
    fn keeping_all_is_the_same_bytes(signal in signals(), seed: u64, items in 0..40_usize) {
        let bytes = odd(signal, request(signal, seed, items).bytes(), seed);
        let chunk = Chunk::validate(signal, bytes.into(), &Limits::DEFAULT).unwrap();
        let kept = filter(&chunk, |_| true).unwrap().kept;
        prop_assert_eq!(kept.items(), chunk.items());
        prop_assert_eq!(kept.to_bytes().as_ptr_range(), chunk.bytes().as_ptr_range());
    }

    /// Bytes wrongly given as valid are refused or passed on, and never cause a panic.
    #[test]
    fn broken_bytes_do_no_harm(signal in signals(), seed: u64) {
        for chunk in mutants(signal, seed) {
            if let Ok(filtered) = filter(&chunk, |item| item.trace_id().is_none() && chosen(item.bytes(), 2)) {
                prop_assert_eq!(filtered.kept.to_bytes().len(), filtered.kept.len());
            }
        }
    }
}

/// A trace id that is written twice is the second one, as for every decoder.
#[test]
fn the_last_trace_id_counts() {
    let mut span = vec![0x0a, 16];
    span.extend_from_slice(&[1; 16]);
    span.extend_from_slice(&[0x12, 8, 3, 3, 3, 3, 3, 3, 3, 3, 0x0a, 16]);
    span.extend_from_slice(&[2; 16]);
    let request = [&[0x0a, 50, 0x12, 48, 0x12, 46][..], &span].concat();
    let chunk = Chunk::validate(Signal::Traces, request.into(), &Limits::DEFAULT).unwrap();
    let filtered = filter(&chunk, |span| {
        assert_eq!((span.trace_id(), span.span_id()), (Some(&[2; 16]), Some(&[3; 8])));
        assert_eq!((span.signal(), span.bytes().len()), (Signal::Traces, 46));
        assert!(span.metric().is_none() && span.scope().is_none() && span.resource().is_none());
        false
    });
    let filtered = filtered.unwrap();
    assert_eq!((filtered.kept.len(), filtered.kept.items(), filtered.removed), (0, 0, 1));
}

/// An envelope that never held an item is not the filter's to take where something else stays; where nothing does, the request is empty, and whoever asks
/// for that is told so.
#[test]
fn what_was_empty_stays_beside_what_is_kept() {
    // A scope without records, one with two, and a resource without scopes.
    let request = b"\x0a\x10\x12\x00\x12\x0c\x12\x03\x1a\x01A\x12\x05\x1a\x03abc\x0a\x03\x1a\x01u";
    let chunk = Chunk::validate(Signal::Logs, request.to_vec().into(), &Limits::DEFAULT).unwrap();
    let kept = filter(&chunk, |record| record.bytes().len() == 3).unwrap().kept;
    assert_eq!(kept.to_bytes(), b"\x0a\x09\x12\x00\x12\x05\x12\x03\x1a\x01A\x0a\x03\x1a\x01u"[..]);
    let none = filter(&chunk, |_| false).unwrap();
    assert!(none.kept.is_empty() && none.removed == 2);
}

/// What is around an item: resource and scope as bytes, and of a metric name, unit and kind.
type Surroundings = (Option<Vec<u8>>, Option<Vec<u8>>, Option<(Vec<u8>, Vec<u8>, MetricKind)>);

fn joined(body: view::Body<'_>) -> Vec<u8> {
    body.pieces().collect::<Vec<_>>().concat()
}

fn around(item: &Item<'_>) -> Surroundings {
    let metric = item.metric().map(|metric| {
        let text = |text: view::Text<'_>| text.as_bytes().to_vec();
        (text(metric.name()), text(metric.unit()), metric.kind())
    });
    (
        item.resource().map(|found| joined(found.body())),
        item.scope().map(|found| joined(found.body())),
        metric,
    )
}

fn around_by_views(signal: Signal, request: &[u8]) -> Vec<Surroundings> {
    let mut all = Vec::new();
    let mut add = |resource: Option<Resource<'_>>, scope: Option<Scope<'_>>, metric, items: usize| {
        let around =
            (resource.map(|found| joined(found.body())), scope.map(|found| joined(found.body())), metric);
        all.extend(std::iter::repeat_n(around, items));
    };
    match signal {
        Signal::Metrics => {
            for record in view::Metrics::new(request).resource_metrics() {
                for scope in record.scope_metrics() {
                    for metric in scope.metrics() {
                        let fields = metric.fields();
                        let (kind, points) = match metric.data() {
                            Some(MetricData::Sum(data)) => (MetricKind::Sum, data.data_points().count()),
                            Some(MetricData::Histogram(data)) => {
                                (MetricKind::Histogram, data.data_points().count())
                            }
                            Some(MetricData::ExponentialHistogram(data)) => {
                                (MetricKind::ExponentialHistogram, data.data_points().count())
                            }
                            Some(MetricData::Summary(data)) => {
                                (MetricKind::Summary, data.data_points().count())
                            }
                            Some(MetricData::Gauge(data)) => (MetricKind::Gauge, data.data_points().count()),
                            _ => continue,
                        };
                        let known = (fields.name.as_bytes().to_vec(), fields.unit.as_bytes().to_vec(), kind);
                        add(record.resource(), scope.scope(), Some(known), points);
                    }
                }
            }
        }
        Signal::Logs => {
            for record in view::Logs::new(request).resource_logs() {
                for scope in record.scope_logs() {
                    add(record.resource(), scope.scope(), None, scope.log_records().count());
                }
            }
        }
        _ => {
            for record in view::Traces::new(request).resource_spans() {
                for scope in record.scope_spans() {
                    add(record.resource(), scope.scope(), None, scope.spans().count());
                }
            }
        }
    }
    all
}

/// A resource in two pieces, behind the scopes and before them, is one to whoever asks.
#[test]
fn a_resource_in_pieces_is_joined() {
    let scope = field(2, &field(2, b"").repeat(3));
    let attribute = |key: &[u8]| field(1, &field(1, &field(1, key)));
    let record = [attribute(b"a"), scope.repeat(2), attribute(b"b")].concat();
    let chunk = Chunk::validate(Signal::Logs, field(1, &record).into(), &Limits::DEFAULT).unwrap();
    let filtered = filter(&chunk, |log| {
        let resource = log.resource().unwrap();
        let keys: Vec<_> = resource.attributes().iter().map(|pair| pair.key().as_str()).collect();
        assert_eq!(keys, ["a", "b"]);
        assert!(log.scope().is_none() && log.metric().is_none());
        false
    });
    assert_eq!(filtered.unwrap().removed, 6);
}

/// A little that is kept is copied, so that the rest can be freed; of much the whole request is held, and counted.
#[test]
fn little_is_copied_and_much_is_held() {
    let log = |letter| field(2, &field(3, &vec![letter; 20_000]));
    let request = field(1, &field(2, &[log(b'a'), log(b'b').repeat(3), log(b'c').repeat(6)].concat()));
    let len = request.len();
    for (letter, items, is_copied) in [(b'a', 1, true), (b'b', 3, false), (b'c', 6, false)] {
        let chunk = Chunk::validate(Signal::Logs, request.clone().into(), &Limits::DEFAULT).unwrap();
        let kept = filter(&chunk, |log| log.bytes().ends_with(&[letter])).unwrap().kept;
        assert_eq!(kept.items(), items);
        let source = chunk.into_bytes();
        assert_eq!(source.is_unique(), is_copied);
        let new = kept.len() - items as usize * 20_008;
        assert!(new < 20);
        assert_eq!(kept.held_bytes(), if is_copied { kept.len() } else { len + new }, "{letter}");
    }
}
