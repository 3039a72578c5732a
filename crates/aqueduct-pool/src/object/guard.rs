//! Guards: the use of an object, with the pool borrowed or kept alive.

use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};

use super::store::Store;
use crate::sync::Arc;

/// An object in use, for as long as its pool is borrowed. It goes back when the guard is dropped.
///
/// # Examples
///
/// ```
/// use aqueduct_pool::{ObjectPool, Pooled};
///
/// let pool = ObjectPool::new(|| vec![0_u8; 64], 8);
/// let mut scratch = pool.get();
/// scratch[0] = 1;
/// let mine: Vec<u8> = Pooled::detach(scratch);
/// assert_eq!((mine[0], pool.stats().detached), (1, 1));
/// ```
#[doc(alias = "PooledObject")]
#[doc(alias = "get_mut")]
#[doc(alias = "return_object")]
pub struct Pooled<'p, T> {
    /// Taken out by `drop` and `detach`, once and at the end.
    pub(super) object: ManuallyDrop<T>,
    pub(super) store: &'p Store<T>,
}

/// An object in use, without borrowing its pool. It goes back when the guard is dropped, on whichever thread.
#[doc(alias = "PooledObject")]
pub struct OwnedPooled<T> {
    /// Taken out by `drop` and `detach`, once and at the end.
    pub(super) object: ManuallyDrop<T>,
    pub(super) store: Arc<Store<T>>,
}

impl<T> Pooled<'_, T> {
    /// Takes the object out of the pool for good: it will not come back, and makes room for another.
    #[must_use]
    pub fn detach(this: Self) -> T {
        let mut this = ManuallyDrop::new(this);
        this.store.count_detached();
        // SAFETY: the guard is never used again, not even to be dropped.
        unsafe { ManuallyDrop::take(&mut this.object) }
    }
}

impl<T> OwnedPooled<T> {
    /// Takes the object out of the pool for good: it will not come back, and makes room for another.
    #[must_use]
    pub fn detach(this: Self) -> T {
        let mut this = ManuallyDrop::new(this);
        this.store.count_detached();
        // SAFETY: the guard is never used again, and `drop` is not called, which would release its two fields.
        let (object, store) = unsafe { (ManuallyDrop::take(&mut this.object), std::ptr::read(&this.store)) };
        drop(store);
        object
    }
}

macro_rules! guard {
    ($guard:ty, $name:literal) => {
        impl<T> Deref for $guard {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                &self.object
            }
        }

        impl<T> DerefMut for $guard {
            #[inline]
            fn deref_mut(&mut self) -> &mut T {
                &mut self.object
            }
        }

        impl<T> Drop for $guard {
            #[inline]
            fn drop(&mut self) {
                // SAFETY: the guard is never used again.
                let object = unsafe { ManuallyDrop::take(&mut self.object) };
                self.store.put_back(object);
            }
        }

        impl<T: fmt::Debug> fmt::Debug for $guard {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple($name).field(&**self).finish()
            }
        }
    };
}

guard!(Pooled<'_, T>, "Pooled");
guard!(OwnedPooled<T>, "OwnedPooled");

// The two guards are `Send` and `Sync` where that is right by themselves: `Pooled` because `&Store<T>` is `Send` for `T: Send`, and both are
// `Sync` for `T: Sync` only, because of the object.
