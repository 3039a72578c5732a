//! A map from trace ids that also knows their order, with memory that is fixed from the beginning.

use std::hash::{BuildHasher, RandomState};
use std::mem::size_of;

/// No slot.
pub(super) const NONE: u32 = u32::MAX;

/// A doubly linked list of slot numbers.
#[derive(Debug)]
pub(super) struct List {
    // [previous, next] of each slot; what a slot that is not in the list has there means nothing.
    links: Vec<[u32; 2]>,
    head: u32,
    tail: u32,
}

impl List {
    pub(super) fn new(capacity: usize) -> Self {
        List { links: Vec::with_capacity(capacity), head: NONE, tail: NONE }
    }

    /// What a list for so many slots takes.
    pub(super) const fn bytes(capacity: usize) -> usize {
        capacity.saturating_mul(size_of::<[u32; 2]>())
    }

    pub(super) fn front(&self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }

    /// Appends a slot, which must not be in the list.
    pub(super) fn push_back(&mut self, slot: u32) {
        let at = slot as usize;
        if self.links.len() <= at {
            self.links.resize(at + 1, [NONE; 2]);
        }
        self.links[at] = [self.tail, NONE];
        match self.tail {
            NONE => self.head = slot,
            tail => self.links[tail as usize][1] = slot,
        }
        self.tail = slot;
    }

    /// Takes out a slot, which must be in the list.
    pub(super) fn unlink(&mut self, slot: u32) {
        let [previous, next] = self.links[slot as usize];
        match previous {
            NONE => self.head = next,
            previous => self.links[previous as usize][1] = next,
        }
        match next {
            NONE => self.tail = previous,
            next => self.links[next as usize][0] = previous,
        }
    }
}

#[derive(Debug)]
struct Slot<V> {
    id: [u8; 16],
    value: Option<V>,
}

/// At most `capacity` values by trace id, oldest first. All of its memory is reserved when it is made; the hash is keyed, so that ids cannot be chosen
/// to collide.
///
/// Open addressing with linear probing; an entry of the index is `hash << 32 | slot + 1`, so that probing seldom touches another slot, and
/// removal, which shifts back what follows, never.
#[derive(Debug)]
pub(super) struct Table<V> {
    index: Box<[u64]>,
    keys: [u64; 2],
    slots: Vec<Slot<V>>,
    free: Vec<u32>,
    order: List,
    capacity: usize,
}

impl<V> Table<V> {
    pub(super) fn new(capacity: usize) -> Self {
        let keys = RandomState::new();
        Table {
            index: vec![0; index_len(capacity)].into_boxed_slice(),
            keys: [keys.hash_one(0), keys.hash_one(1)],
            slots: Vec::with_capacity(capacity),
            free: Vec::with_capacity(capacity),
            order: List::new(capacity),
            capacity,
        }
    }

    /// What a table for so many values takes.
    pub(super) fn bytes(capacity: usize) -> usize {
        let each = size_of::<Slot<V>>() + size_of::<u32>();
        (index_len(capacity) * size_of::<u64>()).saturating_add(capacity.saturating_mul(each))
            + List::bytes(capacity)
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == self.capacity
    }

    /// The slot of the oldest value.
    pub(super) fn front(&self) -> Option<u32> {
        self.order.front()
    }

    pub(super) fn find(&self, id: &[u8; 16]) -> Option<u32> {
        let hash = self.hash(id);
        let mut at = hash as usize & (self.index.len() - 1);
        loop {
            let entry = self.index[at];
            if entry == 0 {
                return None;
            }
            let slot = (entry as u32) - 1;
            if entry >> 32 == u64::from(hash) && self.slots[slot as usize].id == *id {
                return Some(slot);
            }
            at = (at + 1) & (self.index.len() - 1);
        }
    }

