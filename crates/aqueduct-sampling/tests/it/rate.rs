//! A rate sampler under simulated loads: time by hand, traces whose spans come one after the other.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use aqueduct_sampling::{
    ConfigError, Decision, Parent, RateConfig, RateHandle, RateSampler, RateStats, Sampler, Target, Threshold,
};
use rand::Rng;
use rand::rngs::Xoshiro256PlusPlus;

use crate::support::{Span, Unused, random};

/// The step of the simulation.
const STEP: Duration = Duration::from_millis(10);
/// Steps between two ticks.
const TICK: usize = 10;
const STEPS_PER_SECOND: usize = 100;

/// What arrives.
#[derive(Clone, Copy, Debug)]
struct Load {
    /// Traces a second that begin here.
    roots: f64,
    /// Traces a second that come from elsewhere, and how many of them are sampled.
    entries: f64,
    entries_sampled: f64,
    /// Spans in a trace of either kind, here.
    root_spans: u32,
    entry_spans: u32,
    /// How long a trace takes: its spans come evenly in this time.
    takes: Duration,
}

impl Load {
    const fn roots(roots: f64, spans: u32, takes: Duration) -> Load {
        Load { roots, entries: 0.0, entries_sampled: 0.0, root_spans: spans, entry_spans: 1, takes }
    }

    fn items(&self) -> f64 {
        self.roots * f64::from(self.root_spans) + self.entries * f64::from(self.entry_spans)
    }
}

/// A trace that is under way.
struct Trace {
    id: u128,
    sampled: bool,
    spans: u32,
}

/// What happened in a second.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    offered: f64,
    sampled: f64,
    /// The mean probability of roots in it.
    probability: f64,
}

struct Simulation {
    sampler: RateSampler,
    handle: RateHandle,
    now: Instant,
    random: Xoshiro256PlusPlus,
    /// Children that are due, by step.
    due: VecDeque<Vec<Trace>>,
    steps: usize,
    owed: (f64, f64),
    /// Whether traces arrive as chance has it, and not evenly.
    noise: bool,
}

impl Simulation {
    fn new(sampler: RateSampler, seed: u64) -> Self {
        let handle = sampler.handle();
        Simulation {
            sampler,
            handle,
            now: Instant::now(),
            random: random(seed),
            due: VecDeque::new(),
            steps: 0,
            owed: (0.0, 0.0),
            noise: true,
        }
    }

    /// Arrivals of a step: as many as a Poisson process has, roughly (a normal distribution of the same variance).
    fn arrivals(random: &mut Xoshiro256PlusPlus, owed: &mut f64, per_second: f64, noisy: bool) -> u32 {
        let mean = per_second / STEPS_PER_SECOND as f64;
        let noise: f64 = (0..12).map(|_| unit(random)).sum::<f64>() - 6.0;
        *owed += if noisy { mean + noise * mean.sqrt() } else { mean };
        let count = owed.floor().max(0.0);
        *owed -= count;
        count as u32
    }

    fn id(&mut self) -> u128 {
        u128::from(self.random.next_u64()) << 64 | u128::from(self.random.next_u64())
    }

    fn second(&mut self, load: Load) -> Second {
        let mut second = Second::default();
        for _ in 0..STEPS_PER_SECOND {
            for trace in self.due.pop_front().unwrap_or_default() {
                let parent = Some(Parent::local(trace.sampled));
                for _ in 0..trace.spans {
                    let decision =
                        self.sampler.decide(&Span { id: trace.id, parent, ..Span::default() }, &mut Unused);
                    assert_eq!(decision.is_sampled(), trace.sampled, "a child does as its trace");
                    second.count(decision);
                }
            }
            let threshold = Threshold::from_probability(self.handle.probability()).expect("in range");
            for _ in 0..Self::arrivals(&mut self.random, &mut self.owed.0, load.roots, self.noise) {
                let id = self.id();
                let decision = self.sampler.decide(&Span { id, ..Span::default() }, &mut Unused);
                assert!(
                    !decision.is_sampled() || decision.threshold() == Some(threshold),
                    "a true threshold"
                );
                second.count(decision);
                self.schedule(id, decision.is_sampled(), load.root_spans, load.takes);
            }
            for _ in 0..Self::arrivals(&mut self.random, &mut self.owed.1, load.entries, self.noise) {
                let (id, sampled) = (self.id(), unit(&mut self.random) < load.entries_sampled);
                let parent = Some(Parent::remote(sampled));
                second.count(self.sampler.decide(&Span { id, parent, ..Span::default() }, &mut Unused));
                self.schedule(id, sampled, load.entry_spans, load.takes);
            }
            second.probability += self.handle.probability() / STEPS_PER_SECOND as f64;
            self.now += STEP;
            self.steps += 1;
            if self.steps.is_multiple_of(TICK) {
                self.handle.tick(self.now);
            }
        }
        second
    }

