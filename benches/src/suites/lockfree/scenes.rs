//! What is done with the queues, the same for each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::contenders::{Contender, Item};
use super::threads::{Barrier, Patience, cpu_time};

/// Nanoseconds of CPU an item pushed, in batches of `batch`: `producers` threads fill half of the capacity together, somebody else empties
/// it while nobody watches.
pub(super) fn push<T: Item, C: Contender<T>>(
    producers: usize,
    batch: usize,
    rounds: usize,
    capacity: usize,
) -> f64 {
    let (inputs, mut output) = C::make(capacity, producers);
    let each = capacity / 2 / producers;
    let barrier = Barrier::new(producers + 1);
    let spent = AtomicU64::new(0);
    let mut into = Vec::with_capacity(capacity);
    // The first rounds find memory and caches cold.
    let warmup = rounds / 4 + 1;
    thread::scope(|scope| {
        for mut input in inputs {
            let (barrier, spent) = (&barrier, &spent);
            scope.spawn(move || {
                let mut items = Vec::with_capacity(batch);
                for round in 0..warmup + rounds {
                    barrier.wait();
                    C::begin(&mut input);
                    let start = cpu_time();
                    let mut accepted = 0;
                    if batch == 1 {
                        for number in 0..each as u64 {
                            accepted += usize::from(C::push(&mut input, T::new(number)));
                        }
                    } else {
                        for first in (0..each).step_by(batch) {
                            accepted += C::push_batch(&mut input, first as u64, batch, &mut items);
                        }
                    }
                    let elapsed = cpu_time() - start;
                    C::pause(&mut input);
                    assert_eq!(accepted, each, "half of the capacity fits");
                    if round >= warmup {
                        spent.fetch_add(elapsed.as_nanos() as u64, Ordering::Relaxed);
                    }
                    barrier.wait();
                }
            });
        }
        for _ in 0..warmup + rounds {
            barrier.wait();
            barrier.wait();
            let mut taken = 0;
            while taken < each * producers {
                into.clear();
                taken += C::drain(&mut output, capacity, &mut into);
            }
        }
    });
    spent.into_inner() as f64 / (rounds * each * producers) as f64
}

/// Items a second: `producers` threads push without loss, one takes batches.
pub(super) fn drain<T: Item, C: Contender<T>>(producers: usize, items: usize, capacity: usize) -> f64 {
    let (inputs, mut output) = C::make(capacity, producers);
    let each = items / producers;
    let barrier = Barrier::new(producers + 1);
    let mut elapsed = Duration::ZERO;
    thread::scope(|scope| {
        for mut input in inputs {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                for number in 0..each as u64 {
                    let mut patience = Patience::new();
                    while !C::push(&mut input, T::new(number)) {
                        patience.wait();
                    }
                }
            });
        }
        let mut into = Vec::with_capacity(capacity);
        let (mut taken, mut sum) = (0, 0_u64);
        barrier.wait();
        let start = Instant::now();
        let mut patience = Patience::new();
        while taken < each * producers {
            into.clear();
            let batch = C::drain(&mut output, capacity, &mut into);
            if batch == 0 {
                patience.wait();
            } else {
                patience = Patience::new();
                taken += batch;
                sum += into.iter().map(Item::number).sum::<u64>();
            }
        }
        elapsed = start.elapsed();
        let each = each as u64;
        assert_eq!(sum, producers as u64 * (each * (each - 1) / 2), "without loss");
    });
    (each * producers) as f64 / elapsed.as_secs_f64()
}

/// What a flood came to.
pub(super) struct Flood {
    pub(super) offered: u64,
    pub(super) accepted: u64,
    pub(super) taken: u64,
    pub(super) seconds: f64,
}

/// `producers` threads push as fast as they can and drop what is refused, one takes batches.
pub(super) fn flood<T: Item, C: Contender<T>>(producers: usize, time: Duration, capacity: usize) -> Flood {
    let (inputs, mut output) = C::make(capacity, producers);
    let barrier = Barrier::new(producers + 1);
    let (stop, offered, accepted) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let (mut taken, mut seconds) = (0, 0.0);
    thread::scope(|scope| {
        let producers: Vec<_> = inputs
            .into_iter()
            .map(|mut input| {
                let (barrier, stop, offered, accepted) = (&barrier, &stop, &offered, &accepted);
                scope.spawn(move || {
                    let (mut tried, mut got) = (0, 0);
                    barrier.wait();
                    while !stop.load(Ordering::Relaxed) {
                        for _ in 0..64 {
                            got += u64::from(C::push(&mut input, T::new(tried)));
                            tried += 1;
                        }
                    }
                    offered.fetch_add(tried, Ordering::Relaxed);
                    accepted.fetch_add(got, Ordering::Relaxed);
                })
            })
            .collect();
        let mut into = Vec::with_capacity(capacity);
        barrier.wait();
        let start = Instant::now();
        let mut patience = Patience::new();
        while start.elapsed() < time {
            into.clear();
            let batch = C::drain(&mut output, capacity, &mut into);
            taken += batch as u64;
            if batch == 0 { patience.wait() } else { patience = Patience::new() }
        }
        stop.store(true, Ordering::Relaxed);
        seconds = start.elapsed().as_secs_f64();
        producers.into_iter().for_each(|producer| producer.join().expect("a producer ends"));
        loop {
            into.clear();
            match C::drain(&mut output, capacity, &mut into) {
                0 => break,
                batch => taken += batch as u64,
            }
        }
    });
    Flood { offered: offered.into_inner(), accepted: accepted.into_inner(), taken, seconds }
}

