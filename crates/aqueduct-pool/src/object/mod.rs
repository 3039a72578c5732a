//! Objects that are dear to make and may be used again.
//!
//! # Protocol
//!
//! `max_size` slots hold idle objects. Two [`SlotSet`](crate::slots::SlotSet)s share their numbers out: a number in `occupied` names a slot with
//! an object in it, one in `vacant` a slot without. Whoever has taken a number from either owns the slot:
//!
//! ```text
//! get:     take from `occupied`, move the object out, put into `vacant`
//! return:  take from `vacant`, move the object in, put into `occupied`; if `vacant` has none, the object is dropped
//! ```
//!
//! So no more than `max_size` objects are ever kept, on every path, because there is no place for one more. User code, that is, the factory, the
//! hooks and the objects' destructors, runs while no number is held: it may panic, take its time, or use the pool.

mod guard;
mod pool;
mod store;

pub use guard::{OwnedPooled, Pooled};
pub use pool::{ObjectPool, ObjectPoolConfig};
pub use store::ObjectPoolStats;
