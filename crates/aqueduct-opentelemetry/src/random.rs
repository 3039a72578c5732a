//! Random numbers of a thread, other ones in each process.
//!
//! A forked child inherits the state of its parent's generators and would draw the same ids. Each draw compares the generation of the fork with the one that
//! the state was seeded in, which is a load and a branch, and seeds anew if it is another.

use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aqueduct_exec::fork;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng, TryRng};

/// A generator and the generation of the process that seeded it.
struct Seeded {
    generation: u64,
    random: Xoshiro256PlusPlus,
}

thread_local! {
    // Without a destructor, so that it is there to the thread's end. Used where it lies: moving the state out and in again takes longer than drawing.
    static RANDOM: RefCell<Option<Seeded>> = const { RefCell::new(None) };
}

/// Calls with the calling thread's generator, seeded by this process. `draw` must not call this itself.
#[inline]
pub(crate) fn with<R>(draw: impl FnOnce(&mut Xoshiro256PlusPlus) -> R) -> R {
    let generation = fork::generation();
    RANDOM.with_borrow_mut(|slot| match slot {
        Some(seeded) if seeded.generation == generation => draw(&mut seeded.random),
        slot => draw(&mut slot.insert(Seeded { generation, random: anew() }).random),
    })
}

#[cold]
fn anew() -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::from_seed(seed())
}

/// What the system has to give. Should it have nothing, the time, the process and a count are mixed: ids would still differ.
#[cold]
pub(crate) fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    if getrandom::fill(&mut seed).is_err() {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mixed = (since.as_nanos() as u64)
            ^ u64::from(std::process::id()).rotate_left(40)
            ^ COUNT.fetch_add(1, Ordering::Relaxed).rotate_left(20);
        Xoshiro256PlusPlus::seed_from_u64(mixed).fill_bytes(&mut seed);
    }
    seed
}

/// The calling thread's generator as an argument: nothing is seeded before a number is asked for.
#[derive(Debug)]
pub(crate) struct OfThisThread;

impl TryRng for OfThisThread {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(with(Rng::next_u32))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(with(Rng::next_u64))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        with(|random| random.fill_bytes(bytes));
        Ok(())
    }
}
