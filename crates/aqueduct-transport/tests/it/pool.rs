//! Every option and promise of a connection pool, with toy connections and a clock that runs as fast as it can.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aqueduct_transport::{
    Connect, ConnectionPool, PoolConfig, PoolError, PoolStatus, PooledConnection, Retired,
};
use tokio::time::{Instant, sleep};

/// What the toys of one pool do, and what became of them.
#[derive(Debug, Default)]
struct Script {
    capacity: AtomicUsize,
    /// How long connecting takes, in milliseconds.
    delay: AtomicUsize,
    fails: AtomicBool,
    panics: AtomicBool,
    check_fails: AtomicBool,
    check_hangs: AtomicBool,
    opened: AtomicUsize,
    alive: AtomicUsize,
    most: AtomicUsize,
    checks: AtomicUsize,
    broken: Mutex<BTreeSet<usize>>,
}

#[derive(Clone, Debug)]
struct Toys(Arc<Script>);

#[derive(Debug)]
struct Toy {
    number: usize,
    script: Arc<Script>,
}

impl Drop for Toy {
    fn drop(&mut self) {
        self.script.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connect for Toys {
    type Connection = Toy;
    type Error = &'static str;

    async fn connect(&self) -> Result<Toy, &'static str> {
        let script = self.0.clone();
        sleep(Duration::from_millis(script.delay.load(Ordering::Relaxed) as u64)).await;
        assert!(!script.panics.load(Ordering::Relaxed), "asked to");
        if script.fails.load(Ordering::Relaxed) {
            return Err("nobody there");
        }
        let number = script.opened.fetch_add(1, Ordering::Relaxed);
        let alive = script.alive.fetch_add(1, Ordering::Relaxed) + 1;
        script.most.fetch_max(alive, Ordering::Relaxed);
        Ok(Toy { number, script })
    }

    fn capacity(&self, _: &Toy) -> usize {
        self.expected_capacity()
    }

    fn expected_capacity(&self) -> usize {
        self.0.capacity.load(Ordering::Relaxed)
    }

    fn is_usable(&self, toy: &Toy) -> bool {
        !self.0.broken.lock().expect("no panic").contains(&toy.number)
    }

    async fn check(&self, _: &Toy) -> bool {
        self.0.checks.fetch_add(1, Ordering::Relaxed);
        if self.0.check_hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        !self.0.check_fails.load(Ordering::Relaxed)
    }
}

type Pool = Arc<ConnectionPool<Toys>>;

/// A pool that connects in 10 ms, with these changes to the defaults.
fn pool(change: impl FnOnce(&mut PoolConfig, &Script)) -> (Pool, Arc<Script>) {
    let script = Arc::new(Script::default());
    script.capacity.store(1, Ordering::Relaxed);
    script.delay.store(10, Ordering::Relaxed);
    let mut config = PoolConfig::default();
    change(&mut config, &script);
    let pool = ConnectionPool::new(Toys(script.clone()), config).expect("valid");
    (Arc::new(pool), script)
}

async fn acquire(pool: &Pool) -> PooledConnection<Toys> {
    pool.acquire().await.expect("a connection")
}

/// So many uses at once.
async fn acquire_all(pool: &Pool, count: usize) -> Vec<PooledConnection<Toys>> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(acquire(pool).await);
    }
    all
}

async fn pass(seconds: f64) {
    sleep(Duration::from_secs_f64(seconds)).await;
}

fn load(counter: &AtomicUsize) -> usize {
    counter.load(Ordering::Relaxed)
}

fn retired(change: impl FnOnce(&mut Retired)) -> Retired {
    let mut retired = Retired::default();
    change(&mut retired);
    retired
}

/// Guards `min_connections`, and laziness before.
#[tokio::test(start_paused = true)]
async fn min_connections_are_kept_from_the_first_use_on() {
    let (pool, script) = pool(|config, _| config.min_connections = 3);
    pass(1000.0).await;
    assert_eq!(pool.status(), PoolStatus::default());
    drop(acquire(&pool).await);
    pass(1.0).await;
    let status = pool.status();
    assert_eq!((status.open, status.idle, status.connects), (3, 3, 3));
    // One breaks; the next check of the idle ones finds out.
    script.broken.lock().expect("no panic").insert(0);
    pass(31.0).await;
    let status = pool.status();
    assert_eq!((status.open, status.connects, status.retired), (3, 4, retired(|r| r.unusable = 1)));
}

