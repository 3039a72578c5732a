//! Ids: random where they have to be, never zero, never those of another process.

use std::collections::HashSet;

use aqueduct_opentelemetry::{RandomIds, random_flag};
use aqueduct_testkit::{CountingAllocator, holds_in_a_child};
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

fn is_random(trace_id: TraceId) -> bool {
    let flags = TraceFlags::SAMPLED;
    random_flag(&SpanContext::new(trace_id, SpanId::from(1), flags, false, TraceState::NONE))
}

/// Guards the bits that level 2 wants random, and the 12 bytes that we promise: each is one in half of the ids, and differs between neighbours in half of them.
#[test]
fn the_last_twelve_bytes_are_random() {
    let ids: Vec<u128> =
        (0..20_000).map(|_| u128::from_be_bytes(RandomIds::new().new_trace_id().to_bytes())).collect();
    for bit in 0..128 {
        let ones = ids.iter().filter(|id| *id >> bit & 1 == 1).count();
        let changes = ids.windows(2).filter(|pair| (pair[0] ^ pair[1]) >> bit & 1 == 1).count();
        // Six standard deviations.
        assert!((9_500..10_500).contains(&ones), "bit {bit}: {ones}");
        assert!((9_500..10_500).contains(&changes), "bit {bit}: {changes}");
    }
}

/// Guards ids from being given twice, by one thread or two.
#[test]
fn threads_draw_different_ids() {
    let draw = || {
        let ids = RandomIds::new();
        (0..1_000).map(|_| (ids.new_trace_id(), ids.new_span_id())).collect::<Vec<_>>()
    };
    let mut all = draw();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(draw)).collect();
        threads.into_iter().for_each(|thread| all.extend(thread.join().expect("it draws")));
    });
    assert_eq!(all.iter().map(|(trace, _)| trace.to_bytes()).collect::<HashSet<_>>().len(), 5_000);
    assert_eq!(all.iter().map(|(_, span)| span.to_bytes()).collect::<HashSet<_>>().len(), 5_000);
}

/// Guards the mark: our own traces are known, others are not.
#[test]
fn our_own_ids_are_known_again() {
    for _ in 0..10_000 {
        assert!(is_random(RandomIds::new().new_trace_id()));
        assert!(!is_random(RandomIdGenerator::default().new_trace_id()));
    }
}

/// Guards forked processes against the ids of their parents (the SDK's generator draws the same in both), while traces of the parent are still known.
#[cfg(unix)]
#[test]
fn parent_and_child_draw_different_ids() {
    let ids = RandomIds::new();
    let of_parent = ids.new_trace_id();
    // The next one of the parent is drawn after the fork.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let good = holds_in_a_child(|| {
        use std::io::Write;
        let drawn = ids.new_trace_id().to_bytes();
        (&writer).write_all(&drawn).is_ok() && is_random(of_parent)
    });
    assert!(good);
    drop(writer);
    let mut of_child = [0; 16];
    std::io::Read::read_exact(&mut &reader, &mut of_child).expect("16 bytes");
    assert_ne!(ids.new_trace_id().to_bytes(), of_child);
    assert!(is_random(TraceId::from_bytes(of_child)), "the child has its parent's key");
}

/// Guards the promise.
#[test]
fn ids_are_made_without_allocating() {
    let ids = RandomIds::new();
    let _ = ids.new_span_id();
    let (_, allocations) = CountingAllocator::count(|| (ids.new_trace_id(), ids.new_span_id()));
    assert_eq!(allocations.count, 0);
}