/// The time that 999 of 1,000 pushes stay below, in nanoseconds, the timer's own cost subtracted: one producer pushes bursts of 128, a
/// consumer empties the queue on another core after each.
pub(super) fn p999<T: Item, C: Contender<T>>(bursts: usize, capacity: usize) -> f64 {
    const BURST: u64 = 128;
    let (mut inputs, mut output) = C::make(capacity, 1);
    let mut input = inputs.pop().expect("one producer");
    let clock = quanta::Clock::new();
    let overhead = {
        let mut costs: Vec<_> = (0..10_001).map(|_| (clock.raw(), clock.raw())).map(|(a, b)| b - a).collect();
        costs.sort_unstable();
        costs[costs.len() / 2]
    };
    let pushed = Arc::new(AtomicU64::new(0));
    let taken = Arc::new(AtomicU64::new(0));
    let total = bursts as u64 * BURST;
    let consumer = {
        let (pushed, taken) = (pushed.clone(), taken.clone());
        thread::spawn(move || {
            let (mut into, mut sum) = (Vec::with_capacity(capacity), 0);
            while sum < total {
                let mut patience = Patience::new();
                while pushed.load(Ordering::Acquire) == sum {
                    patience.wait();
                }
                into.clear();
                sum += C::drain(&mut output, capacity, &mut into) as u64;
                taken.store(sum, Ordering::Release);
            }
        })
    };
    let mut costs = Vec::with_capacity(total as usize);
    for burst in 1..=bursts as u64 {
        C::begin(&mut input);
        for number in 0..BURST {
            let start = clock.raw();
            let accepted = C::push(&mut input, T::new(number));
            costs.push(clock.raw() - start);
            assert!(accepted, "a burst fits");
        }
        C::pause(&mut input);
        pushed.store(burst * BURST, Ordering::Release);
        let mut patience = Patience::new();
        while taken.load(Ordering::Acquire) < burst * BURST {
            patience.wait();
        }
    }
    consumer.join().expect("the consumer ends");
    costs.sort_unstable();
    let place = costs.len() - 1 - costs.len() / 1000;
    clock.delta_as_nanos(0, costs[place].saturating_sub(overhead)) as f64
}

/// The share of what was offered that was dropped: in each round each of the producers pushes a burst, small mostly, sometimes large, then all
/// is taken.
pub(super) fn burst_drops<T: Item, C: Contender<T>>(producers: usize, rounds: usize, capacity: usize) -> f64 {
    let (inputs, mut output) = C::make(capacity, producers);
    let barrier = Barrier::new(producers + 1);
    let (offered, dropped) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for (index, mut input) in inputs.into_iter().enumerate() {
            let (barrier, offered, dropped) = (&barrier, &offered, &dropped);
            scope.spawn(move || {
                let mut random = 0x9E37_79B9_7F4A_7C15_u64 ^ (index as u64 + 1);
                for _ in 0..rounds {
                    // xorshift64, the same bursts for each queue.
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    let burst = if random.is_multiple_of(4) {
                        1024 + random / 4 % 2048
                    } else {
                        32 + random / 4 % 256
                    };
                    barrier.wait();
                    let refused = (0..burst).filter(|&number| !C::push(&mut input, T::new(number))).count();
                    offered.fetch_add(burst, Ordering::Relaxed);
                    dropped.fetch_add(refused as u64, Ordering::Relaxed);
                    barrier.wait();
                }
            });
        }
        let mut into = Vec::with_capacity(capacity);
        for _ in 0..rounds {
            barrier.wait();
            barrier.wait();
            into.clear();
            while C::drain(&mut output, capacity, &mut into) > 0 {}
        }
    });
    dropped.into_inner() as f64 / offered.into_inner() as f64
}

/// Items a second through a queue of which both ends are shared: `pairs` threads push without loss, as many pop one at a time.
pub(super) fn exchange<Q: Send + Sync>(
    queue: &Q,
    pairs: usize,
    items: usize,
    push: impl Fn(&Q, u64) -> bool + Sync,
    pop: impl Fn(&Q) -> Option<u64> + Sync,
) -> f64 {
    let each = items / pairs;
    let barrier = Barrier::new(2 * pairs + 1);
    let (taken, sum) = (AtomicU64::new(0), AtomicU64::new(0));
    let start = thread::scope(|scope| {
        for _ in 0..pairs {
            scope.spawn(|| {
                barrier.wait();
                for number in 0..each as u64 {
                    let mut patience = Patience::new();
                    while !push(queue, number) {
                        patience.wait();
                    }
                }
            });
            scope.spawn(|| {
                barrier.wait();
                let (mut own, mut total) = (0, 0);
                while own < each {
                    let mut patience = Patience::new();
                    let number = loop {
                        match pop(queue) {
                            Some(number) => break number,
                            None => patience.wait(),
                        }
                    };
                    own += 1;
                    total += number;
                }
                taken.fetch_add(own as u64, Ordering::Relaxed);
                sum.fetch_add(total, Ordering::Relaxed);
            });
        }
        barrier.wait();
        Instant::now()
    });
    let elapsed = start.elapsed();
    let each = each as u64;
    assert_eq!(taken.into_inner(), pairs as u64 * each);
    assert_eq!(sum.into_inner(), pairs as u64 * (each * (each - 1) / 2), "without loss");
    (each * pairs as u64) as f64 / elapsed.as_secs_f64()
}

/// Nanoseconds of CPU an operation, which `threads` threads repeat at the same time.
pub(super) fn together(threads: usize, operations: u64, operation: impl Fn() + Sync) -> f64 {
    let (barrier, spent) = (Barrier::new(threads), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                operation();
                barrier.wait();
                let start = cpu_time();
                (0..operations).for_each(|_| operation());
                spent.fetch_add((cpu_time() - start).as_nanos() as u64, Ordering::Relaxed);
            });
        }
    });
    spent.into_inner() as f64 / (threads as u64 * operations) as f64
}
