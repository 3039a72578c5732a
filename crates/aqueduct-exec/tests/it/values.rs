//! Values of unusual size and alignment.

use aqueduct_exec::{Injector, Order, WorkStealingQueue};

use super::tools::pool;

#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(256))]
struct Wide(u8);

fn through_everything<T: Clone + PartialEq + std::fmt::Debug + Send + 'static>(value: &T) {
    let pool = pool(1);
    let sent = value.clone();
    assert_eq!(pool.spawn(move || sent).expect("room").join().as_ref(), Ok(value));
    let sent = value.clone();
    assert_eq!(pool.spawn_future(async move { sent }).expect("room").join().as_ref(), Ok(value));
    for order in [Order::Lifo, Order::Fifo] {
        let (queue, other) = (WorkStealingQueue::new(order), WorkStealingQueue::new(order));
        let injector = Injector::new();
        for _ in 0..5 {
            queue.push(value.clone());
            injector.push(value.clone());
        }
        assert_eq!(queue.stealer().steal_half(&other), 3);
        assert_eq!((queue.pop().as_ref(), other.pop().as_ref()), (Some(value), Some(value)));
        assert_eq!(injector.steal_batch_and_pop(&queue, 3).as_ref(), Some(value));
    }
}

/// Guards values without size.
#[test]
fn zero_sized() {
    through_everything(&());
}

/// Guards values whose alignment is larger than any allocator's default.
#[test]
fn over_aligned() {
    through_everything(&Wide(7));
    let pool = pool(1);
    let boxed = pool.spawn(|| Box::new(Wide(1))).unwrap().join().unwrap();
    assert!(std::ptr::from_ref::<Wide>(&boxed).addr().is_multiple_of(256));
}

/// Guards values of a mebibyte, and large ones that the queue itself holds.
#[test]
fn a_mebibyte() {
    through_everything(&vec![3_u8; 1 << 20]);
    through_everything(&[5_u64; 256]);
}
