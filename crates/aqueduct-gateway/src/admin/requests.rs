//! What the admin endpoint was asked for, and how that went.

use std::time::Instant;

use aqueduct::metrics::{Desc, Exposition, Outcomes, Recorder};
use axum::http::StatusCode;

const REQUESTS: Desc = Desc::counter(
    "aqueduct_admin_requests_total",
    "{request}",
    "Requests that the admin endpoint answered. For an answer that is no success error_type is its HTTP status: 503 of /readyz tells clients to go elsewhere.",
)
.with_attributes(&["route", "error_type"]);

/// What the admin endpoint publishes of itself.
pub(crate) const METRICS: &[Desc] = &[REQUESTS];

/// The paths that there are.
pub(super) const PATHS: [&str; 6] =
    ["/metrics", "/livez", "/readyz", "/statusz", "/debug/tuner", "/debug/pprof/profile"];
/// The route under which all others count, whoever makes them up.
const OTHER: &str = "other";

/// Counts the requests to the admin endpoint by route and outcome.
#[derive(Debug)]
pub struct Requests {
    recorder: Recorder,
    routes: [Outcomes; PATHS.len()],
    other: Outcomes,
}

impl Requests {
    /// Nothing was asked for yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        let recorder = Recorder::new(now);
        // The description is that of outcomes by route, so there is always one.
        let of = |route: &str| recorder.outcomes(&REQUESTS, &[route]).unwrap_or_default();
        let (routes, other) = (PATHS.map(of), of(OTHER));
        Self { recorder, routes, other }
    }

    /// A request for this path was answered so.
    pub(super) fn answered(&self, path: &str, status: StatusCode) {
        let route = PATHS.iter().position(|known| *known == path);
        let outcomes = route.map_or(&self.other, |route| &self.routes[route]);
        if status.is_success() {
            outcomes.success();
        } else {
            outcomes.error(status.as_str());
        }
    }

    /// Writes `aqueduct_admin_requests_total`. A request for this very page is in the next one.
    pub fn write(&self, now: Instant, page: &mut Exposition) {
        page.snapshot(&self.recorder.snapshot(now));
    }
}
