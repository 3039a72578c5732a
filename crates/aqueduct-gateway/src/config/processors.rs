//! `processors`: batch, memory_limiter as the bound of the receive budget, and what is in [`samplers`] and [`tail`].

use std::time::Duration;

use super::components::{Defined, Kind};
use super::duration::LONGEST;
use super::errors::Finding;
use super::read::{Field, Keys, Section};
use super::samplers::{self, ProbabilisticSampler};
use super::tail::{self, TailSampling};

const MIB: u64 = 1 << 20;

/// The receive budget without a memory_limiter: 128 MiB.
pub(crate) const DEFAULT_RECEIVE_BUDGET: u64 = 128 * MIB;

/// When a batch is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch {
    /// Age at which a batch is sent, whatever its size. Default 200 ms; never zero (that is "no batching").
    pub timeout: Duration,
    /// Items at which a batch is sent; `None` leaves only time and bytes. Default 8,192. A batch may be larger by the last
    /// request that joined it: requests are not split.
    pub send_batch_size: Option<u64>,
    /// Bytes a batch does not exceed, unless one request alone does. Default 8 MiB.
    pub send_batch_max_bytes: u64,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            timeout: Duration::from_millis(200),
            send_batch_size: Some(8192),
            send_batch_max_bytes: 8 * MIB,
        }
    }
}

/// A processor as defined.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Processor {
    /// `None`: the timeout is zero, so every request is sent on as it is.
    Batch(Option<Batch>),
    /// Bytes of the process-wide receive budget.
    MemoryLimiter(u64),
    /// A share of spans or log records.
    ProbabilisticSampler(ProbabilisticSampler),
    /// Whole traces.
    TailSampling(TailSampling),
}

const CHANGES_DATA: &str =
    "this gateway forwards the bytes it received: transform the data in the SDK or the collector";

pub(crate) const KIND: Kind = Kind {
    noun: "processor",
    supported: &["batch", "memory_limiter", "probabilistic_sampler", "tail_sampling"],
    refused: &[
        ("attributes", CHANGES_DATA),
        ("resource", CHANGES_DATA),
        ("resourcedetection", CHANGES_DATA),
        ("transform", CHANGES_DATA),
        ("filter", CHANGES_DATA),
        ("redaction", CHANGES_DATA),
        ("k8sattributes", CHANGES_DATA),
        ("k8s_attributes", CHANGES_DATA),
    ],
};

pub(crate) const BATCH: Keys = Keys {
    supported: &["timeout", "send_batch_size", "send_batch_max_size", "send_batch_max_bytes"],
    refused: &[
        ("metadata_keys", "batches are per signal, whatever the client's headers: remove the key"),
        (
            "metadata_cardinality_limit",
            "batches are per signal, whatever the client's headers: remove the key",
        ),
    ],
};

const USE_MIB: &str = "write `limit_mib`: the bound is a number of bytes, not a share of the machine";

pub(crate) const MEMORY_LIMITER: Keys = Keys {
    supported: &["limit_mib", "spike_limit_mib", "check_interval"],
    refused: &[
        ("limit_percentage", USE_MIB),
        ("spike_limit_percentage", USE_MIB),
        ("min_gc_interval_when_soft_limited", "there is no garbage collector: remove the key"),
        ("min_gc_interval_when_hard_limited", "there is no garbage collector: remove the key"),
    ],
};

pub(crate) fn read(section: Option<Field<'_>>) -> Vec<Defined<Processor>> {
    KIND.define(section, |kind, name, field| match kind {
        "batch" => Some(Processor::Batch(batch(field))),
        "tail_sampling" => tail::read(field).map(Processor::TailSampling),
        "probabilistic_sampler" => samplers::probabilistic(name, field).map(Processor::ProbabilisticSampler),
        _ => memory_limiter(field).map(Processor::MemoryLimiter),
    })
}

fn batch(field: &Field<'_>) -> Option<Batch> {
    let section = Section::open(field, &BATCH);
    let default = Batch::default();
    section.only(
        "send_batch_max_size",
        "0",
        "requests are joined and never split so far: use `send_batch_max_bytes` to bound a batch in bytes",
    );
    let batch = Batch {
        timeout: section.duration("timeout", default.timeout, Duration::ZERO..=LONGEST),
        // Zero switches the trigger off, as in the collector.
        send_batch_size: Some(section.integer("send_batch_size", 8192, 0..=u64::MAX))
            .filter(|items| *items > 0),
        send_batch_max_bytes: section.size(
            "send_batch_max_bytes",
            default.send_batch_max_bytes,
            1024..=1024 * MIB,
        ),
    };
    (!batch.timeout.is_zero()).then_some(batch)
}

fn memory_limiter(field: &Field<'_>) -> Option<u64> {
    let section = Section::open(field, &MEMORY_LIMITER);
    // Every reservation is checked as it is made, which satisfies any interval; only its syntax can be wrong.
    section.duration("check_interval", Duration::ZERO, Duration::ZERO..=LONGEST);
    let limit = section
        .required("limit_mib", "the bytes that requests being received may hold, in MiB")
        .and_then(|field| field.integer(1..=1 << 20));
    let spike = section.integer("spike_limit_mib", 0, 0..=1 << 20);
    let limit = limit?;
    if spike >= limit {
        let message = format!("found `{spike}`, expected less than limit_mib, which is {limit}");
        if let Some(field) = section.field("spike_limit_mib") {
            field.fail(Finding::new(field.node.at, field.path.clone(), message));
        }
        return None;
    }
    Some((limit - spike) * MIB)
}