    pub(super) fn get(&self, slot: u32) -> Option<&V> {
        self.slots[slot as usize].value.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut V> {
        self.slots[slot as usize].value.as_mut()
    }

    /// Adds a value as the newest and returns its slot. The id must be new and the table not full.
    pub(super) fn insert(&mut self, id: [u8; 16], value: V) -> u32 {
        debug_assert!(!self.is_full() && self.find(&id).is_none(), "asked before");
        let slot = self.free.pop().unwrap_or(self.slots.len() as u32);
        let filled = Slot { id, value: Some(value) };
        match self.slots.get_mut(slot as usize) {
            Some(place) => *place = filled,
            None => self.slots.push(filled),
        }
        let hash = self.hash(&id);
        let mut at = hash as usize & (self.index.len() - 1);
        while self.index[at] != 0 {
            at = (at + 1) & (self.index.len() - 1);
        }
        self.index[at] = u64::from(hash) << 32 | u64::from(slot + 1);
        self.order.push_back(slot);
        slot
    }

    /// Makes a value the newest.
    pub(super) fn renew(&mut self, slot: u32) {
        self.order.unlink(slot);
        self.order.push_back(slot);
    }

    /// Takes a value out.
    pub(super) fn remove(&mut self, slot: u32) -> Option<([u8; 16], V)> {
        let place = &mut self.slots[slot as usize];
        let value = place.value.take()?;
        let id = place.id;
        self.order.unlink(slot);
        self.free.push(slot);
        self.unindex(&id, slot);
        Some((id, value))
    }

    fn unindex(&mut self, id: &[u8; 16], slot: u32) {
        let mask = self.index.len() - 1;
        let mut hole = self.hash(id) as usize & mask;
        while self.index[hole] as u32 != slot + 1 {
            hole = (hole + 1) & mask;
        }
        let mut at = (hole + 1) & mask;
        while self.index[at] != 0 {
            let home = (self.index[at] >> 32) as usize & mask;
            // It may move back into the hole if the hole is not before its home.
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.index[hole] = self.index[at];
                hole = at;
            }
            at = (at + 1) & mask;
        }
        self.index[hole] = 0;
    }

    /// The two halves, each with its secret, multiplied and folded.
    fn hash(&self, id: &[u8; 16]) -> u32 {
        let id = u128::from_le_bytes(*id);
        let product = u128::from(id as u64 ^ self.keys[0]) * u128::from((id >> 64) as u64 ^ self.keys[1]);
        let folded = product as u64 ^ (product >> 64) as u64;
        (folded ^ folded >> 32) as u32
    }
}

/// Never more than three quarters full.
fn index_len(capacity: usize) -> usize {
    (capacity.saturating_mul(4) / 3 + 1).checked_next_power_of_two().unwrap_or(1 << 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn id(n: u8) -> [u8; 16] {
        let mut id = [0; 16];
        id[3] = n;
        id
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Against a map of the standard library and a vector for the order.
        #[test]
        fn it_is_a_map_with_an_order(steps in prop::collection::vec((0u8..4, 0u8..40), 0..400), capacity in 1usize..24) {
            let mut table = Table::new(capacity);
            let (mut map, mut order) = (HashMap::new(), Vec::new());
            for (n, (what, key)) in steps.into_iter().enumerate() {
                match (what, table.find(&id(key))) {
                    (0 | 1, None) if !table.is_full() => {
                        table.insert(id(key), n);
                        map.insert(key, n);
                        order.push(key);
                    }
                    (2, Some(slot)) => {
                        prop_assert_eq!(table.remove(slot), Some((id(key), map.remove(&key).unwrap())));
                        order.retain(|other| *other != key);
                    }
                    (3, Some(slot)) => {
                        table.renew(slot);
                        order.retain(|other| *other != key);
                        order.push(key);
                    }
                    _ => {}
                }
                prop_assert_eq!(table.len(), map.len());
                prop_assert!(table.len() <= capacity);
                let front = table.front().and_then(|slot| table.get(slot)).copied();
                prop_assert_eq!(front, order.first().map(|key| map[key]));
                for key in 0..40 {
                    let found = table.find(&id(key)).and_then(|slot| table.get(slot)).copied();
                    prop_assert_eq!(found, map.get(&key).copied());
                }
            }
        }
    }

    #[test]
    fn its_memory_is_fixed() {
        let mut table = Table::new(1000);
        let reserved = table.slots.capacity();
        for n in 0..5000u32 {
            if table.is_full() {
                let oldest = table.front().unwrap();
                table.remove(oldest);
            }
            let mut id = [7; 16];
            id[..4].copy_from_slice(&n.to_le_bytes());
            table.insert(id, n);
        }
        assert_eq!(table.slots.capacity(), reserved);
        assert_eq!(table.free.capacity(), reserved);
        assert_eq!(table.order.links.capacity(), reserved);
        assert!(Table::<u32>::bytes(1000) >= reserved * size_of::<Slot<u32>>() + table.index.len() * 8);
    }
}
