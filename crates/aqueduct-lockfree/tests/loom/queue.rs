//! `Queue`. A segment has one slot in models, so that every push and pop moves a side on to the next.

use aqueduct_lockfree::Queue;
use loom::sync::Arc;
use loom::thread;

use crate::model;

/// Guards that an item goes to one consumer, and none gets lost, between a producer and two consumers.
#[test]
fn one_producer_two_consumers() {
    model(2, || {
        let queue = Arc::new(Queue::starting_at(u64::MAX));
        let other = queue.clone();
        let consumer = thread::spawn(move || other.pop());
        queue.push(Box::new(1));
        queue.push(Box::new(2));
        let here = queue.pop();
        let mut got: Vec<_> =
            [consumer.join().unwrap(), here].into_iter().flatten().map(|item| *item).collect();
        while let Some(item) = queue.pop() {
            got.push(*item);
        }
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
    });
}

/// Guards the race of two producers for the last slot, and each producer's order.
#[test]
fn two_producers() {
    model(2, || {
        let queue = Arc::new(Queue::new());
        let other = queue.clone();
        let producer = thread::spawn(move || {
            other.push(1);
            other.push(2);
        });
        queue.push(11);
        let first = queue.pop().expect("this thread's own item, or one before it");
        producer.join().unwrap();
        let mut all = vec![first];
        assert_eq!(queue.pop_batch(&mut all, 5), 2);
        assert!(queue.is_empty());
        let of = |range: std::ops::Range<i32>| {
            all.iter().copied().filter(|item| range.contains(item)).collect::<Vec<_>>()
        };
        assert_eq!((of(0..10), of(10..20)), (vec![1, 2], vec![11]));
    });
}

/// Guards batches against single operations.
#[test]
fn batches() {
    model(2, || {
        let queue = Arc::new(Queue::new());
        let other = queue.clone();
        let producer = thread::spawn(move || other.push_batch(&mut vec![Box::new(1), Box::new(2)]));
        let mut got = Vec::new();
        queue.pop_batch(&mut got, 2);
        producer.join().unwrap();
        queue.pop_batch(&mut got, 2);
        assert_eq!(got.into_iter().map(|item| *item).collect::<Vec<_>>(), [1, 2]);
    });
}

/// Guards that the queue drops what nobody took, and nothing else.
#[test]
fn items_left_behind_are_dropped() {
    model(3, || {
        let queue = Arc::new(Queue::new());
        let item = Arc::new(());
        let (other, theirs) = (queue.clone(), item.clone());
        let producer = thread::spawn(move || other.push(theirs));
        queue.push(item.clone());
        drop(queue.pop());
        producer.join().unwrap();
        drop(queue);
        assert_eq!(Arc::strong_count(&item), 1);
    });
}

/// Guards the length beside a push and a pop: never less than what nobody takes, never more than was ever there, and exact at rest. A segment
/// here has one slot, so that each of them moves a side on.
#[test]
fn the_length_beside_a_push_and_a_pop() {
    model(2, || {
        let queue = Arc::new(Queue::starting_at(u64::MAX));
        queue.push(1);
        queue.push(2);
        let (pushing, popping) = (queue.clone(), queue.clone());
        let producer = thread::spawn(move || pushing.push(3));
        let consumer = thread::spawn(move || popping.pop().expect("two are there"));
        let len = queue.len();
        assert!((1..=3).contains(&len), "{len} of two, beside one more and one less");
        assert!(!queue.is_empty(), "one stays all the time");
        producer.join().unwrap();
        assert_eq!(consumer.join().unwrap(), 1);
        assert_eq!(queue.len(), 2);
        assert_eq!((queue.pop(), queue.pop(), queue.pop(), queue.len()), (Some(2), Some(3), None, 0));
    });
}

/// Guards the length against a head that is ahead of the tail: of one item that comes and goes there is one at most, and whoever took it finds
/// none.
#[test]
fn the_length_of_what_comes_and_goes() {
    model(2, || {
        let queue = Arc::new(Queue::new());
        let (popping, looking) = (queue.clone(), queue.clone());
        let consumer = thread::spawn(move || {
            let taken = popping.pop().is_some();
            let len = popping.len();
            assert!(len <= usize::from(!taken), "{len} after taking {taken}");
            taken
        });
        let observer = thread::spawn(move || {
            let len = looking.len();
            assert!(len <= 1, "{len} of one");
        });
        queue.push(1);
        observer.join().unwrap();
        let taken = consumer.join().unwrap();
        assert_eq!(queue.len(), usize::from(!taken));
    });
}
