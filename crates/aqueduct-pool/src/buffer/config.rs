//! What a buffer pool may hold.

/// The bounds of a [`BufferPool`](crate::BufferPool).
///
/// Every value works; there is nothing to validate.
///
/// # Examples
///
/// ```
/// use aqueduct_pool::{BufferPool, BufferPoolConfig};
///
/// let config = BufferPoolConfig::default().with_max_bytes(16 << 20).with_zero_on_return();
/// let pool = BufferPool::new(config);
/// assert_eq!(pool.config().max_bytes, 16 << 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BufferPoolConfig {
    /// The cap: bytes of memory that the pool may own, in use and idle together. Default 64 MiB.
    ///
    /// What threads keep in their magazines counts. [`take`](crate::BufferPool::take) goes past the cap with memory that is freed instead of
    /// kept; [`try_take`](crate::BufferPool::try_take) refuses. Zero makes the pool keep nothing at all.
    pub max_bytes: usize,
    /// Bytes that one thread may keep idle per size class, without asking anybody. Default 1 MiB.
    ///
    /// A magazine never holds more than 32 buffers, nor more than a sixteenth of `max_bytes`. Classes of which fewer than two
    /// buffers fit have no magazine: each operation on them takes the lock of its class. More means fewer locks (one for half a magazine), and more
    /// idle memory per thread and class in use.
    pub magazine_bytes: usize,
    /// Whether buffers are overwritten with zeroes, whole, when they come back. Default off.
    ///
    /// Safe code cannot read what an earlier user left, with or without it: a taken buffer has length zero. Switch it on for defence in
    /// depth against mistakes in unsafe code, or where a policy says that secrets do not stay in memory. It costs about 46 ns for 4 KiB
    /// and 16 us for 1 MiB.
    pub zero_on_return: bool,
}

impl Default for BufferPoolConfig {
    fn default() -> Self {
        BufferPoolConfig { max_bytes: 64 << 20, magazine_bytes: 1 << 20, zero_on_return: false }
    }
}

impl BufferPoolConfig {
    /// Sets the cap in bytes.
    #[must_use]
    pub fn with_max_bytes(self, max_bytes: usize) -> Self {
        BufferPoolConfig { max_bytes, ..self }
    }

    /// Sets how many idle bytes one thread may keep per size class.
    #[must_use]
    pub fn with_magazine_bytes(self, magazine_bytes: usize) -> Self {
        BufferPoolConfig { magazine_bytes, ..self }
    }

    /// Overwrites buffers with zeroes when they come back.
    #[must_use]
    pub fn with_zero_on_return(self) -> Self {
        BufferPoolConfig { zero_on_return: true, ..self }
    }
}
