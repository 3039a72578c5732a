//! `Queue`, in one thread.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use aqueduct_lockfree::Queue;
use proptest::prelude::*;

use crate::census::{Census, Counted};

#[derive(Clone, Debug)]
enum Step {
    Push(u32),
    PushBatch(usize),
    Pop,
    PopBatch(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        any::<u32>().prop_map(Step::Push),
        (0..700_usize).prop_map(Step::PushBatch),
        Just(Step::Pop),
        (0..700_usize).prop_map(Step::PopBatch),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Guards order, counts and emptiness against `VecDeque`, across segments, and with indices that wrap around.
    #[test]
    fn behaves_like_a_vec_deque(steps in steps(), before_wrap in 0..2000_u64) {
        let queue = Queue::starting_at(u64::MAX - before_wrap);
        let mut twin = VecDeque::new();
        for step in steps {
            match step {
                Step::Push(item) => {
                    queue.push(item);
                    twin.push_back(item);
                }
                Step::PushBatch(count) => {
                    let mut items: Vec<u32> = (0..count as u32).collect();
                    twin.extend(&items);
                    queue.push_batch(&mut items);
                    prop_assert!(items.is_empty());
                }
                Step::Pop => prop_assert_eq!(queue.pop(), twin.pop_front()),
                Step::PopBatch(max) => {
                    let mut items = vec![u32::MAX];
                    let count = queue.pop_batch(&mut items, max);
                    let expected: Vec<u32> = twin.drain(..max.min(twin.len())).collect();
                    prop_assert_eq!(count, expected.len());
                    prop_assert_eq!(&items[1..], &expected[..]);
                }
            }
            prop_assert_eq!(queue.len(), twin.len());
            prop_assert_eq!(queue.is_empty(), twin.is_empty());
        }
        prop_assert_eq!(queue.into_iter().collect::<Vec<_>>(), Vec::from(twin));
    }
}

/// Guards against losing or repeating items where the index passes `u64::MAX`.
#[test]
fn indices_wrap_around() {
    let queue = Queue::starting_at(u64::MAX - 300);
    for round in 0..10 {
        for item in 0..100 {
            queue.push(round * 100 + item);
        }
        for item in 0..100 {
            assert_eq!(queue.len(), 100 - item as usize);
            assert_eq!(queue.pop(), Some(round * 100 + item));
        }
        assert_eq!(queue.pop(), None);
    }
}

/// Guards against leaked items: the naive queue had no `Drop`.
#[test]
fn items_are_dropped_on_drop() {
    let census = Arc::new(Census::default());
    let queue: Queue<Counted> = (0..1000).map(|_| Counted::new(&census)).collect();
    drop(queue.pop());
    let mut taken = Vec::new();
    assert_eq!(queue.pop_batch(&mut taken, 300), 300);
    assert_eq!(census.alive(), 999);
    drop(taken);
    assert_eq!(census.alive(), 699);
    let mut rest = queue.into_iter();
    drop(rest.next());
    assert_eq!(census.alive(), 698);
    drop(rest);
    assert_eq!(census.alive(), 0);
}

/// Guards that one destructor's panic neither leaks the others nor is swallowed.
#[test]
fn a_panicking_destructor_does_not_keep_the_others() {
    let census = Arc::new(Census::default());
    let queue = Queue::new();
    for index in 0..600 {
        queue.push(if index % 100 == 7 { Counted::panicking(&census) } else { Counted::new(&census) });
    }
    catch_unwind(AssertUnwindSafe(|| drop(queue))).expect_err("the panic is passed on");
    assert_eq!(census.alive(), 0);
}

/// Guards items without size, with a large alignment, and of a mebibyte, none of which may go over the stack of the queue's own code twice.
#[test]
fn odd_items() {
    #[derive(Debug, PartialEq)]
    #[repr(align(4096))]
    struct Aligned(u8);

    let nothing = Queue::new();
    (0..5000).for_each(|_| nothing.push(()));
    assert_eq!(nothing.len(), 5000);
    assert_eq!(nothing.into_iter().count(), 5000);

    let aligned = Queue::new();
    (0..20).for_each(|n| aligned.push(Aligned(n)));
    for n in 0..20 {
        let item = aligned.pop();
        assert_eq!(item, Some(Aligned(n)));
    }

    let large = Queue::new();
    std::thread::Builder::new()
        .stack_size(64 << 20)
        .spawn(move || {
            for n in 0..10_u8 {
                large.push([n; 1 << 20]);
            }
            for n in 0..10_u8 {
                assert_eq!(large.pop().expect("ten were pushed")[12_345], n);
            }
        })
        .expect("a thread")
        .join()
        .expect("large items go through");
}

/// Guards the documented room: a batch never takes more than asked, and none is fine.
#[test]
fn batches_keep_to_their_bounds() {
    let queue: Queue<u32> = (0..10).collect();
    let mut items = Vec::new();
    assert_eq!(queue.pop_batch(&mut items, 0), 0);
    assert_eq!(queue.pop_batch(&mut items, 4), 4);
    assert_eq!(queue.pop_batch(&mut items, usize::MAX), 6);
    assert_eq!(items, (0..10).collect::<Vec<_>>());
    queue.push_batch(&mut Vec::new());
    assert!(queue.is_empty());
    assert_eq!(format!("{queue:?}"), "Queue { len: 0, .. }");
}
