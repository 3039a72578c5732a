//! Guards: the exclusive use of a block, borrowed from the pool or owned.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::slice;

use bytes::Bytes;

use super::region::{Claim, Region};
use crate::sync::Arc;

/// The exclusive use of a block, for as long as its pool is borrowed. It goes back when the guard is dropped.
///
/// It is a slice of as many bytes as were asked for: zeroes, or what an earlier owner left if the pool
/// [keeps contents](crate::BlockPoolConfig::with_contents_kept).
#[doc(alias = "reset_block")]
pub struct Block<'p> {
    pub(super) claim: Claim,
    pub(super) region: &'p Region,
}

/// The exclusive use of a block, without borrowing the pool. It goes back when the guard is dropped, on whichever thread.
///
/// # Examples
///
/// ```
/// let pool = aqueduct_pool::BlockPool::new(1, 64)?;
/// let mut block = pool.take_owned(5)?;
/// block.copy_from_slice(b"hello");
/// drop(pool);
/// let frozen = block.freeze();
/// assert_eq!(frozen, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct OwnedBlock {
    pub(super) claim: Claim,
    pub(super) region: Arc<Region>,
}

impl OwnedBlock {
    /// Turns the block into [`Bytes`] without copying. It goes back to the pool when the last clone or slice is dropped.
    ///
    /// # Allocation
    /// One small object per call, which counts the references.
    #[must_use]
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

macro_rules! guard {
    ($guard:ty, $name:literal) => {
        // SAFETY: the guard owns its block, and the region may be used from any thread.
        unsafe impl Send for $guard {}
        // SAFETY: a shared reference only reads the block.
        unsafe impl Sync for $guard {}

        impl $guard {
            /// The number of the block in its pool, from 0.
            #[must_use]
            pub fn index(&self) -> usize {
                self.claim.index
            }
        }

        impl Deref for $guard {
            type Target = [u8];

            #[inline]
            fn deref(&self) -> &[u8] {
                // SAFETY: the claim's bytes are initialised, and nobody else's until the guard is dropped.
                unsafe { slice::from_raw_parts(self.claim.start.as_ptr(), self.claim.len) }
            }
        }

        impl DerefMut for $guard {
            #[inline]
            fn deref_mut(&mut self) -> &mut [u8] {
                // SAFETY: as for `deref`, and the guard is borrowed exclusively.
                unsafe { slice::from_raw_parts_mut(self.claim.start.as_ptr(), self.claim.len) }
            }
        }

        impl AsRef<[u8]> for $guard {
            fn as_ref(&self) -> &[u8] {
                self
            }
        }

        impl AsMut<[u8]> for $guard {
            fn as_mut(&mut self) -> &mut [u8] {
                self
            }
        }

        impl Drop for $guard {
            #[inline]
            fn drop(&mut self) {
                // SAFETY: the claim came from this region, and ends here and only here.
                unsafe { self.region.put(&self.claim) };
            }
        }

        impl fmt::Debug for $guard {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct($name)
                    .field("index", &self.index())
                    .field("len", &self.len())
                    .finish_non_exhaustive()
            }
        }
    };
}

guard!(Block<'_>, "Block");
guard!(OwnedBlock, "OwnedBlock");
