//! The traps of the sketches that this crate replaces, each shown not to be one here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aqueduct_exec::{JobError, Order, WorkStealingQueue};

use super::join::block_on;
use super::tools::{LONG, pool};

/// The sketch looked for a result every 10 ms: no answer came sooner, and after a hundred looks it gave up. Here whoever waits is woken:
/// a hundred answers, one after the other, take nowhere near a hundred times 10 ms.
#[test]
fn polling_for_results_every_10_ms() {
    let pool = pool(1);
    let ask = || {
        let start = Instant::now();
        for n in 0..100 {
            assert_eq!(pool.spawn(move || n).unwrap().join(), Ok(n));
            assert_eq!(block_on(pool.spawn(move || n).unwrap()), Ok(n));
        }
        start.elapsed()
    };
    // The best of three, for the sake of a busy machine. Polling would take 2 s each time.
    let best = (0..3).map(|_| ask()).min().unwrap();
    assert!(best < Duration::from_millis(500), "{best:?}");
}

/// The sketch inserted each result into a map and never removed one. Here a result lives with its handle: taken, it is the caller's; not
/// wanted, it is dropped when the job ends.
#[test]
fn results_kept_for_ever() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
    let alive = Arc::new(AtomicUsize::new(0));
    let pool = pool(1);
    let spawn = || {
        let alive = Arc::clone(&alive);
        let job = move || {
            alive.fetch_add(1, Ordering::Relaxed);
            Counted(alive)
        };
        pool.spawn(job).unwrap()
    };
    for _ in 0..1000 {
        drop(spawn());
        drop(spawn().join().unwrap());
        // A caller that gave up waiting: the sketch leaked the result that came later.
        let mut slow = spawn();
        let given_up = slow.join_deadline(Instant::now());
        assert!(matches!(given_up, Ok(_) | Err(JobError::TimedOut)));
    }
    assert!(pool.shut_down(LONG).drained);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

/// The sketch was a mutex around a `VecDeque`: thieves stood in the owner's way, `try_lock` missed items that were there, and a
/// panicking thread poisoned it for all. Here a thief that never lets go of the processor's attention does not block the owner, nothing is missed,
/// and a thread that panics with an item in its hands harms nobody.
#[test]
fn mutexes_around_vec_deque() {
    const ITEMS: usize = 100_000;
    let queue = WorkStealingQueue::new(Order::Lifo);
    let stolen = AtomicUsize::new(0);
    let left = AtomicUsize::new(ITEMS);
    thread::scope(|scope| {
        for thief in 0..3 {
            let stealer = queue.stealer();
            let (stolen, left) = (&stolen, &left);
            scope.spawn(move || {
                while left.load(Ordering::Relaxed) > 0 {
                    let Some(item) = stealer.steal() else { continue };
                    stolen.fetch_add(1, Ordering::Relaxed);
                    left.fetch_sub(1, Ordering::Relaxed);
                    if thief == 0 && item % 1000 == 0 {
                        let caught = std::panic::catch_unwind(|| panic!("with an item in its hands"));
                        assert!(caught.is_err());
                    }
                }
            });
        }
        for item in 0..ITEMS {
            queue.push(item);
            if item % 3 == 0 && queue.pop().is_some() {
                left.fetch_sub(1, Ordering::Relaxed);
            }
        }
        while queue.pop().is_some() {
            left.fetch_sub(1, Ordering::Relaxed);
        }
    });
    assert_eq!(left.load(Ordering::Relaxed), 0, "each item was had once");

    // `None` means empty: with nobody else about, an item that is there is got.
    queue.push(1);
    assert_eq!(queue.stealer().steal(), Some(1));
}
