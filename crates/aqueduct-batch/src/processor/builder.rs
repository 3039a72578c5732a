//! How a processor is built.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::batch::{Batch, Failed};
use super::driver::{Driver, Timer};
use super::overflow::Overflow;
use super::retry::Retry;
use super::scheduler::{Eviction, Scheduler, Settings};
use super::shared::{OnEdge, Shared};
use super::{BatchProcessor, Kind, thread};
use crate::{BatchConfig, ConfigError, DynamicBatch, Edge, StartError, Watermarks, Weight};

/// What a [`BatchProcessor`] can be told. The defaults are right for OTLP in production.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use aqueduct_batch::{Batch, BatchConfig, BatchProcessor, Overflow, Retry};
///
/// let processor = BatchProcessor::builder(|batch: Batch<String>| {
///     println!("{} lines", batch.len());
///     Ok(())
/// })
/// .with_batch(BatchConfig::default().with_max_items(512))
/// .with_queue_items(4096)
/// .with_overflow(Overflow::DropOldest)
/// .with_retry(Retry::none())
/// .with_drop_deadline(Duration::from_secs(1))
/// .start()?;
/// # let _ = processor;
/// # Ok::<(), aqueduct_batch::StartError>(())
/// ```
#[must_use = "a builder starts nothing by itself"]
pub struct ProcessorBuilder<T, H> {
    handler: H,
    batch: BatchConfig,
    queue: Weight,
    overflow: Overflow<T>,
    retry: Retry,
    max_concurrent: usize,
    watermarks: Watermarks,
    on_edge: Option<OnEdge>,
    dynamic: Option<DynamicBatch>,
    drop_deadline: Duration,
    name: String,
    /// Items go through the handler.
    items: PhantomData<fn(T)>,
}

impl<T, H> ProcessorBuilder<T, H> {
    pub(super) fn new(handler: H) -> Self {
        ProcessorBuilder {
            handler,
            batch: BatchConfig::default(),
            queue: Weight::new(65_536, 64 * 1024 * 1024),
            overflow: Overflow::DropNewest,
            retry: Retry::default(),
            max_concurrent: 1,
            watermarks: Watermarks::default(),
            on_edge: None,
            dynamic: None,
            drop_deadline: Duration::from_secs(5),
            name: "batch".to_owned(),
            items: PhantomData,
        }
    }

    /// When a batch is sealed. Default [`BatchConfig::default`].
    pub fn with_batch(mut self, batch: BatchConfig) -> Self {
        self.batch = batch;
        self
    }

    /// Items held at most: added and not settled yet, in whatever state. Default 65,536; not less than a batch's. Several batches' worth
    /// lets some fill up while others are handled.
    #[doc(alias = "max_queue_size")]
    pub fn with_queue_items(mut self, items: u64) -> Self {
        self.queue.items = items;
        self
    }

    /// Bytes held at most, by the weights given to `add`. Default 64 MiB; not less than a batch's.
    pub fn with_queue_bytes(mut self, bytes: u64) -> Self {
        self.queue.bytes = bytes;
        self
    }

    /// Which item goes when the queue is full. Default [`Overflow::DropNewest`].
    pub fn with_overflow(mut self, overflow: Overflow<T>) -> Self {
        self.overflow = overflow;
        self
    }

    /// How often a batch is tried that the handler gives back. Default [`Retry::default`].
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Batches that are handled at the same time, at most. Default 1, which a handler that is no future cannot exceed. With more, or with
    /// retries, batches may overtake each other.
    #[doc(alias = "max_concurrent_exports")]
    pub fn with_max_concurrent(mut self, batches: usize) -> Self {
        self.max_concurrent = batches;
        self
    }

    /// When the queue counts as high, and as low again, whichever of items and bytes is more. Default 80 and 60 percent.
    pub fn with_watermarks(mut self, watermarks: Watermarks) -> Self {
        self.watermarks = watermarks;
        self
    }

    /// Is told when the queue crosses a watermark: once when it gets high, once when it is low again.
    ///
    /// It runs on the thread that caused it, which may be one that adds, and holds that up; never on two at a time, and in order. An edge and
    /// its opposite that come while it runs are not told. If it panics, that ends there.
    pub fn with_on_edge(mut self, on_edge: impl Fn(Edge) + Send + Sync + 'static) -> Self {
        self.on_edge = Some(Box::new(on_edge));
        self
    }

    /// Lets the items in a batch follow how long the handler takes, in place of `max_items`. Default not.
    pub fn with_dynamic(mut self, dynamic: DynamicBatch) -> Self {
        self.dynamic = Some(dynamic);
        self
    }

    /// How long dropping the processor may take, see [`BatchProcessor`]. Default 5 s.
    pub fn with_drop_deadline(mut self, deadline: Duration) -> Self {
        self.drop_deadline = deadline;
        self
    }

