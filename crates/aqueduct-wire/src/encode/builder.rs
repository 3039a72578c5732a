//! Items of one resource, collected into a chunk.
//!
//! ```text
//! slab:  | unused | key, length, resource | key, length, scope | items .. | key, length, scope | items .. |
//!                                                              ^ start
//! ```
//!
//! The lengths of the resource's and of the first scope's record are known at the end only, and everything stands behind
//! them. So room is left in front, and when the chunk is sealed the heads are written backwards from the first item, each as
//! long as it has to be. Nothing moves. A further scope begins with a length of one byte, which is widened when the scope
//! ends.

use super::encoder::Encoder;
use super::log::LogSource;
use super::metric::MetricSource;
use super::prefix::{ResourcePrefix, ScopePrefix};
use super::span::SpanSource;
use super::writer::{HEAD, put_head};
use crate::merge::slab::{Slab, Source};
use crate::schema::tags::{request, resource_record};
use crate::varint::{self, field_len};
use crate::{Chunk, Signal};
#[cfg(feature = "pool")]
use aqueduct_pool::BufferPool;
use bytes::Bytes;
use core::fmt;

/// As `Merger`'s slabs: below the size from which allocators go to the kernel for each allocation.
const CAPACITY: usize = 64 * 1024;

/// Collects spans, log records or metrics of one resource into a [`Chunk`].
///
/// Items that follow one another with the same scope share a record of that scope. A chunk is as valid as the strings and ids in
/// it, which their types see to, unless so much is added that a receiver refuses it for its size: ask
/// [`ChunkBuilder::is_full`] before or after each item.
///
/// # Allocation
///
/// A buffer for each chunk, from the allocator or a pool (feature `pool`: `ChunkBuilder::with_pool`), that grows if what is
/// added does not fit, and is exchanged for a smaller one if less than half of it is used; the object that counts its
/// references; and one more buffer that grows to the size of the largest item. Nothing for an item.
///
/// # Examples
///
/// ```
/// use aqueduct_wire::Signal;
/// use aqueduct_wire::encode::{ChunkBuilder, LogSource, ResourcePrefix, ScopePrefix, ValueRef, ValueSink};
///
/// struct Line(&'static str);
///
/// impl LogSource for Line {
///     fn body(&self, out: ValueSink<'_>) { out.put(ValueRef::Str(self.0)) }
/// }
///
/// let resource = ResourcePrefix::new(|out| out.push("service.name", ValueRef::Str("shop")));
/// let scope = ScopePrefix::new("console", "");
/// let mut builder = ChunkBuilder::new(Signal::Logs, resource);
/// for line in ["one", "two", "three"] {
///     builder.push_log(&scope, &Line(line));
/// }
/// let expected = builder.len();
/// let chunk = builder.seal();
/// assert_eq!((chunk.items(), chunk.len()), (3, expected));
/// assert!(builder.is_empty());
/// ```
pub struct ChunkBuilder {
    signal: Signal,
    resource: ResourcePrefix,
    capacity: usize,
    slabs: Source,
    encoder: Encoder,
    slab: Slab,
    items: u64,
    cut: u64,
    /// Where the first scope begins, with its prefix.
    start: usize,
    /// Of the last item.
    scope: ScopePrefix,
    /// Where the first scope ends, once there are others.
    first_end: Option<usize>,
    /// Where the last scope begins, with its prefix, if it is not the first. The byte before is for its length.
    last: usize,
}

impl ChunkBuilder {
    /// Opens a chunk. Allocates nothing yet.
    #[must_use]
    pub fn new(signal: Signal, resource: ResourcePrefix) -> ChunkBuilder {
        ChunkBuilder {
            signal,
            resource,
            capacity: CAPACITY,
            slabs: Source::default(),
            encoder: Encoder::new(),
            slab: Slab::default(),
            items: 0,
            cut: 0,
            start: 0,
            scope: ScopePrefix::default(),
            first_end: None,
            last: 0,
        }
    }

