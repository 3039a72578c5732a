//! A request that waits for a validation or for the handler.

use super::stream::Caller;
use crate::accept::Answer;
use crate::offload::{Judging, Verdict};
use crate::refusal::Refusal;
use crate::said::panicked;
use crate::stats::SignalSnapshot;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A request that waits.
pub(super) struct Task {
    /// Taken when the work is done.
    pub(super) caller: Option<Caller>,
    pub(super) work: Work,
}

/// What is waited for.
pub(super) enum Work {
    Judge { judging: Judging, wire_bytes: usize },
    Answer { future: Pin<Box<dyn Future<Output = Answer> + Send>>, share: SignalSnapshot },
}

/// What came of it.
pub(super) enum Worked {
    Judged { verdict: Verdict, wire_bytes: usize },
    Answered { answer: Result<Answer, Refusal>, share: SignalSnapshot },
}

impl Future for Task {
    type Output = (Option<Caller>, Worked);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let worked = match &mut self.work {
            Work::Judge { judging, wire_bytes } => {
                let verdict = ready!(Pin::new(judging).poll(cx));
                Worked::Judged { verdict, wire_bytes: *wire_bytes }
            }
            Work::Answer { future, share } => {
                match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
                    Ok(Poll::Ready(answer)) => Worked::Answered { answer: Ok(answer), share: *share },
                    Ok(Poll::Pending) => return Poll::Pending,
                    Err(_) => Worked::Answered { answer: Err(panicked()), share: *share },
                }
            }
        };
        Poll::Ready((self.caller.take(), worked))
    }
}
