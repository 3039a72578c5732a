//! Values whose making and dropping are counted, and threads that work together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Runs `work` in so many threads at once, each with its number, and joins them. (The end of a scope alone is an edge that ThreadSanitizer does
/// not see, because the standard library is not instrumented.)
pub(crate) fn together(threads: u64, work: impl Fn(u64) + Sync) {
    thread::scope(|scope| {
        let work = &work;
        let workers: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        workers.into_iter().for_each(|worker| worker.join().expect("a worker ends well"));
    });
}

/// Counts the living among its `Counted`s.
#[derive(Debug, Default)]
pub(crate) struct Census(AtomicUsize, AtomicUsize);

impl Census {
    pub(crate) fn alive(&self) -> usize {
        self.0.load(Ordering::SeqCst) - self.1.load(Ordering::SeqCst)
    }
}

/// A value whose making and dropping are counted; a second drop of the same value panics.
#[derive(Debug)]
pub(crate) struct Counted {
    census: Arc<Census>,
    pub(crate) dropped: bool,
    panics: bool,
}

impl Counted {
    pub(crate) fn new(census: &Arc<Census>) -> Counted {
        census.0.fetch_add(1, Ordering::SeqCst);
        Counted { census: census.clone(), dropped: false, panics: false }
    }

    pub(crate) fn panicking(census: &Arc<Census>) -> Counted {
        let mut counted = Counted::new(census);
        counted.panics = true;
        counted
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        assert!(!self.dropped, "dropped twice");
        self.dropped = true;
        self.census.1.fetch_add(1, Ordering::SeqCst);
        if self.panics {
            std::panic::resume_unwind(Box::new("a destructor that panics"));
        }
    }
}
