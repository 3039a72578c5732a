//! Byte buffers in size classes, with magazines per thread over a shared depot.
//!
//! The design is that of Bonwick and Adams, "Magazines and Vmem: Extending the Slab Allocator to Many CPUs and Arbitrary Resources"
//! (USENIX 2001), with threads in the place of processors.
//!
//! # Where a piece of memory can be
//!
//! ```text
//!            make                take                     drop
//! allocator ------> (in hand) <-------- rack of a thread <------ PooledBuf
//!     ^                                   |        ^
//!     | over the cap, trim, closed        | spill  | refill      half a rack at a time, under the lock of one class
//!     +-----------------------------------+- depot +
//! ```
//!
//! A [`Memory`](memory::Memory) has one owner at any time: a `PooledBuf`, a slot of one thread's rack, a shelf of the depot, or a local
//! variable on the way between two of those. Racks are touched by their thread only; shelves under their lock.
//!
//! # What keeps the pool's state alive
//!
//! *Each piece of memory owns one strong count of the pool's `Arc<Shared>`*, from the moment it is made until it is given back to
//! the allocator, wherever it is meanwhile. A `PooledBuf` may therefore use its raw pointer to `Shared` without counting
//! anything when it is taken or dropped, and the last of them to go frees the state of a pool whose handles are long gone.
//!
//! # Closing and trimming
//!
//! `Shared::epoch` grows by 2 with each trim, and its lowest bit is set when the last handle is dropped. A thread compares it with the
//! value its cache has seen, on every operation; if they differ, it gives what its racks hold to the allocator. The comparison may be
//! stale by a moment: then memory goes to a rack once more and leaves at the thread's next operation, or at its end. What may *not* happen is
//! that memory enters the depot after the closing drained it, for nobody would take it out again: so each shelf says, under its lock, whether
//! it is open.

mod config;
mod depot;
mod local;
mod memory;
mod pool;
mod pooled;
mod shared;
mod size;
mod stats;
mod traits;

pub use config::BufferPoolConfig;
pub use pool::BufferPool;
pub use pooled::PooledBuf;
pub use stats::PoolStats;
