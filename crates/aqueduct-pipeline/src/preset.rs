//! Settings that belong together.

use std::fmt;
use std::time::Duration;

use aqueduct_metrics::{ResourceProbe, machine_memory_bytes};

use crate::config::{LaneConfig, Overflow, PipelineConfig};

/// Settings of a pipeline and its lanes that belong together, and why they are what they are.
///
/// ```
/// use aqueduct_pipeline::Preset;
///
/// let preset = Preset::for_this_machine();
/// println!("{preset}");
/// // Pipeline::builder(signal).config(preset.pipeline).destination(destination, preset.lane)
/// assert!(preset.pipeline.batch.max_items >= 256);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
#[doc(alias = "BatchConfig::for_system")]
pub struct Preset {
    /// For [`Builder::config`](crate::Builder::config).
    pub pipeline: PipelineConfig,
    /// For [`Builder::destination`](crate::Builder::destination).
    pub lane: LaneConfig,
    /// For [`ClientConfig::timeout`](aqueduct_transport::ClientConfig::timeout).
    pub export_timeout: Duration,
    /// What was chosen, and why, in words.
    pub why: String,
}

/// What is reckoned for an item of which only the number is known, in bytes: a span with some ten attributes.
const ITEM_BYTES: u64 = 1024;

impl Preset {
    /// Least CPU and memory for the process: large batches that wait for a second, one request at a time, 8 MiB. Under pressure new data is refused.
    #[must_use]
    pub fn low_overhead() -> Self {
        Self::of(
            (8_192, Duration::from_secs(1)),
            LaneConfig::default().with_queue_bytes(8 << 20).with_max_in_flight(1),
            Overflow::DropNewest,
            "least CPU and memory: large batches, a second of delay, one request at a time, 8 MiB held at most",
        )
    }

    /// The defaults: 200 ms of delay, eight to 32 requests at a time, 64 MiB.
    #[must_use]
    pub fn balanced() -> Self {
        let PipelineConfig { batch, .. } = PipelineConfig::default();
        Self::of(
            (batch.max_items, batch.max_age),
            LaneConfig::default(),
            Overflow::DropNewest,
            "balanced: 200 ms of delay, eight to 32 requests at a time, 64 MiB held at most",
        )
    }

    /// Least loss: whoever offers waits for room, up to five seconds, before anything is refused; 256 MiB, compressed from an eighth on.
    #[must_use]
    pub fn lossless() -> Self {
        let PipelineConfig { batch, .. } = PipelineConfig::default();
        Self::of(
            (batch.max_items, batch.max_age),
            LaneConfig::default().with_queue_bytes(256 << 20).with_compress_held_above(12),
            Overflow::Block(Duration::from_secs(5)),
            "least loss: producers wait up to 5 s for room, 256 MiB held at most, compressed from 32 MiB on",
        )
    }

    /// By the memory that this process may use, which is the smaller of the machine's and its control group's: from 16 GiB on batches of 1,024 items and room for 8,192 in a queue
    /// at one time; from 8 GiB on 512 and 4,096; else 256 and 2,048. Items are reckoned at 1 KiB and at least 8 MiB are held, because the budget is one of bytes and serves
    /// outages, too. Delay 500 ms, export time-out 30 s. Where the memory cannot be read, as for less than 8 GiB.
    #[must_use]
    pub fn for_this_machine() -> Self {
        let limit = ResourceProbe::new().sample().ok().and_then(|resources| resources.memory_limit_bytes);
        Self::for_memory(machine_memory_bytes(), limit)
    }

    /// As [`for_this_machine`](Self::for_this_machine), for a machine with so many bytes of memory and a process that may use at most `limit` of them.
    #[must_use]
    pub fn for_memory(machine: Option<u64>, limit: Option<u64>) -> Self {
        let usable = machine.into_iter().chain(limit).min();
        let (queue, batch) = match usable.map(|bytes| bytes >> 30) {
            Some(16..) => (8_192, 1_024),
            Some(8..) => (4_096, 512),
            _ => (2_048, 256),
        };
        let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
        let found = match (machine, limit) {
            (None, None) => "memory unknown".to_owned(),
            (Some(machine), Some(limit)) if limit < machine => {
                format!("{} of memory allowed of the machine's {}", mib(limit), mib(machine))
            }
            (Some(bytes), _) | (None, Some(bytes)) => format!("{} of memory", mib(bytes)),
        };
        // A sixteenth of what there is, if that is less: what is held for an outage is not worth the process.
        let bytes = (queue * ITEM_BYTES).max(8 << 20).min(usable.unwrap_or(u64::MAX) / 16).max(1 << 20);
        let why = format!("{found}: batches of {batch} items, {} held at most", mib(bytes));
        let lane = LaneConfig::default().with_queue_bytes(bytes);
        Self::of((batch, Duration::from_millis(500)), lane, Overflow::DropNewest, &why)
    }

    fn of((items, delay): (u64, Duration), lane: LaneConfig, overflow: Overflow, why: &str) -> Self {
        let mut pipeline = PipelineConfig::default();
        pipeline.batch = pipeline.batch.with_max_items(items).with_max_age(delay);
        pipeline.overflow = overflow;
        Self { pipeline, lane, export_timeout: Duration::from_secs(30), why: why.to_owned() }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn batch(machine: Option<u64>, limit: Option<u64>) -> u64 {
        Preset::for_memory(machine, limit).pipeline.batch.max_items
    }

    /// Guards the steps.
    #[test]
    fn memory_decides_in_steps() {
        assert_eq!(batch(Some(64 * GIB), None), 1_024);
        assert_eq!(batch(Some(16 * GIB), None), 1_024);
        assert_eq!(batch(Some(16 * GIB - 1), None), 512);
        assert_eq!(batch(Some(8 * GIB), None), 512);
        assert_eq!(batch(Some(4 * GIB), None), 256);
        assert_eq!(batch(None, None), 256);
    }

    /// Guards against the host's memory in a container.
    #[test]
    fn the_limit_of_the_container_counts() {
        assert_eq!(batch(Some(64 * GIB), Some(GIB / 4)), 256);
        let preset = Preset::for_memory(Some(64 * GIB), Some(GIB / 16));
        assert_eq!(preset.lane.queue_bytes, 4 << 20, "a sixteenth of what the process may use");
        assert!(
            preset.to_string().starts_with("64 MiB of memory allowed of the machine's 65536 MiB"),
            "{preset}"
        );
        // A limit beyond the machine's memory is none.
        assert_eq!(batch(Some(8 * GIB), Some(1 << 60)), 512);
    }
}
