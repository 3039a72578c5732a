//! `aqueduct-pool`: buffers, blocks and objects against the allocator and what one would write in place.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::thread;

use aqueduct_pool::{BlockPool, BlockPoolConfig, BufferPool, BufferPoolConfig, ObjectPool, PooledBuf};
use bytes::{BufMut, Bytes, BytesMut};
use rustix::time::{ClockId, clock_gettime};

use crate::Failure;
use crate::harness::{Declared, Run, Samples, Suite};

const MIMALLOC: &str = "mimalloc (Vec::with_capacity)";

/// Held buffers on one and more threads, across threads, frozen; blocks; objects.
pub(super) const SUITE: Suite = Suite {
    name: "pool",
    about: "`held32`: a thread takes 32 buffers, writes one byte per 4 KiB of each, and drops them all; a figure is one buffer's share, \
            in nanoseconds of the thread's CPU time, so that 8 threads on fewer cores can be compared. `cross-thread`: one thread takes \
            and touches 128 buffers at a time, another drops them; the figure is the sum of both, less what reading the clock costs. Each \
            sample keeps its buffers in a vector at another place, because a few nanoseconds depend on which cache lines share a set. The peer does the same with vectors from \
            the global allocator, mimalloc. Rows that end in `ns` are the same samples, held against a figure instead of the peer.",
    rows: &[
        Declared::lower("pool/4k/held32/1t", "CPU ns").against(MIMALLOC).bar("ratio<=0.3"),
        Declared::lower("pool/4k/held32/1t ns", "CPU ns").against(MIMALLOC).bar("ours<=12"),
        Declared::lower("pool/4k/held32/2t", "CPU ns").against(MIMALLOC).bar("ratio<=0.3"),
        Declared::lower("pool/4k/held32/2t ns", "CPU ns").against(MIMALLOC).bar("ours<=12"),
        Declared::lower("pool/4k/held32/8t", "CPU ns").against(MIMALLOC).bar("ratio<=0.3"),
        Declared::lower("pool/4k/held32/8t ns", "CPU ns").against(MIMALLOC).bar("ours<=12"),
        Declared::lower("pool/4k/cross-thread", "CPU ns").against(MIMALLOC).bar("ratio<=0.5"),
        Declared::lower("pool/64k/held32", "CPU ns").against(MIMALLOC).bar("ratio<=0.6"),
        Declared::lower("pool/1m/held32", "CPU ns").against(MIMALLOC).bar("ratio<=0.6"),
        Declared::lower("pool/1k/held32", "CPU ns").against(MIMALLOC),
        Declared::lower("pool/4k/one", "ns").against(MIMALLOC),
        Declared::lower("pool/4k/write and freeze", "ns").against("BytesMut::with_capacity, freeze"),
        Declared::lower("pool/grow from 1k to 64k", "ns").against("Vec::extend_from_slice"),
        Declared::lower("pool/block 4k", "ns").against("vec![0; 4096]"),
        Declared::lower("pool/object", "ns").against("Mutex<Vec<T>>, unbounded"),
    ],
    measure,
};

const HELD: usize = 32;
const PAGE: usize = 4096;
/// Buffers handed from thread to thread at a time.
const HANDED_OVER: usize = 128;
/// How many such loads are under way.
const IN_FLIGHT: usize = 2;

fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    // Large enough never to be the limit: that is another row's subject.
    let pool = BufferPool::new(BufferPoolConfig::default().with_max_bytes(1 << 30));
    let rounds = run.effort().pick(20, 6_000, 40_000);

    for (threads, ratio, figure) in [
        (1, "pool/4k/held32/1t", "pool/4k/held32/1t ns"),
        (2, "pool/4k/held32/2t", "pool/4k/held32/2t ns"),
        (8, "pool/4k/held32/8t", "pool/4k/held32/8t ns"),
    ] {
        if run.wants(ratio) {
            let samples = held(run, &pool, 4 << 10, threads, rounds / threads + 1);
            run.record(ratio, &samples)?;
            run.record(figure, &samples)?;
        }
    }
    if run.wants("pool/4k/cross-thread") {
        let times = rounds / 5;
        let samples = alternate(
            run,
            |_| across(times, || pool.take(4 << 10)),
            |_| across(times, || Vec::<u8>::with_capacity(4 << 10)),
        );
        run.record("pool/4k/cross-thread", &samples)?;
    }
    for (name, size, share) in
        [("pool/64k/held32", 64 << 10, 10), ("pool/1m/held32", 1 << 20, 100), ("pool/1k/held32", 1 << 10, 1)]
    {
        if run.wants(name) {
            let samples = held(run, &pool, size, 1, rounds / share + 1);
            run.record(name, &samples)?;
        }
    }

    run.compare(
        "pool/4k/one",
        1,
        || black_box(pool.take(4096)),
        || black_box(Vec::<u8>::with_capacity(4096)),
    )?;
    let body = [7; 1000];
    run.compare(
        "pool/4k/write and freeze",
        1,
        || freeze(&pool, &body),
        || {
            let mut buffer = BytesMut::with_capacity(4096);
            buffer.put_slice(&body);
            buffer.freeze()
        },
    )?;
    run.compare(
        "pool/grow from 1k to 64k",
        1,
        || filled(pool.take(1024), &body),
        || filled(Vec::with_capacity(1024), &body),
    )?;

    let blocks = BlockPool::new(64, 4096)?;
    run.compare("pool/block 4k", 1, || take_block(&blocks), || black_box(vec![0_u8; 4096]).len())?;

    let objects = ObjectPool::config(64)
        .with_reset(|scratch: &mut Vec<u8>| scratch.clear())
        .build(|| Vec::with_capacity(4096));
    let naive = Mutex::new(vec![Vec::<u8>::with_capacity(4096)]);
    let locked = || {
        let mut scratch = naive.lock().expect("nobody panics").pop().unwrap_or_default();
        scratch.push(1);
        scratch.clear();
        naive.lock().expect("nobody panics").push(scratch);
    };
    run.compare("pool/object", 1, || get_object(&objects), locked)
}

/// One buffer taken and dropped: for an instruction count.
pub fn take_buffer(pool: &BufferPool) -> usize {
    black_box(pool.take(4096)).capacity()
}

/// One buffer taken, written to, frozen and dropped: for an instruction count.
pub fn freeze(pool: &BufferPool, body: &[u8]) -> Bytes {
    let mut buffer = pool.take(4096);
    buffer.put_slice(body);
    buffer.freeze()
}

/// One block taken, and zeroed on its return: for an instruction count.
pub fn take_block(blocks: &BlockPool) -> usize {
    blocks.take(4096).map_or(0, |block| black_box(block).len())
}

/// One object taken, reset and put back: for an instruction count.
pub fn get_object(objects: &ObjectPool<Vec<u8>>) {
    objects.get().push(1);
}

/// What the instruction counts start from: pools whose first operation is behind them, with blocks that keep their contents.
///
/// # Errors
/// The blocks could not be allocated.
pub fn warm() -> Result<(BufferPool, BlockPool, ObjectPool<Vec<u8>>), Failure> {
    let pools = (
        BufferPool::default(),
        BlockPoolConfig::new(64, 4096).with_contents_kept().build()?,
        ObjectPool::new(Vec::new, 64),
    );
    take_buffer(&pools.0);
    take_block(&pools.1);
    get_object(&pools.2);
    Ok(pools)
}

/// What both sides have in common: room that may be uninitialised.
trait Buffer: Send {
    fn room(&mut self) -> &mut [MaybeUninit<u8>];
}

impl Buffer for PooledBuf {
    fn room(&mut self) -> &mut [MaybeUninit<u8>] {
        self.spare_capacity_mut()
    }
}

