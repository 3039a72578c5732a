//! The tuner: one change at a time, observed, kept or taken back.
//!
//! # States
//!
//! - *Watching*: windows under the present settings are gathered until they are level. Then the heaviest proposal of the controllers that was not tried from here becomes a *trial*; where none is
//!   left, steps become finer; where they are finest, and the round gained little, it *rests*.
//! - *Trial*: one knob has another value. After some windows it is kept (which makes those windows the present ones, and tries the same again), or taken back.
//! - *Resting*: nothing is tried until the score is worse than it was *at this load*, something is plainly bad at a load where that was not looked into, or a long time has passed.

mod config;
mod cpu;
mod propose;
mod rest;
mod track;
mod trial;

use std::time::Instant;

pub use config::{Mode, TunerConfig};

use crate::history::{Entry, History, Outcome};
use crate::series::{Noise, Series};
use crate::snapshot::sane;
use crate::{Bounds, Knob, Objective, Parameters, Snapshot, Value};
use cpu::Cpu;
use propose::{Proposal, Proposals, REASONED, is_short, propose};
use rest::{Rest, Wake};
use track::Track;
use trial::{Judgement, judge};

/// A change that somebody should make.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Adjustment {
    /// Which knob.
    pub knob: Knob,
    /// What it is.
    pub old: Value,
    /// What it should be.
    pub new: Value,
    /// Why.
    pub reason: &'static str,
}

impl std::fmt::Display for Adjustment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} -> {}, {}", self.knob, self.old, self.new, self.reason)
    }
}

/// What a search may try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Every knob, in rounds.
    All,
    /// Only what there is a reason for, until something does not help.
    Reasoned,
}

/// A change that is being observed.
#[derive(Debug, Clone, Copy)]
struct Trial {
    proposal: Proposal,
    old: Value,
    after: Series,
    windows: usize,
}

/// Rounds of one search at most.
const ROUNDS: u32 = 5;
/// A round that gained less than this share is the last.
const ROUND_GAIN: f64 = 0.03;
/// Scores below this one are all alike.
const LEAST_SCORE: f64 = 1e-6;

/// Tunes a pipeline: windows go in, changes come out. See the [crate's documentation](crate) for an example.
///
/// Whoever uses it makes the changes that [`observe`](Self::observe) returns, or says [`not_applied`](Self::not_applied), before the next window begins. It allocates
/// when it changes something, not otherwise.
#[derive(Debug, Clone)]
#[doc(alias = "TuningSuggestion")]
pub struct AutoTuner {
    config: TunerConfig,
    bounds: Bounds,
    objective: Objective,
    /// What was asked for at first, until the first window has brought it within bounds.
    initial: Option<Parameters>,
    parameters: Parameters,
    tracks: [Track; Knob::COUNT],
    history: History,
    proposals: Proposals,
    present: Series,
    /// Windows under the present settings; the series keeps the last of them.
    windows: usize,
    /// Windows that are still to be left out.
    settle: usize,
    noise: Noise,
    load_noise: Noise,
    previous: Option<(f64, f64)>,
    /// Windows since the last in which not all was carried that was wanted.
    since_short: usize,
    trial: Option<Trial>,
    /// What helped last, for more of the same.
    momentum: Option<(Knob, bool)>,
    scope: Scope,
    rounds: u32,
    round_began: Option<f64>,
    rest: Rest,
    /// Whose the sampling rate is, if there is one.
    cpu: Option<Cpu>,
}

impl AutoTuner {
    /// A tuner of a pipeline that has these parameters; it touches only knobs that have a value. Parameters outside of the bounds are brought within by the
    /// first [`observe`](Self::observe).
    #[must_use]
    pub fn new(parameters: Parameters, bounds: &Bounds) -> Self {
        let bounds = bounds.sanitised();
        let inside = bounds.clamp(&parameters);
        Self {
            config: TunerConfig::default(),
            objective: Objective::default(),
            initial: (inside != parameters).then_some(parameters),
            parameters: inside,
            bounds,
            tracks: Default::default(),
            history: History::new(),
            proposals: Proposals::default(),
            present: Series::default(),
            windows: 0,
            settle: 0,
            noise: Noise::default(),
            load_noise: Noise::default(),
            previous: None,
            since_short: 0,
            trial: None,
            momentum: None,
            scope: Scope::All,
            rounds: 0,
            round_began: None,
            rest: Rest::new(),
            cpu: None,
        }
    }

