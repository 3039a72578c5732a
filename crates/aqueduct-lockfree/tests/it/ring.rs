//! `Ring` on one thread, against `VecDeque`.

use std::collections::VecDeque;

use aqueduct_lockfree::{Closed, PushError, Ring};
use proptest::prelude::*;

use crate::items::{Aligned, Balance, panics};

#[derive(Clone, Debug)]
enum Step {
    Push,
    PushBatch(usize),
    Overwrite,
    Pop,
    PopBatch(usize),
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => Just(Step::Push),
        4 => (0..12_usize).prop_map(Step::PushBatch),
        4 => Just(Step::Overwrite),
        8 => Just(Step::Pop),
        4 => (0..12_usize).prop_map(Step::PopBatch),
        1 => Just(Step::Close),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    /// Guards every operation and every count against a bounded `VecDeque`, from positions that wrap around soon.
    #[test]
    fn a_ring_is_a_bounded_deque(
        size in 1..9_usize,
        start in prop_oneof![Just(0), (0..64_u64).prop_map(|below| u64::MAX - below), (0..64_u64).prop_map(|below| u64::MAX / 2 - below)],
        steps in steps(),
    ) {
        let ring = Ring::starting_at(size, start);
        let capacity = size.next_power_of_two();
        let (mut model, mut closed, mut refused, mut displaced, mut next) = (VecDeque::new(), false, 0, 0, 0_u32);
        prop_assert_eq!(ring.capacity(), capacity);
        for step in steps {
            match step {
                Step::Push => {
                    next += 1;
                    let expected = if closed { Err(PushError::Closed(next)) } else if model.len() == capacity { Err(PushError::Full(next)) } else { Ok(()) };
                    match expected {
                        Ok(()) => model.push_back(next),
                        Err(_) => refused += 1,
                    }
                    prop_assert_eq!(ring.push(next), expected);
                }
                Step::PushBatch(count) => {
                    let mut batch: Vec<_> = (0..count as u32).map(|offset| next + 1 + offset).collect();
                    next += count as u32;
                    let fit = if closed { 0 } else { count.min(capacity - model.len()) };
                    let rest = batch[fit..].to_vec();
                    model.extend(&batch[..fit]);
                    refused += rest.len() as u64;
                    prop_assert_eq!(ring.push_batch(&mut batch), fit);
                    prop_assert_eq!(batch, rest);
                }
                Step::Overwrite => {
                    next += 1;
                    if closed {
                        refused += 1;
                        prop_assert_eq!(ring.push_overwrite(next), Err(Closed(next)));
                    } else {
                        let oldest = if model.len() == capacity { model.pop_front() } else { None };
                        displaced += u64::from(oldest.is_some());
                        model.push_back(next);
                        prop_assert_eq!(ring.push_overwrite(next), Ok(oldest));
                    }
                }
                Step::Pop => prop_assert_eq!(ring.pop(), model.pop_front()),
                Step::PopBatch(max) => {
                    let mut out = vec![0];
                    let expected: Vec<_> = model.drain(..max.min(model.len())).collect();
                    prop_assert_eq!(ring.pop_batch(max, &mut out), expected.len());
                    prop_assert_eq!(&out[1..], expected);
                }
                Step::Close => {
                    prop_assert_eq!(ring.close(), !closed);
                    closed = true;
                }
            }
            prop_assert_eq!(ring.len(), model.len());
            prop_assert_eq!((ring.is_empty(), ring.is_full()), (model.is_empty(), model.len() == capacity));
            prop_assert_eq!((ring.is_closed(), ring.is_finished()), (closed, closed && model.is_empty()));
            prop_assert_eq!((ring.refused(), ring.displaced()), (refused, displaced));
        }
    }
}

/// Guards laps: each slot many times over, across the wrap of the position, for the smallest sizes.
#[test]
fn positions_wrap_around() {
    for size in [1, 2, 4] {
        for start in [u64::MAX - 5, u64::MAX / 2 - 5] {
            let ring = Ring::starting_at(size, start);
            for number in 0..40 {
                assert_eq!(ring.push(number), Ok(()));
                assert_eq!(ring.len(), 1);
                assert_eq!(ring.pop(), Some(number));
                assert_eq!(ring.pop(), None);
            }
        }
    }
}

/// Guards that each value is dropped once: popped, displaced, refused, left behind, left in a batch.
#[test]
fn each_value_is_dropped_once() {
    let balance = Balance::default();
    let ring = Ring::new(4);
    let mut batch: Vec<_> = (0..6).map(|number| balance.item(number)).collect();
    assert_eq!(ring.push_batch(&mut batch), 4);
    assert_eq!((balance.dropped(), batch.len(), batch[0].number), (0, 2, 4));
    drop(batch);
    assert_eq!(balance.dropped(), 2);
    assert_eq!(ring.push(balance.item(6)).unwrap_err().into_inner().number, 6);
    assert_eq!(ring.push_overwrite(balance.item(7)).unwrap().unwrap().number, 0);
    assert_eq!(ring.pop().unwrap().number, 1);
    assert_eq!(balance.dropped(), 5);
    drop(ring);
    assert!(balance.is_even(), "{balance:?}");
}

/// Guards against leaking the values behind one whose destructor panics.
#[test]
fn a_panicking_destructor_leaks_nothing() {
    let balance = Balance::default();
    let ring = Ring::new(8);
    for number in 0..6 {
        ring.push(if number == 2 { balance.bomb(number) } else { balance.item(number) }).unwrap();
    }
    assert!(panics(|| drop(ring)));
    assert!(balance.is_even(), "{balance:?}");
}

/// Guards types without a size, with more alignment than a line, and of a mebibyte.
#[test]
fn odd_sizes() {
    let ring = Ring::new(3);
    assert_eq!((0..5).filter(|_| ring.push(()).is_ok()).count(), 4);
    assert_eq!(std::iter::from_fn(|| ring.pop()).count(), 4);

    let ring = Ring::new(2);
    ring.push(Aligned(1)).unwrap();
    assert!(ring.pop().is_some_and(|item| item.is_aligned() && item.0 == 1));

    let ring = Ring::new(1);
    ring.push(vec![7_u8; 1 << 20].into_boxed_slice()).unwrap();
    assert!(ring.pop().unwrap().iter().all(|&byte| byte == 7));
    std::thread::Builder::new()
        .stack_size(64 << 20)
        .spawn(|| {
            let ring = Ring::new(1);
            ring.push([7_u8; 1 << 20]).unwrap();
            assert_eq!(ring.pop().unwrap()[(1 << 20) - 1], 7);
        })
        .unwrap()
        .join()
        .unwrap();
}

/// Guards what people read.
#[test]
fn refusals_are_fragments() {
    assert_eq!(PushError::Full(1).to_string(), "the queue is full");
    assert_eq!(PushError::Closed(1).to_string(), "the queue is closed");
    assert_eq!(Closed(1).to_string(), "the queue is closed");
    assert!(format!("{:?}", Ring::<u8>::new(2)).contains("capacity: 2"));
}
