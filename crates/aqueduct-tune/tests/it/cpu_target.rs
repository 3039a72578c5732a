//! A share of the CPU as a target: simulated processes under loads that step.

use std::time::{Duration, Instant};

use aqueduct_tune::{
    AutoTuner, Bounds, CpuTarget, Knob, Mode, Outcome, Parameters, Snapshot, TunerConfig, Value,
};

const SECOND: Duration = Duration::from_secs(1);
/// Cores.
const TARGET: f64 = 0.05;

/// Numbers that scatter as a normal distribution does (sums of twelve uniform ones), from a seed.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        // SplitMix64: G. L. Steele, D. Lea, C. H. Flood 2014.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// A process whose telemetry costs a fixed part, and so much for each trace that is kept.
struct Process {
    noise: Noise,
    scatter: f64,
    fixed: f64,
    /// The rate in the window before: half of a window is still at that one.
    before: f64,
    rate: f64,
}

impl Process {
    /// What a window under this load uses; a load of 1 costs half a core if all is kept.
    fn window(&mut self, load: f64) -> f64 {
        let rate = f64::midpoint(self.before, self.rate);
        self.before = self.rate;
        let exact = self.fixed + 0.5 * load * rate;
        exact * (1.0 + self.scatter * self.noise.normal()).max(0.0)
    }

    /// What it would use on average.
    fn exact(&self, load: f64) -> f64 {
        self.fixed + 0.5 * load * self.rate
    }
}

/// Guards the promise: after each step of the load, ten times up and down, use comes within a tenth of the target, the sooner the less windows scatter, and stays
/// there; the rate stands almost still then, so there is no oscillation.
#[test]
fn steps_of_the_load_are_followed() {
    // From which window on, and how often the rate may turn round in the hundred that follow.
    for (scatter, from, turns_allowed) in [(0.0, 15, 0), (0.02, 25, 1), (0.05, 45, 3), (0.1, 45, 5)] {
        for fixed in [0.0, 0.01] {
            for seed in 0..40 {
                let mut process = Process { noise: Noise(seed), scatter, fixed, before: 1.0, rate: 1.0 };
                let mut target = CpuTarget::new(TARGET, 1e-4..=1.0);
                for (step, load) in [1.0, 10.0, 1.0, 10.0, 100.0, 10.0, 1.0].into_iter().enumerate() {
                    let place = format!("scatter {scatter}, fixed {fixed}, seed {seed}, step {step}");
                    let (mut late_moves, mut turns, mut last, mut sum) = (0, 0, None, 0.0);
                    for window in 0..from + 100 {
                        let used = process.window(load);
                        if let Some(movement) = target.observe(SECOND, used, process.rate) {
                            let up = movement.rate > process.rate;
                            if window >= from {
                                late_moves += 1;
                                turns += u32::from(last.is_some_and(|last| last != up));
                                last = Some(up);
                            }
                            process.rate = movement.rate;
                        }
                        let share = process.exact(load) / TARGET;
                        if window >= from {
                            sum += share;
                            // Where windows scatter by a tenth, single ones may be further off.
                            let within = if scatter < 0.1 { 0.9..=1.1 } else { 0.75..=1.25 };
                            assert!(within.contains(&share), "{place}, window {window}: {share}");
                        }
                    }
                    assert!((0.9..=1.03).contains(&(sum / 100.0)), "{place}: {sum} % on average");
                    assert!(late_moves <= 2 + 2 * turns_allowed, "{place}: {late_moves} moves");
                    assert!(turns <= turns_allowed, "{place}: {turns} turns");
                }
            }
        }
    }
}

/// Guards the answer to a burst, ten times the load: one window alone moves nothing, and after the second one the rate is right.
#[test]
fn a_burst_is_answered_at_once() {
    let mut process = Process { noise: Noise(3), scatter: 0.05, fixed: 0.0, before: 0.1, rate: 0.1 };
    let mut target = CpuTarget::new(TARGET, 1e-4..=1.0);
    let mut window = |process: &mut Process, load: f64| {
        let used = process.window(load);
        if let Some(movement) = target.observe(SECOND, used, process.rate) {
            process.rate = movement.rate;
        }
    };
    (0..60).for_each(|_| window(&mut process, 1.0));
    let before = process.rate;
    window(&mut process, 10.0);
    (0..40).for_each(|_| window(&mut process, 1.0));
    assert!((process.rate / before - 1.0).abs() < 0.1, "{before} to {}", process.rate);
    (0..2).for_each(|_| window(&mut process, 10.0));
    let share = process.exact(10.0) / TARGET;
    assert!((0.8..=1.1).contains(&share), "{share}");
}

