//! What is around an item is looked up once.

use super::around::WALKS;
use crate::{Chunk, Limits, MetricKind, Signal, filter, group_by, varint};

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    varint::push(&mut out, content.len() as u64);
    out.extend_from_slice(content);
    out
}

/// Guards that a predicate that asks for everything around each point makes no square of it: 20,000 points of one metric,
/// whose name, scope and resource stand behind all of them and behind a large unknown field.
#[test]
fn what_is_around_is_looked_up_once() {
    let points = field(1, b"").repeat(20_000);
    let metric = [field(7, &points), field(15, &[7; 10_000]), field(1, b"requests"), field(3, b"1")].concat();
    let scope = [field(2, &metric), field(1, &field(1, b"meter"))].concat();
    let record = [field(2, &scope), field(1, &field(1, &field(1, b"host")))].concat();
    let chunk = Chunk::validate(Signal::Metrics, field(1, &record).into(), &Limits::default());
    let chunk = chunk.expect("a valid request");

    let mut seen = 0;
    let mut look = |point: &super::Item<'_>| {
        let metric = point.metric().expect("points have one");
        assert_eq!((metric.name().as_bytes(), metric.unit().as_bytes()), (&b"requests"[..], &b"1"[..]));
        assert_eq!(metric.kind(), MetricKind::Sum);
        assert_eq!(point.scope().expect("there is one").body().len(), 7);
        assert_eq!(point.resource().expect("there is one").body().len(), 8);
        seen += 1;
        seen % 2
    };
    let walks = WALKS.get();
    assert_eq!(filter(&chunk, |point| look(point) == 0).expect("valid").removed, 10_000);
    // The record, the scope and the metric.
    assert_eq!(WALKS.get() - walks, 3);
    assert_eq!(group_by(&chunk, look).expect("valid").count(), 2);
    assert_eq!((WALKS.get() - walks, seen), (6, 40_000));
}
