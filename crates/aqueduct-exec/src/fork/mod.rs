//! Has this process been forked? Asked with one load instead of one system call.
//!
//! [`generation`] is a number that differs between a process and the children it forks. Whoever holds what a fork breaks (threads,
//! sockets, locks, the state of a random generator) notes it at the start and compares it later. Asking the kernel for the process
//! number would serve too, and costs some 80 ns each time.
//!
//! # In the child
//!
//! After a fork only the thread that called it exists. Locks may be held for ever by threads that do not, and memory may be in the
//! middle of their changes. So, if the generation is another one than noted:
//!
//! - *abandon what was inherited*: forget it, do not drop it. Dropping a pool would wait for threads that do not exist, dropping a
//!   connection would say goodbye on the parent's socket;
//! - *build anew*, lazily, when it is needed. Allocating is fine with the common C libraries, which take care of their own locks.
//!   POSIX promises only async-signal-safe calls until `exec`;
//! - *change nothing the parent sees*: shared descriptors, shared mappings, files.
//!
//! [`WorkerPool`](crate::WorkerPool) does the first by itself: in a child it refuses with `Forked`, and dropping it does nothing. [`PerProcess`] does the first two
//! for a value of any type.
//!
//! # A job that forks
//!
//! The child begins in the middle of the job, on a thread that is a worker of a pool which does not exist there. For the child the job is
//! what `main` is for a program: when it returns, the process ends, with status 0, or 101 if it panicked, and threads that it has started end
//! with it. Nothing of the pool runs after the job, neither another job nor the rest of its batch; its result goes nowhere.
//!
//! What else could be? To go on as a worker would run the parent's jobs a second time. To park for ever would leave a process behind at each
//! fork, with the parent's sockets open. To let the thread end is what POSIX does for a thread of one's own, and ends the process by way
//! of `exit`, which calls the handlers and writes the buffers that the child has inherited, and may wait for their locks for ever. So it is
//! `_exit`, as for any child that does not `exec`: what the job itself wrote, it has to flush.
//!
//! # How
//!
//! The first call installs one handler by `pthread_atfork`, which adds 1 in each child and stays for the life of the process. Children made by
//! other means (`vfork`, a bare `clone` system call, `posix_spawn`) are not seen, and are expected to `exec`.
//!
//! # Safety design
//!
//! Two foreign calls, and the list behind [`PerProcess`], argued there. `_exit` ends the process and asks for nothing. Of `pthread_atfork`, the handler touches one static atomic, which is
//! async-signal-safe, and does not unwind. A shared library that is unloaded takes its handlers with it where the C library supports that
//! (glibc and musl do not unload Rust's libraries while their threads have destructors; the handler is registered with the library's own handle
//! by glibc).

mod per_process;

use std::sync::atomic::{AtomicU64, Ordering};

pub use per_process::PerProcess;

/// 0: no handler yet. Otherwise the generation: written by the installation, and by the handler in a child, which has one thread at
/// that time; read by everybody.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// A number that stays the same for the life of this process and differs in each child it forks (and in their children). At least 1.
///
/// # Examples
///
/// ```
/// use aqueduct_exec::fork;
///
/// let noted = fork::generation();
/// // ... later, perhaps in another process:
/// if fork::generation() != noted {
///     // The threads and sockets of then are not ours.
/// }
/// # assert_eq!(fork::generation(), noted);
/// ```
///
/// # Platforms
///
/// Always 1 where there is no fork, and if the C library cannot take a handler (it is out of memory).
///
/// # Progress
///
/// A load, and a branch that goes the same way each time. The first call also installs the handler.
#[inline]
#[must_use]
pub fn generation() -> u64 {
    // Relaxed: within a process the number changes once, from 0, and whoever sees 0 goes through the lock. In a child it is
    // changed by its only thread, before anything else runs.
    match GENERATION.load(Ordering::Relaxed) {
        0 => first(),
        generation => generation,
    }
}

#[cold]
fn first() -> u64 {
    // No lock: a child that is forked while a thread of its parent holds one would wait for ever. Threads that come here at the same
    // time install a handler each, and a child then counts further than by 1, which is as good. What matters is the order: nobody learns
    // a generation before a handler stands.
    sys::install();
    // Relaxed: see `generation`. If it is not 0 any more, another thread was first, or the handler in a child.
    let before = GENERATION.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed);
    before.map_or_else(|generation| generation, |_| 1)
}

/// The end of a child that was forked by a job, when that job is over. See the module.
#[cold]
pub(crate) fn end_child(returned: bool) -> ! {
    // As from `main`.
    sys::end(if returned { 0 } else { 101 })
}

#[cfg(unix)]
mod sys {
    use super::{GENERATION, Ordering};

    pub(super) fn end(status: i32) -> ! {
        // SAFETY: it has no conditions, and does not return.
        unsafe { libc::_exit(status) }
    }

    type Handler = Option<unsafe extern "C" fn()>;

    // The libc crate leaves it out on Linux, where the C libraries have it.
    unsafe extern "C" {
        fn pthread_atfork(prepare: Handler, parent: Handler, child: Handler) -> libc::c_int;
    }

    /// Runs in a child, on its only thread, before `fork` returns.
    extern "C" fn child() {
        GENERATION.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn install() {
        // SAFETY: the declaration is that of POSIX. `child` is a function of this program, valid for as long as the code is loaded;
        // it is async-signal-safe and does not unwind. On failure nothing is registered, and the generation stays 1.
        let _ = unsafe { pthread_atfork(None, None, Some(child)) };
    }
}

#[cfg(not(unix))]
mod sys {
    pub(super) fn end(status: i32) -> ! {
        std::process::exit(status)
    }

    pub(super) fn install() {}
}