/// Guards the bounds, and a target that cannot be met: the rate goes to its end and stays.
#[test]
fn what_cannot_be_met_ends_at_a_bound() {
    let run = |cores: f64, fixed: f64, load: f64| {
        let mut process = Process { noise: Noise(1), scatter: 0.05, fixed, before: 0.1, rate: 0.1 };
        let mut target = CpuTarget::new(cores, 0.01..=0.5);
        for _ in 0..100 {
            let used = process.window(load);
            if let Some(movement) = target.observe(SECOND, used, process.rate) {
                assert!((0.01..=0.5).contains(&movement.rate), "{movement:?}");
                process.rate = movement.rate;
            }
        }
        process.rate
    };
    assert_eq!(run(TARGET, 0.06, 1.0), 0.01, "the fixed part alone is above");
    assert_eq!(run(TARGET, 0.0, 0.01), 0.5, "there is not so much to sample");
    assert_eq!(run(TARGET, 0.0, 0.0), 0.5, "and nothing at all");
    assert_eq!(run(0.0, 0.0, 1.0), 0.01);
    assert_eq!(run(f64::NAN, 0.0, 1.0), 0.01);
}

/// Guards against figures that are none, and windows without length: they move nothing and are not remembered.
#[test]
fn odd_figures_are_passed_over() {
    let mut target = CpuTarget::new(TARGET, 0.0..=1.0);
    for odd in [f64::NAN, f64::INFINITY, -1.0] {
        (0..50).for_each(|_| assert_eq!(target.observe(SECOND, odd, 0.5), None));
        assert_eq!(target.observe(SECOND, 0.0, odd.min(-1.0)), None);
    }
    (0..50).for_each(|_| assert_eq!(target.observe(Duration::ZERO, 9.0, 0.5), None));
    // Two windows are wanted before anything moves, short ones joined: two make one.
    let short = Duration::from_millis(25);
    let moved = (1..).find(|_| target.observe(short, 1.0, 0.5).is_some());
    assert_eq!(moved, Some(4));
    // From a rate of zero there is a way back.
    let mut target = CpuTarget::new(TARGET, 0.0..=1.0);
    let up = (0..10).find_map(|_| target.observe(SECOND, 0.0, 0.0)).expect("there is room");
    assert!(up.rate > 0.0);
}

fn with_rate(rate: f64) -> (Parameters, Bounds) {
    let (mut parameters, mut bounds) = (Parameters::default(), Bounds::default());
    parameters.sampling_rate = Some(rate);
    bounds.sampling_rate = Some(0.001..=1.0);
    (parameters, bounds)
}

fn snapshot(used: f64) -> Snapshot {
    let mut snapshot = Snapshot::default();
    snapshot.window = SECOND;
    (snapshot.offered_items, snapshot.accepted_items, snapshot.delivered_items) = (1_000, 1_000, 1_000);
    snapshot.telemetry_cpu_used = Some(used);
    snapshot
}

fn run(tuner: &mut AutoTuner, windows: u32, used: impl Fn(f64) -> Option<f64>) {
    let start = Instant::now();
    for window in 0..windows {
        let mut seen = snapshot(0.0);
        seen.telemetry_cpu_used = used(tuner.parameters().sampling_rate.expect("it has one"));
        for change in tuner.observe(&seen, start + SECOND * window) {
            assert_eq!(change.knob, Knob::SamplingRate);
            assert_eq!(tuner.parameters().get(Knob::SamplingRate), Some(change.new));
        }
    }
}

