//! What changes chunks on their way in.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use aqueduct_wire::Chunk;

/// Changes each chunk before it is taken in, or leaves items out of it, on the thread that offers it; see
/// [`Builder::transform`](crate::Builder::transform). [`ProbabilisticSampler`](crate::ProbabilisticSampler) is one.
///
/// The items that lack afterwards count as accepted and as dropped with the reason `not_sampled`, in each lane, once the rest is taken. A chunk of
/// which nothing is left is a success for who offered it, and who follows a delivery hears of the rest. What is refused is whole again: none of it was
/// counted.
///
/// # Panics
///
/// One that panics leaves the chunk as it was: it is taken in unchanged.
///
/// # Examples
///
/// ```
/// use aqueduct_pipeline::Transform;
/// use aqueduct_wire::{Chunk, filter};
///
/// /// Leaves log records of health checks out.
/// struct NoHealthChecks;
///
/// impl Transform for NoHealthChecks {
///     fn transform(&self, chunk: Chunk) -> Chunk {
///         let is_check = |item: &aqueduct_wire::Item<'_>| {
///             item.scope().is_some_and(|scope| scope.name() == "health")
///         };
///         filter(&chunk, |item| !is_check(item)).map_or(chunk, |filtered| filtered.kept.into())
///     }
/// }
/// ```
#[doc(alias = "processor")]
pub trait Transform: Send + Sync + 'static {
    /// What becomes of the chunk. It is of the same signal.
    fn transform(&self, chunk: Chunk) -> Chunk;
}

/// Transforms one after the other.
pub(crate) type Transforms = Vec<Arc<dyn Transform>>;

/// What becomes of a chunk, and how many items it lacks then.
#[cold]
pub(crate) fn apply(transforms: &Transforms, chunk: Chunk) -> (Chunk, u64) {
    let before = chunk.items();
    let after = transforms.iter().fold(chunk, |chunk, transform| {
        if chunk.is_empty() {
            return chunk;
        }
        // The bytes are shared. A transform that panics has nothing of ours in its hands but a copy of them.
        let changed = panic::catch_unwind(AssertUnwindSafe(|| transform.transform(chunk.clone())));
        changed.ok().filter(|changed| changed.signal() == chunk.signal()).unwrap_or(chunk)
    });
    let lacking = before.saturating_sub(after.items());
    (after, lacking)
}
