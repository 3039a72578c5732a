//! The handle of a pool of objects, and how it is made.

use std::convert::Infallible;
use std::fmt;
use std::mem::ManuallyDrop;

use super::guard::{OwnedPooled, Pooled};
use super::store::{ObjectPoolStats, Store};
use crate::sync::Arc;

/// The standard library's, under loom too: its own cannot hold what has no size, and there is nothing to order in a shared function.
type Factory<T, E> = std::sync::Arc<dyn Fn() -> Result<T, E> + Send + Sync>;

/// A pool of objects that are dear to make: compression contexts, connections, large collections.
///
/// [`get`](ObjectPool::get) hands out an idle object or makes a new one. When the guard is dropped, the object is reset and kept, if it is valid
/// and fewer than `max_size` objects are idle; otherwise it is destroyed. How many objects there are at a time is up to the users:
/// `max_size` bounds those that are kept.
///
/// The bookkeeping is lock-free, and no user code runs within it: factory, hooks and destructors may be slow, may panic, and may use the pool.
///
/// `E` is what the factory may fail with; pools of [`new`](ObjectPool::new) cannot fail.
///
/// # Panics
/// A panic of the factory or of a hook reaches the caller of `get`, or whoever drops the guard; the object in question is destroyed
/// and counted, and the pool goes on. An object whose user panics is destroyed without asking the hooks.
///
/// # Allocation
/// The slots for `max_size` idle objects are allocated when the pool is made. After that the pool itself allocates nothing.
///
/// # Examples
///
/// ```
/// use aqueduct_pool::ObjectPool;
///
/// let pool = ObjectPool::config(4).with_reset(|text: &mut String| text.clear()).build(|| String::with_capacity(1024));
/// pool.get().push_str("seen once");
/// let text = pool.get();
/// assert_eq!((text.as_str(), text.capacity() >= 1024), ("", true));
/// assert_eq!(pool.stats().made, 1);
/// ```
#[doc(alias = "OtlpClientPool")]
#[doc(alias = "object-pool")]
pub struct ObjectPool<T, E = Infallible> {
    store: Arc<Store<T>>,
    factory: Factory<T, E>,
}

/// How a pool of objects is to behave. Made by [`ObjectPool::config`].
pub struct ObjectPoolConfig<T> {
    store: Store<T>,
}

impl<T> ObjectPoolConfig<T> {
    /// What happens to an object on its way back. Nothing, if there is no such hook.
    #[must_use]
    pub fn with_reset(mut self, reset: impl Fn(&mut T) + Send + Sync + 'static) -> Self {
        self.store.set_reset(Box::new(reset));
        self
    }

    /// Which objects may be used again: asked on the way back, after the reset, and again before an idle object is handed out, because
    /// it may have gone bad meanwhile. Without such a hook, all of them.
    #[must_use]
    pub fn with_is_valid(mut self, is_valid: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        self.store.set_is_valid(Box::new(is_valid));
        self
    }

    /// The pool, with a factory that cannot fail.
    #[must_use]
    pub fn build(self, factory: impl Fn() -> T + Send + Sync + 'static) -> ObjectPool<T> {
        self.try_build(move || Ok(factory()))
    }

    /// The pool, with a factory that may fail.
    #[must_use]
    pub fn try_build<E>(
        self,
        factory: impl Fn() -> Result<T, E> + Send + Sync + 'static,
    ) -> ObjectPool<T, E> {
        ObjectPool { store: Arc::new(self.store), factory: std::sync::Arc::new(factory) }
    }
}

impl<T> fmt::Debug for ObjectPoolConfig<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectPoolConfig").field("max_size", &self.store.max_size()).finish_non_exhaustive()
    }
}

impl<T> ObjectPool<T> {
    /// A pool that keeps up to `max_size` idle objects and makes others with `factory`.
    ///
    /// # Panics
    /// As [`config`](ObjectPool::config).
    #[doc(alias = "factory")]
    #[doc(alias = "max_size")]
    #[must_use]
    pub fn new(factory: impl Fn() -> T + Send + Sync + 'static, max_size: usize) -> ObjectPool<T> {
        ObjectPool::config(max_size).build(factory)
    }

