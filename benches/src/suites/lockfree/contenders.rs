//! The queues that are compared, behind one interface: bounded, several producers, a consumer that wants batches.

use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Mutex};

use aqueduct_lockfree::{Consumer, Lanes, Producer, Ring};
use crossbeam_queue::ArrayQueue;

/// What is pushed.
pub(super) trait Item: Copy + Send + 'static {
    fn new(number: u64) -> Self;
    fn number(&self) -> u64;
}

impl Item for u64 {
    fn new(number: u64) -> u64 {
        number
    }
    fn number(&self) -> u64 {
        *self
    }
}

impl<const N: usize> Item for [u64; N] {
    fn new(number: u64) -> [u64; N] {
        [number; N]
    }
    fn number(&self) -> u64 {
        self[0]
    }
}

/// A queue, as its users would use it.
pub(super) trait Contender<T: Item> {
    type In: Send + 'static;
    type Out: Send + 'static;

    fn make(capacity: usize, producers: usize) -> (Vec<Self::In>, Self::Out);
    /// Whether the item was accepted.
    fn push(input: &mut Self::In, item: T) -> bool;
    /// Pushes the items from `first` on and returns how many were accepted: one by one, unless the queue takes batches.
    #[inline]
    fn push_batch(input: &mut Self::In, first: u64, count: usize, _: &mut Vec<T>) -> usize {
        (first..first + count as u64).filter(|&number| Self::push(input, T::new(number))).count()
    }
    /// The producer begins. Outside of what is measured, as the next.
    #[inline]
    fn begin(_: &mut Self::In) {}
    /// The producer is done for now.
    #[inline]
    fn pause(_: &mut Self::In) {}
    /// Takes what there is, up to `max` items where the queue knows such a bound.
    fn drain(output: &mut Self::Out, max: usize, into: &mut Vec<T>) -> usize;
}

/// [`Lanes`] by handle.
pub(super) struct ByHandle;

impl<T: Item> Contender<T> for ByHandle {
    type In = Producer<T>;
    type Out = Consumer<T>;

    fn make(capacity: usize, producers: usize) -> (Vec<Producer<T>>, Consumer<T>) {
        let (lanes, consumer) = Lanes::bounded(capacity);
        ((0..producers).map(|_| lanes.producer()).collect(), consumer)
    }
    #[inline]
    fn push(input: &mut Producer<T>, item: T) -> bool {
        input.push(item).is_ok()
    }
    #[inline]
    fn drain(output: &mut Consumer<T>, max: usize, into: &mut Vec<T>) -> usize {
        output.drain(max, into)
    }
}

/// [`Lanes`] by the thread-local producer.
pub(super) struct ByThread;

impl<T: Item> Contender<T> for ByThread {
    type In = Lanes<T>;
    type Out = Consumer<T>;

    fn make(capacity: usize, producers: usize) -> (Vec<Lanes<T>>, Consumer<T>) {
        let (lanes, consumer) = Lanes::bounded(capacity);
        (vec![lanes; producers], consumer)
    }
    #[inline]
    fn push(input: &mut Lanes<T>, item: T) -> bool {
        input.push(item).is_ok()
    }
    #[inline]
    fn drain(output: &mut Consumer<T>, max: usize, into: &mut Vec<T>) -> usize {
        output.drain(max, into)
    }
}

/// Our [`Ring`]: batches out, and in where batches are asked for.
pub(super) struct Shared;

impl<T: Item> Contender<T> for Shared {
    type In = Arc<Ring<T>>;
    type Out = Arc<Ring<T>>;

    fn make(capacity: usize, producers: usize) -> (Vec<Arc<Ring<T>>>, Arc<Ring<T>>) {
        let ring = Arc::new(Ring::new(capacity));
        (vec![ring.clone(); producers], ring)
    }
    #[inline]
    fn push(input: &mut Arc<Ring<T>>, item: T) -> bool {
        input.push(item).is_ok()
    }
    #[inline]
    fn push_batch(input: &mut Arc<Ring<T>>, first: u64, count: usize, batch: &mut Vec<T>) -> usize {
        batch.clear();
        batch.extend((first..first + count as u64).map(T::new));
        input.push_batch(batch)
    }
    #[inline]
    fn drain(output: &mut Arc<Ring<T>>, max: usize, into: &mut Vec<T>) -> usize {
        let (before, mut taken) = (into.len(), 1);
        while taken > 0 && into.len() - before < max {
            taken = output.pop_batch(max - (into.len() - before), into);
        }
        into.len() - before
    }
}

/// crossbeam's bounded queue.
pub(super) struct Crossbeam;

impl<T: Item> Contender<T> for Crossbeam {
    type In = Arc<ArrayQueue<T>>;
    type Out = Arc<ArrayQueue<T>>;

    fn make(capacity: usize, producers: usize) -> (Vec<Arc<ArrayQueue<T>>>, Arc<ArrayQueue<T>>) {
        let queue = Arc::new(ArrayQueue::new(capacity));
        (vec![queue.clone(); producers], queue)
    }
    #[inline]
    fn push(input: &mut Arc<ArrayQueue<T>>, item: T) -> bool {
        input.push(item).is_ok()
    }
    #[inline]
    fn drain(output: &mut Arc<ArrayQueue<T>>, max: usize, into: &mut Vec<T>) -> usize {
        let before = into.len();
        into.extend(std::iter::from_fn(|| output.pop()).take(max));
        into.len() - before
    }
}

