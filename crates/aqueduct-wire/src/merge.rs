//! Batching as concatenation: by reference where that is cheap, by copy where it is cheaper.

pub(crate) mod slab;

use crate::{Chunk, Signal};
#[cfg(feature = "pool")]
use aqueduct_pool::BufferPool;
use bytes::{Bytes, BytesMut};
use core::fmt;
use slab::{Slab, Source};
use std::sync::Arc;

/// Below this many bytes a chunk is copied: a small slice would pin the whole read buffer that it came
/// in, and cost an entry in the list of pieces and a frame of its own when it is sent.
pub(crate) const COPY_BELOW: usize = 16 * 1024;

/// Copied chunks share buffers of this size. Below the size from which allocators go to the kernel
/// for each allocation (128 KiB with glibc), and large enough to make a full HTTP/2 frame of 16 KiB.
const SLAB_BYTES: usize = 64 * 1024;

/// The first slab of a batch; each further one is as large as all copied before, up to [`SLAB_BYTES`]. A batch that is
/// sealed by its age alone may hold a single small request, and must not cost a whole slab.
const FIRST_SLAB_BYTES: usize = 4 * 1024;

/// Concatenates chunks of one signal, in the order in which they are pushed.
///
/// # Allocation
///
/// One buffer of at most [`Merger::with_slab_bytes`] for each so many bytes copied, from the allocator or from a
/// pool (feature `pool`: `Merger::with_pool`), and the growing list of pieces. The last buffer is exchanged for a smaller
/// one when less than half of it is used.
#[doc(alias = "process_batch_zero_copy")]
pub struct Merger {
    signal: Signal,
    items: u64,
    len: usize,
    held: usize,
    slab_bytes: usize,
    copy_below: usize,
    slabs: Source,
    slab: Slab,
    copied: usize,
    /// Holds empty places where parts of the open slab belong.
    pieces: Vec<Bytes>,
    /// Where these places are, and the end in the open slab of what belongs there. Each part begins where the one before it ends.
    parts: Vec<(usize, usize)>,
}

impl Merger {
    /// An empty batch of `signal`. Allocates nothing yet.
    #[must_use]
    pub fn new(signal: Signal) -> Merger {
        Merger {
            signal,
            items: 0,
            len: 0,
            held: 0,
            slab_bytes: SLAB_BYTES,
            copy_below: COPY_BELOW,
            slabs: Source::default(),
            slab: Slab::default(),
            copied: 0,
            pieces: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Largest size of the buffers that small chunks are copied into, in bytes. Default 64 KiB; the first of a batch has
    /// 4 KiB.
    ///
    /// A larger slab means fewer pieces to send and more memory held by a batch that stays small.
    #[must_use]
    pub fn with_slab_bytes(mut self, bytes: usize) -> Merger {
        self.slab_bytes = bytes;
        self
    }

    /// Chunks shorter than this many bytes are copied, others kept by reference. Default 16 KiB; 0 copies
    /// nothing.
    #[must_use]
    pub fn with_copy_below(mut self, bytes: usize) -> Merger {
        self.copy_below = bytes;
        self
    }

    /// Takes slabs from this pool, to which they return when the last clone or slice of the batch is dropped, on
    /// whichever thread. Past the cap of the pool slabs come from the allocator.
    #[cfg(feature = "pool")]
    #[must_use]
    pub fn with_pool(mut self, pool: BufferPool) -> Merger {
        self.slabs = Source::from(pool);
        self
    }

    /// Appends a chunk.
    ///
    /// # Panics
    ///
    /// If the chunk is of another signal: concatenating the two would be garbage for every receiver.
    pub fn push(&mut self, chunk: Chunk) {
        assert_eq!(chunk.signal(), self.signal, "a batch holds one signal");
        self.items += chunk.items();
        self.len += chunk.len();
        if chunk.len() < self.copy_below {
            self.copy(chunk.bytes());
        } else if !chunk.is_empty() {
            self.end_part();
            self.held += chunk.len();
            self.pieces.push(chunk.into_bytes());
        }
    }

    #[inline]
    fn copy(&mut self, bytes: &[u8]) {
        if bytes.len() > self.slab.room() {
            self.open_slab(bytes.len());
        }
        self.slab.append(bytes);
        self.copied += bytes.len();
    }

    /// The end of the old slab stays unused rather than filled with half a chunk: a chunk in one piece is
    /// worth more to whoever looks at the pieces than the few bytes.
    #[cold]
    fn open_slab(&mut self, at_least: usize) {
        self.seal_slab();
        let size = self.copied.max(FIRST_SLAB_BYTES).min(self.slab_bytes).max(at_least);
        self.slab = self.slabs.slab(size);
        self.held += self.slab.capacity();
    }

    /// Keeps a place for what was copied since the last part; the slab goes on being filled.
    fn end_part(&mut self) {
        let begin = self.parts.last().map_or(0, |&(_, end)| end);
        if self.slab.len() > begin {
            self.parts.push((self.pieces.len(), self.slab.len()));
            self.pieces.push(Bytes::new());
        }
    }

    /// Moves what the slab holds to the places kept for it.
    fn seal_slab(&mut self) {
        self.end_part();
        let whole = std::mem::take(&mut self.slab).freeze();
        let mut begin = 0;
        for (place, end) in self.parts.drain(..) {
            self.pieces[place] = whole.slice(begin..end);
            begin = end;
        }
    }

    /// What is being merged.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// Items pushed so far.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Bytes pushed so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no bytes were pushed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Memory held: whole slabs, and the length of the chunks kept by reference.
    ///
    /// The buffer behind a chunk kept by reference may be larger than the chunk; that is not visible here.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held
    }

    /// The batch.
    #[must_use]
    pub fn finish(mut self) -> Merged {
        if self.slab.len() < self.slab.capacity() / 2 {
            // A batch may be held for long while its destination is away; what it does not use is not in any budget.
            self.held -= self.slab.capacity();
            let mut smaller = self.slabs.slab(self.slab.len());
            smaller.append(self.slab.bytes());
            self.slab = smaller;
            self.held += self.slab.capacity();
        }
        self.seal_slab();
        Merged {
            signal: self.signal,
            items: self.items,
            len: self.len,
            held: self.held,
            pieces: self.pieces.into(),
        }
    }
}

/// A batch, ready to be sent: pieces of bytes that make one request when written one after the other.
///
/// Cloning shares everything, so that a retry or a second destination costs a reference count.
#[derive(Clone)]
pub struct Merged {
    signal: Signal,
    items: u64,
    len: usize,
    held: usize,
    pieces: Arc<[Bytes]>,
}

impl Merged {
    /// A batch of one chunk, by reference.
    #[must_use]
    pub fn from_chunk(chunk: Chunk) -> Merged {
        let (signal, items, len) = (chunk.signal(), chunk.items(), chunk.len());
        let pieces: Arc<[Bytes]> =
            if chunk.is_empty() { Arc::from([]) } else { Arc::from([chunk.into_bytes()]) };
        Merged { signal, items, len, held: len, pieces }
    }