    /// The children of a trace, spread over the time that it takes.
    fn schedule(&mut self, id: u128, sampled: bool, spans: u32, takes: Duration) {
        let slots = (takes.as_millis() / STEP.as_millis()).max(1) as u32;
        let children = spans - 1;
        for slot in 0..slots.min(children) {
            let share = children / slots + u32::from(slot < children % slots);
            if share > 0 {
                let step = if children < slots { slot * slots / children } else { slot } as usize;
                if self.due.len() <= step {
                    self.due.resize_with(step + 1, Vec::new);
                }
                self.due[step].push(Trace { id, sampled, spans: share });
            }
        }
    }

    fn seconds(&mut self, load: Load, count: usize) -> Vec<Second> {
        (0..count).map(|_| self.second(load)).collect()
    }
}

impl Second {
    fn count(&mut self, decision: Decision) {
        self.offered += 1.0;
        self.sampled += f64::from(u8::from(decision.is_sampled()));
    }
}

fn unit(random: &mut Xoshiro256PlusPlus) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

fn mean(seconds: &[Second], of: impl Fn(&Second) -> f64) -> f64 {
    seconds.iter().map(of).sum::<f64>() / seconds.len() as f64
}

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(1);

/// Up by ten and down by ten, several times; what a target of items a second makes of it. `noise` is what chance does to a second's sampled items:
/// clumps of the size of a trace.
fn steps_of_items_per_second(target: f64, low: Load, high: Load) {
    for (seed, noise) in [(0, false), (1, true), (2, true)] {
        let mut simulation = Simulation::new(RateSampler::items_per_second(target).expect("in range"), seed);
        simulation.noise = noise;
        simulation.seconds(low, 6);
        for load in [high, low] {
            let context = format!("{load:?}, seed {seed}");
            // Any probability that is right now, for what is offered on average.
            let right = target / load.items();
            let settling = simulation.seconds(load, 5);
            let settled = simulation.seconds(load, 15);
            // Within 5 s: the first second after them is there.
            let first = settled[0].probability / right - 1.0;
            assert!(first.abs() < 0.1, "{context}: {first} off after 5 s: {settling:?}");
            // Steady: the mean of the probability, for what was really offered; and what came of it, as far as chance allows.
            let offered = mean(&settled, |second| second.offered);
            let steady = mean(&settled, |second| second.probability) * offered / target - 1.0;
            assert!(steady.abs() < 0.02, "{context}: {steady} off in steady state");
            let sampled = mean(&settled, |second| second.sampled);
            let clumps = (sampled * settled.len() as f64 / f64::from(load.root_spans)).sqrt();
            let error = sampled / target - 1.0;
            assert!(error.abs() < 0.02 + 3.0 / clumps, "{context}: {error} of what was sampled off");
            // No oscillation, beyond what the load itself does by chance in the seconds that are looked at.
            let chance = if noise { 2.0 / (8.0 * load.roots).sqrt() } else { 0.0 };
            for second in &settled {
                let off = second.probability / right - 1.0;
                assert!(off.abs() < 0.05 + chance, "{context}: swings by {off}");
            }
        }
    }
}

