//! How a peer is, as it changes.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
#[cfg(feature = "grpc")]
use tokio::time::Instant;
use tokio::time::sleep;

#[cfg(feature = "grpc")]
use super::ask::is_unimplemented;
#[cfg(feature = "grpc")]
use super::renewal::{Life, Renewal};
#[cfg(feature = "grpc")]
use super::route::Method;
use super::{Health, Inner, no_runtime};
#[cfg(feature = "grpc")]
use super::{HealthSource, HealthState};
#[cfg(feature = "grpc")]
use crate::clock::unit_random;
#[cfg(feature = "grpc")]
use crate::failure::{Failure, FailureKind};
#[cfg(feature = "grpc")]
use crate::grpc::{Ended, Listen, Peer};

/// The changes of a peer's health, from [`HealthChecker::watch`](crate::HealthChecker::watch).
///
/// Holds the newest state and no other, however many a server sends: one who looks late misses what was in between. The
/// task behind it keeps the client alive, and ends when this is dropped.
///
/// ```
/// use aqueduct_transport::{Client, ClientConfig, HealthChecker, HealthState, Protocol};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// // Nobody listens there.
/// let client = Client::new(ClientConfig::new("http://127.0.0.1:1", Protocol::HttpProtobuf))?;
/// let mut watch = HealthChecker::new(client).watch();
/// if let Some(health) = watch.changed().await {
///     assert_eq!(health.state, HealthState::Unreachable);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct HealthWatch {
    latest: watch::Receiver<Option<Health>>,
    task: Option<AbortHandle>,
}

/// Where the task says what it has found out.
struct Teller(watch::Sender<Option<Health>>);

impl HealthWatch {
    pub(super) fn start(inner: Arc<Inner>) -> Self {
        let (sender, latest) = watch::channel(None);
        let teller = Teller(sender);
        let Ok(runtime) = Handle::try_current() else {
            teller.tell(no_runtime());
            return Self { latest, task: None };
        };
        let task = runtime.spawn(run(inner, teller)).abort_handle();
        Self { latest, task: Some(task) }
    }

    /// Waits for the state to be another one than this has told last, and tells it; the first time, for the first one. Changes
    /// of source, latency and reason are no changes of state.
    ///
    /// `None` when the watch is over, because the runtime that it was started on has ended. Started outside of one, it tells
    /// that first.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn changed(&mut self) -> Option<Health> {
        self.latest.changed().await.ok()?;
        self.latest.borrow_and_update().clone()
    }

    /// The newest state, without waiting; none before the first is known.
    #[must_use]
    pub fn current(&self) -> Option<Health> {
        self.latest.borrow().clone()
    }
}

impl Drop for HealthWatch {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Teller {
    fn tell(&self, health: Health) {
        self.0.send_if_modified(|latest| {
            let changed = latest.as_ref().is_none_or(|latest| latest.state != health.state);
            *latest = Some(health);
            changed
        });
    }
}

async fn run(inner: Arc<Inner>, teller: Teller) {
    #[cfg(feature = "grpc")]
    let mut renewal = Renewal::new(inner.config.backoff.clone());
    loop {
        #[cfg(feature = "grpc")]
        if let Some(peer) = inner.client.grpc()
            && !inner.lacks().lacks(Method::Watch, inner.client.connects())
            && inner.follow(peer, &teller, &mut renewal).await
        {
            continue;
        }
        teller.tell(inner.check().await);
        sleep(inner.config.interval).await;
    }
}

#[cfg(feature = "grpc")]
impl Inner {
    /// One stream of changes, and the wait before the next one; false if the server does not implement it.
    async fn follow(&self, peer: &Peer, teller: &Teller, renewal: &mut Renewal) -> bool {
        let (started, limit) = (Instant::now(), self.client.timeout());
        let silence = Some(self.config.watch_silence);
        let call = Listen { service: &self.config.service, deadline: started + limit, limit, silence };
        let mut latency = Some(started);
        let mut heard = |status| {
            let latency = latency.take().map(|started| started.elapsed()).unwrap_or_default();
            teller.tell(Health::told(status, HealthSource::Watch, latency));
        };
        let ended = self.listen(peer, &call, &mut heard).await;
        let life = Life {
            heard: latency.is_none(),
            silent: matches!(ended, Ended::Silent),
            lasted: started.elapsed(),
        };
        let failure = match ended {
            Ended::Failed(failure) if is_unimplemented(&failure) => {
                self.learn(Method::Watch);
                return false;
            }
            Ended::Failed(failure) => Some(failure),
            Ended::Done | Ended::Silent => None,
        };
        if let Some(wait) = renewal.ended(life, unit_random()) {
            teller.tell(gone(failure, life));
            sleep(wait).await;
        }
        true
    }
}

/// What the end of a stream says.
#[cfg(feature = "grpc")]
fn gone(failure: Option<Failure>, life: Life) -> Health {
    match failure {
        Some(failure) => Health::failed(failure, HealthSource::Watch, life.lasted),
        None => Health {
            // Not the fault of a protocol: a server may end the stream, and has said nothing by it.
            state: HealthState::Unknown,
            source: HealthSource::Watch,
            latency: life.lasted,
            failure: Some(Failure::new(FailureKind::Protocol, "the server ended the watch")),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::failure::{Failure, FailureKind};
    use crate::health::HealthSource;

    /// Guards what is a change: another state. The newest is there to be looked at all the same.
    #[test]
    fn changes_are_those_of_the_state() {
        let (sender, mut latest) = watch::channel(None);
        let teller = Teller(sender);
        let serving = |millis| Health::serving(HealthSource::Connection, Duration::from_millis(millis));
        let failure = Failure::new(FailureKind::Reset, "");
        let down = Health::failed(failure, HealthSource::Connection, Duration::ZERO);
        for (health, changes) in [
            (serving(1), true),
            (serving(2), false),
            (Health { source: HealthSource::EmptyExport, ..serving(2) }, false),
            (down.clone(), true),
            (down, false),
            (serving(1), true),
        ] {
            teller.tell(health.clone());
            assert_eq!(latest.has_changed().expect("open"), changes, "{health}");
            assert_eq!(*latest.borrow_and_update(), Some(health));
        }
    }
}
