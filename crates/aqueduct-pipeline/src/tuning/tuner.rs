//! A tuner and the pipelines that it tunes.

use std::time::Instant;

use aqueduct_sampling::RateHandle;
use aqueduct_tune::{
    Adjustment, AutoTuner, Bounds, Diagnosis, Knob, Objective, Parameters, Snapshot, TunerConfig, Value,
    diagnose,
};

use super::observer::Observer;
use super::running::RunningTuner;
use super::settings;
use crate::home::Home;
use crate::pipeline::Pipeline;

/// How the names of our threads begin.
const THREADS: &str = "aqueduct-";

/// Tunes pipelines while they run: an [`AutoTuner`] that observes them and whose changes are applied to them.
///
/// It owns the settings that all of the pipelines have in common: bounds of batches, requests under way, connections, compression, and the threads of a
/// [`worker_pool`](crate::Builder::worker_pool). What differs between them is left alone, so give pipelines that are to be set differently a tuner each; what they share (a destination, a worker pool) has one
/// owner then if the others [freeze](AutoTuner::freeze) its knob. Budgets are not touched: memory is a promise. Sampling only with [`with_sampling`](Self::with_sampling) or [`with_sampling_cpu`](Self::with_sampling_cpu), of which the
/// last counts.
///
/// [`step`](Self::step) is to be called at the end of each window, 100 ms to 10 s; [`spawn`](Self::spawn) has a thread do so.
///
/// In a forked child it does nothing.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use aqueduct_pipeline::Tuner;
/// use aqueduct_tune::Bounds;
/// # use std::sync::Arc;
/// # use aqueduct_pipeline::{Attempt, Destination, Exporter, LaneConfig, Pipeline};
/// # use aqueduct_transport::{Outcome, Request, RetryPolicy};
/// # struct Taker;
/// # impl Exporter for Taker {
/// #     fn send<'a>(&'a self, _: &'a Request) -> Attempt<'a> { Box::pin(async { Outcome::Delivered }) }
/// # }
/// # let destination = Arc::new(Destination::new("sink", Taker, RetryPolicy::default()));
/// # let pipeline = Pipeline::builder(aqueduct_wire::Signal::Traces).destination(destination, LaneConfig::default()).build()?;
///
/// let mut bounds = Bounds::default();
/// bounds.batch_items = 64..=16_384;
/// let tuner = Tuner::new([&pipeline], &bounds).spawn(Duration::from_secs(1))?;
/// // While the pipeline works:
/// for entry in tuner.history().iter() {
///     println!("{entry}"); // batch_items: 64 -> 256, items wait ...; score 31.0 -> 62.5, kept
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Tuner {
    observer: Observer,
    auto: AutoTuner,
    sampling: Option<RateHandle>,
    last: Snapshot,
}

