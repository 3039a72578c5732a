//! The items of a batch that waits, of which the least important can be taken away.

use crate::Weight;

/// What is known of an item besides itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// At least one item.
    pub(super) weight: Weight,
    /// Higher is kept longer.
    pub(super) priority: u8,
}

/// An item on its way into a bundle.
#[derive(Debug)]
pub(super) struct Slot<T> {
    pub(super) item: T,
    pub(super) tag: Tag,
}

/// Items in the order in which they came, with holes where some were taken.
///
/// Taking the oldest of the lowest priority costs a scan of the bundle for each *level* of priority in it, not for each item: the cursor
/// goes through a level once. At most half of the slots are holes.
#[derive(Debug)]
pub(super) struct Bundle<T> {
    slots: Vec<Option<T>>,
    /// One for each slot, holes included.
    tags: Vec<Tag>,
    /// Slots that are no holes.
    live: usize,
    /// The lowest priority there is.
    lowest: u8,
    /// How many items have it.
    left: usize,
    /// None of them stands before this.
    cursor: usize,
}

impl<T> Default for Bundle<T> {
    fn default() -> Self {
        Bundle { slots: Vec::new(), tags: Vec::new(), live: 0, lowest: u8::MAX, left: 0, cursor: 0 }
    }
}

impl<T> Extend<Slot<T>> for Bundle<T> {
    fn extend<I: IntoIterator<Item = Slot<T>>>(&mut self, slots: I) {
        for Slot { item, tag } in slots {
            if self.left == 0 || tag.priority < self.lowest {
                (self.lowest, self.left, self.cursor) = (tag.priority, 1, self.slots.len());
            } else if tag.priority == self.lowest {
                self.left += 1;
            }
            self.slots.push(Some(item));
            self.tags.push(tag);
            self.live += 1;
        }
    }
}

impl<T> Bundle<T> {
    pub(super) fn from_parts(items: Vec<T>, tags: Vec<Tag>) -> Bundle<T> {
        let live = items.len();
        let slots = items.into_iter().map(Some).collect();
        let mut bundle = Bundle { slots, tags, live, ..Bundle::default() };
        bundle.survey();
        bundle
    }

    pub(super) fn into_parts(mut self) -> (Vec<T>, Vec<Tag>) {
        if self.live < self.slots.len() {
            self.compact();
        }
        (self.slots.into_iter().flatten().collect(), self.tags)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// The lowest priority there is. Means nothing if there is no item.
    pub(super) fn lowest(&self) -> u8 {
        self.lowest
    }

    /// The tags of the items that are there.
    pub(super) fn tags(&self) -> impl Iterator<Item = &Tag> {
        self.slots.iter().zip(&self.tags).filter(|(slot, _)| slot.is_some()).map(|(_, tag)| tag)
    }

    /// Takes the oldest item of the lowest priority.
    pub(super) fn evict(&mut self) -> Option<(T, Tag)> {
        let mut rest = self.slots.iter().zip(&self.tags).skip(self.cursor);
        let at = self.cursor + rest.position(|(slot, tag)| slot.is_some() && tag.priority == self.lowest)?;
        let (item, tag) = (self.slots[at].take()?, self.tags[at]);
        self.live -= 1;
        self.left -= 1;
        self.cursor = at + 1;
        if self.live * 2 < self.slots.len() {
            self.compact();
        }
        if self.left == 0 {
            self.survey();
        }
        Some((item, tag))
    }

    /// Closes the holes. It costs as much as was taken since the last time, because that is at least half of what there is.
    fn compact(&mut self) {
        let mut slots = self.slots.iter();
        self.tags.retain(|_| slots.next().is_some_and(Option::is_some));
        self.slots.retain(Option::is_some);
        self.cursor = 0;
    }

    /// Finds the lowest priority anew.
    fn survey(&mut self) {
        self.lowest = self.tags().map(|tag| tag.priority).min().unwrap_or(u8::MAX);
        self.left = self.tags().filter(|tag| tag.priority == self.lowest).count();
        self.cursor = 0;
    }
}
