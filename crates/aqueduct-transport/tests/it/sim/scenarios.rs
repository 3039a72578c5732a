//! The backends that the adaptive limit is measured against, each with one client that always has another batch.

use std::time::Duration;

use aqueduct_transport::ConcurrencyLimit;

use super::{Arrivals, Backend, Policy, Quota, Report, Service, simulate};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A backend, and for how many seconds it is delivered to.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) backend: Backend,
    pub(crate) seconds: usize,
}

impl Scenario {
    pub(crate) fn run(&self, limit: ConcurrencyLimit, seed: u64) -> Report {
        simulate(&self.backend, 1, Arrivals::Endless, &Policy::new(limit), self.seconds, seed)
    }

    /// The fixed limit that delivers most, the first of several that do, and what it delivers.
    pub(crate) fn best_fixed(&self, limits: impl IntoIterator<Item = usize>, seed: u64) -> (usize, Report) {
        limits
            .into_iter()
            .map(|limit| (limit, self.run(ConcurrencyLimit::fixed(limit), seed)))
            .reduce(|best, next| if next.1.throughput() > best.1.throughput() { next } else { best })
            .expect("limits to choose from")
    }
}

/// Four servers that take 1 ms: more than four requests wait.
pub(crate) fn quick() -> Scenario {
    let backend = Backend::new(Duration::ZERO, Service::Fixed(MS(1)), 4);
    Scenario { name: "1 ms, 4 servers", backend, seconds: 20 }
}

/// 50 ms away, and never busy: the more the better.
pub(crate) fn distant() -> Scenario {
    let backend = Backend::new(MS(50), Service::Fixed(Duration::ZERO), 64);
    Scenario { name: "50 ms away", backend, seconds: 60 }
}

/// 500 batches a second and no more, 21 ms each.
pub(crate) fn rate_limited(tells: Option<Duration>) -> Scenario {
    let quota = Quota { rate: 500.0, burst: 50.0, tells };
    let backend = Backend::new(MS(1), Service::Fixed(MS(20)), 64).with_quota(quota);
    let name = if tells.is_some() { "500/s, tells when to come back" } else { "500/s, only refuses" };
    Scenario { name, backend, seconds: 60 }
}

/// Four servers that take lognormal times around 20 ms: half of them beyond 15 to 30 ms at `sigma` 0.5, beyond 10 to 40 ms at
/// 1.
pub(crate) fn jittery(sigma: f64) -> Scenario {
    let backend = Backend::new(MS(1), Service::Lognormal { median: MS(20), sigma }, 4);
    let name = if sigma < 0.75 { "jitter, 4 servers" } else { "strong jitter, 4 servers" };
    Scenario { name, backend, seconds: 60 }
}

/// Eight servers that take 20 ms, and five seconds without any.
pub(crate) fn outage() -> Scenario {
    let backend = Backend::new(MS(2), Service::Fixed(MS(20)), 8)
        .then(Duration::from_secs(28), 0)
        .then(Duration::from_secs(33), 8);
    Scenario { name: "down for 5 s", backend, seconds: 60 }
}
