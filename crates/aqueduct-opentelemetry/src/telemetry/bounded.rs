//! What limiters, pools and tails did, as Prometheus families. They are the program's, which has as many as it likes, so each is written by itself.

use aqueduct_metrics::{Desc, Exposition};
use aqueduct_pipeline::TailStatus;

use crate::attribute_pool::AttributePool;
use crate::cardinality::CardinalityLimiter;
use crate::tail::LocalTail;

pub(super) const LIMITED: Desc = Desc::counter(
    "aqueduct_cardinality_values_total",
    "{value}",
    "Values of limited keys: kept, or replaced by the overflow value.",
)
.with_attributes(&["limiter", "outcome"]);
pub(super) const ADMITTED: Desc = Desc::gauge(
    "aqueduct_cardinality_admitted_values",
    "{value}",
    "Different values of a limited key that pass now.",
)
.with_attributes(&["limiter", "key"]);
pub(super) const DISPLACED: Desc = Desc::counter(
    "aqueduct_cardinality_displaced_values_total",
    "{value}",
    "Values of a limited key that had to make room for more frequent ones.",
)
.with_attributes(&["limiter", "key"]);
pub(super) const ASKED: Desc = Desc::counter(
    "aqueduct_attribute_pool_texts_total",
    "{text}",
    "Texts that a pool was asked for: hit if it had it, miss if it was added, refused if there was no room.",
)
.with_attributes(&["pool", "outcome"]);
pub(super) const POOLED: Desc =
    Desc::gauge("aqueduct_attribute_pool_texts", "{text}", "Texts in a pool, without the common ones.")
        .with_attributes(&["pool"]);
pub(super) const POOLED_BYTES: Desc =
    Desc::gauge("aqueduct_attribute_pool_bytes", "By", "Memory that these texts take.")
        .with_attributes(&["pool"]);

impl CardinalityLimiter {
    /// Writes the families `aqueduct_cardinality_*` of [`METRICS`](crate::METRICS), with this name for the limiter.
    ///
    /// ```
    /// use aqueduct_metrics::Exposition;
    /// use aqueduct_opentelemetry::{CardinalityConfig, CardinalityLimiter};
    ///
    /// let users = CardinalityLimiter::new(["user.id"], CardinalityConfig::default());
    /// users.limit("user.id", "anna");
    /// let mut page = Exposition::new();
    /// users.write_metrics("users", &mut page);
    /// let line = "aqueduct_cardinality_admitted_values{limiter=\"users\",key=\"user.id\"} 1\n";
    /// assert!(page.prometheus_text().contains(line));
    /// ```
    pub fn write_metrics(&self, name: &str, page: &mut Exposition) {
        let stats = self.stats();
        for (outcome, values) in [("kept", stats.kept), ("overflowed", stats.overflowed)] {
            page.family(&LIMITED).sample(&[("limiter", name), ("outcome", outcome)], values);
        }
        for key in stats.keys {
            let labels = [("limiter", name), ("key", &*key.key)];
            page.family(&ADMITTED).sample(&labels, key.admitted as u64);
            page.family(&DISPLACED).sample(&labels, key.displaced);
        }
    }
}

impl AttributePool {
    /// Writes the families `aqueduct_attribute_pool_*` of [`METRICS`](crate::METRICS), with this name for the pool.
    pub fn write_metrics(&self, name: &str, page: &mut Exposition) {
        let stats = self.stats();
        for (outcome, texts) in [("hit", stats.hits), ("miss", stats.misses), ("refused", stats.refused)] {
            page.family(&ASKED).sample(&[("pool", name), ("outcome", outcome)], texts);
        }
        page.family(&POOLED).sample(&[("pool", name)], stats.entries as u64);
        page.family(&POOLED_BYTES).sample(&[("pool", name)], stats.bytes as u64);
    }
}

impl<T> LocalTail<T> {
    /// Writes the families `aqueduct_tail_sampling_*` of [`aqueduct_pipeline::METRICS`], with this name for the pipeline.
    pub fn write_metrics(&self, name: &str, page: &mut Exposition) {
        let status = TailStatus::new(self.stats(), self.max_bytes());
        aqueduct_pipeline::write_tail_metrics([(name, &status)], page);
    }
}