impl Tuner {
    /// A tuner of these pipelines. The algorithm that they compress with is allowed besides those in the bounds.
    pub fn new<'a>(pipelines: impl IntoIterator<Item = &'a Pipeline>, bounds: &Bounds) -> Self {
        let observer = Observer::new(pipelines, Instant::now());
        let parameters = settings::read(observer.homes().collect::<Vec<_>>().iter().map(|home| &**home));
        let bounds = settings::around(bounds, &parameters);
        let auto = AutoTuner::new(parameters, &bounds);
        Self { observer, auto, sampling: None, last: Snapshot::default() }
    }

    /// The same with another configuration.
    #[must_use]
    pub fn with_config(mut self, config: TunerConfig) -> Self {
        self.auto = self.auto.with_config(config);
        self
    }

    /// The same with another objective.
    #[must_use]
    pub fn with_objective(mut self, objective: Objective) -> Self {
        self.auto = self.auto.with_objective(objective);
        self
    }

    /// Lets it move the probability of a sampler as well, within [`Bounds::sampling_rate`]; without such bounds it does not.
    #[must_use]
    pub fn with_sampling(mut self, handle: RateHandle) -> Self {
        let (config, objective) = (*self.auto.config(), *self.auto.objective());
        let mut parameters: Parameters = *self.auto.parameters();
        parameters.sampling_rate = Some(handle.probability());
        self.auto =
            AutoTuner::new(parameters, self.auto.bounds()).with_config(config).with_objective(objective);
        self.sampling = Some(handle);
        self
    }

    /// As [`with_sampling`](Self::with_sampling), but the probability follows a target: telemetry is to use so much CPU at most, in cores; 0.05 is 5 % of one. See
    /// [`CpuTarget`](aqueduct_tune::CpuTarget) for how it is steered.
    ///
    /// What telemetry uses is the CPU time of this process's threads whose names begin with `aqueduct-`: those of pipelines and of this tuner, and those of a
    /// [`Worker`](crate::Worker) or [`worker_pool`](crate::Builder::worker_pool) that you have named so. What recording a span costs on the application's own threads is not in it. Where the platform does not tell
    /// (it needs Linux), the probability stays as it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use aqueduct_pipeline::Tuner;
    /// use aqueduct_sampling::RateSampler;
    /// use aqueduct_tune::Bounds;
    /// # use std::sync::Arc;
    /// # use aqueduct_pipeline::{Attempt, Destination, Exporter, LaneConfig, Pipeline};
    /// # use aqueduct_transport::{Outcome, Request, RetryPolicy};
    /// # struct Taker;
    /// # impl Exporter for Taker {
    /// #     fn send<'a>(&'a self, _: &'a Request) -> Attempt<'a> { Box::pin(async { Outcome::Delivered }) }
    /// # }
    /// # let destination = Arc::new(Destination::new("sink", Taker, RetryPolicy::default()));
    /// # let pipeline = Pipeline::builder(aqueduct_wire::Signal::Traces).destination(destination, LaneConfig::default()).build()?;
    ///
    /// let sampler = RateSampler::ratio(1.0)?;
    /// let mut bounds = Bounds::default();
    /// bounds.sampling_rate = Some(0.001..=1.0);
    /// // At most 3 % of a core, in windows of a second.
    /// let tuner = Tuner::new([&pipeline], &bounds).with_sampling_cpu(sampler.handle(), 0.03).spawn(Duration::from_secs(1))?;
    /// # drop(tuner);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_sampling_cpu(self, handle: RateHandle, cores: f64) -> Self {
        let mut tuner = self.with_sampling(handle);
        tuner.auto = tuner.auto.with_cpu_target(cores);
        tuner.observer.tell_threads(THREADS);
        tuner
    }

    /// Ends a window: observes the pipelines, lets the tuner think, and makes the change that it wants, if any. Returns what was asked for; whether it was done
    /// is in the [history](AutoTuner::history).
    pub fn step(&mut self, now: Instant) -> Vec<Adjustment> {
        self.last = self.observer.observe(now);
        let wanted = self.auto.observe(&self.last, now);
        for adjustment in &wanted {
            self.make(adjustment.knob);
        }
        wanted
    }

    /// Takes back the change that is being observed, or else the last that was kept; see [`AutoTuner::undo`].
    pub fn undo(&mut self, now: Instant) -> Option<Adjustment> {
        let undone = self.auto.undo(now)?;
        self.make(undone.knob);
        Some(undone)
    }

    fn make(&mut self, knob: Knob) {
        if let Err(why) = self.apply(knob) {
            self.auto.not_applied(knob, &why);
        }
    }

    fn apply(&self, knob: Knob) -> Result<(), String> {
        if knob == Knob::SamplingRate {
            let Some(Value::Share(share)) = self.auto.parameters().get(knob) else { return Ok(()) };
            let handle = self.sampling.as_ref().ok_or("no sampler was given")?;
            return handle.set_probability(Some(share)).map_err(|error| error.to_string());
        }
        let homes: Vec<_> = self.observer.homes().collect();
        settings::write(homes.iter().map(|home| -> &Home { home }), knob, self.auto.parameters())
    }

    /// Leaves a knob alone from now on; see [`AutoTuner::freeze`].
    pub fn freeze(&mut self, knob: Knob) {
        self.auto.freeze(knob);
    }

    /// Lets it have a knob again; see [`AutoTuner::unfreeze`].
    pub fn unfreeze(&mut self, knob: Knob) {
        self.auto.unfreeze(knob);
    }

    /// The tuner itself: settings, history, suggestions.
    #[must_use]
    pub fn auto(&self) -> &AutoTuner {
        &self.auto
    }

    /// The last window.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.last
    }

    /// How good the last window was, from 0 to 100.
    #[must_use]
    pub fn score(&self) -> f64 {
        self.auto.objective().score(&self.last)
    }

    /// What held the pipelines up in the last window.
    #[must_use]
    pub fn bottlenecks(&self) -> Vec<Diagnosis> {
        diagnose(&self.last)
    }

    /// Steps at the end of each window on a thread of its own, until the handle is dropped.
    ///
    /// # Errors
    ///
    /// The operating system refuses a thread.
    pub fn spawn(self, window: std::time::Duration) -> std::io::Result<RunningTuner> {
        RunningTuner::start(self, window)
    }
}
