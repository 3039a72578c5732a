//! The roster behind a lock, and what carries out its decisions.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout};

use super::config::PoolConfig;
use super::connect::Connect;
use super::error::PoolError;
use super::guard::PooledConnection;
use super::keeper::{self, Home};
use super::roster::{Effects, Grant, Judge, Limits, Roster};
use super::status::PoolStatus;

/// What pool, guards and tasks have in common.
pub(super) struct Shared<C: Connect> {
    pub(super) connector: Arc<C>,
    pub(super) config: PoolConfig,
    state: Mutex<State<C>>,
    /// Told when the next alarm has changed, and when the pool closes.
    pub(super) changes: watch::Sender<()>,
}

struct State<C: Connect> {
    roster: Roster<Asking<C>, Waiter<C>>,
    /// The runtime on which everything lives, and how many there were before.
    home: Option<Handle>,
    homes: u64,
    exhausted: u64,
    closed: bool,
}

/// Asks the user's connector.
struct Asking<C>(Arc<C>);

type Answer<C> = Result<PooledConnection<C>, PoolError<<C as Connect>::Error>>;
type Waiter<C> = oneshot::Sender<Answer<C>>;
type Fx<C> = Effects<Arc<<C as Connect>::Connection>, Waiter<C>>;

impl<C: Connect> Judge for Asking<C> {
    type Connection = Arc<C::Connection>;

    fn is_usable(&self, connection: &Self::Connection) -> bool {
        self.0.is_usable(connection)
    }

    fn capacity(&self, connection: &Self::Connection) -> usize {
        self.0.capacity(connection)
    }

    fn expected_capacity(&self) -> usize {
        self.0.expected_capacity()
    }
}

/// What an acquire begins with.
enum Begun<'a, C: Connect> {
    Granted(PooledConnection<C>),
    Waiting(Waiting<'a, C>),
}

/// A place in the line, given up when dropped.
struct Waiting<'a, C: Connect> {
    shared: &'a Shared<C>,
    ticket: u64,
    /// Dropped after the place was given up: a use that was handed over in that moment is in it, and ends with it.
    answer: oneshot::Receiver<Answer<C>>,
}

impl<C: Connect> Drop for Waiting<'_, C> {
    fn drop(&mut self) {
        // Bound, so that the lock is released before the sender is dropped.
        let waiter = self.shared.lock().roster.cancel(self.ticket);
        drop(waiter);
    }
}

pub(super) async fn acquire<C: Connect>(shared: &Arc<Shared<C>>) -> Answer<C> {
    let mut waiting = match shared.begin()? {
        Begun::Granted(connection) => return Ok(connection),
        Begun::Waiting(waiting) => waiting,
    };
    let limit = shared.config.acquire_timeout;
    match timeout(limit, &mut waiting.answer).await {
        Ok(answer) => answer.unwrap_or(Err(PoolError::Aborted)),
        Err(_) => {
            shared.lock().exhausted += 1;
            Err(PoolError::Exhausted(limit))
        }
    }
}

impl<C: Connect> Shared<C> {
    pub(super) fn new(connector: C, config: PoolConfig) -> Self {
        let connector = Arc::new(connector);
        let limits = Limits {
            min: config.min_connections,
            max: config.max_connections,
            idle_timeout: config.idle_timeout,
            health_check_interval: config.health_check_interval,
        };
        let roster = Roster::new(Asking(connector.clone()), limits);
        let state = State { roster, home: None, homes: 0, exhausted: 0, closed: false };
        Self { connector, config, state: Mutex::new(state), changes: watch::Sender::new(()) }
    }

