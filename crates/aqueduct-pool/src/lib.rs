//! Memory that comes back: byte buffers that freeze into `Bytes`, fixed blocks, and objects that are dear to make.
//!
//! ```text
//! L6  aqueduct-gateway
//! L5  aqueduct
//! L4  aqueduct-opentelemetry
//! L3  aqueduct-pipeline
//! L2  aqueduct-batch   aqueduct-transport   aqueduct-receiver   aqueduct-tune
//! L1  aqueduct-exec   aqueduct-wire   aqueduct-sampling   aqueduct-metrics
//! L0 [aqueduct-pool]   aqueduct-lockfree
//! ```
//!
//! # The problem
//!
//! A server reads a body on one thread, slices it, hands it on, and frees it on another. General allocators are at their weakest there: at a few
//! kibibytes they leave their fast paths, memory freed by another thread takes the long way home, and large pieces go back to the
//! operating system, so that each new one is paid for page by page. A first touch costs microseconds where handing out a warm buffer
//! costs nanoseconds. Home-made pools go wrong in other ways: a mutex that every thread meets at, a bound that the return path
//! forgets, a factory that runs inside the lock, blocks with two owners, contents that the next user can read.
//!
//! # Example
//!
//! ```
//! use aqueduct_pool::{BufferPool, BufferPoolConfig};
//! use bytes::{BufMut, Bytes};
//!
//! let pool = BufferPool::new(BufferPoolConfig::default().with_max_bytes(32 << 20));
//! let (sender, receiver) = std::sync::mpsc::channel::<Bytes>();
//! let consumer = std::thread::spawn(move || receiver.iter().map(|body| body.len()).sum::<usize>());
//! for number in 0..1000 {
//!     let mut body = pool.take(4096);
//!     body.put_slice(format!("body {number}").as_bytes());
//!     let body = body.freeze();
//!     sender.send(body.slice(5..)).expect("the consumer listens");
//! }
//! drop(sender);
//! assert_eq!(consumer.join().expect("the consumer ends"), 10 + 90 * 2 + 900 * 3);
//! assert_eq!((pool.stats().taken, pool.stats().in_use()), (1000, 0));
//! ```
//!
//! # Concepts
//!
//! - A [`BufferPool`] hands out [`PooledBuf`]s in classes of powers of two, from 1 KiB to 4 MiB. A buffer is a slice, a `BufMut` and a writer; it
//!   grows by moving to the next class, and [freezes](PooledBuf::freeze) into `Bytes` that give the memory back with their last slice.
//! - Each thread keeps a *magazine* of idle buffers per class. Behind the magazines stands the *depot*, one locked shelf per class. Magazines
//!   and depot exchange half a magazine at a time, so that memory made here and freed there travels in blocks.
//! - A [`BlockPool`] has a fixed number of blocks of a fixed size, handed out in rotation as [`Block`] (borrowed) or [`OwnedBlock`].
//! - An [`ObjectPool`] keeps objects of any type. It has a factory that may fail, a reset, a validity check, and a bound on what it keeps.
//!
//! # Guarantees
//!
//! - *Ownership.* A buffer, block or object has one user at a time. It comes back when its guard is dropped, on whichever thread, also in a panic.
//! - *Progress.* Taking and dropping a buffer is wait-free where the thread's magazine has one or has room: a fixed number of steps, no atomic
//!   read-modify-write. Otherwise it blocks on the lock of one class for as long as it takes to move 16 addresses, or asks the allocator.
//!   `BlockPool` and the bookkeeping of `ObjectPool` are lock-free: a thread tries again only because another one succeeded.
//! - *Allocation.* A warm `BufferPool` allocates nothing but the small object of a `freeze`. `BlockPool` allocates once, when it is made;
//!   `ObjectPool` its slots then, and objects by its factory.
//! - *Overload.* The cap of a `BufferPool` counts everything: in use, in the depot, in magazines. [`take`](BufferPool::take) goes past it with memory
//!   that is counted and not kept, [`try_take`](BufferPool::try_take) refuses. A `BlockPool` refuses. An `ObjectPool` drops what it has no room for.
//! - *Contents.* Safe code never sees what an earlier user left in a buffer. Blocks are zeroed on return, unless that is switched off.
//! - *Ends.* When a thread ends, its magazines go to the depot. When the last handle of a pool is dropped, idle memory is freed, and what is
//!   out stays valid and is freed as it comes back.
//!
//! # Safety design
//!
//! Three ideas carry the unsafe code, each in a module of its own, whose header has the protocol:
//!
//! - *Memory moves, and is never shared* (`buffer`). A piece of memory lies in one place at a time: a `PooledBuf`, a slot of one thread's magazine, a
//!   shelf under its lock. Magazines are thread-local, and no reference to one outlives an operation.
//! - *Memory keeps its pool alive* (`buffer`). Each piece owns a reference count of the pool's state from when it is made until it is freed, so
//!   that a buffer may name its pool by a pointer that costs nothing to copy.
//! - *A number in a set is a claim* (`slots`). Blocks and objects are named by numbers in a lock-free set; who takes a number owns what it
//!   names, and the set orders one owner before the next.
//!
//! All of it is model-checked with loom, in which each piece of memory is a cell that reports a second user, and stress-tested under
//! AddressSanitizer and ThreadSanitizer.
//!
//! # Limitations
//!
//! - A buffer costs up to twice what was asked for, because classes are powers of two, and an eighth of that up to 4 KiB more: buffers begin on
//!   different cache lines of a page, without which many of them would compete for the same few sets of the caches. The cap does not count
//!   that eighth, nor what the allocator rounds up to.
//! - A thread that no longer uses a pool keeps its magazines until it ends, through [`trim`](BufferPool::trim) and even the end of the pool: nobody
//!   else may touch them. It frees them when it next uses that pool, or for a pool that has ended, when it next takes the slow path of any.
//!   [`magazine_bytes`](BufferPoolConfig::magazine_bytes) bounds what that can be.
//! - A small slice of frozen `Bytes` holds the whole buffer. The `Bytes` cannot be turned back into a buffer.
//! - An `ObjectPool` may, when returns and takes coincide, destroy an object although room was just being made for it.
//! - Nobody waits for a buffer, block or object to come back. Where that is wanted, put a semaphore in front.
//! - Needs 64-bit atomics. 32-bit machines that have them are not tested.
//!
//! # When not to use this crate
//!
//! - For buffers below 1 KiB: allocators of today need 5 to 9 ns for one, and a pool does not need less. At 1 KiB this one and mimalloc draw (5 to
//!   6 ns each in the suite `pool`); from 4 KiB on mimalloc is several times slower.
//! - For objects that are cheap to make: a vector from a good allocator costs less than the four atomic operations of an `ObjectPool`. An uncontended
//!   mutex around a `Vec` is about twice as quick, too; what the pool buys is that nobody waits, and the bounds, hooks and counts.
//! - For blocks as zeroed scratch memory on one thread: `vec![0; 4096]` from mimalloc is quicker. A `BlockPool` is for memory that must not grow.
//!
//! # Features
//!
//! None.
#![allow(unsafe_code)]

mod block;
mod buffer;
mod error;
#[cfg(doctest)]
mod misuse;
mod object;
mod slots;
mod sync;

pub use block::{Block, BlockPool, BlockPoolConfig, BlockPoolStats, OwnedBlock};
pub use buffer::{BufferPool, BufferPoolConfig, PoolStats, PooledBuf};
pub use error::{BuildBlocksError, CapReached, TakeBlockError};
pub use object::{ObjectPool, ObjectPoolConfig, ObjectPoolStats, OwnedPooled, Pooled};