    /// The name of the thread. Default `batch`.
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Starts the processor on a thread of its own. It needs no executor.
    ///
    /// # Errors
    ///
    /// A value that cannot be meant, and [`StartError::Thread`] if there is no further thread.
    pub fn start(self) -> Result<BatchProcessor<T>, StartError>
    where
        T: Send + 'static,
        H: FnMut(Batch<T>) -> Result<(), Failed<T>> + Send + 'static,
    {
        if self.max_concurrent > 1 {
            return Err(ConfigError::SyncConcurrent { wanted: self.max_concurrent }.into());
        }
        let name = self.name.clone();
        let (processor, handler, retry) = self.build(Kind::Thread)?;
        thread::start(Arc::clone(&processor.shared), handler, retry, &name).map_err(|error| {
            // Nobody will ever end it: there is nothing to wait for.
            processor.shared.with(|state, _| state.end());
            StartError::Thread(error)
        })?;
        Ok(processor)
    }

    /// The processor, and the future that does its work: spawn it on any executor. The handler returns a future; up to
    /// [`with_max_concurrent`](Self::with_max_concurrent) of them are polled within the driver, never on their own.
    ///
    /// # Errors
    ///
    /// A value that cannot be meant.
    #[expect(clippy::type_complexity, reason = "a pair, and its types have names")]
    pub fn drive<F, M>(self, timer: M) -> Result<(BatchProcessor<T>, Driver<T, H, F, M>), ConfigError>
    where
        H: FnMut(Batch<T>) -> F,
        F: Future<Output = Result<(), Failed<T>>>,
        M: Timer,
    {
        let (processor, handler, retry) = self.build(Kind::Future)?;
        let driver = Driver::new(Arc::clone(&processor.shared), handler, retry, timer);
        Ok((processor, driver))
    }

    /// Spawns the driver on a tokio runtime, which has its time enabled.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use aqueduct_batch::{Batch, BatchProcessor, Weight};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), aqueduct_batch::ConfigError> {
    /// let processor = BatchProcessor::builder(async |batch: Batch<u32>| {
    ///     println!("{} items", batch.len());
    ///     Ok(())
    /// })
    /// .with_max_concurrent(4)
    /// .spawn_on(&tokio::runtime::Handle::current())?;
    ///
    /// processor.add_async(7, Weight::new(1, 4)).await.expect("it is not shut down");
    /// assert!(processor.shutdown_async(Duration::from_secs(5)).await.complete);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A value that cannot be meant.
    #[cfg(feature = "tokio")]
    pub fn spawn_on<F>(self, runtime: &tokio::runtime::Handle) -> Result<BatchProcessor<T>, ConfigError>
    where
        T: Send + 'static,
        H: FnMut(Batch<T>) -> F + Send + 'static,
        F: Future<Output = Result<(), Failed<T>>> + Send + 'static,
    {
        let (processor, driver) = self.drive(super::tokio::TokioTimer::default())?;
        // The shutdown waits for its end, not for the handle.
        drop(runtime.spawn(driver));
        Ok(processor)
    }

    fn build(self, kind: Kind) -> Result<(BatchProcessor<T>, H, Retry), ConfigError> {
        self.validate()?;
        let eviction = match self.overflow {
            Overflow::DropNewest | Overflow::Block { .. } => Eviction::Never,
            Overflow::DropOldest => Eviction::Oldest,
            Overflow::Priority(_) => Eviction::Priority,
        };
        let scheduler = Scheduler::new(Settings {
            batch: self.batch,
            queue: self.queue,
            max_concurrent: self.max_concurrent,
            eviction,
            watermarks: self.watermarks,
            dynamic: self.dynamic,
        });
        let shared = Arc::new(Shared::new(scheduler, self.overflow, self.on_edge));
        Ok((BatchProcessor { shared, kind, drop_deadline: self.drop_deadline }, self.handler, self.retry))
    }

    fn validate(&self) -> Result<(), ConfigError> {
        self.batch.validate()?;
        self.retry.validate()?;
        self.watermarks.validate()?;
        if self.max_concurrent == 0 {
            return Err(ConfigError::ZeroConcurrent);
        }
        let items = self.dynamic.as_ref().map_or(self.batch.max_items, |dynamic| dynamic.bounds().1);
        let pairs = [("items", items, self.queue.items), ("bytes", self.batch.max_bytes, self.queue.bytes)];
        match pairs.into_iter().find(|(_, batch, queue)| batch > queue) {
            Some((unit, batch, queue)) => Err(ConfigError::BatchExceedsQueue { unit, batch, queue }),
            None => Ok(()),
        }
    }
}

impl<T, H> fmt::Debug for ProcessorBuilder<T, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessorBuilder")
            .field("batch", &self.batch)
            .field("queue", &self.queue)
            .field("overflow", &self.overflow)
            .field("retry", &self.retry)
            .field("max_concurrent", &self.max_concurrent)
            .field("watermarks", &self.watermarks)
            .field("dynamic", &self.dynamic)
            .field("drop_deadline", &self.drop_deadline)
            .finish_non_exhaustive()
    }
}
