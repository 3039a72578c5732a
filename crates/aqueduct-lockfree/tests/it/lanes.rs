//! `Lanes` on one thread: against a model, ends of life, odd items.

use std::collections::VecDeque;

use aqueduct_lockfree::{ConfigError, Lanes, LanesConfig, Producer, PushError};
use proptest::prelude::*;

use crate::items::{Aligned, Balance, panics};

#[derive(Clone, Debug)]
enum Step {
    Push(usize, usize),
    Drain(usize),
    Make,
    End(usize),
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..4_usize, 1..20_usize).prop_map(|(producer, count)| Step::Push(producer, count)),
        4 => prop_oneof![0..10_usize, Just(usize::MAX)].prop_map(Step::Drain),
        1 => Just(Step::Make),
        1 => (0..4_usize).prop_map(Step::End),
        1 => prop_oneof![4 => Just(Step::Drain(1)), 1 => Just(Step::Close)],
    ];
    prop::collection::vec(step, 0..150)
}

proptest! {
    /// Guards order, bound, refusals and counts against a queue for each producer. The model does not say when exactly the queue is
    /// full, as producers hold credit; it says that a refusal needs more than half of the capacity in use or granted, and that the bound holds.
    #[test]
    fn lanes_are_queues_with_one_bound(capacity in 1..100_usize, segment in 1..5_usize, steps in steps()) {
        let config = LanesConfig::default().with_capacity(capacity).with_segment(segment);
        let (lanes, mut consumer) = config.build::<(usize, u64)>().unwrap();
        let mut producers: Vec<(usize, Producer<_>)> = Vec::new();
        let mut models: Vec<VecDeque<u64>> = Vec::new();
        let (mut closed, mut offered, mut accepted, mut taken) = (false, 0_u64, 0_u64, 0_u64);
        for step in steps {
            match step {
                Step::Make if producers.len() < 4 => {
                    producers.push((models.len(), lanes.producer()));
                    models.push(VecDeque::new());
                }
                Step::Push(index, count) if index < producers.len() => {
                    let (id, producer) = &producers[index];
                    for _ in 0..count {
                        offered += 1;
                        match producer.push((*id, offered)) {
                            Ok(()) => {
                                prop_assert!(!closed);
                                models[*id].push_back(offered);
                                accepted += 1;
                            }
                            Err(PushError::Full(item)) => {
                                prop_assert!(!closed);
                                prop_assert_eq!(item, (*id, offered));
                                // Nobody is refused while it alone could still borrow: others hold a grant of an eighth each at most, or one.
                                let waiting = (accepted - taken) as usize;
                                prop_assert!(waiting + (producers.len() - 1) * capacity.div_ceil(4).max(1) >= capacity, "{} of {}", waiting, capacity);
                            }
                            Err(PushError::Closed(item)) => {
                                prop_assert!(closed);
                                prop_assert_eq!(item, (*id, offered));
                            }
                        }
                        prop_assert!((accepted - taken) as usize <= capacity);
                    }
                }
                Step::End(index) if index < producers.len() => drop(producers.swap_remove(index)),
                Step::Drain(max) => {
                    let waiting = (accepted - taken) as usize;
                    let mut out = Vec::new();
                    prop_assert_eq!(consumer.drain(max, &mut out), waiting.min(max));
                    taken += out.len() as u64;
                    for (id, number) in out {
                        prop_assert_eq!(models[id].pop_front(), Some(number));
                    }
                }
                Step::Close => {
                    lanes.close();
                    closed = true;
                }
                _ => {}
            }
            let stats = lanes.stats();
            prop_assert_eq!((stats.accepted, stats.accepted + stats.refused, stats.taken), (accepted, offered, taken));
            prop_assert_eq!((lanes.len(), consumer.len(), stats.waiting()), ((accepted - taken) as usize, (accepted - taken) as usize, lanes.len()));
        }
        producers.clear();
        lanes.close();
        prop_assert_eq!(consumer.is_finished(), accepted == taken);
        taken += consumer.drain(usize::MAX, &mut Vec::new()) as u64;
        prop_assert!(consumer.is_finished());
        prop_assert_eq!(taken, accepted);
    }
}

