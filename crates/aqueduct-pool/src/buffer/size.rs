//! The size classes.

use super::memory::ALIGN;

/// log2 of the smallest class. Below 1 KiB the allocators of today are as quick as a pool can be.
const SMALLEST_LOG: u32 = 10;
/// log2 of the largest class. Beyond 4 MiB touching the memory costs a hundred thousand times what getting it costs.
#[cfg(not(crossbeam_loom))]
const LARGEST_LOG: u32 = 22;
/// Two classes are enough for a model.
#[cfg(crossbeam_loom)]
const LARGEST_LOG: u32 = 11;
/// Bytes of the smallest class.
pub(super) const SMALLEST: usize = 1 << SMALLEST_LOG;
/// How many classes there are: a power of two each, both ends included.
pub(super) const CLASSES: usize = (LARGEST_LOG - SMALLEST_LOG + 1) as usize;
/// In the place of a class: memory that goes back to the allocator instead of the pool.
pub(super) const PLAIN: usize = 0x1f;
/// Set in addition to the class: the memory is wiped when it comes back. With it, or with `PLAIN`, the number is no class, and so fails the one
/// comparison that the way back needs.
pub(super) const WIPE: usize = 0x20;

/// Capacity and class in one word: capacities are whole lines, so that six bits below are free.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape(usize);

impl Shape {
    const MARK: usize = ALIGN - 1;

    #[inline]
    pub(super) fn of_class(class: usize, wipe: usize) -> Shape {
        Shape(bytes_of(class) | class | wipe)
    }

    pub(super) fn plain(capacity: usize, wipe: usize) -> Shape {
        debug_assert_eq!(capacity & Shape::MARK, 0);
        Shape(capacity | PLAIN | wipe)
    }

    #[inline]
    pub(super) fn capacity(self) -> usize {
        self.0 & !Shape::MARK
    }

    /// The class, if all that has to happen on the way back is to put it there; no class otherwise.
    #[inline]
    pub(super) fn mark(self) -> usize {
        self.0 & Shape::MARK
    }

    /// The class, or `PLAIN`.
    pub(super) fn class(self) -> usize {
        self.mark() & !WIPE
    }

    pub(super) fn has_to_be_wiped(self) -> bool {
        self.0 & WIPE != 0
    }
}

/// The class whose buffers hold at least `bytes`; `CLASSES` or more if there is none.
#[inline]
pub(super) fn class_of(bytes: usize) -> usize {
    // One less, so that a power of two falls into its own class; at least the smallest, which also takes care of zero.
    let log = usize::BITS - (bytes.saturating_sub(1) | (SMALLEST - 1)).leading_zeros();
    (log - SMALLEST_LOG) as usize
}

/// The bytes of a buffer of this class.
#[inline]
pub(super) fn bytes_of(class: usize) -> usize {
    SMALLEST << class
}

/// The capacity of a buffer for that many bytes: its class's, or whole cache lines if there is none.
///
/// # Panics
/// If that is about `isize::MAX` or more, as for `Vec`.
pub(super) fn capacity_for(bytes: usize) -> usize {
    let class = class_of(bytes);
    if class < CLASSES {
        return bytes_of(class);
    }
    let rounded = bytes.checked_next_multiple_of(ALIGN);
    // Some room for what is allocated beyond it.
    rounded.filter(|&bytes| bytes <= isize::MAX as usize - (1 << 16)).expect("capacity overflow")
}

#[cfg(all(test, not(crossbeam_loom)))]
mod tests {
    use super::*;

    /// Guards the edges of all classes.
    #[test]
    fn the_class_is_the_smallest_that_holds() {
        for bytes in [0, 1, 1000, 1024] {
            assert_eq!(class_of(bytes), 0);
        }
        for class in 0..CLASSES {
            assert_eq!(class_of(bytes_of(class)), class);
            assert_eq!(class_of(bytes_of(class) - 1), class);
            assert_eq!(class_of(bytes_of(class) + 1), class + 1);
        }
        assert_eq!(bytes_of(CLASSES - 1), 4 << 20);
        assert!(class_of(usize::MAX) >= CLASSES);
    }
}
