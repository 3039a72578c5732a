//! What one export sends: chunks, and whether it waits for them.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use aqueduct_metrics::Settled;
use aqueduct_pipeline::{Delivery, Pipeline, Refused, Worker};
use aqueduct_wire::Chunk;
use aqueduct_wire::encode::{ChunkBuilder, ResourcePrefix};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use tokio::sync::oneshot;

use crate::completion::Completion;
use crate::counts::NotTaken;
use crate::port::Port;

/// A chunk of this size is offered, and another one begun: what is refused for lack of room is refused in parts.
const CHUNK_BYTES: usize = 512 << 10;

/// What an export has to say when it is over.
type Outcome = oneshot::Receiver<OTelSdkResult>;

pub(crate) struct Consignment<'a> {
    port: &'a Port,
    open: ChunkBuilder,
    sealed: Vec<Chunk>,
}

impl<'a> Consignment<'a> {
    pub(crate) fn new(port: &'a Port, resource: &ResourcePrefix) -> Consignment<'a> {
        let open = ChunkBuilder::new(port.outlet().signal(), resource.clone());
        Consignment { port, open, sealed: Vec::new() }
    }

    /// Adds an item, unless there is a reason not to.
    pub(crate) fn add(&mut self, refused: Option<NotTaken>, write: impl FnOnce(&mut ChunkBuilder)) {
        if let Some(why) = refused {
            return self.port.refuse(why, 1);
        }
        // Until an item is written the chunk is as it was: a redactor that panics costs the item.
        if catch_unwind(AssertUnwindSafe(|| write(&mut self.open))).is_err() {
            self.port.refuse(NotTaken::Panicked, 1);
        }
        if self.open.is_full(CHUNK_BYTES) {
            self.sealed.push(self.open.seal());
        }
    }

    /// Hands all of it to the pipeline before this returns.
    pub(crate) fn send(
        mut self,
        completion: Completion,
    ) -> impl Future<Output = OTelSdkResult> + Send + use<> {
        if !self.open.is_empty() {
            self.sealed.push(self.open.seal());
        }
        let begun = self.begin(completion);
        async move {
            match begun {
                Ok(Some(outcome)) => outcome.await.unwrap_or_else(|_| Err(ended())),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            }
        }
    }

    fn begin(self, completion: Completion) -> Result<Option<Outcome>, OTelSdkError> {
        let items = || self.sealed.iter().map(Chunk::items).sum();
        if self.port.is_shut() {
            self.port.refuse(NotTaken::AlreadyShutdown, items());
            return Err(OTelSdkError::AlreadyShutdown);
        }
        let outlet = self.port.outlet();
        let (Some(pipeline), Some(worker)) = (outlet.pipeline(), outlet.worker()) else {
            self.port.refuse(NotTaken::Unavailable, items());
            // Switched off: nobody wants to hear of it at each export.
            return Ok(None);
        };
        let intake = pipeline.intake();
        let mut deliveries = Vec::new();
        let mut error = None;
        for chunk in self.sealed {
            let items = chunk.items();
            let offered = match completion {
                Completion::OnEnqueue => intake.offer(chunk),
                Completion::OnDelivery => {
                    intake.offer_acknowledged(chunk).map(|delivery| deliveries.push(delivery))
                }
            };
            if let Err(refused) = offered {
                self.port.refuse(refused.into(), items);
                error = Some(refused);
            }
        }
        match (error, completion) {
            (Some(Refused::Closed), _) => Err(OTelSdkError::AlreadyShutdown),
            (Some(refused), _) => Err(OTelSdkError::InternalFailure(refused.to_string())),
            (None, Completion::OnEnqueue) => Ok(None),
            (None, Completion::OnDelivery) => wait(pipeline, worker, deliveries, self.port.flush_timeout()),
        }
    }
}

/// Waits on the pipeline's thread: the future of an export is polled by whoever, who may have no timers.
fn wait(
    pipeline: &Pipeline,
    worker: &Worker,
    deliveries: Vec<Delivery>,
    timeout: Duration,
) -> Result<Option<Outcome>, OTelSdkError> {
    // Not for the batch to be full: whoever exports has batched.
    drop(pipeline.flush_async(timeout));
    let (tell, told) = oneshot::channel();
    let settled = async move {
        let all = async {
            for delivery in deliveries {
                outcome_of(&delivery.await)?;
            }
            Ok(())
        };
        let outcome = tokio::time::timeout(timeout, all).await;
        // Nobody may wait any more.
        let _ = tell.send(outcome.unwrap_or(Err(OTelSdkError::Timeout(timeout))));
    };
    worker.spawn(settled).map_err(|error| OTelSdkError::InternalFailure(error.to_string()))?;
    Ok(Some(told))
}

fn outcome_of(settled: &Settled) -> OTelSdkResult {
    match settled {
        Settled::Delivered => Ok(()),
        Settled::Partial { rejected } => {
            Err(OTelSdkError::InternalFailure(format!("the collector rejected {rejected} items")))
        }
        Settled::Dropped(reason) => {
            Err(OTelSdkError::InternalFailure(format!("the batch was dropped: {reason}")))
        }
        _ => Err(OTelSdkError::InternalFailure("the collector rejected the batch".to_owned())),
    }
}

fn ended() -> OTelSdkError {
    OTelSdkError::InternalFailure("the pipeline's thread has ended".to_owned())
}