/// Guards the knob in the tuner: the target moves it, its entries are in the history with their reasons, and nobody else moves it.
#[test]
fn movements_are_in_the_history() {
    let (parameters, bounds) = with_rate(1.0);
    let mut tuner = AutoTuner::new(parameters, &bounds).with_cpu_target(TARGET);
    run(&mut tuner, 60, |rate| Some(0.5 * rate));
    let rate = tuner.parameters().sampling_rate.expect("it has one");
    assert!((0.9 * TARGET..=TARGET).contains(&(0.5 * rate)), "{rate}");
    let entries: Vec<_> = tuner.history().iter().collect();
    assert!((1..=2).contains(&entries.len()), "{}", tuner.history());
    assert_eq!(
        (entries[0].knob, entries[0].old, entries[0].outcome.clone()),
        (Knob::SamplingRate, Value::Share(1.0), Outcome::Kept)
    );
    assert!(entries[0].reason.contains("more CPU than it may"), "{}", entries[0]);
    // What is taken back would only come again.
    assert_eq!(tuner.undo(Instant::now()), None);
    // Nobody measures: nobody moves.
    let mut blind = AutoTuner::new(parameters, &bounds).with_cpu_target(TARGET);
    run(&mut blind, 60, |_| None);
    assert_eq!((blind.parameters().sampling_rate, blind.history().len()), (Some(1.0), 0));
}

/// Guards everything that keeps a knob where it is: no leave, frozen, a dry run, and a change that could not be made.
#[test]
fn the_target_asks_for_leave() {
    let (parameters, bounds) = with_rate(1.0);
    let too_much = |rate: f64| Some(0.5 * rate);
    let mut forbidden = AutoTuner::new(parameters, &Bounds::default()).with_cpu_target(TARGET);
    run(&mut forbidden, 60, too_much);
    assert_eq!(forbidden.parameters().sampling_rate, Some(1.0));

    let mut frozen = AutoTuner::new(parameters, &bounds).with_cpu_target(TARGET);
    frozen.freeze(Knob::SamplingRate);
    run(&mut frozen, 60, too_much);
    assert_eq!(frozen.parameters().sampling_rate, Some(1.0));
    frozen.unfreeze(Knob::SamplingRate);
    run(&mut frozen, 60, too_much);
    assert!(frozen.parameters().sampling_rate < Some(0.2));

    let mut dry_run = TunerConfig::default();
    dry_run.mode = Mode::Suggest;
    let mut dry = AutoTuner::new(parameters, &bounds).with_config(dry_run).with_cpu_target(TARGET);
    run(&mut dry, 60, too_much);
    assert_eq!((dry.parameters().sampling_rate, dry.history().len()), (Some(1.0), 0));
    let wanted = dry.suggestions().into_iter().find(|change| change.knob == Knob::SamplingRate);
    assert!(wanted.is_some_and(|change| change.reason.contains("more CPU than it may")), "{wanted:?}");

    let mut deaf = AutoTuner::new(parameters, &bounds).with_cpu_target(TARGET);
    let start = Instant::now();
    let moved = (0..10).find(|window| !deaf.observe(&snapshot(0.5), start + SECOND * *window).is_empty());
    assert!(moved.is_some());
    deaf.not_applied(Knob::SamplingRate, "no sampler");
    assert_eq!(deaf.parameters().sampling_rate, Some(1.0), "as it was");
    assert!(deaf.history().to_string().ends_with("not applied: no sampler"), "{}", deaf.history());
    run(&mut deaf, 30, too_much);
    assert_eq!(deaf.history().len(), 1, "and it is left alone");
}

/// Guards quiet times: with nothing to carry, so that no window teaches anything else, the rate still comes back from where a burst has put it.
#[test]
fn a_low_rate_does_not_starve_itself() {
    let (parameters, bounds) = with_rate(0.001);
    let mut tuner = AutoTuner::new(parameters, &bounds).with_cpu_target(TARGET);
    let start = Instant::now();
    for window in 0..60 {
        let mut seen = Snapshot::default();
        (seen.window, seen.telemetry_cpu_used) = (SECOND, Some(0.0001));
        tuner.observe(&seen, start + SECOND * window);
    }
    assert_eq!(tuner.parameters().sampling_rate, Some(1.0));
}
