//! `aqueduct demo --tune`: the tuner against a grid of settings, over real processes and sockets.
//!
//! A sink answers after 20 ms, a generator offers a constant load. Every point of a grid of settings is measured, then the tuner is given bad settings three times, and the defaults
//! once. Where it has ended is measured as the points of the grid were: a gateway of its own with these settings, and nobody who changes them.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use super::child::Child;
use super::gateway::Gateway;
use super::{DemoArgs, END_PATIENCE, START_PATIENCE};

/// How late the sink answers.
const ANSWERS_AFTER: &str = "20ms";
/// The tuner's window, and how often its score is read.
const WINDOW: Duration = Duration::from_millis(200);
/// The load where none is asked for: 50,000 spans a second.
const RATE: u32 = 2_000;
const SPANS: u32 = 25;
/// How long a gateway gets to reach a steady state before it is measured, with the batches of the slowest settings of the grid.
const SETTLE: Duration = Duration::from_millis(1_500);
/// How long a point of the grid is measured, and the best ones and the results again.
const GLANCE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_secs(6);
/// So many of the best points are measured again: the best of many short measurements is one that was lucky.
const FINALISTS: usize = 3;

/// Names of knobs, as the tuner has them, and values, as the configuration has them.
type Settings = BTreeMap<String, String>;

fn settings(pairs: &[(&str, &str)]) -> Settings {
    pairs.iter().map(|(knob, value)| ((*knob).to_owned(), (*value).to_owned())).collect()
}

/// What the tuner is to get out of.
fn starts() -> [(&'static str, Settings); 4] {
    [
        ("tiny batches, one request at a time", settings(&[("batch_items", "16"), ("max_in_flight", "1")])),
        (
            "a batch in four seconds",
            settings(&[("batch_items", "1000000"), ("batch_bytes", "16777216"), ("batch_delay", "4s")]),
        ),
        (
            "gzip at level 9, two requests at a time",
            settings(&[
                ("batch_items", "256"),
                ("max_in_flight", "2"),
                ("compression", "gzip"),
                ("compression_level", "9"),
            ]),
        ),
        ("the defaults", Settings::new()),
    ]
}

fn grid() -> Vec<Settings> {
    let mut points = Vec::new();
    for items in ["256", "2048", "16384"] {
        for delay in ["5ms", "50ms", "500ms"] {
            for in_flight in ["4", "32"] {
                for compression in ["none", "zstd"] {
                    points.push(settings(&[
                        ("batch_items", items),
                        ("batch_delay", delay),
                        ("max_in_flight", in_flight),
                        ("compression", compression),
                    ]));
                }
            }
        }
    }
    points
}

/// The last line of `aqueduct demo --tune --json`.
#[derive(Debug, Serialize)]
pub(crate) struct TuneReport {
    /// The best score of the grid, from 0 to 100.
    best: f64,
    best_settings: Settings,
    /// The score of the defaults, left alone.
    defaults: f64,
    runs: Vec<TunedRun>,
}

/// What became of one start.
#[derive(Debug, Serialize)]
struct TunedRun {
    start: &'static str,
    /// With the settings as they were.
    score_before: f64,
    /// With those that the tuner has found, left alone.
    score_after: f64,
    /// Over the tuner's last ten seconds, its trials included.
    score_at_work: f64,
    settings: Settings,
    history: Vec<String>,
}

impl TuneReport {
    /// Bad starts end at 90 % of the best point at least, and the defaults no more than 2 % below themselves.
    pub(crate) fn holds(&self) -> bool {
        self.runs.iter().all(|run| run.score_after >= self.least(run))
    }

    fn least(&self, run: &TunedRun) -> f64 {
        if self.is_default(run) { self.defaults * 0.98 } else { self.best * 0.9 }
    }

    fn is_default(&self, run: &TunedRun) -> bool {
        starts().last().is_some_and(|(name, _)| *name == run.start)
    }

    pub(crate) fn to_json(&self) -> String {
        // Numbers and strings only: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl fmt::Display for TuneReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for run in &self.runs {
            writeln!(f, "from {}:", run.start)?;
            run.history.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
            writeln!(f, "  ends with {}", words(&run.settings))?;
        }
        writeln!(f)?;
        writeln!(f, "{:<42}{:>8}{:>8}{:>9}  target", "score, of 100", "before", "after", "at work")?;
        for run in &self.runs {
            let target = if self.is_default(run) { "98 % of before" } else { "90 % of the best" };
            let verdict = if run.score_after >= self.least(run) { "holds" } else { "missed" };
            let TunedRun { start, score_before, score_after, score_at_work, .. } = run;
            writeln!(
                f,
                "{start:<42}{score_before:>8.1}{score_after:>8.1}{score_at_work:>9.1}  {target}: {verdict}"
            )?;
        }
        write!(f, "best of {} points: {:.1} with {}", grid().len(), self.best, words(&self.best_settings))
    }
}

