//! The batcher, case by case, on a clock that stands still until a test moves it.

use std::time::{Duration, Instant};

use aqueduct_batch::{BatchConfig, Batcher, ConfigError, SealReason, Sealed, Weight};

const MS: Duration = Duration::from_millis(1);

fn config() -> BatchConfig {
    BatchConfig::default().with_max_items(10).with_max_bytes(1000).with_max_age(200 * MS)
}

fn ones<B>(sealed: impl Iterator<Item = Sealed<B>>) -> Vec<(B, SealReason)> {
    sealed.map(|sealed| (sealed.batch, sealed.reason)).collect()
}

/// Guards the trap by its name: a driver that waits for the deadline gets every batch, not only the first.
#[test]
fn the_timer_fires_once_and_never_again() {
    let mut batcher: Batcher<u32> = Batcher::new(config());
    let mut now = Instant::now();
    for round in 0..100 {
        assert_eq!(batcher.deadline(), None, "an empty batcher asks for no timer");
        let _ = batcher.offer(round, Weight::new(1, 1), now);
        let deadline = batcher.deadline().expect("an open batch asks for a timer, each time");
        assert_eq!(deadline, now + 200 * MS);
        assert_eq!(batcher.poll(deadline - Duration::from_nanos(1)), None);
        now = deadline;
        let sealed = batcher.poll(now).expect("the deadline seals");
        assert_eq!((sealed.batch, sealed.reason), (vec![round], SealReason::Age));
    }
}

/// Guards the boundary of items: the last that fits fills the batch, there and then.
#[test]
fn the_item_that_fills_the_batch_seals_it() {
    let mut batcher: Batcher<u32> = Batcher::new(config());
    let now = Instant::now();
    for n in 0..9 {
        assert!(batcher.offer(n, Weight::new(1, 1), now).is_empty());
    }
    let sealed = ones(batcher.offer(9, Weight::new(1, 1), now));
    assert_eq!(sealed, [((0..10).collect(), SealReason::Items)]);
    assert!(batcher.is_empty());
    assert_eq!(batcher.weight(), Weight::default());
}

/// Guards the boundary of bytes: exactly full seals with the item, one byte more seals before it.
#[test]
fn the_item_that_does_not_fit_seals_what_was_there() {
    let now = Instant::now();
    let mut exact: Batcher<char> = Batcher::new(config());
    assert!(exact.offer('a', Weight::new(1, 600), now).is_empty());
    assert_eq!(ones(exact.offer('b', Weight::new(1, 400), now)), [(vec!['a', 'b'], SealReason::Bytes)]);

    let mut over: Batcher<char> = Batcher::new(config());
    assert!(over.offer('a', Weight::new(1, 600), now).is_empty());
    assert_eq!(ones(over.offer('b', Weight::new(1, 401), now)), [(vec!['a'], SealReason::Bytes)]);
    assert_eq!(over.weight(), Weight::new(1, 401));

    let mut items: Batcher<char> = Batcher::new(config());
    assert!(items.offer('a', Weight::new(6, 1), now).is_empty());
    assert_eq!(ones(items.offer('b', Weight::new(5, 1), now)), [(vec!['a'], SealReason::Items)]);
    assert_eq!(items.weight(), Weight::new(5, 1));
}

/// Guards items heavier than the bounds: never refused, never joined with others, and in order.
#[test]
fn an_item_heavier_than_the_bounds_travels_alone() {
    let now = Instant::now();
    let mut batcher: Batcher<char> = Batcher::new(config());
    assert!(batcher.offer('a', Weight::new(1, 1), now).is_empty());
    let mut sealing = batcher.offer('B', Weight::new(1, 5000), now);
    assert_eq!(sealing.len(), 2);
    let first = sealing.next().unwrap();
    assert_eq!((first.batch, first.reason, first.weight), (vec!['a'], SealReason::Bytes, Weight::new(1, 1)));
    let second = sealing.next().unwrap();
    assert_eq!(
        (second.batch, second.reason, second.weight),
        (vec!['B'], SealReason::Bytes, Weight::new(1, 5000))
    );
    assert!(sealing.is_empty() && sealing.next().is_none());
    assert!(batcher.is_empty());

    assert_eq!(ones(batcher.offer('C', Weight::new(11, 1), now)), [(vec!['C'], SealReason::Items)]);
}