    /// The same with another objective.
    #[must_use]
    pub fn with_objective(mut self, objective: Objective) -> Self {
        self.objective = objective;
        self
    }

    /// The same with another configuration.
    #[must_use]
    pub fn with_config(mut self, config: TunerConfig) -> Self {
        self.config = config.sanitised();
        // Nobody brings them within their bounds in a dry run.
        if let Some(initial) = self.initial.filter(|_| self.config.mode == Mode::Suggest) {
            self.parameters = initial;
        }
        self
    }

    /// The same with a target for the CPU that telemetry uses ([`Snapshot::telemetry_cpu_used`]), in cores: 0.05 is 5 % of one. A [`CpuTarget`](crate::CpuTarget) moves the sampling rate after it,
    /// within [`Bounds::sampling_rate`], without which it stays as it is; whether the score gets better by it does not matter. Its movements are in the history, and are not
    /// [undone](Self::undo): they would come again.
    #[must_use]
    pub fn with_cpu_target(mut self, cores: f64) -> Self {
        self.cpu = self.bounds.sampling_rate.clone().map(|rates| Cpu::new(cores, rates));
        self
    }

    /// Looks at a window that ended now, and returns the changes to make: none, or one, and one more of the sampling rate where that has a [target](Self::with_cpu_target). Only
    /// the first call may return several, which bring the settings within their bounds.
    ///
    /// Windows in which nothing was wanted teach nothing (but what telemetry costs then) and are passed over. A clock that stands still or goes backwards does no harm.
    pub fn observe(&mut self, snapshot: &Snapshot, now: Instant) -> Vec<Adjustment> {
        if self.config.mode == Mode::Apply && self.initial.is_some() {
            return self.bring_within_bounds();
        }
        let movement = self.follow_cpu(snapshot, now);
        let change = self.search(snapshot, now);
        movement.into_iter().chain(change).collect()
    }

    /// One step of the search for a better score.
    fn search(&mut self, snapshot: &Snapshot, now: Instant) -> Option<Adjustment> {
        if snapshot.window.is_zero() || snapshot.wanted_items() == 0 {
            return None;
        }
        self.proposals = propose(snapshot, &self.parameters, &self.objective);
        self.since_short = if is_short(snapshot) { 0 } else { self.since_short.saturating_add(1) };
        if self.settle > 0 {
            self.settle -= 1;
            return None;
        }
        // Logarithms, so that a difference is a share, however good or bad things are.
        let score = self.objective.score(snapshot).max(LEAST_SCORE).ln();
        let load = snapshot.wanted_rate().max(1e-9).ln();
        if let Some((score_before, load_before)) = self.previous.replace((score, load)) {
            self.noise.pair(score_before, score);
            self.load_noise.pair(load_before, load);
        }
        if self.config.mode == Mode::Suggest {
            return None;
        }
        match self.trial.take() {
            Some(trial) => self.watch(trial, score, load, now),
            None => self.gather(snapshot, score, load, now),
        }
    }

    /// What would be tried next, the best founded first: all that the controllers had a reason for in the last window, frozen knobs left out. For dry runs, and to look at.
    #[must_use]
    pub fn suggestions(&self) -> Vec<Adjustment> {
        let mut wanted: Vec<Proposal> = self
            .proposals
            .iter()
            .filter(|proposal| {
                proposal.weight >= REASONED
                    && self.seeks(proposal.knob)
                    && !self.tracks[proposal.knob.index()].frozen
            })
            .collect();
        wanted.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let adjustment = |proposal: Proposal| {
            let factor = self.tracks[proposal.knob.index()].factor();
            let new = self.bounds.next(&self.parameters, proposal.knob, proposal.up, factor)?;
            let old = self.parameters.get(proposal.knob)?;
            Some(Adjustment { knob: proposal.knob, old, new, reason: proposal.reason })
        };
        let of_cpu = self.cpu.as_ref().and_then(Cpu::suggestion);
        of_cpu.into_iter().chain(wanted.into_iter().filter_map(adjustment)).collect()
    }