/// Guards that one producer can have all of the capacity, and gets it back again and again: no credit leaks.
#[test]
fn a_single_producer_borrows_everything() {
    let (lanes, mut consumer) = Lanes::bounded(1000);
    let producers: Vec<_> = (0..3).map(|_| lanes.producer()).collect();
    for round in 0..30 {
        let producer = &producers[round % 3];
        let accepted = (0..2000).take_while(|&number| producer.push(number).is_ok()).count();
        // The other two may hold what is left of a grant: an eighth of the capacity each, at most.
        assert!(accepted >= 750, "{accepted} in round {round}");
        let mut out = Vec::new();
        assert_eq!(consumer.drain(usize::MAX, &mut out), accepted);
        assert!(out.iter().copied().eq(0..accepted));
    }
    drop(producers);
    let alone = lanes.producer();
    assert_eq!((0..2000).filter(|&number| alone.push(number).is_ok()).count(), 1000);
}

/// Guards the turns: a drain that is bounded does not starve the lanes behind.
#[test]
fn lanes_take_turns() {
    let (lanes, mut consumer) = Lanes::bounded(100);
    let producers: Vec<_> = (0..3).map(|_| lanes.producer()).collect();
    for number in 0..3 {
        producers.iter().enumerate().for_each(|(index, producer)| producer.push((index, number)).unwrap());
    }
    let mut out = Vec::new();
    (0..3).for_each(|_| assert_eq!(consumer.drain(1, &mut out), 1));
    assert_eq!(out, [(0, 0), (1, 0), (2, 0)]);
}

/// Guards the hand-over: what a dropped producer pushed is there, its lane is forgotten, its counts stay.
#[test]
fn a_dropped_producer_loses_nothing() {
    let (lanes, mut consumer) = Lanes::bounded(8);
    for number in 0..20 {
        let producer = lanes.producer();
        producer.push(number).unwrap();
        assert_eq!(producer.accepted(), 1);
        drop(producer);
        let mut out = Vec::new();
        assert_eq!(consumer.drain(8, &mut out), 1);
        assert_eq!(out, [number]);
    }
    assert_eq!((lanes.stats().accepted, lanes.stats().taken), (20, 20));
}

/// Guards the end: finished only when nobody can push any more and all is taken.
#[test]
fn finished_means_finished() {
    let (lanes, mut consumer) = Lanes::bounded(8);
    let (used, idle) = (lanes.producer(), lanes.producer());
    used.push(1).unwrap();
    assert!(!consumer.is_finished());
    consumer.close();
    assert!(lanes.is_closed() && used.is_closed());
    assert_eq!(used.push(2), Err(PushError::Closed(2)));
    consumer.drain(8, &mut Vec::new());
    assert!(!consumer.is_finished(), "the idle producer might be in the middle of a push");
    drop(idle);
    assert!(consumer.is_finished());
    assert_eq!((lanes.stats().accepted, lanes.stats().refused), (1, 1));
    assert_eq!(used.push(3), Err(PushError::Closed(3)));
    assert_eq!(lanes.stats().refused, 2, "counted although the lane is forgotten");
}

/// Guards that each item is dropped once, whoever goes first.
#[test]
fn each_item_is_dropped_once() {
    for order in 0..3 {
        let balance = Balance::default();
        let (lanes, mut consumer) = LanesConfig::default().with_capacity(40).with_segment(1).build().unwrap();
        let producer = lanes.producer();
        let refused = (0..50).filter(|&number| producer.push(balance.item(number)).is_err()).count();
        assert_eq!((refused, balance.dropped()), (10, 10));
        assert_eq!(consumer.drain(7, &mut Vec::new()), 7);
        match order {
            0 => drop((consumer, producer)),
            1 => drop((producer, consumer)),
            _ => drop((producer, std::mem::replace(&mut consumer, Lanes::bounded(1).1))),
        }
        assert!(balance.is_even(), "{order}: {balance:?}");
        let stats = lanes.stats();
        assert_eq!((stats.taken, stats.discarded, stats.waiting()), (7, 33, 0));
    }
}