fn words(settings: &Settings) -> String {
    settings.iter().map(|(knob, value)| format!("{knob} {value}")).collect::<Vec<_>>().join(", ")
}

pub(crate) fn tune(args: &DemoArgs) -> io::Result<TuneReport> {
    let arguments = ["sink", "--listen", "127.0.0.1:0", "--delay", ANSWERS_AFTER, "--json"];
    let mut sink = Child::start("sink", &arguments.map(str::to_owned))?;
    let sink_at = sink.line(START_PATIENCE, super::listening)?;
    let bench = Bench { sink: sink_at, rate: args.rate.unwrap_or(RATE), spans: args.spans.unwrap_or(SPANS) };

    let mut points = Vec::new();
    for point in grid() {
        let score = bench.score(&point, GLANCE)?;
        eprintln!("grid: {score:>5.1} with {}", words(&point));
        points.push((score, point));
    }
    points.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    points.truncate(FINALISTS);
    for (score, point) in &mut points {
        *score = bench.score(point, LOOK)?;
    }
    let best = points.into_iter().max_by(|(a, _), (b, _)| a.total_cmp(b));
    let (best, best_settings) = best.ok_or_else(|| io::Error::other("the grid has no points"))?;

    let mut runs = Vec::new();
    for (start, given) in starts() {
        let score_before = bench.score(&given, LOOK)?;
        eprintln!("from {start}: {score_before:.1}");
        let mut run = bench.tuned(start, &given, Duration::from_secs(args.seconds.unwrap_or(60).into()))?;
        run.score_before = score_before;
        run.score_after = bench.score(&run.settings, LOOK)?;
        eprintln!("  {:.1} -> {:.1}", run.score_before, run.score_after);
        runs.push(run);
    }
    let defaults = runs.last().map_or(0.0, |run| run.score_before);
    sink.terminate()?;
    sink.wait_ended(END_PATIENCE)?;
    Ok(TuneReport { best, best_settings, defaults, runs })
}

/// What all measurements have in common.
struct Bench {
    sink: String,
    rate: u32,
    spans: u32,
}

impl Bench {
    /// The mean score with these settings, over so long.
    fn score(&self, settings: &Settings, lasts: Duration) -> io::Result<f64> {
        let (mut gateway, mut load) = self.start(settings, "suggest", SETTLE + lasts)?;
        watch(&gateway, SETTLE);
        let scores = watch(&gateway, lasts);
        load.last_json(END_PATIENCE)?;
        gateway.terminate()?;
        gateway.wait_ended(END_PATIENCE)?;
        mean(&scores).ok_or_else(|| io::Error::other("the gateway's tuner told no score"))
    }

    /// Has the tuner search for so long.
    fn tuned(&self, start: &'static str, given: &Settings, lasts: Duration) -> io::Result<TunedRun> {
        let (mut gateway, mut load) = self.start(given, "apply", lasts)?;
        let scores = watch(&gateway, lasts);
        let status = gateway.tuner()?;
        load.last_json(END_PATIENCE)?;
        gateway.terminate()?;
        gateway.wait_ended(END_PATIENCE)?;
        let last = (10.0 / WINDOW.as_secs_f64()) as usize;
        let score_at_work = mean(&scores[scores.len().saturating_sub(last)..]).unwrap_or(0.0);
        Ok(TunedRun {
            start,
            score_before: 0.0,
            score_after: 0.0,
            score_at_work,
            settings: settled(&status),
            history: history(&status),
        })
    }

    /// A gateway with these settings, and load for so long.
    fn start(&self, settings: &Settings, mode: &str, lasts: Duration) -> io::Result<(Gateway, Child)> {
        let gateway = Gateway::start_with(&configuration(&self.sink, settings, mode))?;
        let list = [
            "load",
            "--endpoint",
            &format!("http://{}", gateway.grpc),
            "--rate",
            &self.rate.to_string(),
            "--seconds",
            // The generator's start.
            &format!("{:.1}", lasts.as_secs_f64() + 0.5),
            "--spans",
            &self.spans.to_string(),
            // What is refused is not offered again: the load is the same whatever the settings.
            "--expiry",
            "50ms",
            "--json",
            "--quiet",
        ];
        let load = Child::start("load", &list.map(str::to_owned))?;
        Ok((gateway, load))
    }
}

