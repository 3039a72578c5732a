//! Threads for work: `aqueduct::exec`.
//!
//! # What belongs on a worker pool
//!
//! What takes tens of microseconds or more and would hold up the thread that noticed it: compressing a batch, validating a body of megabytes, hashing. Not I/O, which is an
//! async runtime's work, and not what takes a microsecond, because handing it over costs as much.
//!
//! ```
//! use std::time::Duration;
//! use aqueduct::exec::WorkerPoolConfig;
//!
//! let pool = WorkerPoolConfig::default().with_name("compress").build()?;
//! let job = pool.spawn(|| (0..1_000_000_u64).sum::<u64>()).expect("a new pool has room");
//! assert_eq!(job.join().expect("no panic"), 499_999_500_000);
//!
//! let report = pool.shut_down(Duration::from_secs(5));
//! assert!(report.drained);
//! # Ok::<(), aqueduct::exec::StartError>(())
//! ```
//!
//! A full queue gives the closure back, so that the caller decides: do it here, try later, or refuse. A panic is an error with its message. A handle can be
//! awaited from any executor, or joined with a deadline.
//!
//! # Pinning
//!
//! A pinned thread keeps its caches, and cannot move away from a core that something else occupies. Measure before you keep it. The cores of a container
//! are not numbered from zero; [`CoreSet::allowed`](crate::exec::CoreSet::allowed) asks the kernel which there are:
//!
//! ```
//! use aqueduct::exec::{Affinity, AffinityError, CoreSet};
//!
//! match CoreSet::allowed().and_then(Affinity::new) {
//!     Ok(affinity) => {
//!         let worker = std::thread::spawn(move || affinity.pin_current_thread().map(drop));
//!         worker.join().expect("no panic")?;
//!     }
//!     Err(AffinityError::Unsupported) => println!("not on this platform"),
//!     Err(error) => return Err(error),
//! }
//! # Ok::<(), AffinityError>(())
//! ```
//!
//! `aqueduct run --pin` does this for the threads that receive.
//!
//! # After a fork
//!
//! A forked child has none of its parent's threads. [`fork::generation`](crate::exec::fork::generation) is a number to remember with whatever owns threads: if it has changed, abandon what
//! was inherited and make it anew. Looking costs one load, where asking for the process id costs a system call.
