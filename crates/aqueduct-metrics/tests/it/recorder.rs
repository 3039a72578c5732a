//! Series: which are the same, how many there are, what snapshots, intervals and windows say.

use std::num::NonZeroUsize;
use std::thread;
use std::time::{Duration, Instant};

use aqueduct_metrics::{Desc, Exposition, Kind, Recorder, SeriesError, Value, Window};

const REQUESTS: Desc = Desc::counter("t_requests_total", "{request}", "Requests.").with_attributes(&["path"]);
const DEPTH: Desc = Desc::gauge("t_depth", "{item}", "Depth.");
const LATENCY: Desc = Desc::histogram("t_latency_seconds", "s", "Latency.").with_attributes(&["path"]);
const SIZE: Desc = Desc::histogram("t_size_bytes", "By", "Size.");
const EXPORTS: Desc =
    Desc::counter("t_exports_total", "{export}", "Exports.").with_attributes(&["to", "error_type"]);

/// Guards the identity of series: the same labels give the same series, others another, clones of the recorder included.
#[test]
fn the_same_labels_are_the_same_series() {
    let recorder = Recorder::new(Instant::now());
    recorder.counter(&REQUESTS, &["/"]).unwrap().add(2);
    recorder.clone().counter(&REQUESTS, &["/"]).unwrap().add(3);
    recorder.counter(&REQUESTS, &["/login"]).unwrap().inc();
    let now = recorder.snapshot(Instant::now());
    assert_eq!((now.count(&REQUESTS, &["/"]), now.count(&REQUESTS, &["/login"])), (5, 1));
    assert_eq!((recorder.len(), now.get(&REQUESTS, &["/none"])), (2, None));
}

/// Guards the errors: each says what is wrong, and leaves no series behind.
#[test]
fn wrong_requests_are_errors() {
    let recorder = Recorder::new(Instant::now());
    let wrong = recorder.gauge(&REQUESTS, &["/"]).unwrap_err();
    assert_eq!(
        wrong,
        SeriesError::WrongKind { name: REQUESTS.name, kind: Kind::Counter, asked: Kind::Gauge }
    );
    let few = recorder.counter(&REQUESTS, &[]).unwrap_err();
    assert_eq!(few.to_string(), "t_requests_total takes 1 labels, one for each attribute, not 0");
    let none = recorder.outcomes(&Desc::counter("t_total", "1", "T."), &[]).unwrap_err();
    assert!(none.to_string().contains("no attribute for the kind"), "{none}");
    assert!(recorder.is_empty());

    recorder.counter(&REQUESTS, &["/"]).unwrap();
    const OTHER: Desc = Desc::counter("t_requests_total", "1", "Else.").with_attributes(&["path"]);
    assert_eq!(recorder.counter(&OTHER, &["/"]).unwrap_err(), SeriesError::Conflict { name: REQUESTS.name });
    recorder.counter(&EXPORTS, &["a", "b"]).unwrap();
    recorder.outcomes(&EXPORTS, &["a"]).unwrap();
    const ONE: Desc = Desc::counter("t_one_total", "1", "One.").with_attributes(&["kind"]);
    recorder.outcomes(&ONE, &[]).unwrap();
    assert!(recorder.counter(&ONE, &["x"]).is_ok(), "another series");
}

/// Guards the bound: beyond it new labels share one series for each descriptor; series that are there, and series without labels, go on.
#[test]
fn series_are_bounded_and_nothing_is_lost() {
    let recorder = Recorder::with_max_series(Instant::now(), 2);
    for turn in 0..100 {
        recorder.counter(&REQUESTS, &[&turn.to_string()]).unwrap().inc();
        recorder.distribution(&LATENCY, &[&turn.to_string()]).unwrap().record(turn);
        recorder.gauge(&DEPTH, &[]).unwrap().set(turn as f64);
    }
    recorder.counter(&REQUESTS, &["0"]).unwrap().inc();
    let now = recorder.snapshot(Instant::now());
    assert_eq!(recorder.len(), 5, "two, two others, and the gauge");
    assert_eq!((now.count(&REQUESTS, &["0"]), now.count(&REQUESTS, &["other"])), (2, 99));
    assert_eq!((now.count(&LATENCY, &["0"]), now.count(&LATENCY, &["other"])), (1, 99));
    let long = "ä".repeat(1000);
    let recorder = Recorder::new(Instant::now());
    recorder.counter(&REQUESTS, &[&long]).unwrap();
    assert_eq!(recorder.snapshot(Instant::now()).series()[0].labels[0], "ä".repeat(64), "cut at a character");
}

