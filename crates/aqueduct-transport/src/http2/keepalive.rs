//! HTTP/2 pings that tell whether a silent connection is still one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use h2::{Ping, PingPong};
#[cfg(feature = "grpc")]
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep, sleep_until};

/// An answer to a ping that came no longer ago than this is proof enough for whoever asks: health checks at short
/// intervals must not make a server complain of too many pings. Stretched like the interval when it does.
#[cfg(feature = "grpc")]
const FRESH: Duration = Duration::from_secs(5);

/// Who waits for proof of life; dropped when there is none.
#[cfg(feature = "grpc")]
pub(super) type Asker = oneshot::Sender<()>;

/// The state of one connection's pings.
///
/// A ping goes out when for one interval nothing was answered on the connection; answers are proof enough. The time-out
/// starts with the ping. Whoever [asks](Asker) has one sent at once, or waits for the answer to the one under way.
pub(super) struct Keepalive {
    pings: PingPong,
    timer: Pin<Box<Sleep>>,
    waiting: bool,
    /// Counted up by the calls. Relaxed: a stale value costs one ping too many.
    answers: Arc<AtomicU64>,
    answers_seen: u64,
    every: Duration,
    patience: Duration,
    #[cfg(feature = "grpc")]
    asks: Asks,
}

/// Those who want to know whether the connection is alive.
#[cfg(feature = "grpc")]
pub(super) struct Asks {
    arriving: mpsc::UnboundedReceiver<Asker>,
    waiting: Vec<Asker>,
    fresh: Duration,
    answered_at: Option<Instant>,
}

/// How often the peer closed a connection because of too many pings; each doubles the interval of later connections
/// (gRPC proposal A8). Relaxed, since a stale value costs one more complaint.
#[derive(Debug, Default)]
pub(super) struct Complaints(AtomicU32);

impl Complaints {
    pub(super) fn heard(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn stretch(&self, every: Duration) -> Duration {
        // At a thousand times the interval nobody complains any more.
        every.saturating_mul(1 << self.0.load(Ordering::Relaxed).min(10))
    }
}

impl Keepalive {
    pub(super) fn new(
        pings: PingPong,
        every: Duration,
        patience: Duration,
        answers: Arc<AtomicU64>,
        #[cfg(feature = "grpc")] asks: Asks,
    ) -> Self {
        Self {
            pings,
            timer: Box::pin(sleep_until(Instant::now() + every)),
            waiting: false,
            answers_seen: answers.load(Ordering::Relaxed),
            answers,
            every,
            patience,
            #[cfg(feature = "grpc")]
            asks,
        }
    }

    /// Ready when the connection is dead.
    pub(super) fn poll_dead(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            #[cfg(feature = "grpc")]
            let asked = self.asks.poll(cx);
            #[cfg(not(feature = "grpc"))]
            let asked = false;
            if self.waiting {
                match self.pings.poll_pong(cx) {
                    // The connection's own error says more than we could.
                    Poll::Ready(Err(_)) => return Poll::Pending,
                    Poll::Ready(Ok(_)) => {
                        self.waiting = false;
                        self.rearm(self.every);
                        #[cfg(feature = "grpc")]
                        self.asks.answered();
                        continue;
                    }
                    Poll::Pending => {
                        if self.timer.as_mut().poll(cx).is_ready() {
                            return Poll::Ready(());
                        }
                        return Poll::Pending;
                    }
                }
            }
            if !asked && self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let answers = self.answers.load(Ordering::Relaxed);
            if (asked || answers == self.answers_seen) && self.pings.send_ping(Ping::opaque()).is_ok() {
                self.waiting = true;
                self.rearm(self.patience);
            } else {
                // Nobody can be told anything on a connection that takes no ping.
                #[cfg(feature = "grpc")]
                self.asks.waiting.clear();
                self.answers_seen = answers;
                self.rearm(self.every);
            }
        }
    }

    fn rearm(&mut self, after: Duration) {
        self.timer.as_mut().reset(Instant::now() + after);
    }
}

#[cfg(feature = "grpc")]
impl Asks {
    /// Nobody has asked yet.
    pub(super) fn new(arriving: mpsc::UnboundedReceiver<Asker>, complaints: &Complaints) -> Self {
        Self { arriving, waiting: Vec::new(), fresh: complaints.stretch(FRESH), answered_at: None }
    }

    /// Whether somebody waits for an answer.
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        while let Poll::Ready(Some(asker)) = self.arriving.poll_recv(cx) {
            if self.answered_at.is_some_and(|at| at.elapsed() < self.fresh) {
                let _ = asker.send(());
            } else {
                self.waiting.push(asker);
            }
        }
        self.waiting.retain(|asker| !asker.is_closed());
        !self.waiting.is_empty()
    }

    fn answered(&mut self) {
        self.answered_at = Some(Instant::now());
        for asker in self.waiting.drain(..) {
            // One who has given up is not told.
            let _ = asker.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards a server's patience: each complaint doubles the interval, and no number of them overflows it.
    #[test]
    fn complaints_double_the_interval() {
        let complaints = Complaints::default();
        let every = Duration::from_secs(30);
        assert_eq!(complaints.stretch(every), every);
        complaints.heard();
        complaints.heard();
        assert_eq!(complaints.stretch(every), every * 4);
        (0..100).for_each(|_| complaints.heard());
        assert_eq!(complaints.stretch(every), every * 1024);
        assert_eq!(complaints.stretch(Duration::MAX), Duration::MAX);
    }

    /// Guards those who ask, and the server's patience with them: they wait for an answer to a ping, except for a while
    /// after one, which is longer for each complaint.
    #[cfg(feature = "grpc")]
    #[tokio::test(start_paused = true)]
    async fn asks_wait_for_an_answer_or_have_a_fresh_one() {
        let complaints = Complaints::default();
        complaints.heard();
        let (asks, arriving) = mpsc::unbounded_channel();
        let mut desk = Asks::new(arriving, &complaints);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let ask = || {
            let (asker, answer) = oneshot::channel();
            asks.send(asker).expect("open");
            answer
        };
        assert!(!desk.poll(&mut cx), "nobody asked");
        drop(ask());
        assert!(!desk.poll(&mut cx), "nobody waits any more");
        let mut first = ask();
        assert!(desk.poll(&mut cx) && first.try_recv().is_err());
        desk.answered();
        assert_eq!(first.try_recv(), Ok(()));
        tokio::time::advance(FRESH * 2 - Duration::from_millis(1)).await;
        let mut second = ask();
        assert!(!desk.poll(&mut cx), "the last answer will do");
        assert_eq!(second.try_recv(), Ok(()));
        tokio::time::advance(Duration::from_millis(1)).await;
        let mut third = ask();
        assert!(desk.poll(&mut cx) && third.try_recv().is_err(), "it is too old");
    }
}