    /// The settings as they should be now, always within the bounds; in a dry run as they were given.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The bounds, put right.
    #[must_use]
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// How it goes about it, put right.
    #[must_use]
    pub fn config(&self) -> &TunerConfig {
        &self.config
    }

    /// What good means.
    #[must_use]
    pub fn objective(&self) -> &Objective {
        &self.objective
    }

    /// What was changed and what came of it.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Whether it has found nothing more to gain, and waits until something is different.
    #[must_use]
    pub fn is_resting(&self) -> bool {
        self.rest.is_resting()
    }

    /// Leaves a knob alone from now on, at the value it has. A change of it that is being observed stays.
    pub fn freeze(&mut self, knob: Knob) {
        self.tracks[knob.index()].frozen = true;
        if self.trial.is_some_and(|trial| trial.proposal.knob == knob) {
            self.trial = None;
            self.history.settle(None, Outcome::Frozen);
            self.start_over();
        }
    }

    /// Leaves every knob alone from now on.
    pub fn freeze_all(&mut self) {
        for knob in Knob::ALL {
            self.freeze(knob);
        }
    }

    /// Lets the tuner have a knob again that was frozen or could not be applied. If it rests, it searches again.
    pub fn unfreeze(&mut self, knob: Knob) {
        self.tracks[knob.index()] = Track::default();
        self.rest.interrupt();
        self.scope = Scope::All;
        self.rounds = 0;
        self.round_began = None;
    }

    /// Whether a knob is left alone.
    #[must_use]
    pub fn is_frozen(&self, knob: Knob) -> bool {
        self.tracks[knob.index()].frozen
    }

    /// Takes back the change that is being observed, or else the last that was kept; `None` if there is none. The knob is not moved the same way again soon. Frozen knobs can be put back as well.
    pub fn undo(&mut self, now: Instant) -> Option<Adjustment> {
        const REASON: &str = "undone on request";
        if let Some(trial) = self.trial.take() {
            self.history.settle(None, Outcome::Undone);
            let Proposal { knob, up, .. } = trial.proposal;
            self.tracks[knob.index()].reverted(up, now, self.config.backoff);
            return self.put_back(&trial, REASON);
        }
        let (parameters, bounds, of_cpu) = (self.parameters, &self.bounds, self.cpu.is_some());
        let current = |entry: &Entry| {
            if of_cpu && entry.knob == Knob::SamplingRate {
                return false;
            }
            let mut before = parameters;
            before.set(entry.knob, entry.old);
            parameters.get(entry.knob) == Some(entry.new) && bounds.contains(&before)
        };
        let entry = self
            .history
            .newest_first()
            .find(|entry| matches!(entry.outcome, Outcome::Kept | Outcome::Frozen) && current(entry))?;
        entry.outcome = Outcome::Undone;
        let (knob, old, new) = (entry.knob, entry.new, entry.old);
        self.parameters.set(knob, new);
        self.tracks[knob.index()].reverted(larger(new, old), now, self.config.backoff);
        self.rest.forget();
        self.start_over();
        Some(Adjustment { knob, old, new, reason: REASON })
    }

    /// Says that the last change could not be made: the knob counts as it was, and is left alone until it is [unfrozen](Self::unfreeze). Of no effect if no
    /// change of this knob is being observed, but that it is left alone.
    pub fn not_applied(&mut self, knob: Knob, why: &str) {
        self.tracks[knob.index()].frozen = true;
        if let Some(trial) = self.trial.filter(|trial| trial.proposal.knob == knob) {
            self.trial = None;
            self.parameters.set(knob, trial.old);
            self.history.settle(None, Outcome::NotApplied(why.to_owned()));
            self.start_over();
        }
        if let Some(old) = self.cpu.as_mut().filter(|_| knob == Knob::SamplingRate).and_then(Cpu::take_back) {
            self.parameters.set(knob, old);
            if let Some(entry) = self.history.newest_first().find(|entry| entry.knob == knob) {
                entry.outcome = Outcome::NotApplied(why.to_owned());
            }
        }
    }