    /// A request in pieces, none of them empty, of `len` bytes in all.
    pub(crate) fn of_pieces(
        signal: Signal,
        items: u64,
        len: usize,
        held: usize,
        pieces: Vec<Bytes>,
    ) -> Merged {
        Merged { signal, items, len, held, pieces: pieces.into() }
    }

    /// What the items are.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// How many spans, data points or log records.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Length of the whole request in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of memory that this keeps from being freed, as far as is known here: whole slabs, and the length of what is
    /// kept by reference.
    ///
    /// - Of a [`Merger`] and [`Merged::from_chunk`]: the length of each chunk kept by reference.
    /// - Of an operation with one result ([`filter`](crate::filter), [`fold`](crate::fold), [`edit`](crate::edit)): all
    ///   of the request as soon as a slice of it is kept, since nothing of it can be freed before. If the slices would be less
    ///   than a quarter of it they are copied, so that this is at most about four times [`Merged::len`].
    /// - Of a part of [`split`](crate::split) or [`group_by`](crate::group_by): its own length. Parts of a request share it,
    ///   and counted whole in each it would be counted as often as there are parts, which no budget could hold; so
    ///   together they count it once, and repeated headers as often as they are repeated. A part that outlives the others
    ///   may keep more than it says: copy it ([`Merged::to_bytes`] of several pieces does) where that matters.
    ///
    /// The buffer behind a request may be larger than the request; that is not visible here.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held
    }

    /// The pieces in order; none is empty.
    #[must_use]
    pub fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    /// The request in one piece: without a copy if it is one already.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match &*self.pieces {
            [] => Bytes::new(),
            [only] => only.clone(),
            many => {
                let mut all = BytesMut::with_capacity(self.len);
                many.iter().for_each(|piece| all.extend_from_slice(piece));
                all.freeze()
            }
        }
    }
}

/// The request in one piece, as [`Merged::to_bytes`].
impl From<Merged> for Chunk {
    fn from(merged: Merged) -> Chunk {
        Chunk::from_valid(merged.signal, merged.items, merged.to_bytes())
    }
}

impl From<Chunk> for Merged {
    fn from(chunk: Chunk) -> Merged {
        Merged::from_chunk(chunk)
    }
}

/// Without the bytes: they are the data of others, and many.
impl fmt::Debug for Merger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merger")
            .field("signal", &self.signal)
            .field("items", &self.items)
            .field("len", &self.len)
            .field("held_bytes", &self.held)
            .finish_non_exhaustive()
    }
}

/// Without the bytes: they are the data of others, and many.
impl fmt::Debug for Merged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merged")
            .field("signal", &self.signal)
            .field("items", &self.items)
            .field("len", &self.len)
            .field("held_bytes", &self.held)
            .field("pieces", &self.pieces.len())
            .finish_non_exhaustive()
    }
}