/// Guards `max_connections` and `acquire_timeout`: the one too many waits that long and is told so.
#[tokio::test(start_paused = true)]
async fn an_exhausted_pool_says_so_in_time() {
    let (pool, script) = pool(|config, _| config.max_connections = 2);
    let held = acquire_all(&pool, 2).await;
    let started = Instant::now();
    let error = pool.acquire().await.expect_err("both are in use");
    assert!(matches!(error, PoolError::Exhausted(limit) if limit.as_secs() == 5), "{error}");
    assert_eq!(started.elapsed(), Duration::from_secs(5));
    let status = pool.status();
    assert_eq!((status.in_use, status.exhausted, status.waiting, load(&script.most)), (2, 1, 0, 2));
    drop(held);
    assert!(acquire(&pool).await.is_reused());
}

/// Guards `connect_timeout`.
#[tokio::test(start_paused = true)]
async fn connecting_has_a_limit() {
    let (pool, script) = pool(|config, script| {
        config.acquire_timeout = Duration::from_secs(60);
        script.delay.store(3_600_000, Ordering::Relaxed);
    });
    let started = Instant::now();
    let error = pool.acquire().await.expect_err("an hour is too long");
    assert!(matches!(error, PoolError::ConnectTimeout(_)), "{error}");
    assert_eq!((started.elapsed(), pool.status().connect_failures), (Duration::from_secs(5), 1));
    assert_eq!(load(&script.opened), 0);
}

/// Guards `idle_timeout`: down to the minimum, whatever checks happen in between.
#[tokio::test(start_paused = true)]
async fn idle_connections_are_closed_down_to_the_minimum() {
    let (pool, script) = pool(|_, _| {});
    drop(acquire_all(&pool, 4).await);
    pass(89.0).await;
    assert_eq!(pool.status().open, 4);
    assert!(load(&script.checks) >= 8, "checked at 30 and 60 s: {script:?}");
    pass(2.0).await;
    let status = pool.status();
    assert_eq!((status.open, status.retired), (1, retired(|r| r.idle = 3)));
    assert_eq!(load(&script.alive), 1);
}

/// Guards `health_check_interval`: idle ones are checked, used ones are not, and who fails is replaced; a check that hangs
/// has failed.
#[tokio::test(start_paused = true)]
async fn idle_connections_are_checked() {
    let (pool, script) = pool(|config, _| config.idle_timeout = None);
    let held = acquire(&pool).await;
    pass(100.0).await;
    assert_eq!(load(&script.checks), 0);
    drop(held);
    pass(29.0).await;
    assert_eq!(load(&script.checks), 0);
    pass(62.0).await;
    assert_eq!(load(&script.checks), 3);
    script.check_fails.store(true, Ordering::Relaxed);
    pass(30.0).await;
    let status = pool.status();
    assert_eq!((status.open, status.connects, status.retired), (1, 2, retired(|r| r.unhealthy = 1)));
    script.check_fails.store(false, Ordering::Relaxed);
    script.check_hangs.store(true, Ordering::Relaxed);
    pass(30.0 + 5.0 + 1.0).await;
    assert_eq!(pool.status().retired.unhealthy, 2);
    assert_eq!(acquire(&pool).await.number, 2);
}

/// Guards `max_age` and its jitter: those opened together retire apart, uses in progress go on, and new ones go elsewhere.
#[tokio::test(start_paused = true)]
async fn old_connections_retire() {
    let (pool, script) = pool(|config, _| {
        config.min_connections = 4;
        config.max_age = Some(Duration::from_secs(100));
        config.max_age_jitter = 0.5;
        config.idle_timeout = None;
    });
    drop(acquire(&pool).await);
    pass(49.0).await;
    assert_eq!(pool.status().retired, Retired::default());
    let mut at = BTreeSet::new();
    for _ in 0..110 * 10 {
        pass(0.1).await;
        at.insert(pool.status().retired.aged.min(4));
    }
    assert!(at.len() > 2, "they went one by one: {at:?}");
    assert!(pool.status().retired.aged >= 4);
    assert_eq!(pool.status().open, 4);

    script.capacity.store(2, Ordering::Relaxed);
    let (pool, script) = self::pool(|config, script| {
        config.max_age = Some(Duration::from_secs(100));
        script.capacity.store(2, Ordering::Relaxed);
    });
    let long = acquire(&pool).await;
    pass(111.0).await;
    let status = pool.status();
    assert_eq!((status.draining, status.in_use, status.retired.aged), (1, 1, 1));
    assert_ne!(acquire(&pool).await.number, long.number);
    assert_eq!(load(&script.alive), 2);
    drop(long);
    assert_eq!((load(&script.alive), pool.status().draining), (1, 0));
}

