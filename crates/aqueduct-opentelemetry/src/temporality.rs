//! Which metrics are sent as sums since the start, and which as differences.

use opentelemetry_sdk::metrics::Temporality;

/// What metrics are relative to (OpenTelemetry specification, "OTLP Metrics Exporter"); see [`Builder::temporality`](crate::Builder::temporality).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TemporalityPreference {
    /// Sums since the start.
    #[default]
    Cumulative,
    /// Counters and histograms as what was added since the last export; up-down counters as sums.
    Delta,
    /// As [`Delta`](Self::Delta), but observable counters as sums, which need no memory for it.
    LowMemory,
}

impl TemporalityPreference {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "cumulative" => Ok(Self::Cumulative),
            "delta" => Ok(Self::Delta),
            "lowmemory" => Ok(Self::LowMemory),
            _ => Err("expected cumulative, delta or lowmemory".to_owned()),
        }
    }
}

impl From<TemporalityPreference> for Temporality {
    fn from(preference: TemporalityPreference) -> Temporality {
        match preference {
            TemporalityPreference::Cumulative => Temporality::Cumulative,
            TemporalityPreference::Delta => Temporality::Delta,
            TemporalityPreference::LowMemory => Temporality::LowMemory,
        }
    }
}