/// Guards intervals: those of any two readers add up to the lifetime, each at its own pace, while threads record and end.
#[test]
fn intervals_add_up() {
    let start = Instant::now();
    let recorder = Recorder::new(start);
    let (requests, latency) =
        (recorder.counter(&REQUESTS, &["/"]).unwrap(), recorder.distribution(&LATENCY, &["/"]).unwrap());
    let exports = recorder.outcomes(&EXPORTS, &["a"]).unwrap();
    let mut last = [recorder.snapshot(start), recorder.snapshot(start)];
    let mut sums = [[0_u64; 4]; 2];
    for tick in 1..=40 {
        let at = start + Duration::from_secs(tick);
        thread::scope(|scope| {
            let work = || {
                (0..tick * 10).for_each(|value| latency.record(value));
                requests.add(tick);
                exports.successes(2);
                exports.error(if tick % 2 == 0 { "timeout" } else { "reset" });
            };
            scope.spawn(work);
            scope.spawn(work);
        });
        for (reader, pace) in [1, 7].into_iter().enumerate() {
            if tick % pace == 0 || tick == 40 {
                let now = recorder.snapshot(at);
                let interval = now.since(&last[reader]);
                assert_eq!(interval.elapsed(), at - last[reader].to());
                let outcomes = interval.outcomes(&EXPORTS, &["a"]).unwrap();
                let kinds: u64 =
                    outcomes.by_kind.iter().filter(|(kind, _)| kind == "timeout").map(|(_, n)| n).sum();
                let parts = [
                    interval.count(&REQUESTS, &["/"]),
                    interval.count(&LATENCY, &["/"]),
                    outcomes.total(),
                    kinds,
                ];
                sums[reader].iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
                last[reader] = now;
            }
        }
    }
    let total = 40 * 41 / 2;
    assert_eq!(sums, [[2 * total, 20 * total, 2 * 40 * 3, 40]; 2]);
    assert_eq!(last[0].rate(&REQUESTS, &["/"]), (2 * total) as f64 / 40.0);
}

/// Guards the window's ring: never more intervals than asked for, and only those that are young enough.
#[test]
fn windows_forget() {
    let start = Instant::now();
    let recorder = Recorder::new(start);
    let requests = recorder.counter(&REQUESTS, &["/"]).unwrap();
    let mut window = Window::new(recorder.snapshot(start), NonZeroUsize::new(3).unwrap());
    assert!(window.is_empty() && window.over(Duration::MAX).count(&REQUESTS, &["/"]) == 0);
    for tick in 1..=5 {
        requests.add(10_u64.pow(tick));
        let interval = window.tick(recorder.snapshot(start + Duration::from_secs(tick.into())));
        assert_eq!(interval.count(&REQUESTS, &["/"]), 10_u64.pow(tick));
    }
    assert_eq!(window.len(), 3);
    let over = |seconds| window.over(Duration::from_millis(seconds)).count(&REQUESTS, &["/"]);
    assert_eq!([over(0), over(999), over(1000), over(2500), over(60_000)], [0, 0, 100_000, 110_000, 111_000]);
    assert_eq!(window.lifetime().count(&REQUESTS, &["/"]), 111_110);
    // A clock that stands still or goes back.
    requests.inc();
    let back = window.tick(recorder.snapshot(start));
    assert_eq!((back.count(&REQUESTS, &["/"]), back.elapsed()), (1, Duration::ZERO));
    assert_eq!(back.rate(&REQUESTS, &["/"]), 0.0);
}

/// Guards gauges: set, moved by several threads, and what is no number.
#[test]
fn gauges_are_set_or_moved() {
    let recorder = Recorder::new(Instant::now());
    let depth = recorder.gauge(&DEPTH, &[]).unwrap();
    thread::scope(|scope| {
        for by in [5, -3] {
            let depth = &depth;
            scope.spawn(move || (0..1000).for_each(|_| depth.add(by)));
        }
    });
    assert_eq!(depth.read(), 2000.0);
    depth.set(-0.5);
    assert_eq!(recorder.snapshot(Instant::now()).get(&DEPTH, &[]), Some(&Value::Gauge(1999.5)));
    depth.set(f64::NAN);
    assert_eq!(depth.read(), 2000.0);
}

/// Guards the page: bounds in the unit of the descriptor, cumulative buckets, a bounded number of them, kinds as labels.
#[test]
fn snapshots_are_written_for_scrapers() {
    let recorder = Recorder::new(Instant::now());
    let latency = recorder.distribution(&LATENCY, &["/"]).unwrap();
    [2, 30, 30, 20_000].into_iter().for_each(|ms| latency.record_duration(Duration::from_millis(ms)));
    recorder.distribution(&SIZE, &[]).unwrap().record(100);
    let exports = recorder.outcomes(&EXPORTS, &["a"]).unwrap();
    exports.success();
    exports.error("time\"out");
    exports.error("");
    let mut page = Exposition::new();
    page.snapshot(&recorder.snapshot(Instant::now()));
    let text = page.prometheus_text();
    for line in [
        "# TYPE t_latency_seconds histogram",
        "t_latency_seconds_bucket{path=\"/\",le=\"0.001\"} 0",
        "t_latency_seconds_bucket{path=\"/\",le=\"0.0025\"} 1",
        "t_latency_seconds_bucket{path=\"/\",le=\"0.05\"} 3",
        "t_latency_seconds_bucket{path=\"/\",le=\"10\"} 3",
        "t_latency_seconds_bucket{path=\"/\",le=\"+Inf\"} 4",
        "t_latency_seconds_sum{path=\"/\"} 20.062",
        "t_size_bytes_bucket{le=\"64\"} 0",
        "t_size_bytes_bucket{le=\"256\"} 1",
        "t_exports_total{to=\"a\",error_type=\"\"} 1",
        "t_exports_total{to=\"a\",error_type=\"time\\\"out\"} 1",
        "t_exports_total{to=\"a\",error_type=\"other\"} 1",
    ] {
        assert!(text.lines().any(|own| own.starts_with(line)), "{line} in\n{text}");
    }
    assert_eq!(text.matches("t_latency_seconds_bucket").count(), 15);
}
