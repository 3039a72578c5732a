//! The tasks of a pool: one that comes when a time is up, and one for each connection that is being opened or checked.
//!
//! Each owns a value whose `drop` tells the pool what became of it. So the pool hears of a panic, and of a runtime
//! that drops its tasks.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::watch;
use tokio::time::{timeout, timeout_at};

use super::connect::Connect;
use super::error::PoolError;
use super::shared::Shared;

/// Says that the pool's connections live on the runtime whose task owns this.
pub(super) struct Home<C: Connect> {
    shared: Arc<Shared<C>>,
    changes: watch::Receiver<()>,
    number: u64,
}

impl<C: Connect> Home<C> {
    pub(super) fn new(shared: Arc<Shared<C>>, number: u64) -> Self {
        let mut changes = shared.changes.subscribe();
        // Whatever changed until now has to be looked at.
        changes.mark_changed();
        Self { shared, changes, number }
    }
}

impl<C: Connect> Drop for Home<C> {
    fn drop(&mut self) {
        self.shared.home_ended(self.number);
    }
}

/// Comes when a time is up, until the pool is closed.
pub(super) async fn keep<C: Connect>(mut home: Home<C>) {
    while !home.shared.is_closed() {
        let change = home.changes.changed();
        let told = match home.shared.alarm() {
            Some(alarm) => timeout_at(alarm, change).await.is_ok(),
            None => change.await.is_ok(),
        };
        if !told {
            home.shared.tick();
        }
    }
}

/// A connection that is being opened.
pub(super) struct Opening<C: Connect> {
    shared: Arc<Shared<C>>,
    ended: bool,
}

impl<C: Connect> Opening<C> {
    pub(super) const fn new(shared: Arc<Shared<C>>) -> Self {
        Self { shared, ended: false }
    }
}

impl<C: Connect> Drop for Opening<C> {
    fn drop(&mut self) {
        if !self.ended {
            self.shared.connect_failed(&PoolError::Aborted);
        }
    }
}

pub(super) async fn connect<C: Connect>(mut opening: Opening<C>) {
    let limit = opening.shared.config.connect_timeout;
    let attempt = timeout(limit, opening.shared.connector.connect());
    let Some(attempt) = unless_closed(&opening.shared, attempt).await else { return };
    opening.ended = true;
    match attempt {
        Ok(Ok(connection)) => opening.shared.connected(connection),
        Ok(Err(error)) => opening.shared.connect_failed(&PoolError::Connect(Arc::new(error))),
        Err(_) => opening.shared.connect_failed(&PoolError::ConnectTimeout(limit)),
    }
}

/// A connection that is being checked.
pub(super) struct Checking<C: Connect> {
    shared: Arc<Shared<C>>,
    connection: Arc<C::Connection>,
    id: u64,
    healthy: bool,
}

impl<C: Connect> Checking<C> {
    pub(super) const fn new(shared: Arc<Shared<C>>, id: u64, connection: Arc<C::Connection>) -> Self {
        Self { shared, connection, id, healthy: false }
    }
}

impl<C: Connect> Drop for Checking<C> {
    fn drop(&mut self) {
        self.shared.checked(self.id, self.healthy);
    }
}

pub(super) async fn check<C: Connect>(mut checking: Checking<C>) {
    let limit = checking.shared.config.connect_timeout;
    let check = timeout(limit, checking.shared.connector.check(&checking.connection));
    checking.healthy =
        unless_closed(&checking.shared, check).await.is_some_and(|healthy| healthy == Ok(true));
}

/// What comes of this, or nothing if the pool is closed before.
async fn unless_closed<C: Connect, F: Future>(shared: &Shared<C>, work: F) -> Option<F::Output> {
    let mut changes = shared.changes.subscribe();
    let mut closed = pin!(async move { while !shared.is_closed() && changes.changed().await.is_ok() {} });
    let mut work = pin!(work);
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => closed.as_mut().poll(cx).map(|()| None),
    })
    .await
}
