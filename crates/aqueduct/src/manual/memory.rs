//! Memory that comes back: `aqueduct::pool`.
//!
//! # When a pool pays
//!
//! A buffer of a few hundred bytes is the allocator's business: it needs 5 to 9 ns, and a pool does not need less. From 4 KiB on allocators leave their
//! fast paths, and a large buffer that goes back to the operating system is paid for page by page when it is needed again: microseconds for what a
//! pool does in nanoseconds. A pool pays, then, for **buffers of 4 KiB and more that come and go**: request bodies, compressed batches,
//! slabs that small pieces are copied into.
//!
//! # Which of the three
//!
//! | you need | take |
//! |---|---|
//! | buffers of various sizes, filled here and freed elsewhere | [`BufferPool`](crate::pool::BufferPool) |
//! | memory that is allocated once and never grows | [`BlockPool`](crate::pool::BlockPool) |
//! | objects that are dear to make: compression contexts, connections, parsers | [`ObjectPool`](crate::pool::ObjectPool) |
//!
//! # Reading a body
//!
//! A [`PooledBuf`](crate::pool::PooledBuf) is a writer, a `BufMut` and a slice. Frozen, it is `Bytes` like any other, and the memory returns to the pool
//! when the last slice of it is dropped, on whichever thread that happens:
//!
//! ```
//! use std::io::{Read, Write};
//! use aqueduct::pool::{BufferPool, BufferPoolConfig};
//!
//! let pool = BufferPool::new(BufferPoolConfig::default().with_max_bytes(16 << 20));
//! let mut body = pool.take(8 * 1024);
//! std::io::copy(&mut (&b"a request"[..]).take(1 << 20), &mut body)?;
//! body.write_all(b", and its end")?;
//! let body = body.freeze();
//! let head = body.slice(..9);
//! drop(body);
//! assert_eq!((&head[..], pool.stats().in_use()), (&b"a request"[..], 1));
//! drop(head);
//! assert_eq!(pool.stats().in_use(), 0);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Bounds
//!
//! [`take`](crate::pool::BufferPool::take) never fails: past the cap it hands out memory that is counted and freed afterwards rather than kept. Where the cap has to be a cap,
//! [`try_take`](crate::pool::BufferPool::try_take) refuses, and the refusal is the place to slow a client down. `stats` tells both apart: a growing `over_cap` says that the cap
//! is too small for the load, a growing `made` that buffers are held for longer than they are reused.
//!
//! # Objects
//!
//! The factory runs outside of any lock, so that a slow one holds nobody up; what is invalid when it comes back or is taken is dropped; the bound
//! holds on every way back:
//!
//! ```
//! use aqueduct::pool::ObjectPool;
//!
//! let pool = ObjectPool::config(8).with_reset(Vec::clear).build(|| Vec::<u8>::with_capacity(64 * 1024));
//! {
//!     let mut scratch = pool.get();
//!     scratch.extend_from_slice(b"work");
//! }
//! let scratch = pool.get();
//! assert!(scratch.is_empty() && scratch.capacity() >= 64 * 1024);
//! ```