/// The scores of the windows that end in this time.
fn watch(gateway: &Gateway, lasts: Duration) -> Vec<f64> {
    let until = Instant::now() + lasts;
    let mut scores = Vec::new();
    while Instant::now() + WINDOW <= until {
        // A window ends by the clock, and there is no event to wait for.
        std::thread::sleep(WINDOW);
        scores.extend(gateway.tuner().ok().and_then(|status| status["score"].as_f64()));
    }
    scores
}

fn mean(scores: &[f64]) -> Option<f64> {
    (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
}

/// The settings that the tuner has come to: not what it is trying out at the moment.
fn settled(status: &Value) -> Settings {
    let mut settings = Settings::new();
    for (knob, value) in status["settings"].as_object().into_iter().flatten() {
        // Bytes come with their unit.
        let value = value.as_str().unwrap_or_default().trim_end_matches(" B");
        settings.insert(knob.clone(), value.to_owned());
    }
    let changes = status["history"].as_array().map_or(&[][..], Vec::as_slice);
    for change in changes.iter().filter(|change| change["outcome"] == "pending") {
        if let (Some(knob), Some(old)) = (change["knob"].as_str(), change["old"].as_str()) {
            settings.insert(knob.to_owned(), old.trim_end_matches(" B").to_owned());
        }
    }
    settings
}

fn history(status: &Value) -> Vec<String> {
    let changes = status["history"].as_array().map_or(&[][..], Vec::as_slice);
    let line = |change: &Value| {
        let text = |field: &str| change[field].as_str().unwrap_or_default().to_owned();
        let before = change["score_before"].as_f64().unwrap_or_default();
        let after =
            change["score_after"].as_f64().map_or_else(String::new, |after| format!(" -> {after:.1}"));
        let ago = change["seconds_ago"].as_f64().unwrap_or_default();
        format!(
            "{ago:>3.0} s ago  {}: {} -> {}, {}; score {before:.1}{after}, {}",
            text("knob"),
            text("old"),
            text("new"),
            text("reason"),
            text("outcome")
        )
    };
    changes.iter().map(line).collect()
}

fn configuration(sink: &str, settings: &Settings, mode: &str) -> String {
    let line = |key: &str, knob: &str| {
        settings.get(knob).map_or_else(String::new, |value| format!("    {key}: {value}\n"))
    };
    let in_flight = settings
        .get("max_in_flight")
        .map_or_else(String::new, |value| format!("    sending_queue: {{num_consumers: {value}}}\n"));
    let algorithm = settings.get("compression").map_or("none", String::as_str);
    let level = settings.get("compression_level").filter(|_| algorithm != "none");
    let level =
        level.map_or_else(String::new, |level| format!("    compression_params: {{level: {level}}}\n"));
    format!(
        "\
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:0
processors:
  batch:
{}{}{}exporters:
  otlp:
    endpoint: http://{sink}
    compression: {algorithm}
    tls:
      insecure: true
{level}{in_flight}{}service:
  telemetry:
    metrics:
      address: 127.0.0.1:0
  tuning:
    mode: {mode}
    window: {}ms
    bounds:
      compression: [none, gzip, zstd]
  pipelines:
    traces:
      receivers: [otlp]
      processors: [batch]
      exporters: [otlp]
",
        line("send_batch_size", "batch_items"),
        line("send_batch_max_bytes", "batch_bytes"),
        line("timeout", "batch_delay"),
        line("connections", "connections"),
        WINDOW.as_millis(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// Guards that the gateway takes what the demo asks it for, what a tuner may come to included.
    #[test]
    fn every_setting_is_one_of_the_configuration() {
        let found = settings(&[
            ("batch_bytes", "8388608"),
            ("batch_delay", "3.952847ms"),
            ("compression", "gzip"),
            ("compression_level", "4"),
            ("connections", "2"),
        ]);
        for given in grid().into_iter().chain(starts().map(|(_, settings)| settings)).chain([found]) {
            for mode in ["apply", "suggest"] {
                let text = configuration("127.0.0.1:4317", &given, mode);
                let config = Config::parse("demo.yaml", &text, &|_| None);
                let config = config.unwrap_or_else(|errors| panic!("{errors}\n{text}"));
                assert!(config.tuning.is_some() && config.warnings.is_empty());
            }
        }
    }

    /// Guards against measuring a change that was being tried out as if it were a result.
    #[test]
    fn what_is_being_tried_is_no_result() {
        let status = serde_json::json!({
            "settings": {"batch_items": "4096", "batch_bytes": "8388608 B"},
            "history": [
                {"knob": "batch_items", "old": "16", "new": "1024", "outcome": "kept"},
                {"knob": "batch_items", "old": "1024", "new": "4096", "outcome": "pending"},
            ],
        });
        assert_eq!(settled(&status), settings(&[("batch_bytes", "8388608"), ("batch_items", "1024")]));
    }
}
