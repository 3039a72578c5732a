//! Item ids: what goes in comes out, and sets of sequences are exact.

use super::*;
use aqueduct::wire::Signal;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Guards the layouts: what is written is read back, and other items are not mistaken for ours.
#[test]
fn identities_survive_and_others_are_foreign() {
    for sequence in [0, 1, 4096, 8_000_000_000_000_000_000] {
        let id = ItemId { producer: u32::MAX, sequence };
        assert_eq!(ItemId::from_trace_id(&id.to_trace_id()), Some(id));
        let (start, value) = id.to_point();
        assert_eq!(ItemId::from_point(start, value), Some(id));
        assert_eq!(value.to_string().len(), 19);
        assert_ne!(id.span_id(), [0; 8]);
    }
    assert_eq!(ItemId::from_trace_id(&[1; 16]), None);
    assert_eq!(ItemId::from_trace_id(&[]), None);
    assert_eq!(ItemId::from_point(1_700_000_000_000_000_000, VALUE_BASE), None);
    assert_eq!(ItemId::from_point(u64::from(POINT_MAGIC) << 32, 42), None);
}

/// Guards the span id: the specification calls all zeros invalid, and a repeated one would be a different defect.
#[test]
fn span_ids_are_distinct() {
    let ids: BTreeSet<_> = (0..10_000).map(|sequence| ItemId { producer: 1, sequence }.span_id()).collect();
    assert_eq!(ids.len(), 10_000);
}

/// Guards the walk against anything: no bytes make it panic, and bytes cut short only lose items.
#[test]
fn truncated_requests_do_not_panic() {
    let id = ItemId { producer: 1, sequence: 2 };
    let mut span = vec![0x0A, 16];
    span.extend(id.to_trace_id());
    let wrap = |field: u8, inner: &[u8]| {
        let mut out = vec![field << 3 | 2, inner.len() as u8];
        out.extend(inner);
        out
    };
    let request = wrap(1, &wrap(2, &wrap(2, &span)));
    let mut seen = Vec::new();
    assert_eq!(for_each_id(Signal::Traces, &request, |id| seen.push(id)), Tally { marked: 1, foreign: 0 });
    assert_eq!(seen, [id]);
    for len in 0..request.len() {
        for signal in Signal::ALL {
            let _ = for_each_id(signal, &request[..len], |_| {});
        }
    }
}

proptest! {
    /// Guards the set against its twin from the standard library, with runs that cross pages and repeat.
    #[test]
    fn seen_is_a_set(runs in prop::collection::vec((0_u64..20_000, 1_u64..5_000), 0..30), single in prop::collection::vec(0_u64..20_000, 0..50)) {
        let mut seen = Seen::new();
        let mut model = BTreeSet::new();
        for (first, count) in runs {
            let new = (first..first + count).filter(|sequence| model.insert(*sequence)).count();
            prop_assert_eq!(seen.insert_run(first, count), new as u64);
        }
        for sequence in single {
            prop_assert_eq!(seen.insert(sequence), model.insert(sequence));
        }
        prop_assert_eq!(seen.len(), model.len() as u64);
        let ranges = seen.ranges();
        let listed: Vec<u64> = ranges.iter().flat_map(|&(first, last)| first..=last).collect();
        prop_assert_eq!(listed, model.into_iter().collect::<Vec<_>>());
        prop_assert!(ranges.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "ranges touch: {:?}", ranges);
        prop_assert_eq!(count(&ranges), seen.len());
    }

    /// Guards the subtraction that says what was lost.
    #[test]
    fn subtraction_is_a_set_difference(
        left in prop::collection::btree_set(0_u64..300, 0..200),
        right in prop::collection::btree_set(0_u64..300, 0..200),
    ) {
        let seen = |from: &BTreeSet<u64>| {
            let mut seen = Seen::new();
            from.iter().for_each(|sequence| { seen.insert(*sequence); });
            seen
        };
        let lost = seen(&left).difference(&seen(&right));
        let listed: Vec<u64> = lost.iter().flat_map(|&(first, last)| first..=last).collect();
        prop_assert_eq!(listed, left.difference(&right).copied().collect::<Vec<_>>());
    }
}

/// Guards the far end of the number range, where the arithmetic of pages and runs could overflow.
#[test]
fn the_last_sequence() {
    let mut seen = Seen::new();
    assert!(seen.insert(u64::MAX));
    assert!(!seen.insert(u64::MAX));
    assert!(seen.insert(u64::MAX - 1));
    assert!(seen.insert(0));
    assert_eq!(seen.ranges(), [(0, 0), (u64::MAX - 1, u64::MAX)]);
}

/// Guards the census: producers are kept apart, and duplicates are counted per item.
#[test]
fn producers_are_kept_apart() {
    let mut census = Census::new();
    assert!(census.insert(ItemId { producer: 1, sequence: 0 }));
    assert!(census.insert(ItemId { producer: 2, sequence: 0 }));
    assert!(!census.insert(ItemId { producer: 1, sequence: 0 }));
    assert_eq!(census.insert_run(2, 0, 3), 2);
    assert_eq!((census.len(), census.duplicates()), (4, 2));
    let mut other = Census::new();
    other.insert_run(2, 2, 2);
    census.merge(&other);
    assert_eq!(census.ranges()[&2], [(0, 3)]);
    assert_eq!(census.duplicates(), 3);
}
