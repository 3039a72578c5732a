//! A hash map for tables that are read all the time and written now and then.
//!
//! # Layout
//!
//! The map is cut into shards by the topmost bits of the hash. A shard's table is an array of buckets, each one cache line: seven
//! pointers to entries, and a control word with 7 bits of each entry's hash and a count of the entries that found no room here. A lookup
//! loads the table's pointer, one bucket and one entry, and compares one key; it goes on to another bucket only if this one has overflowed.
//! Growing makes a new table of pointers to the same entries, while readers go on in the old one.
//!
//! # Progress
//!
//! - Reading ([`get`](HashMap::get), [`get_with`](HashMap::get_with), [`contains_key`](HashMap::contains_key), iteration) takes no lock, never retries and
//!   writes nothing that is shared: it is wait-free, apart from the key's own `Hash` and `Eq`. Pinning for it is a store and a fence in memory
//!   of the thread, see [`Guard`]; a [`Pinned`] handle or a guard held for a batch of lookups saves even that.
//! - Writing (`insert`, `remove`, `update`, `compute`, `retain`, `clear`, `shrink_to_fit`, and [`get_or_insert_with`](HashMap::get_or_insert_with) of a
//!   key that is not there) *blocks* while another thread writes to the same shard: for one lookup and one store, or for the copying of a shard's pointers
//!   when it grows. A writer that loses its core while it holds the lock holds up the writers of its shard, and no reader.
//! - Under the lock runs no user's code but `Eq` of keys; closures and destructors run without. A key whose `Eq` writes to the map
//!   itself deadlocks.
//!
//! Reads and writes of single keys are linearizable; the argument is in the source, in `shards.rs`. Iteration, [`HashMap::len`], `retain` and
//! `clear` are not one step; each says what it promises.
//!
//! # Memory
//!
//! An entry is one allocation: hash, key, value. A slot in a table takes 9.1 bytes, and tables are between three eighths and three quarters full, so that a
//! map of `u64` to `u64` costs 36 to 48 bytes an entry. What is replaced or removed is dropped when all guards of that time are
//! gone, by any thread that pins; so keys and values are `Send + 'static`. Each thread holds back up to 64 pieces of garbage until it
//! makes more or [flushes](Guard::flush). Tables shrink only on [`shrink_to_fit`](HashMap::shrink_to_fit) and [`clear`](HashMap::clear).
//!
//! # When another map is better
//!
//! This one pays for its reads with an allocation and a deferred drop for each write. Measured on two cores of an EPYC (Zen 4), `u64` to
//! `u64`, all maps with the same hasher, in millions of operations a second of CPU time:
//!
//! | workload | this map | scc | dashmap 6 | papaya |
//! |---|---|---|---|---|
//! | 99 % reads, 1 % replacing, 2,000 keys, 2 threads | 78-94 | `HashIndex` 49-96 | 75 | 74 |
//! | the same, 8 threads | 78-92 | `HashIndex` 36-49 | | |
//! | the same, pinned for 64 operations, 2 threads | 137-143 | `HashIndex` 56-161 | | |
//! | reads alone, 2 threads | 94-100 | `HashIndex` 99-104 | 73 | |
//! | half insertions, half removals, 100,000 keys, 2 threads | 10-16 | `HashMap` 21-31 | 26-37 | 10-12 |
//! | new keys only, 2 threads | 8-10 | `HashMap` 12-17 | 12-20 | 7-9 |
//!
//! - More than a few writes in a hundred: `scc::HashMap` or dashmap, which keep entries in the table, take half the memory or less (dashmap 31 bytes an entry
//!   where this map took 71, garbage of growing included), and write two to three times as fast.
//! - Reads alone, or short keys and a map that hardly changes: `scc::HashIndex` is as quick. But replacing a value in it is a removal and an insertion: a
//!   reader may find neither in between.
//! - Keys that are never removed, inserted by one thread and then only read: `std`'s map in an `Arc` needs no guard.
//! - Values that change often: put an atomic into the value, and let the map alone.

mod bucket;
mod capped;
mod compute;
mod guard;
mod hash;
mod hashmap;
mod iter;
mod locked;
mod pinned;
mod shards;
mod table;

pub use capped::{Admitted, Capped, Full};
pub use compute::{Computed, Operation};
pub use guard::Guard;
pub use hash::{KeyedHasher, KeyedState};
pub use hashmap::HashMap;
pub use iter::Iter;
pub use pinned::Pinned;
