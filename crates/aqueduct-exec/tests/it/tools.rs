//! What several tests need.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use aqueduct_exec::{JobHandle, Spawner, WorkerPool, WorkerPoolConfig};

/// Long enough for anything that does not hang, on a busy machine and under a sanitizer.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) fn count(threads: usize) -> NonZeroUsize {
    NonZeroUsize::new(threads).expect("a test asks for threads")
}

pub(crate) fn config(threads: usize) -> WorkerPoolConfig {
    WorkerPoolConfig::default().with_threads(count(threads))
}

pub(crate) fn pool(threads: usize) -> WorkerPool {
    config(threads).build().expect("threads start")
}

/// A job that has begun and goes on until it is let go.
pub(crate) struct Blocked {
    pub(crate) handle: JobHandle<()>,
    release: Sender<()>,
}

impl Blocked {
    /// Returns when the job runs.
    pub(crate) fn on(pool: &Spawner) -> Blocked {
        let (release, wait): (Sender<()>, Receiver<()>) = channel();
        let (began, begun) = channel();
        let job = move || {
            began.send(()).expect("the test waits");
            // A test that fails drops the sender, which is as good.
            let _ = wait.recv();
        };
        let handle = pool.spawn(job).expect("there is room");
        begun.recv().expect("the job begins");
        Blocked { handle, release }
    }

    pub(crate) fn release(self) {
        let Blocked { mut handle, release } = self;
        release.send(()).expect("the job waits");
        handle.join_timeout(LONG).expect("the job ends");
    }
}

/// Seconds a stress test may take.
pub(crate) fn stress() -> Duration {
    let seconds = std::env::var("AQUEDUCT_STRESS_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs_f64(seconds.unwrap_or(1.0))
}
