//! A clock finer than the runtime's.
//!
//! tokio's timers tick once a millisecond, which would send 50 requests at once at 50,000 a second. A thread that only sleeps and
//! rings costs a few per cent of a core and ticks every 100 us.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Shortest time between two ticks. Half of it is the mean delay that the generator adds to an open-loop latency.
const SHORTEST: Duration = Duration::from_micros(100);

/// The thread that ticks. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Pacer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pacer {
    /// Notifies at `start` and then at every multiple of `interval` that is at least 100 us apart.
    pub(crate) fn start(start: Instant, interval: Duration, tick: Arc<Notify>) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let interval = if interval < SHORTEST { SHORTEST } else { interval };
        let run = move || {
            let mut next = start;
            // Relaxed: the flag guards no other memory.
            while !seen.load(Ordering::Relaxed) {
                let now = Instant::now();
                if next > now {
                    // Long intervals are slept in pieces so that stopping does not wait for them.
                    std::thread::sleep((next - now).min(Duration::from_millis(100)));
                    if Instant::now() < next {
                        continue;
                    }
                } else if now - next > interval {
                    // The processor was elsewhere: what was missed is due at once, in one tick.
                    let missed = (now - next).as_nanos() / interval.as_nanos();
                    next += interval.saturating_mul(u32::try_from(missed).unwrap_or(u32::MAX));
                }
                tick.notify_one();
                next += interval;
            }
        };
        let thread = std::thread::Builder::new().name("load-pacer".to_owned()).spawn(run)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // The thread cannot panic, and if it did there is nothing left to pace.
            let _ = thread.join();
        }
    }
}
