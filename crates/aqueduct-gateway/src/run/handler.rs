//! From the receiver to the pipelines: one handler per receiver of the configuration.

use std::cell::Cell;
use std::time::Duration;

use aqueduct::metrics::{DropReason, Settled};
use aqueduct::pipeline::{Delivery, Intake, Refused};
use aqueduct::receiver::{Accept, Answer, Incoming, Relief, Reply};
use aqueduct::wire::Signal;
use aqueduct::wire::rpc::{Code, Status};

/// When a client is told to come back while the gateway shuts down: by then another instance should answer.
const RETRY_AFTER_CLOSED: Duration = Duration::from_secs(1);
/// When a client is told to send again what could not be delivered.
const RETRY_AFTER_LOST: Duration = Duration::from_secs(1);

thread_local! {
    /// Which worker this thread is, so that each fills an open batch of its own.
    static WORKER: Cell<usize> = const { Cell::new(0) };
}

/// Makes the calling thread worker number `index`.
pub(crate) fn enter_worker(index: usize) {
    WORKER.set(index);
}

/// When a receiver answers success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acknowledge {
    /// As soon as the items are in the bounded memory queue.
    Enqueued,
    /// When every exporter of the pipeline has delivered them.
    Exported,
}

/// Offers what one receiver takes in to the pipelines that name it.
#[derive(Debug)]
pub(crate) struct Handler {
    /// Per signal, one intake per worker; empty when no pipeline of that signal names the receiver.
    intakes: [Vec<Intake>; 3],
    acknowledge: Acknowledge,
}

impl Handler {
    pub(crate) fn new(intakes: [Vec<Intake>; 3], acknowledge: Acknowledge) -> Self {
        Self { intakes, acknowledge }
    }

    fn intake(&self, signal: Signal) -> Option<&Intake> {
        let intakes = &self.intakes[signal.index()];
        intakes.get(WORKER.get()).or_else(|| intakes.first())
    }
}

impl Accept for Handler {
    fn pressure(&self) -> Option<Relief> {
        let pipelines = self.intakes.iter().filter_map(|intakes| intakes.first());
        pipelines.filter_map(Intake::pressure).next().map(|relief| Box::pin(relief) as Relief)
    }

    fn accept(&self, incoming: Incoming) -> Reply {
        let signal = incoming.chunk.signal();
        let Some(intake) = self.intake(signal) else {
            let message = format!("no pipeline of this gateway takes {signal}");
            return Reply::Now(Answer::Status(Status::new(Code::Unimplemented, message)));
        };
        match self.acknowledge {
            Acknowledge::Enqueued => match intake.offer(incoming.chunk) {
                Ok(()) => Reply::Now(Answer::Accepted),
                Err(refused) => Reply::Now(refusal(refused)),
            },
            Acknowledge::Exported => {
                let items = incoming.chunk.items();
                match intake.offer_acknowledged(incoming.chunk) {
                    Ok(delivery) => Reply::Later(Box::pin(answer(delivery, items))),
                    Err(refused) => Reply::Now(refusal(refused)),
                }
            }
        }
    }
}

fn refusal(refused: Refused) -> Answer {
    match refused {
        Refused::Full { retry_after } => Answer::Overloaded { retry_after },
        _ => Answer::Overloaded { retry_after: RETRY_AFTER_CLOSED },
    }
}

/// Turns the settlement into the answer: what is lost for a passing reason is worth sending again, what the
/// destination refused for good is not.
async fn answer(delivery: Delivery, items: u64) -> Answer {
    match delivery.await {
        Settled::Delivered => Answer::Accepted,
        Settled::Partial { rejected } => Answer::Partial {
            rejected: rejected.min(items),
            message: "the destination rejected part of the batch".to_owned(),
        },
        Settled::Rejected | Settled::Dropped(DropReason::Permanent) => {
            Answer::Status(Status::new(Code::InvalidArgument, "the destination refused the batch for good"))
        }
        Settled::Dropped(DropReason::TooLarge) => Answer::Status(Status::new(
            Code::ResourceExhausted,
            "the destination finds the request too large",
        )),
        Settled::Dropped(_) => Answer::Overloaded { retry_after: RETRY_AFTER_LOST },
        _ => Answer::Status(Status::new(Code::Unknown, "the outcome of the export is not known")),
    }
}
