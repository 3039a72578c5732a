//! What a tuner promises beside finding good settings.

use std::time::{Duration, Instant};

use aqueduct_testkit::CountingAllocator;
use aqueduct_tune::{
    Adjustment, Algorithm, AutoTuner, Bounds, History, Knob, Mode, Outcome, Parameters, Snapshot,
    TunerConfig, Value,
};

use crate::simulator::{ALL, Simulation, WINDOW, bounds, settings, starts};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// A tuner, a simulated pipeline and a clock.
struct Rig {
    tuner: AutoTuner,
    simulation: Simulation,
    began: Instant,
    window: u32,
}

impl Rig {
    fn new(start: Parameters) -> Self {
        let tuner = AutoTuner::new(start, &bounds());
        Self { tuner, simulation: Simulation::new(ALL[1], 1, 0.02), began: Instant::now(), window: 0 }
    }

    fn now(&self) -> Instant {
        self.began + WINDOW * self.window
    }

    fn step(&mut self) -> Vec<Adjustment> {
        self.window += 1;
        let snapshot = self.simulation.step(self.tuner.parameters());
        self.tuner.observe(&snapshot, self.now())
    }

    /// Until something is changed.
    fn change(&mut self) -> Adjustment {
        (0..500).find_map(|_| self.step().pop()).expect("something is changed")
    }

    fn outcome(&self) -> Option<Outcome> {
        self.tuner.history().iter().next_back().map(|entry| entry.outcome.clone())
    }
}

/// Guards the bounds at the start, and the one owner of each knob.
#[test]
fn settings_outside_are_brought_within_at_first() {
    let mut start = settings(1_000_000, 20, 8, (Algorithm::None, 1), 2);
    start.connections = None;
    let mut rig = Rig::new(start);
    let changes = rig.step();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(
        (changes[0].knob, changes[0].old, changes[0].new),
        (Knob::BatchItems, Value::Count(1_000_000), Value::Count(32_768))
    );
    for _ in 0..1_000 {
        assert!(
            rig.step().iter().all(|change| change.knob != Knob::Connections),
            "it belongs to somebody else"
        );
    }
    assert_eq!(rig.tuner.parameters().connections, None);
}

/// Guards one change at a time: while one is observed no other is made, and what is taken back is what was changed.
#[test]
fn one_change_at_a_time() {
    let mut rig = Rig::new(starts()[0]);
    let mut open: Option<Adjustment> = None;
    for _ in 0..1_500 {
        let changes = rig.step();
        assert!(changes.len() <= 1, "{changes:?}");
        let pending = rig.tuner.history().iter().filter(|entry| entry.outcome == Outcome::Pending).count();
        assert!(pending <= 1);
        if let (Some(before), Some(Outcome::Kept)) = (open, rig.outcome()) {
            assert_eq!(rig.tuner.parameters().get(before.knob), Some(before.new));
            open = None;
        }
        if let Some(change) = changes.first() {
            match open.take() {
                Some(before) => {
                    assert_eq!((change.knob, change.new), (before.knob, before.old), "taken back")
                }
                None => open = Some(*change),
            }
        }
    }
    assert!(rig.tuner.is_resting());
}

/// Guards freezing: the knob stays where it is, also in the middle of a trial.
#[test]
fn what_is_frozen_stays() {
    let mut rig = Rig::new(starts()[0]);
    let change = rig.change();
    rig.tuner.freeze(change.knob);
    assert_eq!(rig.outcome(), Some(Outcome::Frozen));
    for _ in 0..1_000 {
        assert!(rig.step().iter().all(|other| other.knob != change.knob));
    }
    assert_eq!(rig.tuner.parameters().get(change.knob), Some(change.new));
    assert!(rig.tuner.is_frozen(change.knob));
    assert!(rig.tuner.suggestions().iter().all(|other| other.knob != change.knob));

    rig.tuner.freeze_all();
    assert!((0..1_000).all(|_| rig.step().is_empty()));

    rig.tuner.unfreeze(change.knob);
    assert_eq!(rig.change().knob, change.knob, "the only one that is not frozen");
}

/// Guards undoing: first what is being observed, then what was kept, back to the start; and that it is not done again at once.
#[test]
fn undoing_leads_back_to_the_start() {
    let start = starts()[0];
    let mut rig = Rig::new(start);
    let first = rig.change();
    let undone = rig.tuner.undo(rig.now()).expect("a trial");
    assert_eq!((undone.knob, undone.old, undone.new), (first.knob, first.new, first.old));
    assert_eq!(rig.outcome(), Some(Outcome::Undone));
    let next = rig.change();
    assert_ne!((next.knob, next.new), (first.knob, first.new), "not at once");
    while !rig.tuner.is_resting() {
        rig.step();
    }
    assert_ne!(rig.tuner.parameters(), &start);
    while rig.tuner.undo(rig.now()).is_some() {}
    assert_eq!(rig.tuner.parameters(), &start);
    assert!(rig.tuner.history().iter().all(|entry| entry.outcome != Outcome::Kept));
}

/// Guards the answer of a pipeline that cannot: the knob counts as it was, and is left alone.
#[test]
fn what_cannot_be_applied_is_left_alone() {
    let mut rig = Rig::new(starts()[0]);
    let change = rig.change();
    rig.tuner.not_applied(change.knob, "built without a worker pool");
    assert_eq!(rig.outcome(), Some(Outcome::NotApplied("built without a worker pool".to_owned())));
    assert_eq!(rig.tuner.parameters().get(change.knob), Some(change.old));
    for _ in 0..1_000 {
        assert!(rig.step().iter().all(|other| other.knob != change.knob));
    }
}