    fn bring_within_bounds(&mut self) -> Vec<Adjustment> {
        let Some(initial) = self.initial.take() else { return Vec::new() };
        self.settle = self.config.settle_windows;
        let moved = Knob::ALL.into_iter().filter_map(|knob| {
            let (old, new) = (initial.get(knob)?, self.parameters.get(knob)?);
            (old != new).then_some(Adjustment { knob, old, new, reason: "outside of the bounds" })
        });
        moved.collect()
    }

    /// New settings: what was gathered speaks of others.
    fn start_over(&mut self) {
        self.present.clear();
        self.windows = 0;
        self.settle = self.config.settle_windows;
        self.previous = None;
    }

    /// A window without a trial.
    fn gather(&mut self, snapshot: &Snapshot, score: f64, load: f64, now: Instant) -> Option<Adjustment> {
        self.check_present(score, load);
        self.present.push(score, load);
        self.windows += 1;
        if self.rest.is_resting() {
            let bad = self.objective.verdicts(snapshot).next().is_some()
                && self
                    .proposals
                    .iter()
                    .any(|proposal| proposal.weight >= REASONED && self.can(&proposal).is_some());
            let times = (self.config.min_rest, self.config.reprobe);
            let wake = self.rest.observe(now, score, load, bad, &self.noise, times)?;
            self.wake(wake, now);
        }
        let deviation = self.noise.deviation(self.present.scores(), &[]);
        let level = self.present.is_level(deviation, self.config.min_gain);
        let ready =
            self.windows >= self.config.min_windows && (level || self.windows >= 2 * self.config.max_windows);
        if ready { self.advance(now) } else { None }
    }

    /// What was gathered before a trial counts afterwards as well, unless things are no longer as they were.
    fn check_present(&mut self, score: f64, load: f64) {
        if self.present.len() == 0 {
            return;
        }
        let deviation = self.noise.deviation(self.present.scores(), &[]);
        let load_deviation = self.load_noise.deviation(self.present.loads(), &[]);
        let off = (score - self.present.mean()).abs() > (4.0 * deviation).max(0.03);
        let moved =
            (load - self.present.load()).abs() > (4.0 * load_deviation).max(self.config.max_load_shift);
        if off || moved {
            self.present.clear();
            self.windows = 0;
        }
    }

    fn wake(&mut self, wake: Wake, now: Instant) {
        for track in &mut self.tracks {
            track.reopen(now);
        }
        self.scope = if wake == Wake::Worse { Scope::All } else { Scope::Reasoned };
        self.rounds = 0;
        self.round_began = None;
        self.momentum = None;
    }

    /// Begins the next trial, or a finer step, a further round, or the rest.
    fn advance(&mut self, now: Instant) -> Option<Adjustment> {
        let before = self.present.mean();
        let began = *self.round_began.get_or_insert(before);
        loop {
            if let Some((proposal, new)) = self.choose() {
                return self.begin(proposal, new, before, now);
            }
            if self.scope == Scope::Reasoned {
                break;
            }
            if self.refine() {
                continue;
            }
            self.rounds += 1;
            if self.rounds >= ROUNDS || before < began + ROUND_GAIN {
                break;
            }
            self.round_began = Some(before);
            self.tracks.iter_mut().for_each(Track::again);
        }
        self.rest.begin(now);
        None
    }

    /// A finer step for the knobs that have an effect now. Every knob has few of them, so this ends.
    fn refine(&mut self) -> bool {
        let mut finer = [false; Knob::COUNT];
        for proposal in self.proposals.iter() {
            let knob = proposal.knob;
            if self.parameters.get(knob).is_some()
                && self.seeks(knob)
                && !self.tracks[knob.index()].frozen
                && knob != Knob::Compression
            {
                finer[knob.index()] = true;
            }
        }
        let mut any = false;
        for (track, finer) in self.tracks.iter_mut().zip(finer) {
            any |= finer && track.refine();
        }
        any
    }

    fn choose(&self) -> Option<(Proposal, Value)> {
        let least = if self.scope == Scope::Reasoned { REASONED } else { 0.0 };
        let rank = |proposal: &Proposal| {
            let again = self.momentum == Some((proposal.knob, proposal.up));
            proposal.weight + if again { 1.0 } else { 0.0 }
        };
        self.proposals
            .iter()
            .filter(|proposal| proposal.weight >= least)
            .filter_map(|proposal| Some((proposal, self.can(&proposal)?)))
            .max_by(|(a, _), (b, _)| rank(a).total_cmp(&rank(b)))
    }