    /// Room for each chunk in bytes, before its buffer grows. Default 64 KiB.
    ///
    /// A little more than the limit at which chunks are sealed is right: growing moves what is there.
    #[must_use]
    pub fn with_capacity(mut self, bytes: usize) -> ChunkBuilder {
        self.capacity = bytes;
        self
    }

    /// Takes buffers from this pool, to which they return when the last clone or slice of the chunk is dropped, on whichever thread.
    /// Past the cap of the pool they come from the allocator.
    #[cfg(feature = "pool")]
    #[must_use]
    pub fn with_pool(mut self, pool: BufferPool) -> ChunkBuilder {
        self.slabs = Source::from(pool);
        self
    }

    /// Adds a span.
    ///
    /// # Panics
    ///
    /// If the builder is of another signal: no receiver could read the chunk.
    #[inline]
    pub fn push_span<S: SpanSource + ?Sized>(&mut self, scope: &ScopePrefix, span: &S) {
        self.push(Signal::Traces, scope, |encoder| {
            encoder.span(span);
        });
    }

    /// Adds a log record.
    ///
    /// # Panics
    ///
    /// As [`ChunkBuilder::push_span`].
    #[inline]
    pub fn push_log<L: LogSource + ?Sized>(&mut self, scope: &ScopePrefix, log: &L) {
        self.push(Signal::Logs, scope, |encoder| {
            encoder.log(log);
        });
    }

    /// Adds a metric with all its points, each of which is an item.
    ///
    /// # Panics
    ///
    /// As [`ChunkBuilder::push_span`].
    pub fn push_metric<M: MetricSource + ?Sized>(&mut self, scope: &ScopePrefix, metric: &M) {
        self.push(Signal::Metrics, scope, |encoder| {
            encoder.metric(metric);
        });
    }

    #[inline]
    fn push(&mut self, signal: Signal, scope: &ScopePrefix, encode: impl FnOnce(&mut Encoder)) {
        assert_eq!(signal, self.signal, "a chunk holds one signal");
        // A source may panic: until it is done, nothing of the chunk is changed.
        encode(&mut self.encoder);
        let mut record = self.encoder.record();
        // A slab that was not opened yet has no room.
        if self.slab.room() < record.len() || !self.scope.is(scope) {
            let len = record.len();
            self.make_room(scope, len);
            record = self.encoder.record();
        }
        self.slab.append(record.as_bytes());
        self.items += record.items();
        self.cut += record.cut_values();
    }