/// Guards against leaking what waits behind an item whose destructor panics, over several segments and lanes.
#[test]
fn a_panicking_destructor_leaks_nothing() {
    let balance = Balance::default();
    let (lanes, consumer) = LanesConfig::default().with_capacity(64).with_segment(2).build().unwrap();
    let producers = [lanes.producer(), lanes.producer()];
    for number in 0..20 {
        let item = if number == 5 { balance.bomb(number) } else { balance.item(number) };
        producers[number % 2].push(item).unwrap();
    }
    assert!(panics(|| drop(consumer)));
    assert!(balance.is_even(), "{balance:?}");
    assert_eq!(lanes.stats().discarded, 20);
}

/// Guards types without a size, with more alignment than a line, and of a mebibyte.
#[test]
fn odd_sizes() {
    let (lanes, mut consumer) = Lanes::bounded(100);
    let producer = lanes.producer();
    assert_eq!((0..200).filter(|_| producer.push(()).is_ok()).count(), 100);
    assert_eq!(consumer.drain(usize::MAX, &mut Vec::new()), 100);

    let (lanes, mut consumer) = Lanes::bounded(100);
    let producer = lanes.producer();
    (0..100).for_each(|number| producer.push(Aligned(number)).unwrap());
    let mut out = Vec::new();
    consumer.drain(100, &mut out);
    assert!(out.iter().enumerate().all(|(index, item)| item.is_aligned() && item.0 == index as u64));

    std::thread::Builder::new()
        .stack_size(64 << 20)
        .spawn(|| {
            let (lanes, mut consumer) = Lanes::bounded(2);
            let producer = lanes.producer();
            producer.push([7_u8; 1 << 20]).unwrap();
            let mut out = Vec::new();
            consumer.drain(1, &mut out);
            assert_eq!(out[0][(1 << 20) - 1], 7);
        })
        .unwrap()
        .join()
        .unwrap();
}

/// Guards the ranges.
#[test]
fn configurations_are_checked() {
    let config = LanesConfig::default;
    let error = |config: LanesConfig| config.build::<u8>().err();
    assert_eq!(error(config().with_capacity(0)), Some(ConfigError::Capacity));
    assert_eq!(error(config().with_capacity(LanesConfig::MAX_CAPACITY + 1)), Some(ConfigError::Capacity));
    assert_eq!(error(config().with_threshold(0)), Some(ConfigError::Threshold));
    assert_eq!(error(config().with_threshold(2049)), Some(ConfigError::Threshold));
    assert_eq!(error(config().with_segment(0)), Some(ConfigError::Segment));
    assert_eq!(Lanes::<u8>::bounded(0).0.capacity(), 1);
    let (lanes, consumer) = config().build::<u8>().unwrap();
    assert_eq!((lanes.capacity(), consumer.threshold()), (2048, 1024));
    assert!(
        format!("{lanes:?} {consumer:?} {:?} {:?}", lanes.producer(), config()).contains("capacity: 2048")
    );
}

/// Guards the arithmetic of fetching lines ahead, and the two ways by which a push makes room: items of no size, of a part of a line, across
/// lines, and of more than is fetched come out whole and in order, lap after lap; those that are refused come back whole.
#[test]
fn items_of_any_size_come_out_whole() {
    fn laps<const N: usize>() {
        let config = LanesConfig::default().with_capacity(8).with_segment(2);
        let (lanes, mut consumer) = config.build::<[u8; N]>().unwrap();
        let (producer, mut out) = (lanes.producer(), Vec::new());
        for lap in 0..30_u8 {
            let items = (0..8).map(|number| [8 * lap + number; N]);
            items.clone().for_each(|item| producer.push(item).unwrap());
            assert_eq!(producer.push([lap; N]), Err(PushError::Full([lap; N])), "{N} bytes");
            consumer.drain(8, &mut out);
            assert!(out.drain(..).eq(items), "{N} bytes");
        }
        lanes.close();
        assert_eq!(producer.push([1; N]), Err(PushError::Closed([1; N])), "{N} bytes");
    }
    [laps::<0>, laps::<1>, laps::<3>, laps::<8>, laps::<9>, laps::<24>].iter().for_each(|laps| laps());
    [laps::<40>, laps::<64>, laps::<65>, laps::<352>, laps::<2000>].iter().for_each(|laps| laps());
}
