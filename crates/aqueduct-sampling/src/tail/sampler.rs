//! The sampler: what is held, until when, and what happens when there is no room.

use std::time::{Duration, Instant};

use super::clock::Clock;
use super::compile::threshold_of;
use super::config::TailConfig;
use super::decision::{Cause, Decided, Odds, Policies, Trigger, Verdict};
use super::error::TailConfigError;
use super::held::{Held, first_bytes};
use super::span::TailSpan;
use super::stats::TailStats;
use super::table::{List, Table};
use crate::Threshold;

/// Holds the spans of each trace until the trace is complete, then lets policies decide what becomes of it.
///
/// A state machine: it is given the time and never reads a clock. It decides in [`offer`](Self::offer), [`poll`](Self::poll) and
/// [`drain`](Self::drain), and hands each decided trace to the closure that these take. See the [module](super) for an example.
///
/// # Allocation
///
/// The tables are reserved when it is made. Each trace has a vector, which grows and is handed over with the decision.
///
/// # Overload
///
/// A span that would go beyond `max_bytes`, or a trace beyond `num_traces`, is made room for by deciding the oldest traces at once.
#[doc(alias = "tail_sampling")]
#[doc(alias = "tailsamplingprocessor")]
#[derive(Debug)]
pub struct TailSampler<T> {
    config: TailConfig,
    policies: Policies,
    clock: Clock,
    wait: u64,
    grace: Option<u64>,
    pressure: Option<Threshold>,
    /// The oldest first.
    traces: Table<Held<T>>,
    /// Of those, the ones whose root has come, in the order of that.
    rooted: List,
    sampled: Table<Odds>,
    not_sampled: Table<()>,
    reserved: usize,
    /// What the traces take beyond the tables.
    bytes: usize,
    stats: TailStats,
}

pub(super) fn reserved_bytes(config: &TailConfig) -> usize {
    // A trace's place has the same size whatever a span is, because it holds a vector.
    Table::<Held<u8>>::bytes(config.num_traces)
        .saturating_add(List::bytes(config.num_traces))
        .saturating_add(Table::<Odds>::bytes(config.sampled_cache_size))
        .saturating_add(Table::<()>::bytes(config.non_sampled_cache_size))
}

impl<T: TailSpan> TailSampler<T> {
    /// A sampler that holds nothing yet.
    ///
    /// # Errors
    /// What [`TailConfig::validate`] finds.
    pub fn new(config: TailConfig, policies: Policies) -> Result<Self, TailConfigError> {
        config.validate()?;
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let reserved = reserved_bytes(&config);
        Ok(TailSampler {
            policies,
            clock: Clock::default(),
            wait: nanos(config.decision_wait),
            grace: config.root_grace.map(nanos),
            pressure: threshold_of(config.pressure_sampling_percentage),
            traces: Table::new(config.num_traces),
            rooted: List::new(config.num_traces),
            sampled: Table::new(config.sampled_cache_size),
            not_sampled: Table::new(config.non_sampled_cache_size),
            reserved,
            bytes: 0,
            stats: TailStats { peak_bytes: reserved as u64, ..TailStats::default() },
            config,
        })
    }

    /// Takes a span. First does what [`poll`](Self::poll) does.
    ///
    /// It is held, unless its trace was decided before: then it follows that decision at once. If there is no room for it, the oldest traces are
    /// decided. If there never could be, its own trace is.
    pub fn offer(&mut self, span: T, now: Instant, mut decided: impl FnMut(Decided<T>)) {
        self.poll(now, &mut decided);
        self.stats.offered_spans += 1;
        let id = span.trace_id();
        let mut slot = self.traces.find(&id);
        if slot.is_none()
            && let Some(verdict) = self.recall(&id)
        {
            return self.late(id, span, verdict, decided);
        }

        let held = span.held_bytes();
        // Alone it would be beyond the budget: it passes through, and deciding the others would not help.
        let huge =
            self.reserved.saturating_add(first_bytes::<T>()).saturating_add(held) > self.config.max_bytes;
        loop {
            let growth = slot.and_then(|slot| self.traces.get(slot)).map_or(first_bytes::<T>(), Held::growth);
            let fits = huge || self.fits(held.saturating_add(growth));
            if fits && (slot.is_some() || !self.traces.is_full()) {
                break;
            }
            let Some(oldest) = self.traces.front() else { break };
            self.decide(oldest, Trigger::Pressure, &mut decided);
            if slot == Some(oldest) {
                slot = None;
                if let Some(verdict) = self.recall(&id) {
                    return self.late(id, span, verdict, decided);
                }
            }
        }

        let slot = slot.unwrap_or_else(|| self.traces.insert(id, Held::new(&id, self.clock.nanos())));
        self.add(slot, span, held);
        if huge {
            self.decide(slot, Trigger::Pressure, &mut decided);
        }
    }

    /// Decides what is due: traces whose root came a grace ago, and those that were held for `decision_wait`.
    pub fn poll(&mut self, now: Instant, mut decided: impl FnMut(Decided<T>)) {
        self.clock.advance(now);
        while let Some((slot, _)) = self.next_rooted().filter(|(_, due)| *due <= self.clock.nanos()) {
            self.decide(slot, Trigger::Root, &mut decided);
        }
        while let Some((slot, _)) = self.next_old().filter(|(_, due)| *due <= self.clock.nanos()) {
            self.decide(slot, Trigger::Timeout, &mut decided);
        }
    }