    /// The first step to a pool with hooks, which keeps up to `max_size` idle objects.
    ///
    /// # Panics
    /// If the allocator does not give the slots for so many. There is no "as many as come": `max_size` is a number of objects that the
    /// memory is to hold.
    #[must_use]
    pub fn config(max_size: usize) -> ObjectPoolConfig<T> {
        match Store::new(max_size) {
            Ok(store) => ObjectPoolConfig { store },
            Err(error) => panic!("no slots for max_size = {max_size} objects: {error}"),
        }
    }

    /// Hands out an idle object, or makes one.
    #[inline]
    #[must_use]
    pub fn get(&self) -> Pooled<'_, T> {
        match self.try_get() {
            Ok(object) => object,
            Err(never) => match never {},
        }
    }

    /// Hands out an idle object, or makes one, in a guard that does not borrow the pool, at the price of a reference count.
    #[must_use]
    pub fn get_owned(&self) -> OwnedPooled<T> {
        match self.try_get_owned() {
            Ok(object) => object,
            Err(never) => match never {},
        }
    }
}

impl<T, E> ObjectPool<T, E> {
    /// Hands out an idle object, or makes one if the factory can.
    ///
    /// # Errors
    /// What the factory says.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::TcpStream;
    /// use aqueduct_pool::ObjectPool;
    ///
    /// let connect = || TcpStream::connect(("127.0.0.1", 0));
    /// let pool = ObjectPool::config(4).with_is_valid(|stream: &TcpStream| stream.peer_addr().is_ok()).try_build(connect);
    /// assert!(pool.try_get().is_err());
    /// ```
    #[inline]
    pub fn try_get(&self) -> Result<Pooled<'_, T>, E> {
        Ok(Pooled { object: ManuallyDrop::new(self.object()?), store: &self.store })
    }

    /// Hands out an idle object, or makes one if the factory can, in a guard that does not borrow the pool.
    ///
    /// # Errors
    /// What the factory says.
    pub fn try_get_owned(&self) -> Result<OwnedPooled<T>, E> {
        Ok(OwnedPooled { object: ManuallyDrop::new(self.object()?), store: Arc::clone(&self.store) })
    }

    /// Hands out an idle object if there is a valid one, and makes none.
    #[must_use]
    pub fn get_idle(&self) -> Option<Pooled<'_, T>> {
        let object = self.store.take()?;
        self.store.count_taken();
        Some(Pooled { object: ManuallyDrop::new(object), store: &self.store })
    }

    fn object(&self) -> Result<T, E> {
        let object = match self.store.take() {
            Some(object) => object,
            None => self.make()?,
        };
        self.store.count_taken();
        Ok(object)
    }

    fn make(&self) -> Result<T, E> {
        let object = (self.factory)()?;
        self.store.count_made();
        Ok(object)
    }

    /// Makes objects until `count` are idle, or `max_size` if that is less; but no more than were missing when it began, so that it ends
    /// although others take what it makes.
    ///
    /// # Errors
    /// What the factory says; objects made before that are kept.
    pub fn prefill(&self, count: usize) -> Result<(), E> {
        let wanted = count.min(self.max_size());
        for _ in self.idle()..wanted {
            if self.idle() >= wanted {
                break;
            }
            let object = self.make()?;
            self.store.keep(object);
        }
        Ok(())
    }

    /// Destroys the idle objects, and returns how many there were.
    pub fn clear(&self) -> usize {
        let mut count = 0;
        // No more than there is room for: others may return objects all the while.
        while count < self.max_size()
            && let Some(object) = self.store.pop()
        {
            count += 1;
            self.store.discard(object);
        }
        count
    }

    /// How many objects are idle.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.store.idle()
    }

    /// How many objects are kept at most.
    #[must_use]
    pub fn max_size(&self) -> usize {
        self.store.max_size()
    }

    /// What the pool has done so far.
    #[must_use]
    pub fn stats(&self) -> ObjectPoolStats {
        self.store.stats()
    }
}

/// Another handle of the same pool.
impl<T, E> Clone for ObjectPool<T, E> {
    fn clone(&self) -> Self {
        ObjectPool { store: Arc::clone(&self.store), factory: std::sync::Arc::clone(&self.factory) }
    }
}

impl<T, E> fmt::Debug for ObjectPool<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectPool")
            .field("max_size", &self.max_size())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