/// Guards `max_connections` for those that bear one use: one that grows old in use is closed when the use ends, and
/// not replaced before.
#[tokio::test(start_paused = true)]
async fn an_old_connection_in_use_counts() {
    let (pool, script) = pool(|config, _| {
        config.max_connections = 1;
        config.max_age = Some(Duration::from_secs(10));
    });
    let held = acquire(&pool).await;
    pass(20.0).await;
    assert!(matches!(pool.acquire().await, Err(PoolError::Exhausted(_))));
    drop(held);
    assert_eq!(acquire(&pool).await.number, 1);
    assert_eq!(load(&script.most), 1);
}

/// Guards `resize`, in both directions, and the uses in progress.
#[tokio::test(start_paused = true)]
async fn the_size_changes_while_in_use() {
    let (pool, script) = pool(|config, _| config.max_connections = 8);
    let mut held = acquire_all(&pool, 6).await;
    drop(held.split_off(4));
    pool.resize(1, 2).expect("valid");
    let status = pool.status();
    assert_eq!((status.open, status.in_use, status.retired), (4, 4, retired(|r| r.resized = 2)));
    assert_eq!(load(&script.alive), 4, "the idle ones went at once");
    let mut waiting = pin!(pool.acquire());
    assert!(poll_once(waiting.as_mut()).is_none());
    held.pop();
    held.pop();
    assert_eq!(pool.status().open, 2);
    assert!(poll_once(waiting.as_mut()).is_none(), "two are still in use");
    held.pop();
    waiting.await.expect("a connection");
    pool.resize(4, 4).expect("valid");
    pass(1.0).await;
    assert_eq!(pool.status().open, 4);
    for (min, max) in [(2, 1), (0, 0), (0, 1025)] {
        assert!(pool.resize(min, max).is_err());
    }
    assert_eq!(pool.status().open, 4);
}

/// Guards a connection against the impatience of the one for whom it is opened.
#[tokio::test(start_paused = true)]
async fn a_cancelled_acquire_wastes_no_connection() {
    let (pool, script) = pool(|_, _| {});
    let given_up = tokio::time::timeout(Duration::from_millis(5), pool.acquire()).await;
    assert!(given_up.is_err());
    assert_eq!((pool.status().waiting, pool.status().connecting), (0, 1));
    pass(1.0).await;
    assert_eq!((pool.status().idle, load(&script.opened)), (1, 1));
    assert_eq!(acquire(&pool).await.number, 0);
}

/// Guards the line: first come, first served, also when somebody in it gives up, at whatever moment.
#[tokio::test(start_paused = true)]
async fn the_line_is_served_in_order() {
    let (pool, _) = pool(|config, _| config.max_connections = 1);
    let mut held = acquire(&pool).await;
    let served = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for number in 0..6 {
        let (pool, served) = (pool.clone(), served.clone());
        tasks.push(tokio::spawn(async move {
            let _held = acquire(&pool).await;
            served.lock().expect("no panic").push(number);
        }));
        pass(0.001).await;
    }
    assert_eq!(pool.status().waiting, 6);
    tasks[2].abort();
    pass(0.001).await;
    assert_eq!(pool.status().waiting, 5);
    drop(held);
    // Served, and aborted before it could take what it was handed.
    tasks[0].abort();
    pass(1.0).await;
    assert_eq!(*served.lock().expect("no panic"), [1, 3, 4, 5]);
    assert_eq!((pool.status().in_use, pool.status().open), (0, 1));
    held = acquire(&pool).await;
    assert!(held.is_reused());
}

/// Guards `discard`, and the account of who has left.
#[tokio::test(start_paused = true)]
async fn a_discarded_connection_does_not_come_back() {
    let (pool, script) = pool(|config, _| config.min_connections = 0);
    acquire(&pool).await.discard();
    assert_eq!(load(&script.alive), 0);
    assert_eq!(pool.status().retired, retired(|r| r.discarded = 1));
    let second = acquire(&pool).await;
    assert_eq!((second.number, second.is_reused()), (1, false));
}

/// Guards connections that bear many uses: spread over the least used, and shared by those who wait.
#[tokio::test(start_paused = true)]
async fn uses_are_spread() {
    let (pool, script) = pool(|config, script| {
        config.min_connections = 2;
        script.capacity.store(10, Ordering::Relaxed);
    });
    let first = acquire(&pool).await;
    pass(1.0).await;
    let mut held = acquire_all(&pool, 19).await;
    let on_first = held.iter().filter(|held| held.number == first.number).count();
    assert_eq!((on_first, load(&script.opened)), (9, 2));
    held.push(acquire(&pool).await);
    assert_eq!(load(&script.opened), 3, "used up, so there is a third");
    drop((first, held));
    // Ten at once need one connection, not ten.
    let (pool, script) = self::pool(|_, script| script.capacity.store(10, Ordering::Relaxed));
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { acquire(&pool).await })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    assert_eq!(load(&script.opened), 1);
}

