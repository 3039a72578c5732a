//! Reports: the same figures in three forms, and text that cannot break them.

use std::time::{Duration, Instant};

use aqueduct_metrics::{Desc, LeakDetector, Profiler, Recorder, Report};
use serde_json::Value;

const COUNT: Desc = Desc::counter("t_count_total", "{item}", "Count.").with_attributes(&["who"]);
const LEVEL: Desc = Desc::gauge("t_level", "1", "Level.");
const LATENCY: Desc = Desc::histogram("t_latency_seconds", "s", "Latency.");
const EXPORTS: Desc =
    Desc::counter("t_exports_total", "{export}", "Exports.").with_attributes(&["error_type"]);

fn report(who: &str) -> Report {
    let start = Instant::now();
    let recorder = Recorder::new(start);
    recorder.counter(&COUNT, &[who]).unwrap().add(u64::MAX);
    recorder.gauge(&LEVEL, &[]).unwrap().set(f64::INFINITY);
    let latency = recorder.distribution(&LATENCY, &[]).unwrap();
    (1..=1000).for_each(|ms| latency.record_duration(Duration::from_millis(ms)));
    let exports = recorder.outcomes(&EXPORTS, &[]).unwrap();
    exports.successes(950);
    exports.errors(who, 50);
    let profiler = Profiler::new();
    profiler.start("encode", start);
    profiler.stop(start + Duration::from_millis(1500));
    Report::new(recorder.snapshot(start + Duration::from_secs(10)))
        .with_profile(profiler.profile())
        .with_leaks(LeakDetector::new().report())
}

/// Guards the JSON with a parser that is not ours: figures, units, `null` where there is no number, and any text as a label.
#[test]
fn json_is_read_by_others() {
    for who in
        ["plain", "", "quo\"te \\ back", "line\nbreak\t\u{0}\u{1f}\u{7f}", "漢字 🚰 \u{2028}", "{", "a{"]
    {
        let json = report(who).to_json();
        let read: Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
        let [count, level, latency, exports] = &read["series"].as_array().unwrap()[..] else {
            panic!("{json}")
        };
        assert_eq!(count["attributes"]["who"], *who);
        assert_eq!((&count["count"], &level["value"]), (&u64::MAX.into(), &Value::Null));
        assert_eq!((&latency["count"], &latency["per_second"]), (&1000.into(), &100.0.into()));
        for (name, truth) in [
            ("p50", 0.5),
            ("p90", 0.9),
            ("p95", 0.95),
            ("p99", 0.99),
            ("p99.9", 0.999),
            ("mean", 0.5005),
            ("max", 1.0),
        ] {
            let value = latency[name].as_f64().unwrap();
            assert!((value / truth - 1.0).abs() < 0.01, "{name}: {value}");
        }
        assert_eq!(exports["success_rate"], 0.95);
        let kind = if who.is_empty() { "other" } else { who };
        assert_eq!(exports["errors_by_kind"][kind], 50, "{json}");
        assert_eq!((&read["seconds"], &read["profile"][0]["own_seconds"]), (&10.0.into(), &1.5.into()));
        assert_eq!(read["leaks"]["memory"]["verdict"], "too early");
    }
}

/// Guards the table: every figure in its column, columns of one width, and no characters that do something to a terminal.
#[test]
fn text_is_a_table() {
    let text = report("ev\u{1b}[31mil\n").to_string();
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let line = |begin: &str| {
        text.lines().find(|line| line.starts_with(begin)).unwrap_or_else(|| panic!("{begin} in\n{text}"))
    };
    let latency: Vec<_> = line("t_latency_seconds").split_whitespace().collect();
    assert_eq!(
        (latency[1], latency[2], latency[3], latency.last()),
        ("1000", "100.00", "0.500500", Some(&"s"))
    );
    assert!(
        line("t_exports_total").contains("95.00 %") && line("t_exports_total").ends_with("ev?[31mil? 50")
    );
    assert_eq!(
        line("encode").split_whitespace().collect::<Vec<_>>(),
        ["encode", "1", "1500", "1500", "1500"]
    );
    // The last column is aligned to the right, so lines of a table that is aligned end together.
    assert_eq!(line("distribution").len(), line("t_latency_seconds").len());
    assert!(line("memory").contains("too early"));
}

/// Guards that a report of nothing is no error.
#[test]
fn nothing_is_reported_as_nothing() {
    let now = Instant::now();
    let report = Report::new(Recorder::new(now).snapshot(now));
    assert_eq!(report.to_json(), "{\"seconds\":0.0,\"series\":[]}");
    assert_eq!((report.to_string().as_str(), report.to_prometheus().as_str()), ("over 0.0 s\n", ""));
}