#[test]
fn items_per_second_follow_steps_of_the_load() {
    steps_of_items_per_second(500.0, Load::roots(2_000.0, 1, SHORT), Load::roots(20_000.0, 1, SHORT));
}

/// Guards traces of 100 spans, where what is decided now comes to pass for a second, and the load steps in their number.
#[test]
fn items_per_second_follow_steps_in_the_number_of_large_traces() {
    steps_of_items_per_second(5_000.0, Load::roots(400.0, 100, LONG), Load::roots(4_000.0, 100, LONG));
}

/// Guards the same with steps in the size of the traces alone, which no number of traces tells.
#[test]
fn items_per_second_follow_steps_in_the_size_of_traces() {
    steps_of_items_per_second(2_000.0, Load::roots(2_000.0, 10, LONG), Load::roots(2_000.0, 100, LONG));
}

/// Guards the share under steps of the load, of their number and of their size: it is in nobody's way.
#[test]
fn a_ratio_stands_still_under_steps() {
    for (low, high) in [
        (Load::roots(2_000.0, 1, SHORT), Load::roots(20_000.0, 1, SHORT)),
        (Load::roots(200.0, 100, LONG), Load::roots(2_000.0, 100, LONG)),
        (Load::roots(1_000.0, 10, LONG), Load::roots(1_000.0, 100, LONG)),
    ] {
        let mut simulation = Simulation::new(RateSampler::ratio(0.05).expect("in range"), 1);
        for load in [low, high, low] {
            for second in simulation.seconds(load, 10) {
                assert!((second.probability / 0.05 - 1.0).abs() < 0.001, "{second:?}");
            }
        }
    }
}

/// Guards the numerator: what others have sampled counts, whatever the size of their traces, through steps of either load.
#[test]
fn a_ratio_makes_room_for_what_others_sample() {
    // Of others: small traces, half of them sampled. Then four times as many own ones, then larger ones of others.
    let first = Load {
        roots: 1_000.0,
        entries: 400.0,
        entries_sampled: 0.5,
        root_spans: 10,
        entry_spans: 3,
        takes: SHORT,
    };
    let more = Load { roots: 4_000.0, ..first };
    let larger = Load { entry_spans: 12, ..more };
    for seed in 0..2 {
        let mut simulation = Simulation::new(RateSampler::ratio(0.2).expect("in range"), seed);
        simulation.seconds(first, 6);
        for (round, load) in [more, first, more, larger, more].into_iter().enumerate() {
            let others = load.entries * f64::from(load.entry_spans) * load.entries_sampled;
            let right =
                (0.2 * load.items() - others) / (load.items() - load.entries * f64::from(load.entry_spans));
            simulation.seconds(load, 5);
            let settled = simulation.seconds(load, 15);
            for second in &settled {
                let off = second.probability / right - 1.0;
                assert!(off.abs() < 0.1, "seed {seed}, round {round}: swings by {off}");
            }
            let share = mean(&settled, |second| second.sampled) / mean(&settled, |second| second.offered);
            assert!((share / 0.2 - 1.0).abs() < 0.03, "seed {seed}, round {round}: {share}");
        }
    }
}

/// Guards against asking for the impossible: others send more than the target, and only the lowest probability is left; with nothing
/// that begins here nothing moves.
#[test]
fn what_cannot_be_steered_is_left() {
    let load = Load {
        roots: 100.0,
        entries: 1_000.0,
        entries_sampled: 0.5,
        root_spans: 1,
        entry_spans: 1,
        takes: SHORT,
    };
    let mut simulation = Simulation::new(RateSampler::ratio(0.1).expect("in range"), 1);
    simulation.seconds(load, 6);
    assert!((simulation.handle.probability() / 1e-6 - 1.0).abs() < 0.01);
    let mut simulation = Simulation::new(RateSampler::ratio(0.1).expect("in range"), 1);
    simulation.seconds(Load { roots: 0.0, ..load }, 6);
    assert!((simulation.handle.probability() / 0.1 - 1.0).abs() < 0.001);
}