    /// When [`poll`](Self::poll) will have something to do, if no span comes before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let due = [self.next_rooted(), self.next_old()].into_iter().flatten().map(|(_, due)| due).min()?;
        self.clock.instant(due)
    }

    /// Decides all that it holds, the oldest first, as complete as it is.
    pub fn drain(&mut self, now: Instant, mut decided: impl FnMut(Decided<T>)) {
        self.poll(now, &mut decided);
        while let Some(oldest) = self.traces.front() {
            self.decide(oldest, Trigger::Drain, &mut decided);
        }
    }

    /// Replaces the policies: for the traces that are held, too. What was decided stays so for late spans.
    ///
    /// Counters go on for policies of the same name; rates begin anew.
    pub fn set_policies(&mut self, mut policies: Policies) {
        policies.inherit(&self.policies);
        self.policies = policies;
    }

    fn next_rooted(&self) -> Option<(u32, u64)> {
        let slot = self.rooted.front()?;
        let since = self.traces.get(slot)?.rooted_at?;
        due(since, self.grace?).map(|due| (slot, due))
    }

    fn next_old(&self) -> Option<(u32, u64)> {
        let slot = self.traces.front()?;
        due(self.traces.get(slot)?.first_at, self.wait).map(|due| (slot, due))
    }

    fn fits(&self, more: usize) -> bool {
        self.reserved.saturating_add(self.bytes).saturating_add(more) <= self.config.max_bytes
    }

    fn add(&mut self, slot: u32, span: T, held: usize) {
        let Some(trace) = self.traces.get_mut(slot) else { return };
        let before = trace.bytes();
        if self.grace.is_some() && trace.rooted_at.is_none() && span.is_root() {
            trace.rooted_at = Some(self.clock.nanos());
            self.rooted.push_back(slot);
        }
        trace.push(span, held);
        self.bytes = self.bytes.saturating_add(trace.bytes() - before);
        self.stats.held_spans += 1;
        let bytes = (self.reserved.saturating_add(self.bytes)).min(self.config.max_bytes);
        self.stats.peak_bytes = self.stats.peak_bytes.max(bytes as u64);
    }

    fn decide(&mut self, slot: u32, trigger: Trigger, decided: &mut impl FnMut(Decided<T>)) {
        let Some((trace_id, trace)) = self.traces.remove(slot) else { return };
        if trace.rooted_at.is_some() {
            self.rooted.unlink(slot);
        }
        let count = trace.len() as u64;
        self.bytes = self.bytes.saturating_sub(trace.bytes());
        self.stats.held_spans -= count;

        let pressure = self.pressure.filter(|_| trigger == Trigger::Pressure);
        let ruling = self.policies.rule(&trace.view(&trace_id, self.clock.nanos()), pressure);
        let cause = self.policies.cause(ruling);
        self.stats.outcomes(trigger).count(ruling.verdict.is_sampled());
        self.stats.pressure_sampled += u64::from(cause == Cause::PressureSampling);
        self.remember(trace_id, ruling.verdict);
        self.count(ruling.verdict, count);
        decided(Decided { trace_id, verdict: ruling.verdict, trigger, cause, spans: trace.into_spans() });
    }

    fn late(&mut self, trace_id: [u8; 16], span: T, verdict: Verdict, mut decided: impl FnMut(Decided<T>)) {
        self.stats.late.count(verdict.is_sampled());
        self.count(verdict, 1);
        let cause = Cause::EarlierDecision;
        decided(Decided { trace_id, verdict, trigger: Trigger::Late, cause, spans: vec![span] });
    }

    fn count(&mut self, verdict: Verdict, spans: u64) {
        match verdict {
            Verdict::Sampled(_) => self.stats.sampled_spans += spans,
            Verdict::NotSampled => self.stats.not_sampled_spans += spans,
        }
    }

    fn remember(&mut self, id: [u8; 16], verdict: Verdict) {
        match verdict {
            Verdict::Sampled(odds) => remember(&mut self.sampled, self.config.sampled_cache_size, id, odds),
            Verdict::NotSampled => {
                remember(&mut self.not_sampled, self.config.non_sampled_cache_size, id, ())
            }
        }
    }

    /// What was decided on a trace before. Being asked for keeps it from being forgotten.
    fn recall(&mut self, id: &[u8; 16]) -> Option<Verdict> {
        if let Some(slot) = self.sampled.find(id) {
            self.sampled.renew(slot);
            return self.sampled.get(slot).map(|odds| Verdict::Sampled(*odds));
        }
        let slot = self.not_sampled.find(id)?;
        self.not_sampled.renew(slot);
        Some(Verdict::NotSampled)
    }
}

impl<T> TailSampler<T> {
    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &TailConfig {
        &self.config
    }

    /// What it did so far, and what it holds.
    #[must_use]
    pub fn stats(&self) -> TailStats {
        TailStats {
            held_traces: self.traces.len() as u64,
            held_bytes: self.reserved.saturating_add(self.bytes) as u64,
            policies: self.policies.stats(),
            ..self.stats.clone()
        }
    }
}

/// `None` is never.
fn due(since: u64, wait: u64) -> Option<u64> {
    since.checked_add(wait).filter(|due| *due < u64::MAX)
}

fn remember<V>(cache: &mut Table<V>, capacity: usize, id: [u8; 16], value: V) {
    if capacity == 0 {
        return;
    }
    if cache.is_full()
        && let Some(oldest) = cache.front()
    {
        cache.remove(oldest);
    }
    cache.insert(id, value);
}
