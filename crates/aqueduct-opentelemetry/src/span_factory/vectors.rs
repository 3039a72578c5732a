//! Vectors of attributes that are used again, some for each thread.

use std::cell::RefCell;

use opentelemetry::KeyValue;

/// Vectors kept for a thread. A thread that ends more spans than it begins drops the rest, one that begins more allocates: no lock between them would be
/// cheaper than an allocator.
const KEPT: usize = 32;
/// Places of a vector that is kept, at most.
const PLACES: usize = 64;

thread_local! {
    static VECTORS: RefCell<Vec<Vec<KeyValue>>> = const { RefCell::new(Vec::new()) };
}

/// An empty vector with at least so many places.
pub(super) fn take(places: usize) -> Vec<KeyValue> {
    let kept = VECTORS.try_with(|vectors| vectors.try_borrow_mut().ok()?.pop());
    let mut vector = kept.ok().flatten().unwrap_or_default();
    vector.reserve_exact(places);
    vector
}

pub(super) fn give(mut vector: Vec<KeyValue>) {
    // Before the borrow: what drops here could be anybody's.
    vector.clear();
    if vector.capacity() == 0 || vector.capacity() > PLACES {
        return;
    }
    // At the end of a thread it is gone already.
    let _ = VECTORS.try_with(|vectors| {
        if let Ok(mut vectors) = vectors.try_borrow_mut()
            && vectors.len() < KEPT
        {
            vectors.push(vector);
        }
    });
}
