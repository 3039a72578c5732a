//! The way in for items that are not encoded yet: from a borrowed value to bytes, on the thread that has it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use aqueduct_exec::fork::PerProcess;
use aqueduct_wire::Signal;
use aqueduct_wire::encode::{ChunkBuilder, LogSource, MetricSource, ResourcePrefix, ScopePrefix, SpanSource};

use crate::home::Home;
use crate::refused::Refused;
use crate::slots::Slots;

/// Writes an item of type `T` as OTLP.
///
/// Every function and closure of this shape is one: `|item: &T, out: &mut ItemSink<'_>| out.push_span(&scope, item)`. It is called on the threads
/// that push, several at a time.
///
/// It may write several items, for instance a span and the log records that it collected as spans of their own, or none at all, to leave the item out.
///
/// # Examples
///
/// ```
/// use aqueduct_pipeline::{Encode, ItemSink};
/// use aqueduct_wire::encode::{LogSource, ScopePrefix, ValueRef, ValueSink};
///
/// struct Line<'a>(&'a str);
///
/// impl LogSource for Line<'_> {
///     fn body(&self, out: ValueSink<'_>) { out.put(ValueRef::Str(self.0)) }
/// }
///
/// /// Lines of text as log records, without those that are empty.
/// struct Lines(ScopePrefix);
///
/// impl Encode<str> for Lines {
///     fn encode(&self, line: &str, out: &mut ItemSink<'_>) {
///         if !line.is_empty() {
///             out.push_log(&self.0, &Line(line));
///         }
///     }
/// }
/// ```
pub trait Encode<T: ?Sized>: Send + Sync {
    /// Writes `item`.
    ///
    /// # Panics
    ///
    /// A panic is caught: what was written before it stays, what was being written is left out, and the push is answered with
    /// [`Refused::EncoderPanicked`].
    fn encode(&self, item: &T, out: &mut ItemSink<'_>);
}

impl<T: ?Sized, F: Fn(&T, &mut ItemSink<'_>) + Send + Sync> Encode<T> for F {
    fn encode(&self, item: &T, out: &mut ItemSink<'_>) {
        self(item, out);
    }
}

/// Where an encoder's items go: a chunk that is open.
pub struct ItemSink<'c> {
    builder: &'c mut ChunkBuilder,
    wrong_signal: bool,
}

impl<'c> ItemSink<'c> {
    #[inline]
    pub(crate) fn new(builder: &'c mut ChunkBuilder) -> ItemSink<'c> {
        ItemSink { builder, wrong_signal: false }
    }

    /// The signal of the pipeline. What is written of another one is left out, and the push is answered with [`Refused::WrongSignal`].
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.builder.signal()
    }

    /// Writes a span.
    #[inline]
    pub fn push_span<S: SpanSource + ?Sized>(&mut self, scope: &ScopePrefix, span: &S) {
        if self.is_of(Signal::Traces) {
            self.builder.push_span(scope, span);
        }
    }

    /// Writes a log record.
    #[inline]
    pub fn push_log<L: LogSource + ?Sized>(&mut self, scope: &ScopePrefix, log: &L) {
        if self.is_of(Signal::Logs) {
            self.builder.push_log(scope, log);
        }
    }

    /// Writes a metric with all its points, each of which is an item.
    #[inline]
    pub fn push_metric<M: MetricSource + ?Sized>(&mut self, scope: &ScopePrefix, metric: &M) {
        if self.is_of(Signal::Metrics) {
            self.builder.push_metric(scope, metric);
        }
    }

    /// Not `wrong_signal |= !is`, which rustc 1.95 compiles to setting it always where the optimizer sees the caller's branch.
    #[inline]
    fn is_of(&mut self, signal: Signal) -> bool {
        if self.builder.signal() == signal {
            return true;
        }
        self.wrong_signal = true;
        false
    }

    /// What a push is answered with if the encoder did not panic.
    #[inline]
    fn answer(&self) -> Result<(), Refused> {
        if self.wrong_signal { Err(Refused::WrongSignal) } else { Ok(()) }
    }
}

impl fmt::Debug for ItemSink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItemSink").field("signal", &self.signal()).finish_non_exhaustive()
    }
}

