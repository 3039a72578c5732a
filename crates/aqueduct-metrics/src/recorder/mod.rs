//! Named series: made from descriptors, recorded by many threads, read together.

mod cell;
mod counter;
mod distribution;
mod error;
mod outcomes;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub use counter::{Counter, Gauge};
pub use distribution::Distribution;
pub(crate) use distribution::nanos;
pub use error::SeriesError;
pub(crate) use outcomes::{OTHER, shortened};
pub use outcomes::{OutcomeCounts, Outcomes};

use crate::snapshot::{Series, Snapshot, Value};
use crate::{Desc, Kind};

/// Longer label values are cut.
const LONGEST_LABEL: usize = 128;

/// Series under the names of their [`Desc`]s: asked for once, recorded into from any thread, read together. Clones are the same recorder.
///
/// A series is a descriptor with a value for each of its attributes. Asking for one that is there gives the same one. Keep what you
/// are given: asking takes a lock, recording takes none.
///
/// # Overload
///
/// There is room for a fixed number of series with labels. Beyond it, all labels of a new series become `other`: one series for each
/// descriptor, so that nothing is lost but detail. Label values are cut after 128 bytes.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// use aqueduct_metrics::{Desc, Recorder};
///
/// const LATENCY: Desc = Desc::histogram("shop_request_seconds", "s", "Time to an answer.").with_attributes(&["method"]);
///
/// let start = Instant::now();
/// let recorder = Recorder::new(start);
/// let get = recorder.distribution(&LATENCY, &["GET"])?;
/// (1..=100).for_each(|ms| get.record_duration(Duration::from_millis(ms)));
///
/// let first = recorder.snapshot(start + Duration::from_secs(10));
/// let latency = first.histogram(&LATENCY, &["GET"]).expect("it is there");
/// assert!((latency.quantile(0.95) as f64 / 95e6 - 1.0).abs() < 0.01);
/// assert_eq!(first.rate(&LATENCY, &["GET"]), 10.0);
///
/// get.record_duration(Duration::from_millis(7));
/// let interval = recorder.snapshot(start + Duration::from_secs(20)).since(&first);
/// assert_eq!(interval.histogram(&LATENCY, &["GET"]).map(|latency| latency.count()), Some(1));
/// # Ok::<(), aqueduct_metrics::SeriesError>(())
/// ```
#[doc(alias = "PerformanceMetricsCollector")]
#[derive(Clone)]
pub struct Recorder {
    inner: Arc<Inner>,
}

struct Inner {
    start: Instant,
    max_series: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    /// In the order in which they were first asked for.
    series: Vec<Entry>,
    /// Where each is.
    index: BTreeMap<(&'static str, Vec<String>), usize>,
    /// How many have labels.
    labelled: usize,
}

struct Entry {
    desc: Desc,
    labels: Arc<[String]>,
    instrument: Instrument,
}

#[derive(Clone)]
enum Instrument {
    Counter(Counter),
    Gauge(Gauge),
    Distribution(Distribution),
    Outcomes(Outcomes),
}

impl Instrument {
    fn name(&self) -> &'static str {
        match self {
            Instrument::Counter(_) => "counter",
            Instrument::Gauge(_) => "gauge",
            Instrument::Distribution(_) => "distribution",
            Instrument::Outcomes(_) => "outcomes",
        }
    }
}

impl Recorder {
    /// How many series with labels there is room for unless told otherwise.
    pub const DEFAULT_MAX_SERIES: usize = 1000;

    /// Without series. Lifetime snapshots count from `now`.
    pub fn new(now: Instant) -> Self {
        Self::with_max_series(now, Self::DEFAULT_MAX_SERIES)
    }

    /// As [`new`](Self::new), with room for so many series that have labels.
    pub fn with_max_series(now: Instant, max_series: usize) -> Self {
        Recorder { inner: Arc::new(Inner { start: now, max_series, table: Mutex::default() }) }
    }

    /// The counter of this descriptor and these values of its attributes, in their order.
    ///
    /// # Errors
    ///
    /// The descriptor is not that of a counter, has another number of attributes, or there is something else under its name.
    pub fn counter(&self, desc: &Desc, labels: &[&str]) -> Result<Counter, SeriesError> {
        match self.series(desc, Kind::Counter, labels, 0, || Instrument::Counter(Counter::new()))? {
            Instrument::Counter(counter) => Ok(counter),
            other => Err(SeriesError::taken(desc, "counter", other.name())),
        }
    }

