//! Threads that begin together, and what they cost.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A barrier that spins, then yields: those who wait behind it begin within a fraction of a microsecond where there is a core for each.
#[derive(Debug)]
pub(super) struct Barrier {
    parties: usize,
    arrived: AtomicUsize,
}

impl Barrier {
    pub(super) fn new(parties: usize) -> Barrier {
        Barrier { parties, arrived: AtomicUsize::new(0) }
    }

    pub(super) fn wait(&self) {
        let number = self.arrived.fetch_add(1, Ordering::AcqRel);
        let all = (number / self.parties + 1) * self.parties;
        let mut patience = Patience::new();
        while self.arrived.load(Ordering::Acquire) < all {
            patience.wait();
        }
    }
}

/// How everybody here waits for others: spins a little, then yields.
#[derive(Debug)]
pub(super) struct Patience(u32);

impl Patience {
    pub(super) fn new() -> Patience {
        Patience(0)
    }

    pub(super) fn wait(&mut self) {
        self.0 += 1;
        if self.0 < 64 { spin_loop() } else { thread::yield_now() }
    }
}

/// The CPU time of the calling thread.
pub(super) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}