/// Encodes items of one resource into a pipeline; made by [`Pipeline::encoding_intake`](crate::Pipeline::encoding_intake).
///
/// One is enough for all threads; clone it (a reference count) to wherever it is needed. Each thread writes into an open chunk of its own as long as there are
/// as many slots as threads: one for each processor, and four at least.
///
/// # When items leave
///
/// A chunk is sealed when it is full ([`PipelineConfig::chunk_bytes`](crate::PipelineConfig::chunk_bytes), or the items of a batch), by
/// [`Pipeline::flush`](crate::Pipeline::flush) and [`Pipeline::shutdown`](crate::Pipeline::shutdown), when the last clone of the intake is dropped, and in any case before its first
/// item is older than `max_age` of the batches; the batch that it joins is then sealed with it. A thread that ends leaves nothing behind.
///
/// # Accounting
///
/// Items in an open chunk are in no ledger: they are accepted when it is sealed, and until then shown as
/// [`LaneStatus::encoding_items`](crate::LaneStatus::encoding_items). The chunk's full size is reserved in every lane when it is opened.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use aqueduct_pipeline::{Attempt, Destination, Exporter, ItemSink, LaneConfig, Pipeline};
/// use aqueduct_transport::{Outcome, Request, RetryPolicy};
/// use aqueduct_wire::Signal;
/// use aqueduct_wire::encode::{AttributeSink, ResourcePrefix, ScopePrefix, SpanSource, ValueRef};
///
/// struct Call { id: u64, route: &'static str, begin: u64, end: u64 }
///
/// impl SpanSource for Call {
///     fn trace_id(&self) -> [u8; 16] { u128::from(self.id).to_be_bytes() }
///     fn span_id(&self) -> [u8; 8] { self.id.to_be_bytes() }
///     fn name(&self) -> &str { "call" }
///     fn start_time_unix_nano(&self) -> u64 { self.begin }
///     fn end_time_unix_nano(&self) -> u64 { self.end }
///     fn attributes(&self, out: &mut AttributeSink<'_>) {
///         out.push("http.route", ValueRef::Str(self.route));
///     }
/// }
///
/// # struct Nowhere;
/// # impl Exporter for Nowhere {
/// #     fn send<'a>(&'a self, _: &'a Request) -> Attempt<'a> { Box::pin(async { Outcome::Delivered }) }
/// # }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let destination = Arc::new(Destination::new("nowhere", Nowhere, RetryPolicy::default()));
/// let pipeline = Pipeline::builder(Signal::Traces).destination(destination, LaneConfig::default()).build()?;
/// let resource = ResourcePrefix::new(|out| out.push("service.name", ValueRef::Str("shop")));
/// let scope = ScopePrefix::new("http-server", "0.3.1");
/// let calls = pipeline
///     .encoding_intake(resource, move |call: &Call, out: &mut ItemSink<'_>| out.push_span(&scope, call));
///
/// calls.push(&Call { id: 1, route: "/cart", begin: 5, end: 9 })?;
/// std::thread::scope(|threads| {
///     threads.spawn(|| calls.push(&Call { id: 2, route: "/pay", begin: 6, end: 7 }));
/// });
///
/// let report = pipeline.shutdown(Duration::from_secs(5))?;
/// assert_eq!(report.lanes[0].ledger.delivered, 2);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "SpanProcessor")]
#[doc(alias = "LogRecordProcessor")]
pub struct EncodingIntake<E>(Arc<Way<E>>);

struct Way<E> {
    home: Arc<Home>,
    resource: ResourcePrefix,
    encoder: E,
    /// Those of the core of this process.
    slots: PerProcess<Arc<Slots>>,
}

impl<E> EncodingIntake<E> {
    pub(crate) fn new(home: &Arc<Home>, resource: ResourcePrefix, encoder: E) -> EncodingIntake<E> {
        EncodingIntake(Arc::new(Way { home: Arc::clone(home), resource, encoder, slots: PerProcess::new() }))
    }

    /// The signal the pipeline carries.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.0.home.recipe.signal
    }

    /// Encodes an item into the open chunk of this thread.
    ///
    /// # Errors
    ///
    /// [`Refused`]. [`Refused::Full`], [`Refused::Closed`] and [`Refused::Forked`]: nothing of the item was taken. (An item that finds all slots
    /// busy may have been encoded to no avail.) [`Refused::EncoderPanicked`] and [`Refused::WrongSignal`]: what the encoder had written besides was taken.
    ///
    /// # Overload
    ///
    /// Waits for no other thread, and for room only if the pipeline was told to ([`Overflow::Block`](crate::Overflow::Block)). An item that makes its chunk longer than it was to be is charged to the
    /// budget in addition, whether or not it fits.
    ///
    /// # Allocation
    ///
    /// None for an item, after warm-up. For a chunk a buffer, which comes from the pipeline's pool of slabs, and a few small objects.
    ///
    /// # Panics
    ///
    /// Never, but for a panic of an encoder whose payload panics again when it is dropped.
    #[inline]
    pub fn push<T: ?Sized>(&self, item: &T) -> Result<(), Refused>
    where
        E: Encode<T>,
    {
        let Way { home, resource, encoder, slots } = &*self.0;
        let shared = &home.core().map_err(Refused::of)?.shared;
        let slots = slots.get_or_build(|_| shared.open_chunks.add(shared, resource.clone()));
        let mut until = None;
        loop {
            // Dropped outside of the slot: it is the encoder's, and so is the code that runs then.
            let mut panic = None;
            let done = slots.push(shared, &mut |out: &mut ItemSink<'_>| {
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| encoder.encode(item, out))) {
                    panic = Some(payload);
                    return Err(Refused::EncoderPanicked);
                }
                out.answer()
            });
            let (Err(Refused::Full { .. }), Some(patience)) = (done, shared.patience()) else { return done };
            // Waited for here, where no slot is held.
            let now = Instant::now();
            let until = *until.get_or_insert_with(|| now + patience);
            if now >= until || !shared.wait_for_room(shared.open_chunks.chunk_bytes(), until) {
                shared.note_refused();
                return done;
            }
        }
    }
}

/// A reference count.
impl<E> Clone for EncodingIntake<E> {
    fn clone(&self) -> Self {
        EncodingIntake(Arc::clone(&self.0))
    }
}

impl<E> fmt::Debug for EncodingIntake<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncodingIntake").field("signal", &self.signal()).finish_non_exhaustive()
    }
}

impl<E> Drop for Way<E> {
    fn drop(&mut self) {
        // What a forked child inherited stays as it is.
        if let (Some(core), Some(slots)) = (self.home.existing(), self.slots.get()) {
            core.shared.open_chunks.remove(&core.shared, slots);
        }
    }
}
