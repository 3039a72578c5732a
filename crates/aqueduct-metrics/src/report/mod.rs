//! One reading, for people, programs and scrapers.

mod json;
mod text;

use crate::snapshot::{Snapshot, Value};
use crate::{Exposition, Histogram, LeakReport, OutcomeCounts, Profile, Resources};

/// The quantiles that reports name.
const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999)];

/// What a snapshot says, and if wanted a profile, the process's resources and the leak detector, as text, JSON and Prometheus text: all from
/// the same reading, so that they agree.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// use aqueduct_metrics::{Desc, Recorder, Report};
///
/// const EXPORTS: Desc = Desc::counter("shop_exports_total", "{export}", "Exports.").with_attributes(&["error_type"]);
///
/// let start = Instant::now();
/// let recorder = Recorder::new(start);
/// let exports = recorder.outcomes(&EXPORTS, &[])?;
/// (0..99).for_each(|_| exports.success());
/// exports.error("timeout");
///
/// let report = Report::new(recorder.snapshot(start + Duration::from_secs(10)));
/// assert!(report.to_string().contains("99.00 %"));
/// assert!(report.to_json().contains("\"success_rate\":0.99"));
/// assert!(report.to_prometheus().contains("shop_exports_total{error_type=\"timeout\"} 1\n"));
/// # Ok::<(), aqueduct_metrics::SeriesError>(())
/// ```
#[doc(alias = "PerformanceReport")]
#[derive(Clone, Debug)]
pub struct Report {
    snapshot: Snapshot,
    profile: Option<Profile>,
    resources: Option<Resources>,
    leaks: Option<LeakReport>,
}

impl Report {
    /// Of a snapshot: the whole life of a recorder, or an interval.
    pub fn new(snapshot: Snapshot) -> Self {
        Report { snapshot, profile: None, resources: None, leaks: None }
    }

    /// With where the time went.
    #[must_use]
    pub fn with_profile(mut self, profile: Profile) -> Self {
        self.profile = Some(profile);
        self
    }

    /// With what the process uses.
    #[must_use]
    pub fn with_resources(mut self, resources: Resources) -> Self {
        self.resources = Some(resources);
        self
    }

    /// With what grows.
    #[must_use]
    pub fn with_leaks(mut self, leaks: LeakReport) -> Self {
        self.leaks = Some(leaks);
        self
    }

    /// The snapshot that it is of.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// As JSON: one object with `seconds`, `series`, and what else was given as `resources`, `leaks` and `profile`. Values of distributions are in the unit of
    /// their descriptor. What JSON cannot say, as infinity, is `null`.
    pub fn to_json(&self) -> String {
        json::write(self)
    }

    /// As Prometheus text: the series and the resources. The profile and the leak detector are for people; their names are not metrics.
    pub fn to_prometheus(&self) -> String {
        let mut page = Exposition::new();
        page.snapshot(&self.snapshot);
        if let Some(resources) = &self.resources {
            page.resources(resources);
        }
        page.prometheus_text()
    }

    fn rate(&self, count: u64) -> f64 {
        let seconds = self.snapshot.elapsed().as_secs_f64();
        if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
    }
}
