//! A tuner on a thread of its own.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use aqueduct_tune::{History, Parameters};

use super::tuner::Tuner;

/// Shorter windows tell nothing.
const SHORTEST: Duration = Duration::from_millis(10);

/// A [`Tuner`] that steps by itself; see [`Tuner::spawn`]. Dropping it ends that, and leaves the settings as they are.
#[derive(Debug)]
pub struct RunningTuner {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    tuner: Mutex<Tuner>,
    ended: Mutex<bool>,
    end: Condvar,
}

impl RunningTuner {
    pub(super) fn start(tuner: Tuner, window: Duration) -> io::Result<Self> {
        let window = window.max(SHORTEST);
        let shared =
            Arc::new(Shared { tuner: Mutex::new(tuner), ended: Mutex::new(false), end: Condvar::new() });
        let there = Arc::clone(&shared);
        let thread =
            thread::Builder::new().name("aqueduct-tune".to_owned()).spawn(move || there.run(window))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Looks at the tuner between two steps, or changes it; the next step waits for that.
    pub fn with<R>(&self, look: impl FnOnce(&mut Tuner) -> R) -> R {
        look(&mut self.shared.tuner())
    }

    /// What was changed and what came of it.
    #[must_use]
    pub fn history(&self) -> History {
        self.with(|tuner| tuner.auto().history().clone())
    }

    /// The settings as they are now.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        self.with(|tuner| *tuner.auto().parameters())
    }

    /// How good the last window was, from 0 to 100.
    #[must_use]
    pub fn score(&self) -> f64 {
        self.with(|tuner| tuner.score())
    }
}

impl Shared {
    fn tuner(&self) -> MutexGuard<'_, Tuner> {
        // What a caller's panic left is between two steps.
        self.tuner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, window: Duration) {
        let mut next = Instant::now() + window;
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        while !*ended {
            let left = next.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(ended);
                let now = Instant::now();
                self.tuner().step(now);
                // What took longer than a window makes the next one longer, and is not made up for.
                next = (next + window).max(now + window / 2);
                ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            ended = match self.end.wait_timeout(ended, left) {
                Ok((ended, _)) => ended,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

impl Drop for RunningTuner {
    fn drop(&mut self) {
        *self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.end.notify_all();
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, it has ended as well.
            let _ = thread.join();
        }
    }
}