/// Guards memory: items without weight age like others and cannot pile up without end.
#[test]
fn items_of_no_weight_are_bounded_too() {
    let now = Instant::now();
    let mut batcher: Batcher<u32> = Batcher::new(config());
    for n in 0..9 {
        assert!(batcher.offer(n, Weight::default(), now).is_empty());
        assert!(!batcher.is_empty() && batcher.deadline().is_some());
    }
    let sealed = batcher.offer(9, Weight::default(), now).next().unwrap();
    assert_eq!(
        (sealed.batch.len(), sealed.weight, sealed.reason),
        (10, Weight::default(), SealReason::Items)
    );
}

/// Guards the two times: idle time starts anew with every offer, age does not.
#[test]
fn idle_time_moves_and_age_does_not() {
    let start = Instant::now();
    let mut batcher: Batcher<u32> = Batcher::new(config().with_max_idle(Some(60 * MS)));
    let _ = batcher.offer(0, Weight::new(1, 1), start);
    assert_eq!(batcher.deadline(), Some(start + 60 * MS));
    let _ = batcher.offer(1, Weight::new(1, 1), start + 50 * MS);
    assert_eq!(batcher.deadline(), Some(start + 110 * MS));
    assert_eq!(batcher.poll(start + 109 * MS), None);
    let sealed = batcher.poll(start + 110 * MS).unwrap();
    assert_eq!((sealed.batch.len(), sealed.reason, sealed.opened), (2, SealReason::Idle, start));

    for step in 0..5 {
        let _ = batcher.offer(step, Weight::new(1, 1), start + 50 * MS * step);
    }
    // The last offer came at 200 ms, when the first was 200 ms old: it opened a batch of its own.
    assert_eq!(batcher.weight(), Weight::new(1, 1));

    // Late polls name the bound that was reached first.
    let late = batcher.poll(start + 10_000 * MS).unwrap();
    assert_eq!(late.reason, SealReason::Idle);
}

/// Guards drivers that are busy offering and never get to poll: age is honoured all the same.
#[test]
fn an_offer_seals_what_is_due() {
    let start = Instant::now();
    let mut batcher: Batcher<u32> = Batcher::new(config());
    let _ = batcher.offer(0, Weight::new(1, 1), start);
    assert!(batcher.offer(1, Weight::new(1, 1), start + 199 * MS).is_empty());
    assert_eq!(ones(batcher.offer(2, Weight::new(1, 1), start + 200 * MS)), [(vec![0, 1], SealReason::Age)]);
    assert_eq!(batcher.deadline(), Some(start + 400 * MS), "the new batch has its own age");
}

/// Guards several threads that read the clock and call in another order.
#[test]
fn time_going_backwards_seals_nothing_early_and_loses_nothing() {
    let start = Instant::now() + 1000 * MS;
    let mut batcher: Batcher<u32> = Batcher::new(config().with_max_idle(Some(60 * MS)));
    let _ = batcher.offer(0, Weight::new(1, 1), start);
    let _ = batcher.offer(1, Weight::new(1, 1), start - 500 * MS);
    assert_eq!(batcher.deadline(), Some(start + 60 * MS), "the latest instant counts");
    assert_eq!(batcher.poll(start - 900 * MS), None);
    assert_eq!(batcher.poll(start + 60 * MS).unwrap().batch, [0, 1]);
}

/// Guards the flush at shutdown: everything comes out, and nothing twice.
#[test]
fn flush_empties() {
    let mut batcher: Batcher<u32> = Batcher::new(config());
    assert_eq!(batcher.flush(), None);
    let _ = batcher.offer(7, Weight::default(), Instant::now());
    let sealed = batcher.flush().unwrap();
    assert_eq!((sealed.batch, sealed.reason), (vec![7], SealReason::Flush));
    assert_eq!(batcher.flush(), None);
    assert_eq!(batcher.deadline(), None);
}

