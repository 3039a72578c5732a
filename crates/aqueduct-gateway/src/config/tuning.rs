//! `service.tuning`: whether the gateway moves its own settings, and how far.

use std::ops::RangeInclusive;
use std::time::Duration;

use aqueduct::tune::{Algorithm, Bounds, Mode};

use super::duration::LONGEST;
use super::errors::Finding;
use super::read::{Field, Keys, Section};

/// A tuner of all pipelines together.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Tuning {
    /// Whether changes are made, or only suggested. Default [`Mode::Apply`].
    pub mode: Mode,
    /// How long it observes between two decisions. Default 1 s.
    pub window: Duration,
    /// What settings may become.
    pub bounds: Bounds,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { mode: Mode::default(), window: Duration::from_secs(1), bounds: Bounds::default() }
    }
}

pub(crate) const TUNING: Keys = Keys { supported: &["mode", "window", "bounds"], refused: &[] };

pub(crate) const BOUNDS: Keys = Keys {
    supported: &[
        "send_batch_size",
        "send_batch_max_bytes",
        "timeout",
        "num_consumers",
        "connections",
        "compression",
        "compression_level",
        "worker_threads",
    ],
    refused: &[],
};

pub(crate) const RANGE: Keys = Keys { supported: &["min", "max"], refused: &[] };

/// A window that is shorter tells nothing.
const SHORTEST: Duration = Duration::from_millis(50);

pub(crate) fn read(field: &Field<'_>) -> Tuning {
    let section = Section::open(field, &TUNING);
    let default = Tuning::default();
    let mut tuning = Tuning {
        mode: section.choice("mode", default.mode, &[("apply", Mode::Apply), ("suggest", Mode::Suggest)]),
        window: section.duration("window", default.window, SHORTEST..=Duration::from_secs(3600)),
        bounds: default.bounds,
    };
    if let Some(field) = section.field("bounds") {
        bounds(&Section::open(&field, &BOUNDS), &mut tuning.bounds);
    }
    tuning
}

fn bounds(section: &Section<'_>, bounds: &mut Bounds) {
    let count = |most: u64| move |field: &Field<'_>| field.integer(1..=most);
    range(section, "send_batch_size", &mut bounds.batch_items, count(u64::MAX));
    range(section, "send_batch_max_bytes", &mut bounds.batch_bytes, |field| field.size(1024..=1 << 30));
    let delays = Duration::from_millis(1)..=LONGEST;
    range(section, "timeout", &mut bounds.batch_delay, |field| field.duration(delays.clone()));
    range(section, "num_consumers", &mut bounds.in_flight, count(1024));
    range(section, "connections", &mut bounds.connections, count(1024));
    range(section, "worker_threads", &mut bounds.worker_threads, count(1024));
    range(section, "compression_level", &mut bounds.compression_level, |field| {
        i32::try_from(field.integer(0..=19)?).ok()
    });
    if let Some(items) = section.field("compression").and_then(|field| field.items("algorithms")) {
        let known = [Algorithm::None, Algorithm::Gzip, Algorithm::Zstd].map(|one| (one.as_str(), one));
        bounds.compression = items.iter().filter_map(|item| item.choice(&known)).collect();
    }
}

/// `{min: .., max: ..}`, of which each may be missing.
fn range<T: Copy + PartialOrd>(
    section: &Section<'_>,
    key: &str,
    bounds: &mut RangeInclusive<T>,
    read: impl Fn(&Field<'_>) -> Option<T>,
) {
    let Some(field) = section.field(key) else { return };
    let ends = Section::open(&field, &RANGE);
    let end = |key: &str, default: T| ends.field(key).and_then(|field| read(&field)).unwrap_or(default);
    let (min, max) = (end("min", *bounds.start()), end("max", *bounds.end()));
    if min > max {
        let message = "`min` is more than `max`; without one of them the default counts";
        return field.fail(Finding::new(field.key_at, field.path.clone(), message));
    }
    *bounds = min..=max;
}
