//! A buffer in use: its contents, its growth, and its way back.

use std::fmt;
use std::mem::{self, ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;
use std::slice;

use bytes::Bytes;

use super::memory::Memory;
use super::shared::{Excess, Shared};
use super::size::{PLAIN, Shape, capacity_for};
use crate::error::CapReached;
use crate::sync::Arc;

/// A growable byte buffer whose memory goes back to its [`BufferPool`](crate::BufferPool) when it is dropped, on whichever thread.
///
/// It reads like a slice (`Deref<Target = [u8]>`), is filled through [`bytes::BufMut`], [`std::io::Write`] or [`std::fmt::Write`], and becomes
/// [`Bytes`] with [`freeze`](PooledBuf::freeze). Uninitialised room to read into comes from [`BufMut::chunk_mut`](bytes::BufMut::chunk_mut) or
/// [`spare_capacity_mut`](PooledBuf::spare_capacity_mut).
///
/// # Allocation
/// Writing past the capacity moves the contents into a buffer of at least twice the size from the same pool, and gives the old one back.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use aqueduct_pool::BufferPool;
///
/// let pool = BufferPool::default();
/// let mut buffer = pool.take(1024);
/// write!(buffer, "{:>2000}", "wide")?;
/// assert_eq!((buffer.len(), buffer.capacity()), (2000, 2048));
/// buffer.truncate(1);
/// assert_eq!(&buffer[..], b" ");
/// # std::io::Result::Ok(())
/// ```
#[doc(alias = "Buffer")]
pub struct PooledBuf {
    memory: Memory,
    /// The first `len` bytes are initialised.
    len: usize,
    /// The bytes of `memory`, and where they go in the end.
    shape: Shape,
    /// From `Arc::as_ptr`; kept alive by the strong count that `memory` owns.
    shared: NonNull<Shared>,
}

// SAFETY: the buffer is the one owner of its memory, and `Shared` may be used from any thread.
unsafe impl Send for PooledBuf {}
// SAFETY: a shared reference only reads the contents.
unsafe impl Sync for PooledBuf {}

impl PooledBuf {
    /// An empty buffer.
    ///
    /// # Safety
    /// The caller hands over the ownership of `memory`, which is of this pool and shape.
    #[inline]
    pub(super) unsafe fn new(shared: *const Shared, memory: Memory, shape: Shape) -> PooledBuf {
        memory.used();
        // SAFETY: the pointer is that of an `Arc`.
        let shared = unsafe { NonNull::new_unchecked(shared.cast_mut()) };
        PooledBuf { memory, len: 0, shape, shared }
    }

    /// How many bytes were written.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes it holds before it has to grow.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shape.capacity()
    }

    /// Whether the memory will be kept for reuse; false for buffers above 4 MiB and those given out over the cap.
    #[must_use]
    pub fn is_pooled(&self) -> bool {
        self.shape.class() != PLAIN
    }

    /// The bytes written.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: the first `len` bytes are initialised, and the buffer owns them.
        unsafe { slice::from_raw_parts(self.memory.start(), self.len) }
    }

    /// The bytes written, to be changed in place.
    #[inline]
    #[must_use]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as above, and the buffer is borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.memory.start(), self.len) }
    }

    /// The room between length and capacity. It does not grow.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut buffer = aqueduct_pool::BufferPool::default().take(4096);
    /// buffer.spare_capacity_mut()[0].write(7);
    /// // SAFETY: the first byte was written above.
    /// unsafe { buffer.set_len(1) };
    /// assert_eq!(buffer[0], 7);
    /// ```
    #[inline]
    #[must_use]
    pub fn spare_capacity_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        let spare = self.capacity() - self.len;
        // SAFETY: `len` is at most `capacity`, and all of that is owned. Bytes that may be uninitialised are what the type says.
        unsafe { slice::from_raw_parts_mut(self.memory.start().add(self.len).cast(), spare) }
    }

    /// Says how many bytes are initialised.
    ///
    /// # Safety
    /// `len` is at most the capacity, and the first `len` bytes have been written.
    #[inline]
    pub unsafe fn set_len(&mut self, len: usize) {
        debug_assert!(len <= self.capacity(), "{len} bytes in a buffer of {}", self.capacity());
        self.len = len;
    }

    /// Forgets the contents and keeps the memory.
    #[inline]
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Forgets what is behind the first `len` bytes. Nothing happens if there are not that many.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Makes room for `additional` more bytes.
    ///
    /// # Overload
    /// Grows past the cap of the pool if it must, as [`take`](crate::BufferPool::take) does.
    ///
    /// # Panics
    /// If that is about `isize::MAX` bytes or more, as for `Vec`.
    #[inline]
    pub fn reserve(&mut self, additional: usize) {
        if self.capacity() - self.len < additional {
            let grown = self.grow(additional, Excess::Give);
            debug_assert!(grown.is_ok(), "only `Excess::Refuse` refuses");
        }
    }

    /// Makes room for `additional` more bytes, if it can be had below the cap of the pool.
    ///
    /// While the contents move, old and new memory are both counted. If doubling does not fit below the cap, the least that is needed is tried.
    ///
    /// # Errors
    /// [`CapReached`]. The buffer is as it was.
    ///
    /// # Panics
    /// As [`reserve`](PooledBuf::reserve).
    #[inline]
    pub fn try_reserve(&mut self, additional: usize) -> Result<(), CapReached> {
        if self.capacity() - self.len >= additional {
            return Ok(());
        }
        self.grow(additional, Excess::Refuse)
    }

    /// Appends bytes.
    #[inline]
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        // SAFETY: `reserve` made room for that many behind `len`; a borrowed slice does not overlap what this buffer owns.
        unsafe {
            self.memory.start().add(self.len).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        self.len += bytes.len();
    }

    /// Appends the same byte `count` times.
    pub fn extend_with(&mut self, byte: u8, count: usize) {
        self.reserve(count);
        // SAFETY: `reserve` made room for that many behind `len`.
        unsafe { self.memory.start().add(self.len).write_bytes(byte, count) };
        self.len += count;
    }

    /// Turns the buffer into [`Bytes`] without copying. The memory goes back to the pool when the last clone or slice is
    /// dropped, on whichever thread that is.
    ///
    /// A small slice keeps the whole buffer from its pool: copy what is kept long and is much smaller than its buffer.
    ///
    /// # Allocation
    /// One small object (about 64 bytes) per call, which counts the references. None for an empty buffer, whose memory goes back at once.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = aqueduct_pool::BufferPool::default();
    /// let mut buffer = pool.take(1024);
    /// buffer.extend_from_slice(b"head and body");
    /// let bytes = buffer.freeze();
    /// let body = bytes.slice(9..);
    /// drop(bytes);
    /// assert_eq!((body.as_ref(), pool.stats().in_use()), (&b"body"[..], 1));
    /// drop(body);
    /// assert_eq!(pool.stats().in_use(), 0);
    /// ```
    #[must_use]
    pub fn freeze(self) -> Bytes {
        if self.is_empty() { Bytes::new() } else { Bytes::from_owner(self) }
    }

    /// Moves the contents into memory that has room for `additional` more.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, additional: usize, excess: Excess) -> Result<(), CapReached> {
        let needed = self.len.checked_add(additional).expect("capacity overflow");
        // SAFETY: the strong count is that of our memory; it is not taken over.
        let shared = ManuallyDrop::new(unsafe { Arc::from_raw(self.shared.as_ptr().cast_const()) });
        // Doubling keeps the sum of all moves below twice the final size.
        let ample = needed.max(self.capacity().saturating_mul(2).min(isize::MAX as usize / 2));
        // Ample below the cap, or the least there; past the cap only the last time.
        let bigger = Shared::take(&shared, ample, Excess::Refuse);
        let bigger = bigger.or_else(|| Shared::take(&shared, needed, Excess::Refuse));
        let bigger = bigger.or_else(|| Shared::take(&shared, ample, excess));
        let refused = || {
            shared.count_refused();
            CapReached { asked: capacity_for(needed), max_bytes: shared.config().max_bytes }
        };
        let mut bigger = bigger.ok_or_else(refused)?;
        debug_assert!(bigger.capacity() >= needed);
        // SAFETY: `bigger` has room for `len` bytes, and is other memory than ours, whose first `len` bytes are initialised.
        unsafe { bigger.memory.start().copy_from_nonoverlapping(self.memory.start(), self.len) };
        bigger.len = self.len;
        // The old memory goes back in the place of the new.
        drop(mem::replace(self, bigger));
        Ok(())
    }
}

impl Drop for PooledBuf {
    // Always: the address of the buffer then goes nowhere, so that it may live in registers. See `Shared::release`.
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the buffer owns its memory, and is never used again.
        unsafe { Shared::release(self.shared, self.memory, self.shape) };
    }
}

impl fmt::Debug for PooledBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledBuf")
            .field("len", &self.len)
            .field("capacity", &self.capacity())
            .field("pooled", &self.is_pooled())
            .finish_non_exhaustive()
    }
}
