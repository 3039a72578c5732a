//! Models of how open chunks are written, sealed and closed by several threads, and of how the thread that seals them is woken, checked over their
//! interleavings: `RUSTFLAGS="--cfg crossbeam_loom" cargo test --release -p aqueduct-pipeline --test loom`.
//!
//! The protocols are included as they are. What a chunk is stands here for itself: a list of numbers.
#![cfg(crossbeam_loom)]

#[path = "../src/alarm.rs"]
mod alarm;
#[path = "../src/slots/slot.rs"]
mod slot;
#[path = "../src/sync.rs"]
mod sync;

use std::time::{Duration, Instant};

use alarm::Alarm;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use slot::{Ask, Shut, Slot};

/// With so many preemptions in a run, in addition to those where a thread blocks.
fn model(preemptions: usize, check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 100_000;
    builder.check(check);
}

/// loom has no clock: a wait with this deadline is one without, and a lost answer a deadlock.
fn ever() -> Instant {
    Instant::now() + Duration::from_secs(3_600)
}

/// A slot, and what was sealed in it.
struct Chunks {
    slot: Slot<Vec<u32>>,
    sealed: Mutex<Vec<u32>>,
    /// loom changes threads only where both do something to the same object: so that others find a writer inside, it touches this there, and so do they before they
    /// try.
    touched: AtomicUsize,
}

impl Chunks {
    fn new() -> Arc<Chunks> {
        let (sealed, touched) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
        Arc::new(Chunks { slot: Slot::new(Vec::new()), sealed, touched })
    }

    fn seal(&self, open: &mut Vec<u32>) {
        self.sealed.lock().unwrap().append(open);
    }

    fn touch(&self) {
        self.touched.fetch_add(1, Ordering::Relaxed);
    }

    fn push(&self, number: u32) -> Result<(), Shut> {
        let write = |open: &mut Vec<u32>| {
            self.touch();
            open.push(number);
        };
        self.slot.enter(|open| self.seal(open), write)
    }

    fn ask(&self, ask: Ask) -> bool {
        self.touch();
        self.slot.ask(ask, |open| self.seal(open))
    }

    fn ask_and_wait(&self, ask: Ask) -> bool {
        self.touch();
        self.slot.ask_and_wait(ask, |open| self.seal(open), ever())
    }

    fn sealed(&self) -> Vec<u32> {
        let mut sealed = self.sealed.lock().unwrap().clone();
        sealed.sort_unstable();
        sealed
    }
}

/// Guards the asks: one that finds somebody inside is answered by them, without anybody else's coming by. What was pushed is sealed once.
#[test]
fn an_ask_is_answered_by_who_is_inside() {
    model(4, || {
        let chunks = Chunks::new();
        chunks.push(1).unwrap();
        let other = Arc::clone(&chunks);
        let pusher = thread::spawn(move || other.push(2));
        chunks.ask(Ask::Seal);
        let pushed = pusher.join().unwrap();
        // The ask itself, or who was inside then, has sealed what came before.
        let sealed = chunks.sealed();
        assert!(sealed.contains(&1), "{sealed:?}");
        assert!(chunks.ask(Ask::Close));
        let expected = if pushed.is_ok() { vec![1, 2] } else { vec![1] };
        assert_eq!(chunks.sealed(), expected);
        assert_eq!(chunks.push(3), Err(Shut::Closed));
    });
}

/// Guards a close beside another ask: it is not taken for done when that one is answered.
#[test]
fn a_close_waits_for_its_own_answer() {
    model(4, || {
        let chunks = Chunks::new();
        let (pusher, asker) = (Arc::clone(&chunks), Arc::clone(&chunks));
        let pusher = thread::spawn(move || pusher.push(1).is_ok());
        let asker = thread::spawn(move || _ = asker.ask(Ask::Seal));
        assert!(chunks.ask_and_wait(Ask::Close));
        // Somebody may still be inside, to find that it is closed.
        assert!(chunks.push(2).is_err());
        let pushed = pusher.join().unwrap();
        asker.join().unwrap();
        assert_eq!(chunks.sealed(), if pushed { vec![1] } else { vec![] });
    });
}

/// Guards a shutdown: after it nothing gets in, and what did get in is sealed when it returns, each item once.
#[test]
fn nothing_gets_in_after_a_close() {
    model(3, || {
        let chunks = Chunks::new();
        let push = |number: u32| {
            let chunks = Arc::clone(&chunks);
            thread::spawn(move || (number, chunks.push(number)))
        };
        let pushers = [push(1), push(2)];
        assert!(chunks.ask_and_wait(Ask::Close));
        let at_close = chunks.sealed();
        let done = pushers.map(|pusher| pusher.join().unwrap());
        let taken: Vec<u32> =
            done.iter().filter(|(_, done)| done.is_ok()).map(|(number, _)| *number).collect();
        assert_eq!(at_close, taken);
        assert_eq!(chunks.sealed(), taken, "nothing came later");
        assert_eq!(chunks.push(3), Err(Shut::Closed));
    });
}

/// Guards a flush beside the thread that seals by age: either may find the other inside, and a push at that, and neither waits for ever; what was pushed
/// before the flush is sealed after it.
#[test]
fn a_flush_beside_another_one_and_a_push() {
    model(3, || {
        let chunks = Chunks::new();
        chunks.push(1).unwrap();
        let (sealer, pusher) = (Arc::clone(&chunks), Arc::clone(&chunks));
        let sealer = thread::spawn(move || sealer.ask(Ask::Seal));
        let pusher = thread::spawn(move || pusher.push(2));
        assert!(chunks.ask_and_wait(Ask::Seal));
        assert!(chunks.sealed().contains(&1));
        sealer.join().unwrap();
        let pushed = pusher.join().unwrap();
        assert!(chunks.ask(Ask::Close), "nobody is inside");
        assert_eq!(chunks.sealed(), if pushed.is_ok() { vec![1, 2] } else { vec![1] });
    });
}

/// A sleeper as tokio's `Notify` wakes it: a wake-up that comes early is kept.
#[derive(Default)]
struct Wake(Mutex<bool>, Condvar);

impl Wake {
    fn wake(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_one();
    }

    fn sleep(&self) {
        let mut awake = self.0.lock().unwrap();
        while !std::mem::take(&mut *awake) {
            awake = self.1.wait(awake).unwrap();
        }
    }
}

/// Guards the wake-up of the thread that seals by age: whatever is left for it, it comes to do it. A lost wake-up is a deadlock here.
#[test]
fn an_alarm_loses_no_work() {
    model(3, || {
        let shared = Arc::new((Alarm::new(), Wake::default(), [Mutex::new(0_u32), Mutex::new(0)]));
        let leave = |place: usize| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (alarm, wake, work) = &*shared;
                *work[place].lock().unwrap() += 1;
                if alarm.arm() {
                    wake.wake();
                }
            })
        };
        let leaving = [leave(0), leave(1)];
        let (alarm, wake, work) = &*shared;
        let mut done = 0;
        while done < 2 {
            wake.sleep();
            while let Some(place) = alarm.look(|| work.iter().position(|work| *work.lock().unwrap() > 0)) {
                done += std::mem::take(&mut *work[place].lock().unwrap());
            }
        }
        for thread in leaving {
            thread.join().unwrap();
        }
    });
}
