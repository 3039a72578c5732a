//! Contexts that are injected together.

use opentelemetry::Context;
use opentelemetry::propagation::{Injector, TextMapPropagator};

use super::Propagator;

/// Collects contexts with their carriers, and injects and returns all of them when there are enough.
///
/// For whoever sends messages in batches. It saves no work: a header costs the same one by one, and [`Propagator::inject_batch`] is simpler where all contexts
/// are there at once.
///
/// Carriers always come back, in the order in which they were given. What is in a batch that is dropped is gone, and was not injected.
///
/// # Examples
///
/// ```
/// use std::collections::HashMap;
/// use aqueduct_opentelemetry::{PropagationBatch, Propagator};
/// use opentelemetry::Context;
///
/// let mut batch = PropagationBatch::new(Propagator::new());
/// let mut send = |carriers: Vec<HashMap<String, String>>| assert!(carriers.len() <= 100);
/// for _ in 0..250 {
///     if let Some(full) = batch.push(Context::current(), HashMap::new()) {
///         send(full);
///     }
/// }
/// assert_eq!(batch.len(), 50);
/// send(batch.flush());
/// ```
#[doc(alias = "ContextPropagationBatcher")]
#[derive(Debug)]
pub struct PropagationBatch<C, P = Propagator> {
    propagator: P,
    limit: usize,
    waiting: Vec<(Context, C)>,
}

impl<C: Injector, P: TextMapPropagator> PropagationBatch<C, P> {
    /// So many contexts are a full batch.
    pub const LIMIT: usize = 100;

    /// Is full at [`LIMIT`](Self::LIMIT).
    #[must_use]
    pub fn new(propagator: P) -> Self {
        PropagationBatch { propagator, limit: Self::LIMIT, waiting: Vec::new() }
    }

    /// The same, full at this number of contexts; zero counts as one.
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit.max(1);
        self
    }

    /// Takes a context and the carrier for it. If the batch is full now, all are injected and come back.
    #[must_use = "the headers are in the carriers"]
    pub fn push(&mut self, context: Context, carrier: C) -> Option<Vec<C>> {
        self.waiting.push((context, carrier));
        (self.waiting.len() >= self.limit).then(|| self.flush())
    }

    /// Injects what there is and gives it back. The memory of the batch is kept for the next one.
    #[must_use = "the headers are in the carriers"]
    pub fn flush(&mut self) -> Vec<C> {
        let propagator = &self.propagator;
        let injected = self.waiting.drain(..).map(|(context, mut carrier)| {
            propagator.inject_context(&context, &mut carrier);
            carrier
        });
        injected.collect()
    }

    /// How many are waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
