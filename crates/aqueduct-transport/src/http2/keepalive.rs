//! HTTP/2 pings that tell whether a silent connection is still one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep, sleep_until};

/// The state of one connection's pings.
///
/// A ping goes out when for one interval nothing was answered on the connection; answers are proof enough. The time-out
/// starts with the ping.
pub(super) struct Keepalive {
    pings: PingPong,
    timer: Pin<Box<Sleep>>,
    waiting: bool,
    /// Counted up by the calls. Relaxed: a stale value costs one ping too many.
    answers: Arc<AtomicU64>,
    answers_seen: u64,
    every: Duration,
    patience: Duration,
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
    pub(super) fn new(pings: PingPong, every: Duration, patience: Duration, answers: Arc<AtomicU64>) -> Self {
        Self {
            pings,
            timer: Box::pin(sleep_until(Instant::now() + every)),
            waiting: false,
            answers_seen: answers.load(Ordering::Relaxed),
            answers,
            every,
            patience,
        }
    }

    /// Ready when the connection is dead.
    pub(super) fn poll_dead(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.waiting {
                match self.pings.poll_pong(cx) {
                    // The connection's own error says more than we could.
                    Poll::Ready(Err(_)) => return Poll::Pending,
                    Poll::Ready(Ok(_)) => {
                        self.waiting = false;
                        self.rearm(self.every);
                    }
                    Poll::Pending => {
                        if self.timer.as_mut().poll(cx).is_ready() {
                            return Poll::Ready(());
                        }
                        return Poll::Pending;
                    }
                }
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let answers = self.answers.load(Ordering::Relaxed);
            if answers == self.answers_seen && self.pings.send_ping(Ping::opaque()).is_ok() {
                self.waiting = true;
                self.rearm(self.patience);
            } else {
                self.answers_seen = answers;
                self.rearm(self.every);
            }
        }
    }

    fn rearm(&mut self, after: Duration) {
        self.timer.as_mut().reset(Instant::now() + after);
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
}
