//! The handle of a pool of buffers.

use std::fmt;

use super::config::BufferPoolConfig;
use super::pooled::PooledBuf;
use super::shared::{Excess, Shared};
use super::size::capacity_for;
use super::stats::PoolStats;
use crate::error::CapReached;
use crate::sync::Arc;

/// A pool of byte buffers in size classes of powers of two, from 1 KiB to 4 MiB.
///
/// Taking and dropping a buffer costs a few nanoseconds on any number of threads, because each thread keeps a magazine of idle buffers
/// of its own; a lock is taken once for half a magazine, up to 16 buffers. Handles are cheap to clone and name the same pool. When the last one is
/// dropped, idle memory is freed, and buffers that are still out free theirs when they are dropped.
///
/// Larger buffers than 4 MiB can be asked for too. They come from the allocator, go back there, and count against the cap.
///
/// # Examples
///
/// ```
/// use aqueduct_pool::{BufferPool, BufferPoolConfig};
/// use bytes::BufMut;
///
/// let pool = BufferPool::new(BufferPoolConfig::default().with_max_bytes(8 << 20));
/// let mut buffer = pool.take(16 * 1024);
/// buffer.put_slice(b"ten spans");
/// let frozen = buffer.freeze();
/// let part = frozen.slice(4..);
/// drop(frozen);
/// // The memory comes back with the last slice of it, from whichever thread.
/// std::thread::spawn(move || assert_eq!(part, "spans")).join().expect("nothing panics");
/// assert_eq!(pool.stats().in_use(), 0);
/// ```
#[doc(alias = "BufferManager")]
#[doc(alias = "MemoryPool")]
#[derive(Clone)]
pub struct BufferPool {
    shared: Arc<Shared>,
    /// Closes the pool when the last handle goes; `shared` itself lives on with what it gave out.
    _open: Arc<Open>,
}

struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        Shared::close(&self.0);
    }
}

impl BufferPool {
    /// Makes a pool, which owns no memory yet.
    #[must_use]
    pub fn new(config: BufferPoolConfig) -> BufferPool {
        let shared = Arc::new(Shared::new(config));
        BufferPool { _open: Arc::new(Open(Arc::clone(&shared))), shared }
    }

    /// Takes an empty buffer that holds at least `capacity` bytes before it has to grow.
    ///
    /// # Overload
    /// Where the cap leaves no room, idle memory of other classes is freed first; if that is not enough, the buffer comes from the
    /// allocator all the same, is counted as `over_cap`, and goes back to the allocator when it is dropped.
    /// [`try_take`](BufferPool::try_take) refuses instead.
    ///
    /// # Allocation
    /// None if this thread's magazine or the depot has a buffer of the class.
    ///
    /// # Panics
    /// If `capacity` is about `isize::MAX` or more, as for `Vec`.
    #[doc(alias = "get_buffer")]
    #[doc(alias = "get")]
    #[inline]
    #[must_use]
    pub fn take(&self, capacity: usize) -> PooledBuf {
        Shared::take(&self.shared, capacity, Excess::Give).expect("only `Excess::Refuse` refuses")
    }

    /// Takes an empty buffer like [`take`](BufferPool::take), unless the cap leaves no room for it.
    ///
    /// # Errors
    /// [`CapReached`], if there is neither an idle buffer of the class nor room for one more.
    ///
    /// # Examples
    ///
    /// ```
    /// use aqueduct_pool::{BufferPool, BufferPoolConfig};
    ///
    /// let pool = BufferPool::new(BufferPoolConfig::default().with_max_bytes(4096));
    /// let first = pool.try_take(4096).expect("there is room for one");
    /// let refused = pool.try_take(1).expect_err("and for no other");
    /// assert!(refused.is_retryable());
    /// drop(first);
    /// assert!(pool.try_take(4096).is_ok());
    /// ```
    ///
    /// # Panics
    /// As [`take`](BufferPool::take).
    #[doc(alias = "try_get")]
    #[inline]
    pub fn try_take(&self, capacity: usize) -> Result<PooledBuf, CapReached> {
        let refused = || {
            self.shared.count_refused();
            CapReached { asked: capacity_for(capacity), max_bytes: self.config().max_bytes }
        };
        Shared::take(&self.shared, capacity, Excess::Refuse).ok_or_else(refused)
    }

    /// Makes up to `count` buffers of at least `capacity` bytes ahead of their use, resident, and returns how many fitted below the cap.
    ///
    /// The first touch of a page costs 2 to 4 microseconds on a virtual machine; here it is paid before the load comes. For a `capacity` above
    /// 4 MiB nothing is kept, so nothing is made.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = aqueduct_pool::BufferPool::default();
    /// assert_eq!(pool.prefill(64 * 1024, 16), 16);
    /// assert_eq!(pool.stats().bytes, 1 << 20);
    /// ```
    pub fn prefill(&self, capacity: usize, count: usize) -> usize {
        Shared::prefill(&self.shared, capacity, count)
    }

    /// Frees idle memory, and returns how many bytes that were.
    ///
    /// The depot and the magazines of this thread are emptied now. Other threads empty theirs at their next operation on this pool, or when they
    /// end: nobody else may touch them.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = aqueduct_pool::BufferPool::default();
    /// drop(pool.take(100_000));
    /// assert_eq!(pool.trim(), 128 * 1024);
    /// assert_eq!(pool.stats().bytes, 0);
    /// ```
    pub fn trim(&self) -> usize {
        Shared::trim(&self.shared)
    }

    /// What the pool has done so far, and what it owns now. Takes a lock and looks at each thread's counters: not for the hot path.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.shared.stats()
    }

    /// The bounds the pool was made with.
    #[must_use]
    pub fn config(&self) -> &BufferPoolConfig {
        self.shared.config()
    }
}

impl Default for BufferPool {
    fn default() -> Self {
        BufferPool::new(BufferPoolConfig::default())
    }
}

impl fmt::Debug for BufferPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferPool").field("config", self.config()).field("stats", &self.stats()).finish()
    }
}
