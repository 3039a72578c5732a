//! The controllers: what each would turn next, and why.

use aqueduct_metrics::DropReason;

use crate::{Algorithm, Knob, Objective, Parameters, Snapshot};

/// A knob, a direction and a reason.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Proposal {
    pub(crate) knob: Knob,
    pub(crate) up: bool,
    /// What comes first, from 0 to 1.
    pub(crate) weight: f64,
    pub(crate) reason: &'static str,
}

/// From this weight on there is a reason beside curiosity.
pub(crate) const REASONED: f64 = 0.2;

/// The proposals of all controllers, at most one for each knob and direction.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Proposals {
    slots: [[Option<Proposal>; 2]; Knob::COUNT],
}

impl Proposals {
    /// Of two reasons for the same the heavier one counts.
    fn add(&mut self, knob: Knob, up: bool, weight: f64, reason: &'static str) {
        let slot = &mut self.slots[knob.index()][usize::from(up)];
        if slot.is_none_or(|there| there.weight < weight) {
            *slot = Some(Proposal { knob, up, weight, reason });
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Proposal> + '_ {
        self.slots.iter().flatten().flatten().copied()
    }
}

/// What a window says that all controllers ask for.
struct Situation<'a> {
    snapshot: &'a Snapshot,
    parameters: &'a Parameters,
    /// Less is delivered than is wanted, or much of it waits.
    short: bool,
    /// Items take longer than they should.
    slow: bool,
    cpu: f64,
    memory: f64,
}

/// Whether less is delivered than is wanted, or much of it waits.
pub(crate) fn is_short(snapshot: &Snapshot) -> bool {
    (snapshot.delivered_items as f64) < 0.97 * snapshot.wanted_items() as f64 || snapshot.queue_fill() > 0.5
}

/// What the controllers propose after a window.
pub(crate) fn propose(snapshot: &Snapshot, parameters: &Parameters, objective: &Objective) -> Proposals {
    let latency = snapshot.latency_p99().unwrap_or_default();
    let situation = Situation {
        snapshot,
        parameters,
        short: is_short(snapshot),
        slow: latency > objective.latency_target,
        cpu: snapshot.cpu_share().unwrap_or(0.5),
        memory: snapshot.memory_share().unwrap_or(0.5),
    };
    let mut proposals = Proposals::default();
    concurrency(&situation, &mut proposals);
    batching(&situation, &mut proposals);
    effort(&situation, &mut proposals);
    memory(&situation, &mut proposals);
    sampling(&situation, &mut proposals);
    curiosity(&situation, &mut proposals);
    proposals
}

/// Requests under way, and the connections they share.
fn concurrency(at: &Situation<'_>, proposals: &mut Proposals) {
    let full = at.snapshot.in_flight_fill() > 0.85;
    if at.short && full {
        proposals.add(Knob::MaxInFlight, true, 0.9, "items wait, and all requests that may be under way are");
        if at.cpu < 0.8 {
            proposals.add(
                Knob::Connections,
                true,
                0.5,
                "items wait, with requests under way and CPU to spare",
            );
        }
    }
    if at.snapshot.success_rate().is_some_and(|rate| rate < 0.95) {
        proposals.add(
            Knob::MaxInFlight,
            false,
            0.6,
            "many requests fail: the destination may want fewer at a time",
        );
        proposals.add(
            Knob::MinInFlight,
            false,
            0.4,
            "many requests fail: the limit may have to fall further",
        );
    }
    let waits = at.snapshot.wait_p99 > at.snapshot.export_p99;
    if at.slow && !waits {
        proposals.add(Knob::MaxInFlight, false, 0.5, "requests take long: there may be too many at a time");
    }
}

