//! Seconds of real threads, with an oracle in every buffer: `AQUEDUCT_STRESS_SECONDS` lengthens each of them (default 1).

use std::env;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use aqueduct_pool::{BlockPool, BufferPool, BufferPoolConfig, ObjectPool, PooledBuf};
use bytes::{BufMut, Bytes};

fn until() -> Instant {
    let seconds = env::var("AQUEDUCT_STRESS_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1.0);
    Instant::now() + Duration::from_secs_f64(seconds)
}

/// A generator of numbers that needs nothing: xorshift64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

enum Load {
    Open(PooledBuf, u8),
    Frozen(Bytes, u8),
}

impl Load {
    fn check(&self) {
        let (bytes, mark): (&[u8], _) = match self {
            Load::Open(buffer, mark) => (buffer, *mark),
            Load::Frozen(bytes, mark) => (bytes, *mark),
        };
        assert!(bytes.iter().all(|&byte| byte == mark), "somebody else wrote into this memory");
    }
}

/// Takes, fills, grows, freezes, hands on, and checks what others handed over, until the time is up.
fn mingle(number: u8, pool: &BufferPool, to: &[SyncSender<Load>], from: &Receiver<Load>, end: Instant) {
    let mut dice = Dice(0x1234_5678 + u64::from(number));
    let mut held: Vec<Load> = Vec::new();
    let mut turn = number;
    while Instant::now() < end {
        for _ in 0..50 {
            turn = turn.wrapping_add(7);
            let mut buffer = pool.take(1 << (8 + dice.below(10)));
            buffer.put_bytes(turn, dice.below(buffer.capacity()).min(3000));
            if dice.below(8) == 0 {
                buffer.put_bytes(turn, buffer.capacity() - buffer.len() + 1);
            }
            let load = match dice.below(2) {
                0 => Load::Open(buffer, turn),
                _ => Load::Frozen(buffer.freeze(), turn),
            };
            match dice.below(3) {
                0 => held.push(load),
                1 => drop(load),
                // A full channel gives the load back, and it is dropped here.
                _ => drop(to[dice.below(to.len())].try_send(load)),
            }
        }
        from.try_iter().for_each(|load| load.check());
        if held.len() > 100 {
            held.iter().for_each(Load::check);
            held.truncate(dice.below(100));
        }
        if dice.below(50) == 0 {
            pool.trim();
        }
    }
    held.iter().for_each(Load::check);
}

/// Guards exclusive ownership and the balance of the books, with a cap that is reached, trimming, and threads that come and go.
#[test]
fn buffers() {
    for config in [
        BufferPoolConfig::default().with_max_bytes(2 << 20),
        BufferPoolConfig::default().with_zero_on_return(),
    ] {
        let pool = BufferPool::new(config);
        let end = until();
        while Instant::now() < end {
            let (senders, receivers): (Vec<_>, Vec<_>) = (0..4).map(|_| sync_channel(64)).unzip();
            let slice = end.min(Instant::now() + Duration::from_millis(100));
            let threads: Vec<_> = receivers
                .into_iter()
                .zip(0..)
                .map(|(from, number)| {
                    let (pool, to) = (pool.clone(), senders.clone());
                    thread::spawn(move || mingle(number, &pool, &to, &from, slice))
                })
                .collect();
            drop(senders);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
        let stats = pool.stats();
        assert_eq!(stats.in_use(), 0, "{stats:?}");
        pool.trim();
        let stats = pool.stats();
        assert_eq!((stats.bytes, stats.made), (0, stats.dropped), "{stats:?}");
    }
}

/// Guards pools that are dropped while their buffers are on their way between threads.
#[test]
fn pools_come_and_go() {
    let end = until();
    let (sender, receiver) = sync_channel::<PooledBuf>(256);
    let consumer =
        thread::spawn(move || receiver.into_iter().map(|buffer| usize::from(buffer[0])).sum::<usize>());
    let mut sum = 0;
    while Instant::now() < end {
        let pool = BufferPool::default();
        for byte in 0..50 {
            let mut buffer = pool.take(1024);
            buffer.put_u8(byte);
            sum += usize::from(byte);
            sender.send(buffer).unwrap();
        }
    }
    drop(sender);
    assert_eq!(consumer.join().unwrap(), sum);
}

/// Guards exclusive blocks, and that a thread is never refused what must be free for it.
#[test]
fn blocks() {
    let pool = BlockPool::new(8, 64).unwrap();
    let end = until();
    let users: Vec<AtomicBool> = (0..8).map(|_| AtomicBool::new(false)).collect();
    thread::scope(|scope| {
        for number in 0..4_u8 {
            let (pool, users) = (&pool, &users);
            scope.spawn(move || {
                let mut dice = Dice(99 + u64::from(number));
                while Instant::now() < end {
                    for _ in 0..100 {
                        let mut blocks = [pool.take(64).unwrap(), pool.take(dice.below(64)).unwrap()];
                        for block in &mut blocks {
                            assert!(
                                !users[block.index()].swap(true, Ordering::Relaxed),
                                "two users of one block"
                            );
                            assert!(block.iter().all(|&byte| byte == 0));
                            block.fill(number + 1);
                        }
                        for block in blocks {
                            assert!(block.iter().all(|&byte| byte == number + 1));
                            users[block.index()].store(false, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    assert_eq!((pool.available(), pool.stats().refused), (8, 0));
}

/// Guards objects: one user at a time, no more kept than allowed, each dropped once.
#[test]
fn objects() {
    static ALIVE: AtomicUsize = AtomicUsize::new(0);
    struct Counted(Box<usize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            ALIVE.fetch_sub(1, Ordering::Relaxed);
        }
    }
    let make = || {
        ALIVE.fetch_add(1, Ordering::Relaxed);
        Counted(Box::new(0))
    };
    let pool = ObjectPool::new(make, 3);
    let end = until();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while Instant::now() < end {
                    for _ in 0..100 {
                        let (mut first, mut second) = (pool.get(), pool.get_owned());
                        for object in [&mut *first, &mut *second] {
                            let before = *object.0;
                            *object.0 += 1;
                            assert_eq!(*object.0, before + 1);
                        }
                    }
                    assert!(pool.idle() <= 3);
                }
            });
        }
    });
    let stats = pool.stats();
    assert_eq!((stats.in_use(), stats.made - stats.dropped), (0, stats.idle as u64));
    assert_eq!(ALIVE.load(Ordering::Relaxed), stats.idle);
    drop(pool);
    assert_eq!(ALIVE.load(Ordering::Relaxed), 0);
}
