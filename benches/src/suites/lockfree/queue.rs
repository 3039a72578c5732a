//! `Queue` beside `SegQueue`.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use aqueduct_lockfree::Queue;
use crossbeam_queue::SegQueue;

use super::threads::{Barrier, Patience, cpu_time};
use crate::Failure;
use crate::harness::{Declared, Run, Samples};

const PEER: &str = "crossbeam SegQueue";

pub(super) const ROWS: &[Declared] = &[
    Declared::higher("queue/mpmc/2x2", "M items/s").against(PEER).bar("ratio>=1"),
    Declared::lower("queue/mpmc/2x2 cpu", "CPU ns/item").against(PEER),
    Declared::lower("queue/mpmc/4x4 cpu", "CPU ns/item").against(PEER),
    Declared::lower("queue/push+pop/1t", "ns/item").against(PEER),
    Declared::lower("queue/batch64/1t", "ns/item").against("SegQueue, one by one"),
];

trait Fifo: Default + Sync {
    fn push(&self, item: u64);
    fn pop(&self) -> Option<u64>;
}

impl Fifo for Queue<u64> {
    fn push(&self, item: u64) {
        Queue::push(self, item);
    }

    fn pop(&self) -> Option<u64> {
        Queue::pop(self)
    }
}

impl Fifo for SegQueue<u64> {
    fn push(&self, item: u64) {
        SegQueue::push(self, item);
    }

    fn pop(&self) -> Option<u64> {
        SegQueue::pop(self)
    }
}

pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let rounds = run.effort().pick(1, 7, 25);
    let items = run.effort().pick(1_000, 200_000, 1_000_000);
    for (side, wall, cpu) in
        [(2, Some("queue/mpmc/2x2"), "queue/mpmc/2x2 cpu"), (4, None, "queue/mpmc/4x4 cpu")]
    {
        if !run.wants(cpu) && !wall.is_some_and(|wall| run.wants(wall)) {
            continue;
        }
        let (mut walls, mut cpus) = (Samples::default(), Samples::default());
        for _ in 0..rounds {
            let (ours, peer) = (mpmc::<Queue<u64>>(side, items), mpmc::<SegQueue<u64>>(side, items));
            walls.ours.push(ours.0);
            walls.peer.push(peer.0);
            cpus.ours.push(ours.1);
            cpus.peer.push(peer.1);
        }
        if let Some(wall) = wall {
            run.record(wall, &walls)?;
        }
        run.record(cpu, &cpus)?;
    }
    let burst = 512;
    let (ours, peer) = (Queue::default(), SegQueue::default());
    run.compare("queue/push+pop/1t", burst, || through(&ours, burst), || through(&peer, burst))?;
    let mut items = Vec::new();
    let batches = || push_pop_batch64(&ours, &mut items);
    run.compare("queue/batch64/1t", 64, batches, || through(&peer, 64))
}

/// One batch of 64 in and out.
pub fn push_pop_batch64(queue: &Queue<u64>, items: &mut Vec<u64>) {
    items.clear();
    items.extend(0..64);
    queue.push_batch(items);
    queue.pop_batch(items, 64);
    black_box(items);
}

/// One item in and out.
pub fn push_pop(queue: &Queue<u64>) {
    queue.push(black_box(7));
    black_box(queue.pop());
}

fn through<Q: Fifo>(queue: &Q, burst: u64) {
    for item in 0..burst {
        queue.push(item);
    }
    for _ in 0..burst {
        black_box(queue.pop());
    }
}

/// Millions of items a second and nanoseconds of CPU an item, with so many producers and as many consumers.
fn mpmc<Q: Fifo>(side: usize, items: u64) -> (f64, f64) {
    let queue = Q::default();
    let each = items / side as u64;
    let barrier = Barrier::new(2 * side + 1);
    let (spent, sum) = (AtomicU64::new(0), AtomicU64::new(0));
    let wall = thread::scope(|scope| {
        let threads: Vec<_> = (0..2 * side)
            .map(|thread| {
                let (queue, barrier, spent, sum) = (&queue, &barrier, &spent, &sum);
                scope.spawn(move || {
                    barrier.wait();
                    let start = cpu_time();
                    if thread < side {
                        (0..each).for_each(|item| queue.push(item));
                    } else {
                        let (mut got, mut total, mut patience) = (0, 0, Patience::new());
                        while got < each {
                            match queue.pop() {
                                Some(item) => {
                                    total += item;
                                    got += 1;
                                    patience = Patience::new();
                                }
                                None => patience.wait(),
                            }
                        }
                        sum.fetch_add(total, Ordering::Relaxed);
                    }
                    spent.fetch_add((cpu_time() - start).as_nanos() as u64, Ordering::Relaxed);
                })
            })
            .collect();
        barrier.wait();
        let start = Instant::now();
        threads.into_iter().for_each(|thread| thread.join().expect("a worker ends"));
        start.elapsed()
    });
    let all = each * side as u64;
    assert_eq!(sum.into_inner(), side as u64 * (each * (each - 1) / 2), "without loss");
    (all as f64 / wall.as_secs_f64() / 1e6, spent.into_inner() as f64 / all as f64)
}
