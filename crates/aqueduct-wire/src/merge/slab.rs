//! The buffers that small chunks are copied into: from the allocator, or from a pool.

#[cfg(feature = "pool")]
use aqueduct_pool::{BufferPool, PooledBuf};
use bytes::{Bytes, BytesMut};

/// Smaller slabs come from the allocator even with a pool, whose smallest buffers have this size.
#[cfg(feature = "pool")]
const POOL_FROM: usize = 1024;

/// Where slabs come from.
#[derive(Default)]
pub(crate) struct Source {
    #[cfg(feature = "pool")]
    pool: Option<BufferPool>,
}

#[cfg(feature = "pool")]
impl From<BufferPool> for Source {
    fn from(pool: BufferPool) -> Source {
        Source { pool: Some(pool) }
    }
}

impl Source {
    /// An empty slab that holds at least `size` bytes.
    pub(crate) fn slab(&self, size: usize) -> Slab {
        #[cfg(feature = "pool")]
        if let Some(pool) = self.pool.as_ref().filter(|_| size >= POOL_FROM) {
            return Slab::Pooled(pool.take(size));
        }
        Slab::Owned(BytesMut::with_capacity(size))
    }
}

/// A buffer that is filled once and never grows.
pub(crate) enum Slab {
    Owned(BytesMut),
    #[cfg(feature = "pool")]
    Pooled(PooledBuf),
}

/// No memory.
impl Default for Slab {
    fn default() -> Slab {
        Slab::Owned(BytesMut::new())
    }
}

impl Slab {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Slab::Owned(buffer) => buffer,
            #[cfg(feature = "pool")]
            Slab::Pooled(buffer) => buffer,
        }
    }

    /// To change what is there already.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Slab::Owned(buffer) => buffer,
            #[cfg(feature = "pool")]
            Slab::Pooled(buffer) => buffer,
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes().len()
    }

    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        match self {
            Slab::Owned(buffer) => buffer.capacity(),
            #[cfg(feature = "pool")]
            Slab::Pooled(buffer) => buffer.capacity(),
        }
    }

    #[inline]
    pub(crate) fn room(&self) -> usize {
        self.capacity() - self.len()
    }

    /// Appends bytes, for which there must be room: a slab that grew would not be the size that was counted.
    #[inline]
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.len() <= self.room());
        match self {
            Slab::Owned(buffer) => buffer.extend_from_slice(bytes),
            #[cfg(feature = "pool")]
            Slab::Pooled(buffer) => buffer.extend_from_slice(bytes),
        }
    }

    pub(crate) fn freeze(self) -> Bytes {
        match self {
            Slab::Owned(buffer) => buffer.freeze(),
            #[cfg(feature = "pool")]
            Slab::Pooled(buffer) => buffer.freeze(),
        }
    }
}