    /// The gauge of this descriptor and these values of its attributes, in their order.
    ///
    /// # Errors
    ///
    /// The descriptor is not that of a gauge, has another number of attributes, or there is something else under its name.
    pub fn gauge(&self, desc: &Desc, labels: &[&str]) -> Result<Gauge, SeriesError> {
        match self.series(desc, Kind::Gauge, labels, 0, || Instrument::Gauge(Gauge::new()))? {
            Instrument::Gauge(gauge) => Ok(gauge),
            other => Err(SeriesError::taken(desc, "gauge", other.name())),
        }
    }

    /// The distribution of this descriptor and these values of its attributes, in their order. Where the descriptor's unit is `s`, `ms`
    /// or `us`, it records nanoseconds, which are converted on export.
    ///
    /// # Errors
    ///
    /// The descriptor is not that of a histogram, has another number of attributes, or there is something else under its name.
    pub fn distribution(&self, desc: &Desc, labels: &[&str]) -> Result<Distribution, SeriesError> {
        let make = || Instrument::Distribution(Distribution::new());
        match self.series(desc, Kind::Histogram, labels, 0, make)? {
            Instrument::Distribution(distribution) => Ok(distribution),
            other => Err(SeriesError::taken(desc, "distribution", other.name())),
        }
    }

    /// The outcomes of this descriptor, a counter's, and these values of its attributes but the last. The last is the kind of the error, and empty
    /// for a success, as the semantic conventions have it for `error.type`.
    ///
    /// # Errors
    ///
    /// The descriptor is not that of a counter, has no attribute for the kind or another number of the others, or there is something else under its name.
    pub fn outcomes(&self, desc: &Desc, labels: &[&str]) -> Result<Outcomes, SeriesError> {
        match self.series(desc, Kind::Counter, labels, 1, || Instrument::Outcomes(Outcomes::new()))? {
            Instrument::Outcomes(outcomes) => Ok(outcomes),
            other => Err(SeriesError::taken(desc, "outcomes", other.name())),
        }
    }

    /// Reads everything since the recorder was made. For an interval, take the difference of two ([`Snapshot::since`]), or a
    /// [`Window`](crate::Window); any number of readers can do so, each at its own pace.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let table = self.table();
        let series = table.series.iter().map(|entry| Series {
            desc: entry.desc,
            labels: entry.labels.clone(),
            value: match &entry.instrument {
                Instrument::Counter(counter) => Value::Counter(counter.read()),
                Instrument::Gauge(gauge) => Value::Gauge(gauge.read()),
                Instrument::Distribution(distribution) => Value::Histogram(distribution.read()),
                Instrument::Outcomes(outcomes) => Value::Outcomes(outcomes.read()),
            },
        });
        Snapshot { from: self.inner.start, to: now.max(self.inner.start), series: series.collect() }
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.table().series.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing panics in the middle of a change.
        self.inner.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `kinds` of the attributes are not among the labels.
    fn series(
        &self,
        desc: &Desc,
        kind: Kind,
        labels: &[&str],
        kinds: usize,
        make: impl FnOnce() -> Instrument,
    ) -> Result<Instrument, SeriesError> {
        if desc.kind != kind {
            return Err(SeriesError::WrongKind { name: desc.name, kind: desc.kind, asked: kind });
        }
        if desc.attributes.len() != labels.len() + kinds {
            let expected = desc.attributes.len().checked_sub(kinds);
            return Err(SeriesError::Labels { name: desc.name, expected, given: labels.len() });
        }
        let mut table = self.table();
        if let Some(first) = table.series.iter().find(|entry| entry.desc.name == desc.name)
            && first.desc != *desc
        {
            return Err(SeriesError::Conflict { name: desc.name });
        }
        let labels: Vec<_> = labels.iter().map(|label| shortened(label, LONGEST_LABEL).to_owned()).collect();
        let mut key = (desc.name, labels);
        if !table.index.contains_key(&key) && !key.1.is_empty() && table.labelled >= self.inner.max_series {
            key.1.fill(OTHER.to_owned());
        }
        if let Some(&index) = table.index.get(&key) {
            return Ok(table.series[index].instrument.clone());
        }
        let instrument = make();
        table.labelled += usize::from(!key.1.is_empty());
        let entry = Entry { desc: *desc, labels: key.1.clone().into(), instrument: instrument.clone() };
        let at = table.series.len();
        table.index.insert(key, at);
        table.series.push(entry);
        Ok(instrument)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("series", &self.len()).finish_non_exhaustive()
    }
}