/// Guards the dry run: nothing is changed, and the first suggestion is what would be.
#[test]
fn a_dry_run_only_suggests() {
    let mut config = TunerConfig::default();
    config.mode = Mode::Suggest;
    let mut dry = Rig::new(starts()[0]);
    dry.tuner = dry.tuner.with_config(config);
    for _ in 0..50 {
        assert!(dry.step().is_empty());
    }
    assert!(dry.tuner.history().is_empty());
    assert_eq!(dry.tuner.parameters(), &starts()[0]);
    let suggestions = dry.tuner.suggestions();
    let mut wet = Rig::new(starts()[0]);
    assert_eq!(suggestions.first(), Some(&wet.change()));
    assert!(suggestions.len() >= 2, "{suggestions:?}");
}

/// Guards sampling: without leave it is never touched, with leave only within its bounds.
#[test]
fn sampling_needs_leave() {
    let run = |bounds: &Bounds| {
        let mut start = settings(16, 2, 1, (Algorithm::None, 1), 1);
        start = {
            let mut only = Parameters::default();
            only.sampling_rate = Some(1.0);
            only.batch_items = start.batch_items;
            only
        };
        let mut tuner = AutoTuner::new(start, bounds);
        let mut simulation = Simulation::new(ALL[1], 1, 0.02);
        let began = Instant::now();
        let mut rates = Vec::new();
        for window in 0..600_u32 {
            let snapshot = simulation.step(&starts()[0]);
            tuner.observe(&snapshot, began + WINDOW * window);
            rates.extend(tuner.parameters().sampling_rate);
        }
        rates
    };
    assert!(run(&Bounds::default()).iter().all(|rate| *rate == 1.0));
    let mut allowed = Bounds::default();
    allowed.sampling_rate = Some(0.5..=1.0);
    let rates = run(&allowed);
    assert!(rates.iter().any(|rate| *rate < 1.0), "it is tried");
    assert!(rates.iter().all(|rate| (0.5..=1.0).contains(rate)));
}

/// Guards the memory: at most 100 changes are kept, the newest.
#[test]
fn the_history_is_bounded() {
    let mut rig = Rig::new(starts()[0]);
    let mut changes = 0;
    while changes < 300 {
        let change = rig.change();
        // Taken back and let go again: as many changes as one likes.
        rig.tuner.undo(rig.now());
        rig.tuner.unfreeze(change.knob);
        changes += 1;
    }
    assert_eq!(rig.tuner.history().len(), History::CAPACITY);
    assert_eq!(History::CAPACITY, 100);
    let last = rig.tuner.history().iter().next_back().map(|entry| entry.at);
    assert_eq!(last, Some(rig.now()));
}

/// Guards the cost: a window that changes nothing allocates nothing, at search and at rest.
#[test]
fn observing_does_not_allocate() {
    let mut rig = Rig::new(starts()[0]);
    let (boxed, one) = CountingAllocator::count(|| Box::new(1));
    assert_eq!((*boxed, one.count), (1, 1), "the allocator counts");
    let (mut quiet, mut changes) = (0, 0);
    for _ in 0..1_500 {
        rig.window += 1;
        let now = rig.now();
        let snapshot = rig.simulation.step(rig.tuner.parameters());
        let (made, allocations) = CountingAllocator::count(|| rig.tuner.observe(&snapshot, now));
        if made.is_empty() {
            assert_eq!(allocations.count, 0, "window {}", rig.window);
            quiet += 1;
        } else {
            assert!(allocations.count <= 2, "{allocations:?}");
            changes += 1;
        }
    }
    assert!(rig.tuner.is_resting() && quiet > 1_000 && changes > 10, "{quiet} {changes}");
}

/// Guards determinism: the same windows give the same changes.
#[test]
fn the_same_windows_give_the_same_changes() {
    let run = || {
        let mut rig = Rig::new(starts()[2]);
        (0..800).flat_map(|_| rig.step()).collect::<Vec<_>>()
    };
    let (first, second) = (run(), run());
    assert!(first.len() > 10);
    assert_eq!(first, second);
}

/// Guards against a tuner that learns from silence: empty windows, and those of no length, are passed over.
#[test]
fn windows_without_anything_teach_nothing() {
    let mut rig = Rig::new(starts()[0]);
    let mut empty = Snapshot::default();
    for window in 0..200 {
        empty.window = Duration::from_secs(window % 2);
        empty.offered_items = if window % 2 == 0 { 1_000 } else { 0 };
        assert!(rig.tuner.observe(&empty, rig.now()).is_empty());
    }
    assert!(!rig.tuner.is_resting());
    assert_eq!(rig.tuner.parameters(), &starts()[0]);
}

/// Guards the rest: while nothing is different, a day long nearly nothing is tried, and what does not help is tried ever more seldom.
#[test]
fn a_day_of_rest() {
    for (index, back_end) in ALL.into_iter().enumerate().filter(|(index, _)| *index < 5) {
        let mut rig = Rig::new(starts()[1]);
        rig.simulation = Simulation::new(back_end, 9 + index as u64, 0.04);
        while !rig.tuner.is_resting() {
            rig.step();
        }
        let rested = rig.now();
        for _ in 0..24 * 360 {
            // Windows of ten seconds as far as the clock is concerned.
            rig.window += 9;
            rig.step();
        }
        let reverted = rig
            .tuner
            .history()
            .iter()
            .filter(|entry| entry.at >= rested && entry.outcome == Outcome::Reverted);
        let reverted = reverted.count();
        assert!(reverted <= 4, "{}: {reverted} in a day\n{}", back_end.name, rig.tuner.history());
    }
}
