//! The sampling rate under a target for the CPU: a knob that is not searched for, but steered.

use std::ops::RangeInclusive;
use std::time::Instant;

use super::{Adjustment, AutoTuner, LEAST_SCORE, Mode};
use crate::history::{Entry, Outcome};
use crate::{CpuTarget, Knob, Snapshot, Value};

/// A target, and what became of its last wish.
#[derive(Debug, Clone)]
pub(super) struct Cpu {
    target: CpuTarget,
    /// In a dry run: what would be done. Otherwise what was, until the next window shows that nobody objects.
    last: Option<Adjustment>,
    dry: bool,
}

impl Cpu {
    pub(super) fn new(cores: f64, rates: RangeInclusive<f64>) -> Self {
        Self { target: CpuTarget::new(cores, rates), last: None, dry: false }
    }

    /// What would be done, in a dry run.
    pub(super) fn suggestion(&self) -> Option<Adjustment> {
        self.last.filter(|_| self.dry)
    }

    /// The movement could not be made: what the rate was.
    pub(super) fn take_back(&mut self) -> Option<Value> {
        self.target.forget();
        self.last.take().filter(|_| !self.dry).map(|last| last.old)
    }
}

impl AutoTuner {
    /// Whether the search has a say in this knob.
    pub(super) fn seeks(&self, knob: Knob) -> bool {
        knob != Knob::SamplingRate || self.cpu.is_none()
    }

    /// Lets the target move the rate.
    pub(super) fn follow_cpu(&mut self, snapshot: &Snapshot, now: Instant) -> Option<Adjustment> {
        const KNOB: Knob = Knob::SamplingRate;
        let frozen = self.is_frozen(KNOB);
        let cpu = self.cpu.as_mut()?;
        let (Some(Value::Share(rate)), Some(used)) = (self.parameters.get(KNOB), snapshot.telemetry_cpu_used)
        else {
            return None;
        };
        cpu.dry = self.config.mode == Mode::Suggest;
        if frozen {
            cpu.target.forget();
            cpu.last = None;
            return None;
        }
        if !cpu.dry {
            cpu.last = None;
        }
        let movement = cpu.target.observe(snapshot.window, used, rate)?;
        let (old, new) = (Value::Share(rate), Value::Share(movement.rate));
        let adjustment = Adjustment { knob: KNOB, old, new, reason: movement.reason };
        cpu.last = Some(adjustment);
        if cpu.dry {
            cpu.target.forget();
            return None;
        }
        self.parameters.set(KNOB, new);
        let before = self.objective.score(snapshot).max(LEAST_SCORE);
        let reason = movement.reason;
        self.history.push(Entry {
            at: now,
            knob: KNOB,
            old,
            new,
            reason,
            before,
            after: None,
            outcome: Outcome::Kept,
        });
        if self.trial.is_none() {
            self.start_over();
        }
        Some(adjustment)
    }
}
