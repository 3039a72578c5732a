//! Counters that threads do not fight over: a padded cell for each thread, added up when read.
//!
//! A thread has a *place*, a small number that no other living thread has (the crate's module `place`). In a counter with more cells than that, the cell of that
//! number is the thread's own: it is changed by a load and a store, not by a read-modify-write, which costs a quarter and is no less exact,
//! as nobody else writes the word. Threads whose place is beyond the cells share them: each cell has a second word, on the same line, that is
//! changed by read-modify-writes. So the number of threads is not limited, and never changes what comes out.
//!
//! A place is given back when its thread ends and goes to a thread that starts later; the lock around the list of free places makes the new
//! owner see what the old one stored.

mod cells;
mod extreme;
mod sum;

pub use extreme::{ShardedMax, ShardedMin};
pub use sum::ShardedCounter;