    /// A use, or a place in the line.
    fn begin(self: &Arc<Self>) -> Result<Begun<'_, C>, PoolError<C::Error>> {
        let mut settled = None;
        let begun = self.act(&PoolError::Aborted, |state, now, fx| {
            if state.home.is_none() {
                let here = Handle::try_current().map_err(|_| PoolError::NoRuntime)?;
                state.homes += 1;
                state.home = Some(here.clone());
                settled = Some((here, state.homes));
            }
            Ok(state.roster.try_acquire(now, fx).ok_or_else(|| {
                let (waiter, answer) = oneshot::channel();
                (state.roster.wait(now, waiter, fx), answer)
            }))
        })?;
        if let Some((home, number)) = settled {
            home.spawn(keeper::keep(Home::new(self.clone(), number)));
        }
        Ok(match begun {
            Ok(grant) => Begun::Granted(self.guard(grant)),
            Err((ticket, answer)) => Begun::Waiting(Waiting { shared: self, ticket, answer }),
        })
    }

    /// A use has ended.
    pub(super) fn ended(self: &Arc<Self>, id: u64, broken: bool) {
        self.act(&PoolError::Aborted, |state, now, fx| state.roster.ended(now, id, broken, fx));
    }

    pub(super) fn connected(self: &Arc<Self>, connection: C::Connection) {
        let connection = Arc::new(connection);
        let retire_after = self.config.max_age.and_then(|_| self.config.age(random()));
        self.act(&PoolError::Aborted, |state, now, fx| {
            if state.closed {
                // It goes the way of those that retire: dropped without the lock.
                fx.closed.push(connection);
                return;
            }
            let retire_at = retire_after.and_then(|after| now.checked_add(after));
            state.roster.connected(now, connection, retire_at, fx);
        });
    }

    pub(super) fn connect_failed(self: &Arc<Self>, error: &PoolError<C::Error>) {
        self.act(error, |state, now, fx| {
            if !state.closed {
                state.roster.connect_failed(now, fx);
            }
        });
    }

    pub(super) fn checked(self: &Arc<Self>, id: u64, healthy: bool) {
        self.act(&PoolError::Aborted, |state, now, fx| state.roster.checked(now, id, healthy, fx));
    }

    pub(super) fn tick(self: &Arc<Self>) {
        self.act(&PoolError::Aborted, |state, now, fx| state.roster.tick(now, fx));
    }

    pub(super) fn resize(self: &Arc<Self>, min: usize, max: usize) {
        self.act(&PoolError::Aborted, |state, now, fx| state.roster.resize(now, min, max, fx));
    }

    pub(super) fn alarm(&self) -> Option<Instant> {
        self.lock().roster.alarm().map(Instant::from_std)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// The runtime has ended that was the home of this number.
    pub(super) fn home_ended(self: &Arc<Self>, number: u64) {
        self.act(&PoolError::Aborted, |state, _, fx| {
            if state.homes == number && !state.closed {
                state.home = None;
                state.roster.abandon(fx);
            }
        });
    }

    pub(super) fn close(self: &Arc<Self>) {
        self.act(&PoolError::Aborted, |state, _, fx| {
            state.closed = true;
            state.roster.abandon(fx);
        });
        self.changes.send_replace(());
    }

    pub(super) fn status(&self) -> PoolStatus {
        let state = self.lock();
        PoolStatus { exhausted: state.exhausted, ..state.roster.status() }
    }

    /// One step of the state machine, and what follows from it. `error` is told to those whom the step refuses.
    fn act<R>(
        self: &Arc<Self>,
        error: &PoolError<C::Error>,
        step: impl FnOnce(&mut State<C>, std::time::Instant, &mut Fx<C>) -> R,
    ) -> R {
        let now = Instant::now().into_std();
        let mut fx = Effects::default();
        let mut state = self.lock();
        let result = step(&mut state, now, &mut fx);
        let busy = fx.connects > 0 || !fx.checks.is_empty();
        let home = state.home.clone().filter(|_| busy);
        drop(state);
        if let Some(home) = home {
            for _ in 0..fx.connects {
                home.spawn(keeper::connect(keeper::Opening::new(self.clone())));
            }
            for (id, connection) in fx.checks {
                home.spawn(keeper::check(keeper::Checking::new(self.clone(), id, connection)));
            }
        }
        for (waiter, grant) in fx.grants {
            // One who has gone gives the use back by dropping it.
            let _ = waiter.send(Ok(self.guard(grant)));
        }
        for waiter in fx.refused {
            let _ = waiter.send(Err(error.clone()));
        }
        if fx.alarm_moved {
            self.changes.send_replace(());
        }
        result
    }

    fn guard(self: &Arc<Self>, grant: Grant<Arc<C::Connection>>) -> PooledConnection<C> {
        let Grant { id, connection, reused } = grant;
        PooledConnection { connection, shared: self.clone(), id, reused, discarded: false }
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        // The user's code runs under the lock only to answer questions, between the changes of a step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number from 0 to 1 from the seed of the standard library's hash maps: enough to spread ages.
fn random() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}
