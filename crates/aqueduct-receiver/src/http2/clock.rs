//! Time: bodies that are too slow, clients that are gone, connections that nobody uses.
//!
//! One timer serves them all. It is set to the earliest deadline that was known when it last rang, and what has happened
//! since is looked at when it rings again, so a request costs no timer.

use super::Driver;
use crate::config::LEAST_PROGRESS;
use crate::refusal::Refusal;
use crate::stats::RefuseReason;
use h2::{Ping, PingPong};
use std::future::Future;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// Whether the client is still there.
pub(super) struct Keepalive {
    pub(super) pings: Option<PingPong>,
    /// When something was last heard of the client.
    pub(super) heard: Instant,
    /// Bytes read by then.
    pub(super) read: u64,
    /// When a PING went out that nothing was heard after.
    pub(super) asked: Option<Instant>,
}

impl Driver {
    /// Begins to end the connection: no new requests, but those in progress.
    pub(super) fn close(&mut self) {
        if !std::mem::replace(&mut self.closing, true) {
            self.quiet_since = self.now;
            self.connection.graceful_shutdown();
            let end = self.now + self.shared.config.header_timeout;
            if end < self.timer.deadline() {
                self.timer.as_mut().reset(end);
            }
        }
    }

    fn is_busy(&self) -> bool {
        !self.reading.is_empty() || !self.tasks.is_empty()
    }

    /// Notes what was heard of the client in this turn.
    pub(super) fn listen(&mut self) {
        let read = self.link.bytes_read();
        if read != self.keepalive.read {
            self.keepalive.read = read;
            self.keepalive.heard = self.now;
            self.keepalive.asked = None;
        }
        if self.is_busy() {
            self.quiet_since = self.now;
        }
    }

    /// `Ready(Some)` if something has to be written, `Ready(None)` if the time of the connection is over.
    pub(super) fn check_time(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        let mut acted = false;
        while self.timer.as_mut().poll(cx).is_ready() {
            let Some(next) = self.on_time(cx, &mut acted) else { return Poll::Ready(None) };
            self.timer.as_mut().reset(next);
        }
        if acted { Poll::Ready(Some(())) } else { Poll::Pending }
    }

    /// Does what is due, and says when to come again; `None` to close.
    fn on_time(&mut self, cx: &mut Context<'_>, acted: &mut bool) -> Option<Instant> {
        self.now = Instant::now();
        let body_timeout = self.shared.config.body_timeout;
        let mut next = self.now + Duration::from_secs(3600);
        let mut index = 0;
        while let Some(stream) = self.reading.get_mut(index) {
            if stream.deadline <= self.now {
                let arrived = stream.gather.bytes().len();
                if arrived - stream.progress < LEAST_PROGRESS {
                    let stream = self.reading.swap_remove(index);
                    let refusal = Refusal::new(RefuseReason::Timeout, "the body came too slowly");
                    self.refuse_unread(stream.head.style, stream.respond, refusal);
                    *acted = true;
                    continue;
                }
                stream.progress = arrived;
                stream.deadline = self.now + body_timeout;
            }
            next = next.min(stream.deadline);
            index += 1;
        }
        next = next.min(self.keep_alive(cx, acted)?);
        if !self.is_busy() {
            let patience = if self.closing {
                self.shared.config.header_timeout
            } else {
                self.shared.config.idle_timeout
            };
            if self.quiet_since + patience <= self.now {
                if self.closing {
                    return None;
                }
                self.close();
                *acted = true;
                return Some(self.now + self.shared.config.header_timeout);
            }
            next = next.min(self.quiet_since + patience);
        } else {
            // The end of the last request is no event of the timer; so look again after the shortest patience.
            next =
                next.min(self.now + self.shared.config.idle_timeout.min(self.shared.config.header_timeout));
        }
        Some(next)
    }

    fn keep_alive(&mut self, cx: &mut Context<'_>, acted: &mut bool) -> Option<Instant> {
        let config = &self.shared.config;
        let Some(interval) = config.keepalive_interval else { return Some(self.now + config.idle_timeout) };
        if let Some(asked) = self.keepalive.asked {
            let end = asked + config.keepalive_timeout;
            return (self.now < end).then_some(end);
        }
        let due = self.keepalive.heard + interval;
        if due > self.now {
            return Some(due);
        }
        if let Some(pings) = &mut self.keepalive.pings {
            // The answer to the one before, if it came, has to be taken first.
            let _ = pings.poll_pong(cx);
            if pings.send_ping(Ping::opaque()).is_ok() {
                *acted = true;
            }
        }
        self.keepalive.asked = Some(self.now);
        Some(self.now + config.keepalive_timeout)
    }
}
