//! All series of a recorder at one time, or over an interval.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{Desc, Histogram, OutcomeCounts};

/// What a recorder had counted between two times: plain data, to be kept, compared, written.
///
/// [`Recorder::snapshot`](crate::Recorder::snapshot) gives one of the whole life of the recorder; [`since`](Snapshot::since) makes one of an interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    pub(crate) from: Instant,
    pub(crate) to: Instant,
    pub(crate) series: Vec<Series>,
}

/// One series of a [`Snapshot`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Series {
    /// What it is.
    pub desc: Desc,
    /// The values of the descriptor's attributes, in their order; for outcomes without the last, the kind.
    pub labels: Arc<[String]>,
    /// What was counted.
    pub value: Value,
}

/// What a series counted.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Of a [`Counter`](crate::Counter): what was added in the interval.
    Counter(u64),
    /// Of a [`Gauge`](crate::Gauge): the value at the end of the interval.
    Gauge(f64),
    /// Of a [`Distribution`](crate::Distribution): what was recorded in the interval.
    Histogram(Histogram),
    /// Of [`Outcomes`](crate::Outcomes): what happened in the interval.
    Outcomes(OutcomeCounts),
}

impl Value {
    fn since(&self, earlier: &Value) -> Value {
        match (self, earlier) {
            (Value::Counter(now), Value::Counter(before)) => Value::Counter(now.wrapping_sub(*before)),
            (Value::Histogram(now), Value::Histogram(before)) => Value::Histogram(now.since(before)),
            (Value::Outcomes(now), Value::Outcomes(before)) => Value::Outcomes(now.since(before)),
            (now, _) => now.clone(),
        }
    }
}

impl Series {
    /// What one unit of the recorded values is in the unit of the descriptor: distributions of times are recorded in nanoseconds.
    pub fn scale(&self) -> f64 {
        match self.desc.unit {
            "s" => 1e-9,
            "ms" => 1e-6,
            "us" => 1e-3,
            _ => 1.0,
        }
    }

    /// The names of the attributes with their values.
    pub fn attributes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.desc.attributes.iter().copied().zip(self.labels.iter().map(String::as_str))
    }

    fn is(&self, name: &str, labels: &[impl AsRef<str>]) -> bool {
        self.desc.name == name
            && self.labels.len() == labels.len()
            && self.labels.iter().zip(labels).all(|(own, label)| own == label.as_ref())
    }
}

impl Snapshot {
    /// When the interval began.
    pub fn from(&self) -> Instant {
        self.from
    }

    /// When it ended.
    pub fn to(&self) -> Instant {
        self.to
    }

    /// How long it is.
    pub fn elapsed(&self) -> Duration {
        self.to.saturating_duration_since(self.from)
    }

    /// All series, in the order in which they were first asked for.
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// What happened after `earlier`, a snapshot of the same recorder that began when this one did. Gauges keep their value.
    pub fn since(&self, earlier: &Snapshot) -> Snapshot {
        let series = self.series.iter().enumerate().map(|(index, series)| {
            // Series are never removed, so they are at the same place in both.
            let mut before = earlier.series.get(index).into_iter().chain(&earlier.series);
            match before.find(|before| before.is(series.desc.name, &series.labels)) {
                Some(before) => Series { value: series.value.since(&before.value), ..series.clone() },
                None => series.clone(),
            }
        });
        Snapshot { from: earlier.to, to: self.to.max(earlier.to), series: series.collect() }
    }

    /// The value of a series.
    pub fn get(&self, desc: &Desc, labels: &[&str]) -> Option<&Value> {
        self.series.iter().find(|series| series.is(desc.name, labels)).map(|series| &series.value)
    }

    /// The value of a distribution.
    pub fn histogram(&self, desc: &Desc, labels: &[&str]) -> Option<&Histogram> {
        match self.get(desc, labels)? {
            Value::Histogram(histogram) => Some(histogram),
            _ => None,
        }
    }

    /// The value of outcomes; `labels` are those without the kind.
    pub fn outcomes(&self, desc: &Desc, labels: &[&str]) -> Option<&OutcomeCounts> {
        match self.get(desc, labels)? {
            Value::Outcomes(outcomes) => Some(outcomes),
            _ => None,
        }
    }

    /// How much a counter counted, how many values a distribution recorded, how many outcomes there were; zero for anything else.
    pub fn count(&self, desc: &Desc, labels: &[&str]) -> u64 {
        match self.get(desc, labels) {
            Some(Value::Counter(count)) => *count,
            Some(Value::Histogram(histogram)) => histogram.count(),
            Some(Value::Outcomes(outcomes)) => outcomes.total(),
            Some(Value::Gauge(_)) | None => 0,
        }
    }

    /// The [`count`](Snapshot::count) for each second of the interval; zero for an interval of no length.
    pub fn rate(&self, desc: &Desc, labels: &[&str]) -> f64 {
        let seconds = self.elapsed().as_secs_f64();
        if seconds > 0.0 { self.count(desc, labels) as f64 / seconds } else { 0.0 }
    }
}