impl Buffer for Vec<u8> {
    fn room(&mut self) -> &mut [MaybeUninit<u8>] {
        self.spare_capacity_mut()
    }
}

fn take_and_touch<B: Buffer>(make: &impl Fn() -> B, count: usize, held: &mut Vec<B>) {
    for _ in 0..count {
        let mut buffer = make();
        for page in buffer.room().chunks_mut(PAGE) {
            page[0].write(1);
        }
        held.push(buffer);
    }
    black_box(held);
}

fn filled<B: BufMut>(mut buffer: B, body: &[u8]) -> B {
    for _ in 0..60 {
        buffer.put_slice(body);
    }
    buffer
}

fn held(run: &Run<'_>, pool: &BufferPool, size: usize, threads: usize, rounds: usize) -> Samples {
    alternate(
        run,
        |sample| on_threads(threads, rounds, sample, || pool.take(size)),
        |sample| on_threads(threads, rounds, sample, || Vec::<u8>::with_capacity(size)),
    )
}

fn alternate(run: &Run<'_>, ours: impl Fn(usize) -> f64, peer: impl Fn(usize) -> f64) -> Samples {
    let mut samples = Samples::default();
    for sample in 0..run.effort().pick(2, 9, 25) {
        samples.ours.push(ours(sample));
        samples.peer.push(peer(sample));
    }
    samples
}

/// CPU nanoseconds of one buffer's share, over all threads.
fn on_threads<B: Buffer>(threads: usize, rounds: usize, sample: usize, make: impl Fn() -> B + Sync) -> f64 {
    let work = || {
        // More room than it needs, in order to lie elsewhere.
        let mut buffers = Vec::with_capacity(HELD * (1 + sample % 8));
        let mut round = || {
            take_and_touch(&make, HELD, &mut buffers);
            buffers.clear();
        };
        (0..rounds / 10 + 1).for_each(|_| round());
        cpu_time_of(|| (0..rounds).for_each(|_| round()))
    };
    let spent: u64 = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker only takes and drops")).sum()
    });
    spent as f64 / (threads * rounds * HELD) as f64
}

/// CPU nanoseconds of one buffer that one thread takes and another drops. Waiting for each other is not counted.
fn across<B: Buffer>(times: usize, make: impl Fn() -> B + Send) -> f64 {
    let times = times + 1;
    let clock = clock_cost();
    let (full, filled) = sync_channel::<Vec<B>>(IN_FLIGHT);
    let (empty, emptied) = sync_channel::<Vec<B>>(IN_FLIGHT);
    let spent: u64 = thread::scope(|scope| {
        let maker = scope.spawn(move || {
            let mut spent = 0;
            for time in 0..times {
                let mut buffers = match time {
                    0..IN_FLIGHT => Vec::with_capacity(HANDED_OVER),
                    _ => emptied.recv().expect("the other side sends back what it got"),
                };
                spent += cpu_time_of(|| take_and_touch(&make, HANDED_OVER, &mut buffers));
                full.send(buffers).expect("the other side listens to the end");
            }
            spent
        });
        let mut spent = 0;
        for mut buffers in filled {
            spent += cpu_time_of(|| buffers.clear());
            // At the end the maker no longer listens.
            let _ = empty.send(buffers);
        }
        spent + maker.join().expect("the maker only takes and sends")
    });
    spent.saturating_sub(2 * times as u64 * clock) as f64 / (times * HANDED_OVER) as f64
}

fn cpu_time_of(work: impl FnOnce()) -> u64 {
    let start = cpu_time();
    work();
    cpu_time() - start
}

/// What `cpu_time_of` says of nothing: it is a system call, and would show where little happens in between.
fn clock_cost() -> u64 {
    let mut costs: Vec<u64> = (0..101).map(|_| cpu_time_of(|| ())).collect();
    costs.sort_unstable();
    costs[50]
}

/// Nanoseconds that this thread has spent on a core.
fn cpu_time() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