/// Guards the telling of failures, whether a connector fails or panics, and the recovery from both.
#[tokio::test(start_paused = true)]
async fn failures_are_told() {
    let (pool, script) = pool(|config, _| config.min_connections = 0);
    script.fails.store(true, Ordering::Relaxed);
    let (a, b) = tokio::join!(pool.acquire(), pool.acquire());
    for error in [a.expect_err("nobody"), b.expect_err("nobody")] {
        assert!(matches!(&error, PoolError::Connect(reason) if **reason == "nobody there"), "{error}");
        assert_eq!(error.to_string(), "connecting failed: nobody there");
    }
    script.fails.store(false, Ordering::Relaxed);
    script.panics.store(true, Ordering::Relaxed);
    assert!(matches!(pool.acquire().await, Err(PoolError::Aborted)));
    assert_eq!((pool.status().connecting, pool.status().connect_failures), (0, 3));
    script.panics.store(false, Ordering::Relaxed);
    acquire(&pool).await;
}

/// Guards the minimum against a peer that is away for a while: tried again at growing intervals, and found.
#[tokio::test(start_paused = true)]
async fn the_minimum_comes_back_after_an_outage() {
    let (pool, script) = pool(|config, _| config.min_connections = 2);
    drop(acquire(&pool).await);
    pass(1.0).await;
    script.fails.store(true, Ordering::Relaxed);
    script.broken.lock().expect("no panic").extend([0, 1]);
    pass(3600.0).await;
    let failures = pool.status().connect_failures;
    assert!((100..400).contains(&failures), "{failures} in an hour");
    script.fails.store(false, Ordering::Relaxed);
    pass(31.0).await;
    assert_eq!(pool.status().open, 2);
}

/// Guards the end: idle connections and those under way end with the pool, uses in progress in peace.
#[tokio::test(start_paused = true)]
async fn a_dropped_pool_closes_what_nobody_uses() {
    let (pool, script) = pool(|_, _| {});
    let held = acquire(&pool).await;
    drop(acquire_all(&pool, 2).await);
    script.delay.store(4000, Ordering::Relaxed);
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let pool = pool.clone();
        waiting.push(tokio::spawn(async move { pool.acquire().await.map(drop) }));
    }
    pass(0.001).await;
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    pass(0.001).await;
    drop(pool);
    assert_eq!((held.number, load(&script.alive)), (0, 1));
    pass(10.0).await;
    assert_eq!(load(&script.opened), 3, "the one under way was given up");
    drop(held);
    assert_eq!(load(&script.alive), 0);
}

/// Guards against a pool without a runtime, and one whose runtime has ended.
#[test]
fn a_pool_moves_to_another_runtime() {
    let (pool, script) = pool(|config, _| config.min_connections = 2);
    assert!(matches!(poll_once(pin!(pool.acquire())), Some(Err(PoolError::NoRuntime))));
    for round in 1..=3 {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("descriptors");
        runtime.block_on(async {
            drop(acquire(&pool).await);
            while pool.status().open < 2 {
                tokio::task::yield_now().await;
                sleep(Duration::from_millis(1)).await;
            }
        });
        drop(runtime);
        assert_eq!(pool.status().retired, retired(|r| r.runtime_ended = 2 * round));
        assert_eq!((pool.status().connecting, load(&script.alive)), (0, 0));
    }
}

/// Guards everything at once, on threads that really run at the same time: the maximum, every use given back, nobody
/// forgotten.
#[test]
fn many_threads_share_a_pool() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("threads");
    runtime.block_on(async {
        let (pool, script) = pool(|config, script| {
            config.max_connections = 3;
            config.acquire_timeout = Duration::from_secs(60);
            script.delay.store(0, Ordering::Relaxed);
        });
        let tasks: Vec<_> = (0..16)
            .map(|task| {
                let pool = pool.clone();
                tokio::spawn(async move {
                    for turn in 0..200 {
                        if (task + turn) % 7 == 0 {
                            // Given up at once, in whatever state it is.
                            let _ = poll_once(pin!(pool.acquire()));
                            continue;
                        }
                        let held = acquire(&pool).await;
                        tokio::task::yield_now().await;
                        if (task + turn) % 11 == 0 {
                            held.discard();
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
        let status = pool.status();
        assert_eq!((status.in_use, status.waiting, status.exhausted), (0, 0, 0));
        assert!(load(&script.most) <= 3, "{script:?}");
    });
}

/// Polls once, without a task to wake.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