/// Guards small loads: below the target everything is kept, and after silence too.
#[test]
fn a_load_below_the_target_is_kept_whole() {
    let mut simulation = Simulation::new(RateSampler::items_per_second(100.0).expect("in range"), 1);
    let quiet = Load::roots(30.0, 1, SHORT);
    let seconds = simulation.seconds(quiet, 10);
    assert!(seconds.iter().all(|second| second.sampled == second.offered), "{seconds:?}");
    simulation.seconds(Load::roots(10_000.0, 1, SHORT), 5);
    assert!(simulation.handle.probability() < 0.011);
    simulation.seconds(Load::roots(0.0, 1, SHORT), 5);
    simulation.seconds(quiet, 2);
    assert_eq!(simulation.handle.probability(), 1.0);
}

/// Guards the floor: what is seldom is kept whole, what is in between has its roots a second, and the target is met all the same.
#[test]
fn what_is_seldom_has_a_floor() {
    let mut config = RateConfig::new(Target::ItemsPerSecond(200.0));
    config.floor_per_operation = 5.0;
    let sampler = RateSampler::new(&config).expect("in range");
    let (handle, start) = (sampler.handle(), Instant::now());
    let mut random = random(3);
    let loads = [("often", 990), ("middle", 9), ("seldom", 1)];
    let mut kept = [0.0_f64; 3];
    let (warm, ticks) = (100_u32, 1_100_u32);
    for tick in 0..ticks {
        handle.tick(start + tick * Duration::from_millis(100));
        for (which, (name, per_tick)) in loads.iter().enumerate() {
            // Seldom: one in half of the ticks.
            for _ in 0..if which == 2 { per_tick * (tick % 2) } else { *per_tick } {
                let span = Span { id: u128::from(random.next_u64()), name, ..Span::default() };
                let decision = sampler.decide(&span, &mut Unused);
                if decision.is_sampled() && tick >= warm {
                    kept[which] += 0.01;
                    assert!(decision.threshold().is_some());
                }
            }
        }
    }
    // Over 100 s; at the common probability of 2 % the middle one would have 1.8 a second.
    assert!((kept[0] - 190.0).abs() < 10.0, "{kept:?}");
    assert!((4.0..6.2).contains(&kept[1]), "{kept:?}");
    assert!((4.99..5.01).contains(&kept[2]), "{kept:?}");
    assert!((kept.iter().sum::<f64>() - 200.0).abs() < 10.0, "{kept:?}");
}

/// Guards the bound against names that never come again: they take places for a while, and no more than there are.
#[test]
fn endless_names_are_no_way_around_the_target() {
    let mut config = RateConfig::new(Target::ItemsPerSecond(100.0));
    (config.floor_per_operation, config.max_operations) = (1.0, 64);
    let sampler = RateSampler::new(&config).expect("in range");
    let (handle, start) = (sampler.handle(), Instant::now());
    let (mut random, mut kept) = (random(4), 0_u64);
    for tick in 0..600 {
        handle.tick(start + tick * Duration::from_millis(100));
        for _ in 0..1_000 {
            let name = random.next_u64().to_string();
            let span = Span { id: u128::from(random.next_u64()), name: &name, ..Span::default() };
            kept += u64::from(tick >= 100 && sampler.decide(&span, &mut Unused).is_sampled());
        }
    }
    let per_second = kept as f64 / 50.0;
    assert!(per_second < 115.0, "{per_second} a second");
}

