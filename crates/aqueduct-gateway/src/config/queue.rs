//! `sending_queue` and `retry_on_failure` of an exporter.

use std::time::Duration;

use super::duration::LONGEST;
use super::read::{Keys, Section};

const MIB: u64 = 1 << 20;

/// What an exporter holds for its destination, per pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Queue {
    /// Bytes held: waiting, in flight and to be retried. Default 64 MiB. Full means that clients are asked to retry.
    pub max_bytes: u64,
    /// Requests in flight at once. Default 8.
    pub num_consumers: u32,
}

impl Default for Queue {
    fn default() -> Self {
        Self { max_bytes: 64 * MIB, num_consumers: 8 }
    }
}

/// When a failed request is sent again.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Retry {
    /// False drops (and counts) what failed once. Default true.
    pub enabled: bool,
    /// The delay after the first failure, before jitter. Default 1 s.
    pub initial_interval: Duration,
    /// The largest delay before jitter. Default 5 s.
    pub max_interval: Duration,
    /// By what each further failure multiplies the delay. Default 2.
    pub multiplier: f64,
    /// Delays vary by this share of themselves; `None` (the default) is full jitter, from nothing to the whole delay.
    pub randomization_factor: Option<f64>,
    /// How long after the first failure to try again; `None` (the default) for as long as the queue holds the data.
    pub max_elapsed_time: Option<Duration>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            enabled: true,
            initial_interval: Duration::from_secs(1),
            max_interval: Duration::from_secs(5),
            multiplier: 2.0,
            randomization_factor: None,
            max_elapsed_time: None,
        }
    }
}

pub(crate) const QUEUE: Keys = Keys {
    supported: &["enabled", "num_consumers", "queue_size", "sizer", "block_on_overflow", "wait_for_result"],
    refused: &[
        (
            "storage",
            "queues on disk are not supported yet: `acknowledge: exported` on the receiver survives crashes",
        ),
        (
            "batch",
            "write a `batch` processor: it has `timeout`, `send_batch_size` and `send_batch_max_bytes`",
        ),
        ("blocking", "a full queue asks clients to retry: remove the key"),
    ],
};

pub(crate) const RETRY: Keys = Keys {
    supported: &[
        "enabled",
        "initial_interval",
        "max_interval",
        "multiplier",
        "randomization_factor",
        "max_elapsed_time",
    ],
    refused: &[],
};

pub(crate) fn queue(exporter: &Section<'_>) -> Queue {
    let default = Queue::default();
    let Some(field) = exporter.field("sending_queue") else { return default };
    let section = Section::open(&field, &QUEUE);
    section.only(
        "enabled",
        "true",
        "to answer clients only after the export, set `acknowledge: exported` on the receiver",
    );
    section.only("wait_for_result", "false", "set `acknowledge: exported` on the receiver");
    section.only("block_on_overflow", "false", "a full queue asks clients to retry");
    section.only(
        "sizer",
        "bytes",
        "queues are bounded in bytes: write `sizer: bytes` and a `queue_size` such as 64MiB",
    );
    let num_consumers = section.integer("num_consumers", default.num_consumers.into(), 1..=1024);
    let max_bytes = section.field("queue_size").and_then(|field| {
        // 1000 means requests in the collector, whose default sizer is `requests`: no guessing.
        if !field.sized(0..=u64::MAX)?.with_unit && section.field("sizer").is_none() {
            let finding = field.wrong("a size with a unit, such as 64MiB");
            field.fail(finding.with_help(
                "the collector counts requests here, this gateway bytes: write the unit, or add `sizer: bytes`",
            ));
            return None;
        }
        field.size(MIB / 16..=1 << 40)
    });
    let max_bytes = max_bytes.unwrap_or(default.max_bytes);
    Queue { max_bytes, num_consumers: u32::try_from(num_consumers).unwrap_or(default.num_consumers) }
}

pub(crate) fn retry(exporter: &Section<'_>) -> Retry {
    let default = Retry::default();
    let Some(field) = exporter.field("retry_on_failure") else { return default };
    let section = Section::open(&field, &RETRY);
    let delays = Duration::from_millis(1)..=LONGEST;
    let retry = Retry {
        enabled: section.flag("enabled", default.enabled),
        initial_interval: section.duration("initial_interval", default.initial_interval, delays.clone()),
        max_interval: section.duration("max_interval", default.max_interval, delays),
        multiplier: section
            .field("multiplier")
            .and_then(|field| field.number(1.0..=100.0))
            .unwrap_or(default.multiplier),
        randomization_factor: section.field("randomization_factor").and_then(|field| field.number(0.0..=1.0)),
        // Zero is "no limit", as in the collector.
        max_elapsed_time: Some(section.duration(
            "max_elapsed_time",
            Duration::ZERO,
            Duration::ZERO..=LONGEST,
        ))
        .filter(|elapsed| !elapsed.is_zero()),
    };
    if retry.max_interval < retry.initial_interval {
        // Only what the file says can be wrong; a default gives way to it.
        match (section.field("initial_interval"), section.field("max_interval")) {
            (Some(_), Some(field)) => field.fail(field.wrong("at least initial_interval")),
            (None, _) => return Retry { initial_interval: retry.max_interval, ..retry },
            (_, None) => return Retry { max_interval: retry.initial_interval, ..retry },
        }
    }
    retry
}
