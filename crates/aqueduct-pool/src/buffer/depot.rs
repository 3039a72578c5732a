//! The memory that no thread holds: one shelf a size class, each under its own lock.

use super::memory::Memory;
use super::size::CLASSES;
use crate::sync::{Mutex, Padded, lock};

#[derive(Debug)]
pub(super) struct Depot {
    shelves: [Padded<Mutex<Shelf>>; CLASSES],
}

#[derive(Debug)]
struct Shelf {
    /// Falls once, when the pool's last handle is dropped. From then on nothing comes in.
    open: bool,
    /// The last one in is the first one out: it is the warmest.
    idle: Vec<Memory>,
}

impl Depot {
    pub(super) fn new() -> Depot {
        let shelf = |_| Padded(Mutex::new(Shelf { open: true, idle: Vec::new() }));
        Depot { shelves: std::array::from_fn(shelf) }
    }

    /// Takes the warmest piece, if there is one.
    pub(super) fn take(&self, class: usize) -> Option<Memory> {
        lock(&self.shelves[class].0).idle.pop()
    }

    /// Takes up to `most` pieces and gives each to `to`, which must not come back here: the shelf is locked. Returns how many there were.
    pub(super) fn take_many(&self, class: usize, most: usize, to: impl FnMut(Memory)) -> usize {
        let mut shelf = lock(&self.shelves[class].0);
        let rest = shelf.idle.len().saturating_sub(most);
        let count = shelf.idle.len() - rest;
        shelf.idle.drain(rest..).for_each(to);
        count
    }

    /// Puts pieces on the shelf. False, and nothing happens, if the pool is closed: then the caller frees them.
    #[must_use]
    pub(super) fn put(&self, class: usize, memory: &[Memory]) -> bool {
        let mut shelf = lock(&self.shelves[class].0);
        if shelf.open {
            shelf.idle.extend_from_slice(memory);
        }
        shelf.open
    }

    /// Takes all there is.
    pub(super) fn take_all(&self, class: usize) -> Vec<Memory> {
        std::mem::take(&mut lock(&self.shelves[class].0).idle)
    }

    /// Takes all there is, and lets nothing in any more.
    pub(super) fn close(&self, class: usize) -> Vec<Memory> {
        let mut shelf = lock(&self.shelves[class].0);
        shelf.open = false;
        std::mem::take(&mut shelf.idle)
    }
}