/// Guards the handle: targets, a probability from outside, numbers, ticks that come too early or go backwards.
#[test]
fn the_handle_changes_a_running_sampler() {
    let sampler = RateSampler::items_per_second(1_000.0).expect("in range");
    let (handle, start) = (sampler.handle(), Instant::now());
    let mut random = random(9);
    let mut second = |at: u64| {
        for tick in 0..10_u32 {
            for _ in 0..1_000 {
                let span = Span { id: u128::from(random.next_u64()), ..Span::default() };
                let _ = sampler.decide(&span, &mut Unused);
            }
            handle.tick(start + Duration::from_secs(at) + (tick + 1) * Duration::from_millis(100));
        }
    };
    assert!(!handle.tick(start), "the first one only looks at the clock");
    second(0);
    assert!((handle.probability() / 0.1 - 1.0).abs() < 0.01, "{handle:?}");
    handle.set_target(Target::ItemsPerSecond(100.0)).expect("in range");
    assert!((handle.probability() / 0.01 - 1.0).abs() < 0.01, "at once");
    handle.set_probability(Some(0.5)).expect("in range");
    second(1);
    assert_eq!(handle.probability(), 0.5, "a tick does not move it");
    handle.set_probability(None).expect("in range");
    assert!((handle.probability() / 0.01 - 1.0).abs() < 0.01);
    handle.set_target(Target::Ratio(0.25)).expect("in range");
    assert!((handle.probability() / 0.25 - 1.0).abs() < 1e-3 && handle.target() == Target::Ratio(0.25));

    assert!(
        !handle.tick(start + Duration::from_millis(2_050)) && !handle.tick(start),
        "too early, and backwards"
    );
    assert!(handle.tick(start + Duration::from_millis(2_100)));
    let RateStats { offered, sampled, offered_per_second, .. } = handle.stats();
    assert_eq!(offered, 20_000);
    assert!(
        (6_000..7_500).contains(&sampled),
        "half of the second ten thousand, more of the first: {sampled}"
    );
    assert_eq!(offered_per_second, 0.0, "nothing in the last tenth of a second, which is another load");

    for bad in [f64::NAN, -1.0, 1.5] {
        assert!(handle.set_probability(Some(bad)).is_err() && handle.set_target(Target::Ratio(bad)).is_err());
    }
    assert_eq!(handle.target(), Target::Ratio(0.25), "what was refused has no effect");
}

/// Guards the check of what a person wrote.
#[test]
fn configurations_that_cannot_be_meant_are_refused() {
    for bad in [f64::NAN, f64::INFINITY, -1.0] {
        assert!(matches!(
            RateSampler::items_per_second(bad),
            Err(ConfigError::Rate { field: "items_per_second", .. })
        ));
        assert!(matches!(RateSampler::ratio(bad), Err(ConfigError::Probability { field: "ratio", .. })));
        let mut config = RateConfig::new(Target::Ratio(0.1));
        config.floor_per_operation = bad;
        assert!(matches!(
            RateSampler::new(&config),
            Err(ConfigError::Rate { field: "floor_per_operation", .. })
        ));
        config.floor_per_operation = 0.0;
        config.min_probability = bad;
        assert!(matches!(
            RateSampler::new(&config),
            Err(ConfigError::Probability { field: "min_probability", .. })
        ));
    }
    assert!(RateSampler::ratio(0.0).is_ok() && RateSampler::items_per_second(0.0).is_ok());
}

/// Guards counting from many threads: nothing is lost while ticks take the counts.
#[test]
fn counts_of_many_threads_add_up() {
    let mut config = RateConfig::new(Target::Ratio(0.5));
    config.floor_per_operation = 1.0;
    let sampler = RateSampler::new(&config).expect("in range");
    let (handle, start) = (sampler.handle(), Instant::now());
    let sampled: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|seed| {
                let sampler = &sampler;
                scope.spawn(move || {
                    let mut random = random(seed);
                    let mut kept = 0;
                    for at in 0..50_000_u32 {
                        let id = u128::from(random.next_u64());
                        let name = ["a", "b", "c"][at as usize % 3];
                        let parent = [None, Some(Parent::local(at % 7 == 0)), Some(Parent::remote(true))]
                            [at as usize / 3 % 3];
                        kept += u64::from(
                            sampler
                                .decide(&Span { id, name, parent, ..Span::default() }, &mut Unused)
                                .is_sampled(),
                        );
                    }
                    kept
                })
            })
            .collect();
        for tick in 0..1_000 {
            handle.tick(start + tick * Duration::from_millis(100));
        }
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    handle.tick(start + Duration::from_secs(200));
    let stats = handle.stats();
    assert_eq!((stats.offered, stats.sampled), (200_000, sampled));
}
