//! The tuner of a running gateway: started, logged, shown.

use std::io;

use aqueduct::metrics::{Desc, Exposition};
use aqueduct::pipeline::{Pipeline, RunningTuner, Tuner};
use aqueduct::tune::{Entry, Knob, Mode, Outcome, TunerConfig, Value};

use crate::admin::{TunerChange, TunerStatus};
use crate::config::Tuning;

const SCORE: Desc = Desc::gauge(
    "aqueduct_tuner_score",
    "1",
    "How good the tuner's last window was, from 0 to 100; absent without a tuner.",
);
const SETTING: Desc = Desc::gauge(
    "aqueduct_tuner_setting",
    "1",
    "The settings that the tuner owns: items, bytes, seconds, requests, connections, levels or threads.",
)
.with_attributes(&["knob"]);
const CHANGES: Desc = Desc::gauge(
    "aqueduct_tuner_history_changes",
    "{change}",
    "The last hundred changes of the tuner, by what became of them.",
)
.with_attributes(&["outcome"]);
const RESTING: Desc =
    Desc::gauge("aqueduct_tuner_resting", "1", "1 while the tuner has nothing to gain, 0 while it searches.");

/// What is published of a tuner.
pub(crate) const METRICS: &[Desc] = &[SCORE, SETTING, CHANGES, RESTING];

const OUTCOMES: [&str; 6] = ["pending", "kept", "reverted", "frozen", "not_applied", "undone"];

pub(crate) fn start(tuning: &Tuning, pipelines: &[Pipeline]) -> io::Result<RunningTuner> {
    let mut config = TunerConfig::default();
    config.mode = tuning.mode;
    Tuner::new(pipelines, &tuning.bounds).with_config(config).spawn(tuning.window)
}

pub(crate) fn write(tuner: &RunningTuner, page: &mut Exposition) {
    let (score, resting, parameters, history) = tuner.with(|tuner| {
        let auto = tuner.auto();
        (tuner.score(), auto.is_resting(), *auto.parameters(), auto.history().clone())
    });
    page.family(&SCORE).sample(&[], score);
    page.family(&RESTING).sample(&[], u64::from(resting));
    let mut family = page.family(&SETTING);
    for (knob, value) in Knob::ALL.into_iter().filter_map(|knob| Some((knob, parameters.get(knob)?))) {
        if let Some(value) = number(value) {
            family.sample(&[("knob", knob.as_str())], value);
        }
    }
    let mut family = page.family(&CHANGES);
    for name in OUTCOMES {
        let changes = history.iter().filter(|entry| outcome(&entry.outcome) == name).count();
        family.sample(&[("outcome", name)], changes as u64);
    }
}

/// A setting as a number; algorithms have none.
fn number(value: Value) -> Option<f64> {
    match value {
        Value::Count(count) | Value::Bytes(count) => Some(count as f64),
        Value::Time(time) => Some(time.as_secs_f64()),
        Value::Level(level) => Some(f64::from(level)),
        Value::Share(share) => Some(share),
        _ => None,
    }
}

fn outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Kept => "kept",
        Outcome::Reverted => "reverted",
        Outcome::Frozen => "frozen",
        Outcome::NotApplied(_) => "not_applied",
        Outcome::Undone => "undone",
        _ => "pending",
    }
}

/// What `/debug/tuner` says.
pub(crate) fn status(tuner: &RunningTuner) -> TunerStatus {
    tuner.with(|tuner| {
        let auto = tuner.auto();
        let settings = Knob::ALL.into_iter().filter_map(|knob| Some((knob, auto.parameters().get(knob)?)));
        TunerStatus {
            score: tuner.score(),
            resting: auto.is_resting(),
            settings: settings.map(|(knob, value)| (knob.as_str().to_owned(), value.to_string())).collect(),
            history: auto.history().iter().map(change).collect(),
            suggestions: auto.suggestions().iter().map(ToString::to_string).collect(),
            bottlenecks: tuner.bottlenecks().iter().map(ToString::to_string).collect(),
        }
    })
}

fn change(entry: &Entry) -> TunerChange {
    TunerChange {
        seconds_ago: entry.at.elapsed().as_secs_f64(),
        knob: entry.knob.as_str().to_owned(),
        old: entry.old.to_string(),
        new: entry.new.to_string(),
        reason: entry.reason.to_owned(),
        score_before: entry.before,
        score_after: entry.after,
        outcome: entry.outcome.to_string(),
    }
}

/// Whether changes are made, for the log.
pub(crate) fn says(mode: Mode) -> &'static str {
    if mode == Mode::Apply {
        "the tuner moves settings within its bounds"
    } else {
        "the tuner makes suggestions only"
    }
}