/// Guards live tuning: a batch that is full by the new bounds is due at once, and the deadline says so.
#[test]
fn new_bounds_hold_for_the_open_batch() {
    let start = Instant::now();
    let mut batcher: Batcher<u32> = Batcher::new(config());
    for n in 0..5 {
        let _ = batcher.offer(n, Weight::new(1, 100), start + MS * n);
    }
    batcher.reconfigure(config().with_max_age(500 * MS));
    assert_eq!(batcher.deadline(), Some(start + 500 * MS));
    batcher.reconfigure(config().with_max_items(3));
    assert_eq!(batcher.config().max_items, 3);
    assert!(batcher.deadline().is_some_and(|deadline| deadline <= start + 5 * MS));
    let sealed = batcher.poll(start + 5 * MS).unwrap();
    assert_eq!((sealed.batch.len(), sealed.reason), (5, SealReason::Items));

    let _ = batcher.offer(8, Weight::new(1, 400), start);
    batcher.reconfigure(config().with_max_bytes(300));
    assert_eq!(ones(batcher.offer(9, Weight::new(1, 1), start)), [(vec![8], SealReason::Bytes)]);
    assert_eq!(batcher.flush().unwrap().batch, [9]);

    // Full by the new bounds, and not even due yet for a caller whose clock is behind: still no item joins it, of whatever weight.
    let _ = batcher.offer(10, Weight::new(2, 1), start);
    batcher.reconfigure(config().with_max_items(2));
    assert_eq!(ones(batcher.offer(11, Weight::default(), start - MS)), [(vec![10], SealReason::Items)]);
}

/// Guards the ends of the ranges: no bound in time, no time at all, bounds of zero, weights that overflow.
#[test]
fn extreme_values_are_values() {
    let now = Instant::now();
    let mut timeless: Batcher<u32> = Batcher::new(config().with_max_age(Duration::MAX));
    let _ = timeless.offer(0, Weight::new(1, 1), now);
    assert_eq!((timeless.deadline(), timeless.poll(now + 1_000_000 * MS)), (None, None));
    assert!(timeless.flush().is_some());

    let mut prompt: Batcher<u32> = Batcher::new(config().with_max_age(Duration::ZERO));
    let _ = prompt.offer(0, Weight::new(1, 1), now);
    assert_eq!(prompt.deadline(), Some(now));
    assert!(prompt.poll(now).is_some());

    let mut zero: Batcher<u32> = Batcher::new(config().with_max_items(0).with_max_bytes(0));
    assert_eq!(ones(zero.offer(0, Weight::default(), now)), [(vec![0], SealReason::Items)]);

    let unbounded = config().with_max_items(u64::MAX).with_max_bytes(u64::MAX);
    let mut huge: Batcher<u32> = Batcher::new(unbounded);
    let all = ones(huge.offer(0, Weight::new(u64::MAX - 1, u64::MAX), now));
    assert_eq!(all, [(vec![0], SealReason::Bytes)]);
    let _ = huge.offer(1, Weight::new(u64::MAX - 1, 1), now);
    assert_eq!(
        ones(huge.offer(2, Weight::new(5, 1), now)),
        [(vec![1, 2], SealReason::Items)],
        "sums saturate"
    );
}

/// Guards the gathering into something else than a vector.
#[test]
fn any_collection_gathers() {
    let mut text: Batcher<&str, String> = Batcher::new(config().with_max_items(2));
    let now = Instant::now();
    let _ = text.offer("con", Weight::new(1, 3), now);
    assert_eq!(text.offer("cat", Weight::new(1, 3), now).next().unwrap().batch, "concat");
}

/// Guards the check of values that a person wrote.
#[test]
fn bounds_of_zero_are_refused_by_name() {
    assert_eq!(BatchConfig::default().validate(), Ok(()));
    let items = BatchConfig::default().with_max_items(0).validate();
    assert_eq!(items, Err(ConfigError::ZeroItems));
    let bytes = BatchConfig::default().with_max_bytes(0).validate();
    assert_eq!(bytes.unwrap_err().to_string(), "max_bytes is zero, the least is 1");
}

/// Guards the tables of counters by reason.
#[test]
fn reasons_are_indexed_in_order() {
    for (index, reason) in SealReason::ALL.into_iter().enumerate() {
        assert_eq!(reason.index(), index);
        assert_eq!(reason.to_string(), format!("{reason:?}").to_lowercase());
    }
}
