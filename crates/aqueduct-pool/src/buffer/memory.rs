//! One piece of memory: from the allocator, and back to it.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// Buffers begin on a cache line, so that two threads that fill neighbours do not share one.
pub(super) const ALIGN: usize = 64;

/// Buffers of a class begin on different lines of a page, and this many bytes are the most that the first can lie behind its place.
///
/// Without it the first lines of all buffers, and those of all their pages, would fall into the same few sets of each cache: 32 buffers
/// of 1 MiB, touched once a page, then take twice as long. See Bonwick, "The Slab Allocator" (USENIX 1994), section 4, on coloring.
const MOST_COLOURING: usize = 4096;

/// The address of a piece of memory. A copy of it is not a second owner: see the module's protocol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    start: NonNull<u8>,
    /// Stands for the bytes where loom can see it: whoever takes or returns the memory writes here.
    #[cfg(crossbeam_loom)]
    watched: NonNull<loom::cell::UnsafeCell<()>>,
}

// SAFETY: an address may go to any thread. Who may use what lies there is the protocol of `buffer`: its one owner.
unsafe impl Send for Memory {}

impl Memory {
    /// Gets `size` bytes from the allocator, uninitialised. The colour follows from `number`, which should be another one each time.
    ///
    /// Behind the `size` bytes lies at least one more, which tells the colour to [`free`](Memory::free):
    ///
    /// ```text
    /// colour x ALIGN | size bytes | colour (1 byte) | the rest of the slack
    /// ```
    pub(super) fn allocate(size: usize, number: u64) -> Memory {
        let layout = layout(size);
        // SAFETY: the layout has room for the slack at least, so its size is not zero.
        let base = unsafe { alloc(layout) };
        let Some(base) = NonNull::new(base) else { handle_alloc_error(layout) };
        // Scattered by Fibonacci hashing: in turn, the colours would fall in step with the allocator's own distances.
        let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        // Below 64, because slack is at most 64 times ALIGN.
        let colour = (scattered % (slack(size) / ALIGN) as u64) as u8;
        // SAFETY: the colour's offset is at most the slack less ALIGN, so that `size` bytes and one more fit behind it.
        let start = unsafe {
            let start = base.add(usize::from(colour) * ALIGN);
            start.add(size).write(colour);
            start
        };
        Memory {
            start,
            #[cfg(crossbeam_loom)]
            watched: NonNull::from(Box::leak(Box::new(loom::cell::UnsafeCell::new(())))),
        }
    }

    /// Gives the bytes back to the allocator.
    ///
    /// # Safety
    /// The caller owns the memory, `size` is the one it was allocated with, and nobody uses it afterwards.
    pub(super) unsafe fn free(self, size: usize) {
        self.used();
        #[cfg(crossbeam_loom)]
        // SAFETY: `allocate` leaked this box, and the caller is the last to know of it.
        drop(unsafe { Box::from_raw(self.watched.as_ptr()) });
        // SAFETY: `allocate` wrote the colour behind the bytes, and moved the start by as much; the caller vouches for ownership and size, from
        // which the layout follows.
        unsafe {
            let colour = self.start.add(size).read();
            dealloc(self.start.sub(usize::from(colour) * ALIGN).as_ptr(), layout(size));
        }
    }

    /// The first byte.
    #[inline]
    pub(super) fn start(self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Tells loom that the caller uses the bytes. Nothing otherwise.
    #[inline]
    pub(super) fn used(self) {
        #[cfg(crossbeam_loom)]
        // SAFETY: the cell lives as long as the memory, which the caller owns.
        unsafe { self.watched.as_ref() }.with_mut(|_| ());
    }

    /// Writes zeroes over all of it, also where the memory is about to be freed.
    ///
    /// # Safety
    /// The caller owns the memory, and `size` is the one it was allocated with.
    pub(super) unsafe fn wipe(self, size: usize) {
        // SAFETY: the bytes are the caller's own, all `size` of them.
        unsafe { self.start().write_bytes(0, size) };
        // Without it the compiler may leave out writes to memory that it sees being freed.
        std::hint::black_box(self.start());
    }
}

/// Bytes that are allocated beyond `size`: room for the colours, an eighth of the size up to a page, and never less than a line.
fn slack(size: usize) -> usize {
    (size / 8 / ALIGN * ALIGN).clamp(ALIGN, MOST_COLOURING)
}

fn layout(size: usize) -> Layout {
    let bytes = size.checked_add(slack(size)).expect("callers stay below isize::MAX");
    Layout::from_size_align(bytes, ALIGN).expect("callers stay below isize::MAX")
}