/// kanal's bounded channel, without its waiting.
pub(super) struct Kanal;

impl<T: Item> Contender<T> for Kanal {
    type In = kanal::Sender<T>;
    type Out = kanal::Receiver<T>;

    fn make(capacity: usize, producers: usize) -> (Vec<kanal::Sender<T>>, kanal::Receiver<T>) {
        let (sender, receiver) = kanal::bounded(capacity);
        (vec![sender; producers], receiver)
    }
    #[inline]
    fn push(input: &mut kanal::Sender<T>, item: T) -> bool {
        input.try_send(item) == Ok(true)
    }
    #[inline]
    fn drain(output: &mut kanal::Receiver<T>, _: usize, into: &mut Vec<T>) -> usize {
        output.drain_into(into).unwrap_or(0)
    }
}

/// nexus-queue's bounded queue of many producers.
pub(super) struct Nexus;

impl<T: Item> Contender<T> for Nexus {
    type In = nexus_queue::mpsc::Producer<T>;
    type Out = nexus_queue::mpsc::Consumer<T>;

    fn make(capacity: usize, producers: usize) -> (Vec<Self::In>, Self::Out) {
        let (producer, consumer) = nexus_queue::mpsc::ring_buffer(capacity);
        (vec![producer; producers], consumer)
    }
    #[inline]
    fn push(input: &mut Self::In, item: T) -> bool {
        input.push(item).is_ok()
    }
    #[inline]
    fn drain(output: &mut Self::Out, max: usize, into: &mut Vec<T>) -> usize {
        let before = into.len();
        into.extend(std::iter::from_fn(|| output.pop()).take(max));
        into.len() - before
    }
}

/// A vector behind a mutex, exchanged whole for an empty one.
pub(super) struct TakeAll;

/// Its bound is not the vector's capacity, which may be larger.
#[derive(Debug)]
pub(super) struct Bounded<T> {
    items: Mutex<Vec<T>>,
    capacity: usize,
}

impl<T: Item> Contender<T> for TakeAll {
    type In = Arc<Bounded<T>>;
    type Out = Arc<Bounded<T>>;

    fn make(capacity: usize, producers: usize) -> (Vec<Arc<Bounded<T>>>, Arc<Bounded<T>>) {
        let shared = Arc::new(Bounded { items: Mutex::new(Vec::with_capacity(capacity)), capacity });
        (vec![shared.clone(); producers], shared)
    }
    #[inline]
    fn push(input: &mut Arc<Bounded<T>>, item: T) -> bool {
        let mut items = input.items.lock().expect("nobody panics with it");
        if items.len() == input.capacity {
            return false;
        }
        items.push(item);
        true
    }
    #[inline]
    fn drain(output: &mut Arc<Bounded<T>>, _: usize, into: &mut Vec<T>) -> usize {
        into.reserve(output.capacity);
        let mut items = output.items.lock().expect("nobody panics with it");
        if into.is_empty() {
            std::mem::swap(&mut *items, into);
            into.len()
        } else {
            let taken = items.len();
            into.append(&mut items);
            taken
        }
    }
}

/// No queue at all, to see what the machine takes: plain writes into an array that is handed over whole at a pause. Whoever takes copies
/// the items out and leaves the array where it is, so that its lines come back from another core, when they are written to and not before.
pub(super) struct Plain;

/// Its producer's end: the array between beginning and pause, otherwise nothing.
#[derive(Debug)]
pub(super) struct Writer<T> {
    items: Vec<T>,
    handed_over: Arc<Mutex<Vec<T>>>,
}

impl<T: Item> Contender<T> for Plain {
    type In = Writer<T>;
    type Out = Vec<Arc<Mutex<Vec<T>>>>;

    fn make(capacity: usize, producers: usize) -> (Vec<Writer<T>>, Self::Out) {
        let arrays: Vec<_> =
            (0..producers).map(|_| Arc::new(Mutex::new(Vec::with_capacity(capacity / producers)))).collect();
        let writers = arrays.iter().map(|array| Writer { items: Vec::new(), handed_over: array.clone() });
        (writers.collect(), arrays)
    }
    #[inline]
    fn push(input: &mut Writer<T>, item: T) -> bool {
        let room = input.items.len() < input.items.capacity();
        if room {
            input.items.push(item);
        }
        room
    }
    fn begin(input: &mut Writer<T>) {
        input.items = std::mem::take(&mut *input.handed_over.lock().expect("nobody panics with it"));
        // The first write shall not wait for the array's address.
        fence(Ordering::SeqCst);
    }
    fn pause(input: &mut Writer<T>) {
        *input.handed_over.lock().expect("nobody panics with it") = std::mem::take(&mut input.items);
    }
    fn drain(output: &mut Self::Out, _: usize, into: &mut Vec<T>) -> usize {
        let before = into.len();
        for array in output {
            let mut items = array.lock().expect("nobody panics with it");
            into.extend_from_slice(&items);
            items.clear();
        }
        into.len() - before
    }
}
