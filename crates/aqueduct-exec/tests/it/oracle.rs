//! The queues against `VecDeque`, operation by operation.

use std::collections::VecDeque;

use aqueduct_exec::{Injector, Order, WorkStealingQueue};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Push(u16),
    Pop,
    Steal,
    StealHalf,
    BatchAndPop(usize),
    Inject(u16),
    FromInjector(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<u16>().prop_map(Step::Push),
        2 => Just(Step::Pop),
        1 => Just(Step::Steal),
        1 => Just(Step::StealHalf),
        1 => (1..9_usize).prop_map(Step::BatchAndPop),
        2 => any::<u16>().prop_map(Step::Inject),
        1 => (1..9_usize).prop_map(Step::FromInjector),
    ];
    prop::collection::vec(step, 0..200)
}

fn pop(queue: &mut VecDeque<u16>, order: Order) -> Option<u16> {
    match order {
        Order::Lifo => queue.pop_back(),
        Order::Fifo => queue.pop_front(),
    }
}

/// The oldest, as many as asked for, in the order in which the owner would have taken them.
fn taken(queue: &mut VecDeque<u16>, order: Order, count: impl FnOnce(usize) -> usize) -> Vec<u16> {
    let count = count(queue.len());
    let mut taken: Vec<u16> = queue.drain(..count).collect();
    if order == Order::Lifo {
        taken.reverse();
    }
    taken
}

proptest! {
    /// Guards the order of owner and thieves and the size of what is stolen, on one thread, where everything is determined.
    #[test]
    fn one_thread_sees_a_deque(steps in steps(), lifo in any::<bool>()) {
        let order = if lifo { Order::Lifo } else { Order::Fifo };
        let (queue, loot, injector) = (WorkStealingQueue::new(order), WorkStealingQueue::new(Order::Fifo), Injector::new());
        let stealer = queue.stealer();
        let (mut model, mut injected) = (VecDeque::new(), VecDeque::new());
        for step in steps {
            match step {
                Step::Push(item) => {
                    queue.push(item);
                    model.push_back(item);
                }
                Step::Pop => prop_assert_eq!(queue.pop(), pop(&mut model, order)),
                Step::Steal => prop_assert_eq!(stealer.steal(), model.pop_front()),
                Step::StealHalf => {
                    let half = taken(&mut model, order, |len| len.div_ceil(2));
                    prop_assert_eq!(stealer.steal_half(&loot), half.len());
                    prop_assert_eq!(std::iter::from_fn(|| loot.pop()).collect::<Vec<_>>(), half);
                }
                Step::BatchAndPop(limit) => {
                    let popped = stealer.steal_batch_and_pop(&loot, limit);
                    let got: Vec<u16> = popped.into_iter().chain(std::iter::from_fn(|| loot.pop())).collect();
                    prop_assert!(got.len() <= limit && got.len() <= model.len().div_ceil(2).max(1));
                    prop_assert_eq!(got.is_empty(), model.is_empty());
                    prop_assert_eq!(&got, &taken(&mut model, order, |_| got.len()));
                }
                Step::Inject(item) => {
                    injector.push(item);
                    injected.push_back(item);
                }
                Step::FromInjector(limit) => {
                    prop_assert_eq!(injector.steal_batch_and_pop(&loot, limit), injected.pop_front());
                    let batch: Vec<u16> = std::iter::from_fn(|| loot.pop()).collect();
                    prop_assert!(batch.len() < limit);
                    prop_assert_eq!(&batch, &injected.drain(..batch.len()).collect::<Vec<_>>());
                }
            }
            prop_assert_eq!((queue.len(), queue.is_empty()), (model.len(), model.is_empty()));
            prop_assert_eq!((stealer.len(), stealer.is_empty()), (model.len(), model.is_empty()));
            prop_assert_eq!((injector.len(), injector.is_empty()), (injected.len(), injected.is_empty()));
        }
    }
}
