//! A fixed number of blocks of a fixed size, allocated once.
//!
//! # Protocol
//!
//! One allocation holds all blocks, `stride` bytes apart. A [`SlotSet`](crate::slots::SlotSet) holds the numbers of the free ones. Whoever
//! takes a number owns that block's bytes, exclusively, until the guard puts the number back; the set orders the one before the
//! other. The bytes are initialised from the start, and stay so: guards hand out `&mut [u8]`, through which nothing can be uninitialised.

mod guard;
mod pool;
mod region;

pub use guard::{Block, OwnedBlock};
pub use pool::{BlockPool, BlockPoolConfig, BlockPoolStats};