    /// For an item of this scope and so many bytes.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, scope: &ScopePrefix, len: usize) {
        if self.slab.len() == 0 {
            self.open(scope, len);
        } else if !self.scope.is(scope) {
            self.next_scope(scope);
        }
        self.reserve(len);
    }

    /// Leaves room for the heads, and begins the first scope.
    fn open(&mut self, scope: &ScopePrefix, more: usize) {
        self.start = 2 * HEAD + self.resource.len();
        self.slab = self.slabs.slab(self.capacity.max(self.start + scope.len() + more));
        let mut left = self.start;
        while left > 0 {
            let zeros = &[0; 256][..left.min(256)];
            self.slab.append(zeros);
            left -= zeros.len();
        }
        self.slab.append(scope.as_bytes());
        self.scope = scope.clone();
        self.first_end = None;
        self.cut = self.resource.cut_values() + scope.cut_values();
    }

    /// Ends the last scope and begins another.
    fn next_scope(&mut self, scope: &ScopePrefix) {
        self.end_scope();
        self.first_end.get_or_insert(self.slab.len());
        self.reserve(2 + scope.len());
        self.slab.append(&[resource_record::SCOPE_RECORD, 0]);
        self.last = self.slab.len();
        self.slab.append(scope.as_bytes());
        self.scope = scope.clone();
        self.cut += scope.cut_values();
    }

    /// Writes the length of the last scope, if it is not the first.
    fn end_scope(&mut self) {
        if self.first_end.is_none() {
            return;
        }
        let len = self.slab.len() - self.last;
        let mut varint = [0; 10];
        let more = varint::put(&mut varint, len as u64) - 1;
        self.reserve(more);
        self.slab.append(&varint[..more]);
        let bytes = self.slab.bytes_mut();
        bytes.copy_within(self.last..self.last + len, self.last + more);
        bytes[self.last - 1..self.last + more].copy_from_slice(&varint[..=more]);
    }

    fn reserve(&mut self, more: usize) {
        if self.slab.room() < more {
            self.grow(more);
        }
    }

    /// Doubling keeps the sum of all moves below twice the final size.
    fn grow(&mut self, more: usize) {
        let mut larger =
            self.slabs.slab((self.slab.len() + more).max(self.slab.capacity().saturating_mul(2)));
        larger.append(self.slab.bytes());
        self.slab = larger;
    }

    /// Seals what was collected, and opens the next chunk with the same resource.
    ///
    /// If nothing was pushed it is a chunk of no bytes. (One of metrics without points has bytes, and no items.)
    #[must_use]
    pub fn seal(&mut self) -> Chunk {
        if self.slab.len() == 0 {
            return Chunk::from_valid(self.signal, 0, Bytes::new());
        }
        let (len, items) = (self.len(), core::mem::take(&mut self.items));
        self.end_scope();
        let begin = self.write_heads();
        debug_assert_eq!(self.slab.len() - begin, len);
        let mut slab = core::mem::take(&mut self.slab);
        self.scope = ScopePrefix::default();
        self.first_end = None;
        let bytes = if len < slab.capacity() / 2 {
            // A chunk may be held for long while its destination is away; what it does not use is not in any budget.
            let mut smaller = self.slabs.slab(len);
            smaller.append(&slab.bytes_mut()[begin..]);
            smaller.freeze()
        } else {
            slab.freeze().slice(begin..)
        };
        Chunk::from_valid(self.signal, items, bytes)
    }

    /// Writes what stands before the first scope, backwards, and says where it begins.
    fn write_heads(&mut self) -> usize {
        let bytes = self.slab.bytes_mut();
        let end = bytes.len();
        let scope_len = self.first_end.unwrap_or(end) - self.start;
        let at = put_head(&mut bytes[..self.start], resource_record::SCOPE_RECORD, scope_len);
        let resource = at - self.resource.len();
        bytes[resource..at].copy_from_slice(self.resource.as_bytes());
        put_head(&mut bytes[..resource], request::RECORD, end - resource)
    }

    /// The signal that it was opened for.
    #[must_use]
    #[inline]
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// Items collected: spans, data points or log records.
    #[must_use]
    #[inline]
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Whether nothing was added since the last chunk. (A metric without points is added, though it is no item.)
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.slab.len() == 0
    }

    /// How many bytes the chunk would have if it were sealed now. Exact.
    #[must_use]
    pub fn len(&self) -> usize {
        let end = self.slab.len();
        if end == 0 {
            return 0;
        }
        let first_end = self.first_end.unwrap_or(end);
        let scope = field_len(first_end - self.start);
        let others = end - first_end + self.last_widens_by();
        field_len(self.resource.len() + scope + others)
    }

    /// By how many bytes the length of the last scope is going to grow.
    fn last_widens_by(&self) -> usize {
        match self.first_end {
            None => 0,
            Some(_) => varint::len((self.slab.len() - self.last) as u64) - 1,
        }
    }

    /// Whether the chunk has reached `limit` bytes.
    #[must_use]
    #[inline]
    pub fn is_full(&self, limit: usize) -> bool {
        // What is in the slab has the heads at their longest in it, but for the length of the last scope, so that mostly this is all there is to look at.
        self.slab.len() + HEAD >= limit && self.len() >= limit
    }

    /// How many lists in the chunk were written without contents, because they were nested more deeply than
    /// [`validate`](crate::validate) accepts with default limits.
    #[must_use]
    pub fn cut_values(&self) -> u64 {
        if self.is_empty() { 0 } else { self.cut }
    }
}

/// Without the bytes.
impl fmt::Debug for ChunkBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkBuilder")
            .field("signal", &self.signal)
            .field("items", &self.items)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