/// How large batches are, and how long they fill.
fn batching(at: &Situation<'_>, proposals: &mut Proposals) {
    let sealed = at.snapshot.sealed;
    if at.short || at.cpu > 0.8 {
        if sealed.by_items() > 0.3 {
            proposals.add(
                Knob::BatchItems,
                true,
                0.85,
                "items wait or CPU is short, and batches are full of items",
            );
        }
        if sealed.by_bytes() > 0.3 {
            proposals.add(
                Knob::BatchBytes,
                true,
                0.8,
                "items wait or CPU is short, and batches are full of bytes",
            );
        }
        if sealed.by_age() > 0.3 {
            proposals.add(
                Knob::BatchDelay,
                true,
                0.7,
                "items wait or CPU is short, and batches are sealed by time",
            );
        }
    }
    let wait = at.snapshot.wait_p99.unwrap_or_default();
    let export = at.snapshot.export_p99.unwrap_or_default();
    if at.slow && !at.short && wait > export && sealed.by_age() > 0.3 {
        proposals.add(Knob::BatchDelay, false, 0.8, "items are late because they wait for their batch");
    }
    if at.slow && export > wait {
        proposals.add(Knob::BatchItems, false, 0.4, "requests take long: smaller ones may be quicker");
    }
}

/// Compression, and the threads that do it.
fn effort(at: &Situation<'_>, proposals: &mut Proposals) {
    if at.cpu > 0.8 {
        proposals.add(Knob::CompressionLevel, false, 0.95, "CPU is short: compress less");
        proposals.add(
            Knob::Compression,
            false,
            0.75,
            "CPU is short: compress in a cheaper way, or not at all",
        );
    }
    let network = at.snapshot.network_share().unwrap_or(0.0);
    if network > 0.75 && at.cpu < 0.8 {
        proposals.add(Knob::Compression, true, 0.8, "the network is full, and there is CPU to spare");
        proposals.add(Knob::CompressionLevel, true, 0.6, "the network is full, and there is CPU to spare");
    }
    if at.short && at.cpu < 0.8 {
        proposals.add(Knob::WorkerThreads, true, 0.55, "items wait, and there are cores to spare");
    }
}

/// What may be held.
fn memory(at: &Situation<'_>, proposals: &mut Proposals) {
    let dropped = &at.snapshot.dropped_items;
    let full = at.snapshot.refused_items > 0
        || dropped[DropReason::Budget.index()] > 0
        || dropped[DropReason::QueueFull.index()] > 0;
    if at.memory > 0.9 {
        proposals.add(Knob::QueueBytes, false, 1.0, "memory is nearly used up: hold less");
    } else if full && at.memory < 0.7 {
        proposals.add(
            Knob::QueueBytes,
            true,
            0.3,
            "items are lost for want of room, and there is memory to spare",
        );
    }
}

/// The last resort, where it is allowed at all.
fn sampling(at: &Situation<'_>, proposals: &mut Proposals) {
    if at.short {
        proposals.add(Knob::SamplingRate, false, 0.25, "more is kept than can be carried");
    } else if at.cpu < 0.6 && !at.slow {
        proposals.add(Knob::SamplingRate, true, 0.25, "more could be carried than is kept");
    }
}

/// What nobody asks for, but might help: each knob whose value has an effect at the moment, both ways.
fn curiosity(at: &Situation<'_>, proposals: &mut Proposals) {
    const REASON: &str = "to see whether it helps";
    let sealed = at.snapshot.sealed;
    let fill = at.snapshot.batch_fill.unwrap_or(1.0);
    let busy = at.snapshot.in_flight_fill();
    let compresses = at.parameters.compression.is_none_or(|algorithm| algorithm != Algorithm::None);
    let effects = [
        (Knob::BatchDelay, sealed.by_age() > 0.05, sealed.by_age() > 0.05 || at.short || at.slow),
        (Knob::BatchItems, sealed.by_items() > 0.05, fill > 0.25),
        (Knob::MaxInFlight, busy > 0.4, busy > 0.2),
        (Knob::BatchBytes, sealed.by_bytes() > 0.05, sealed.by_bytes() > 0.05),
        (Knob::Compression, true, true),
        (Knob::CompressionLevel, compresses, compresses),
        (Knob::Connections, true, true),
        (Knob::WorkerThreads, true, true),
    ];
    for (place, (knob, more, less)) in effects.into_iter().enumerate() {
        let weight = 0.15 - place as f64 / 100.0;
        if more {
            proposals.add(knob, true, weight, REASON);
        }
        if less {
            proposals.add(knob, false, weight - 0.005, REASON);
        }
    }
}
