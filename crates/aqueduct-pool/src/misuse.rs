//! What must not compile, and beside each what must.

/// All pools and guards may be sent and shared, if their contents may.
///
/// ```
/// use aqueduct_pool::*;
/// fn both<T: Send + Sync>() {}
/// both::<(BufferPool, PooledBuf, BlockPool, Block<'_>, OwnedBlock)>();
/// both::<(ObjectPool<Vec<u8>>, Pooled<'_, Vec<u8>>, OwnedPooled<Vec<u8>>)>();
/// fn shared<T: Sync>() {}
/// // Objects are handed to one thread at a time, so the pool itself does not need them to be `Sync`.
/// shared::<ObjectPool<std::cell::Cell<u8>>>();
/// ```
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<aqueduct_pool::ObjectPool<std::rc::Rc<u8>>>();
/// ```
///
/// ```compile_fail,E0277
/// fn sent<T: Send>() {}
/// sent::<aqueduct_pool::ObjectPool<std::rc::Rc<u8>>>();
/// ```
///
/// ```compile_fail,E0277
/// fn sent<T: Send>() {}
/// sent::<aqueduct_pool::OwnedPooled<std::rc::Rc<u8>>>();
/// ```
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<aqueduct_pool::Pooled<'_, std::cell::Cell<u8>>>();
/// ```
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<aqueduct_pool::OwnedPooled<std::cell::Cell<u8>>>();
/// ```
struct Threads;

/// Borrowed guards end before their pool.
///
/// ```compile_fail,E0505
/// let pool = aqueduct_pool::BlockPool::new(1, 1).unwrap();
/// let block = pool.take(1).unwrap();
/// drop(pool);
/// drop(block);
/// ```
///
/// ```compile_fail,E0505
/// let pool = aqueduct_pool::ObjectPool::new(|| 1, 1);
/// let object = pool.get();
/// drop(pool);
/// drop(object);
/// ```
struct Lifetimes;

/// A buffer that was frozen is no longer there to be written to, and two users do not write to one.
///
/// ```compile_fail,E0382
/// let mut buffer = aqueduct_pool::BufferPool::default().take(1);
/// let frozen = buffer.freeze();
/// buffer.extend_from_slice(b"late");
/// ```
///
/// ```compile_fail,E0499
/// let mut block = aqueduct_pool::BlockPool::new(1, 2).unwrap().take_owned(2).unwrap();
/// let (one, other) = (&mut block[..], &mut block[..]);
/// one[0] = other[1];
/// ```
struct Ownership;
