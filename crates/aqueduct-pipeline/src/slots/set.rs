//! The slots of one encoding intake, and the chunks in them.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use aqueduct_lockfree::CachePadded;
use aqueduct_pool::BufferPool;
use aqueduct_wire::Signal;
use aqueduct_wire::encode::{ChunkBuilder, ResourcePrefix};

use super::Limits;
use super::slot::{Ask, Shut, Slot};
use crate::config::Priority;
use crate::encode::ItemSink;
use crate::intake::Shared;
use crate::refused::Refused;

/// An item that finds all slots busy gets a buffer of this size at first.
const ALONE_BYTES: usize = 1024;

/// A set of slots for chunks of one resource.
pub(crate) struct Slots {
    /// A power of two of them.
    places: Box<[CachePadded<Place>]>,
    limits: Limits,
    signal: Signal,
    resource: ResourcePrefix,
    slabs: BufferPool,
}

struct Place {
    slot: Slot<OpenChunk>,
    /// In the chunk, to be looked at from outside. Written by whoever is inside; a plain figure, which orders nothing.
    items: AtomicU64,
}

struct OpenChunk {
    builder: ChunkBuilder,
    /// Bytes of the budget that are reserved for it, no fewer than it has. None if it is not open.
    reserved: u64,
}

thread_local! {
    /// The slot that this thread tries first, modulo their number.
    static HOME: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The slot of the next new thread. A round-robin counter; nothing is ordered by it.
static NEXT_HOME: AtomicUsize = AtomicUsize::new(0);

fn home() -> usize {
    HOME.get().unwrap_or_else(|| {
        let home = NEXT_HOME.fetch_add(1, Ordering::Relaxed);
        HOME.set(Some(home));
        home
    })
}

impl Slots {
    /// `count` is a power of two.
    pub(super) fn new(
        count: usize,
        limits: Limits,
        signal: Signal,
        resource: ResourcePrefix,
        slabs: BufferPool,
    ) -> Slots {
        let empty = Slots { places: Box::default(), limits, signal, resource, slabs };
        let place = || {
            let builder = empty.builder(limits.bytes as usize);
            let slot = Slot::new(OpenChunk { builder, reserved: 0 });
            CachePadded::new(Place { slot, items: AtomicU64::new(0) })
        };
        Slots { places: (0..count).map(|_| place()).collect(), ..empty }
    }

    fn builder(&self, capacity: usize) -> ChunkBuilder {
        let builder = ChunkBuilder::new(self.signal, self.resource.clone());
        builder.with_capacity(capacity).with_pool(self.slabs.clone())
    }

    /// Encodes into the chunk of this thread's slot, or of the next one that is free. `encode` is one call of an encoder, which must not panic.
    #[inline]
    pub(crate) fn push<F>(&self, shared: &Shared, encode: &mut F) -> Result<(), Refused>
    where
        F: FnMut(&mut ItemSink<'_>) -> Result<(), Refused>,
    {
        let home = home();
        for step in 0..self.places.len() {
            let index = home.wrapping_add(step) & (self.places.len() - 1);
            let place = &self.places[index];
            let seal = |open: &mut OpenChunk| self.seal(shared, index, open);
            let mut done = Ok(());
            let work = |open: &mut OpenChunk| done = self.push_into(shared, index, open, &mut *encode);
            match place.slot.enter(seal, work) {
                Ok(()) => {
                    if step > 0 {
                        HOME.set(Some(index));
                    }
                    return done;
                }
                Err(Shut::Closed) => return Err(Refused::Closed),
                Err(Shut::Busy) => {}
            }
        }
        self.push_alone(shared, home, encode)
    }

    #[inline]
    fn push_into<F>(
        &self,
        shared: &Shared,
        index: usize,
        open: &mut OpenChunk,
        encode: &mut F,
    ) -> Result<(), Refused>
    where
        F: FnMut(&mut ItemSink<'_>) -> Result<(), Refused>,
    {
        let opens = open.reserved == 0;
        if opens {
            shared.reserve_now(self.limits.bytes)?;
            open.reserved = self.limits.bytes;
        }
        let done = encode(&mut ItemSink::new(&mut open.builder));
        let items = open.builder.items();
        self.places[index].items.store(items, Ordering::Relaxed);
        if opens || items >= self.limits.items || open.builder.is_full(self.limits.full_at()) {
            self.settle(shared, index, open, opens);
        }
        done
    }

    /// Sees to a chunk that is full, or was opened just now.
    #[cold]
    fn settle(&self, shared: &Shared, index: usize, open: &mut OpenChunk, opens: bool) {
        if open.builder.is_empty() {
            shared.release(&shared.lanes, std::mem::take(&mut open.reserved));
            return;
        }
        let len = open.builder.len() as u64;
        if len > open.reserved {
            shared.charge(len - open.reserved);
            open.reserved = len;
        }
        if len >= self.limits.full_at() as u64 || open.builder.items() >= self.limits.items {
            self.seal(shared, index, open);
        } else if opens {
            shared.open_chunks.note_opened();
            shared.arm();
        }
    }

    /// Makes a chunk of what is encoded, which goes where the chunks of slot `index` go.
    #[cold]
    fn push_alone<F>(&self, shared: &Shared, index: usize, encode: &mut F) -> Result<(), Refused>
    where
        F: FnMut(&mut ItemSink<'_>) -> Result<(), Refused>,
    {
        let mut builder = self.builder(ALONE_BYTES);
        let done = encode(&mut ItemSink::new(&mut builder));
        shared.put(index, builder.seal(), Priority::Normal, None)?;
        done
    }

    /// Seals the chunk of a slot, by who is inside.
    fn seal(&self, shared: &Shared, index: usize, open: &mut OpenChunk) {
        let reserved = std::mem::take(&mut open.reserved);
        if reserved == 0 {
            return;
        }
        let chunk = open.builder.seal();
        shared.put_reserved(index, chunk, reserved);
        self.places[index].items.store(0, Ordering::Relaxed);
    }

    pub(super) fn ask(&self, shared: &Shared, ask: Ask) -> bool {
        self.for_each(|index, slot| slot.ask(ask, |open| self.seal(shared, index, open)))
    }

    pub(super) fn ask_and_wait(&self, shared: &Shared, ask: Ask, until: Instant) -> bool {
        self.for_each(|index, slot| slot.ask_and_wait(ask, |open| self.seal(shared, index, open), until))
    }

    /// Whether it was done in every slot; it is tried in all.
    fn for_each(&self, work: impl Fn(usize, &Slot<OpenChunk>) -> bool) -> bool {
        let places = self.places.iter().enumerate();
        places.filter(|(index, place)| !work(*index, &place.slot)).count() == 0
    }

    pub(super) fn items(&self) -> u64 {
        self.places.iter().map(|place| place.items.load(Ordering::Relaxed)).sum()
    }
}

/// Without what is in the slots, which may be busy.
impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots").field("slots", &self.places.len()).field("items", &self.items()).finish()
    }
}