    /// The value that a proposal leads to, if it may be tried.
    fn can(&self, proposal: &Proposal) -> Option<Value> {
        let track = &self.tracks[proposal.knob.index()];
        let may = track.allows(proposal.up) && self.seeks(proposal.knob);
        may.then(|| self.bounds.next(&self.parameters, proposal.knob, proposal.up, track.factor()))?
    }

    fn begin(&mut self, proposal: Proposal, new: Value, before: f64, now: Instant) -> Option<Adjustment> {
        let Proposal { knob, reason, .. } = proposal;
        let old = self.parameters.get(knob)?;
        self.parameters.set(knob, new);
        self.history.push(Entry {
            at: now,
            knob,
            old,
            new,
            reason,
            before: before.exp(),
            after: None,
            outcome: Outcome::Pending,
        });
        self.trial = Some(Trial { proposal, old, after: Series::default(), windows: 0 });
        self.settle = self.config.settle_windows;
        self.previous = None;
        Some(Adjustment { knob, old, new, reason })
    }

    /// The exponent by which the score may grow as the load falls: where not all is carried, the share that is grows and the share that is lost shrinks, and
    /// the wait with it.
    fn steepness(&self) -> f64 {
        if self.since_short < 2 * self.config.max_windows {
            2.0 + sane(self.objective.loss_weight).min(10.0)
        } else {
            0.0
        }
    }

    /// A window of a trial.
    fn watch(&mut self, mut trial: Trial, score: f64, load: f64, now: Instant) -> Option<Adjustment> {
        trial.after.push(score, load);
        trial.windows += 1;
        let judgement = judge(
            &self.present,
            &trial.after,
            trial.windows,
            &self.noise,
            &self.load_noise,
            self.steepness(),
            &self.config,
        );
        let Proposal { knob, up, .. } = trial.proposal;
        let after = Some(trial.after.mean().exp());
        match judgement {
            Judgement::Open => {
                self.trial = Some(trial);
                None
            }
            Judgement::Better => {
                self.history.settle(after, Outcome::Kept);
                self.tracks[knob.index()].kept(up);
                self.momentum = Some((knob, up));
                self.present = trial.after;
                self.windows = trial.windows;
                self.rest.forget();
                None
            }
            Judgement::NoBetter => {
                self.history.settle(after, Outcome::Reverted);
                self.tracks[knob.index()].reverted(up, now, self.config.backoff);
                if self.scope == Scope::Reasoned {
                    // One that does not help is enough; the others wait for their time.
                    self.rest.begin(now);
                }
                self.put_back(&trial, "it did not help")
            }
            Judgement::LoadMoved => {
                self.history.settle(after, Outcome::Reverted);
                self.present.clear();
                self.windows = 0;
                self.tracks[knob.index()].untold(up, now, self.config.backoff);
                self.put_back(&trial, "the load changed meanwhile, so nobody can tell")
            }
        }
    }

    /// The knob as it was. What was gathered before the trial counts on.
    fn put_back(&mut self, trial: &Trial, reason: &'static str) -> Option<Adjustment> {
        let knob = trial.proposal.knob;
        let old = self.parameters.get(knob)?;
        self.parameters.set(knob, trial.old);
        self.momentum = None;
        self.settle = self.config.settle_windows;
        self.previous = None;
        Some(Adjustment { knob, old, new: trial.old, reason })
    }
}

/// Whether the second value is the larger one.
fn larger(from: Value, to: Value) -> bool {
    match (from, to) {
        (Value::Count(a), Value::Count(b)) | (Value::Bytes(a), Value::Bytes(b)) => b > a,
        (Value::Time(a), Value::Time(b)) => b > a,
        (Value::Algorithm(a), Value::Algorithm(b)) => b > a,
        (Value::Level(a), Value::Level(b)) => b > a,
        (Value::Share(a), Value::Share(b)) => b > a,
        _ => false,
    }
}
