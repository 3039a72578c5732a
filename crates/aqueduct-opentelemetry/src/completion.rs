//! When an export is over.

/// When the future of an export resolves: what a processor of the SDK's, which exports one batch after the other, waits for.
///
/// The stock batch processors never flush their exporter: their `force_flush` is done when the last export is. So only with [`OnDelivery`](Self::OnDelivery)
/// does a provider's `force_flush` say that the collector has the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Completion {
    /// When the collector has answered for all of the batch; or when [`Builder::flush_timeout`](crate::Builder::flush_timeout) has passed, with an error, while the
    /// pipeline keeps the batch and goes on trying. The processor has one export under way at a time: at most a batch for each round trip.
    #[default]
    OnDelivery,
    /// When the pipeline has it: at once. Several batches are under way at a time, failures are retried behind the processor's back, and are seen in
    /// [`Aqueduct::health`](crate::Aqueduct::health) and the metrics only. To wait for the collector, flush the handle: [`Aqueduct::flush`](crate::Aqueduct::flush).
    OnEnqueue,
}
