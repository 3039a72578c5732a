//! What is measured of attempts and batches.

use std::sync::Arc;
use std::time::Instant;

use aqueduct_metrics::Exposition;
use aqueduct_wire::Signal;
use tokio::sync::Notify;

use crate::scripted::{PATIENCE, Scripted, Step, chunk, pipeline};

/// Guards each distribution: every attempt with an outcome has a duration, every batch counts once, however often it is tried.
#[test]
fn attempts_and_batches_are_measured() {
    let start = Instant::now();
    let answer = Arc::new(Notify::new());
    let exporter = Scripted::new([Step::Retry(None), Step::Panic, Step::Wait(Arc::clone(&answer))]);
    let pipeline = pipeline(&exporter, 10);
    let intake = pipeline.intake();
    (0..10).for_each(|number| intake.offer(chunk(number)).unwrap());
    exporter.wait_attempts(3);
    let begun = Instant::now();
    while begun.elapsed().is_zero() {}
    // So long, at least, the third attempt lasts.
    let lasted = begun.elapsed();
    answer.notify_one();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    (0..4).for_each(|number| intake.offer(chunk(number)).unwrap());
    assert!(pipeline.flush(PATIENCE).unwrap().complete);

    let lanes = pipeline.distributions();
    let lane = &lanes[0];
    assert_eq!((lanes.len(), lane.signal, lane.destination.as_str()), (1, Signal::Traces, "test"));
    assert_eq!(lane.attempts.count(), 3, "the one that panicked has no outcome");
    assert!(u128::from(lane.attempts.max()) >= lasted.as_nanos() && lane.attempts.min() > 0);
    assert!(lane.attempts.sum() <= start.elapsed().as_nanos(), "{:?}", lane.attempts);
    assert_eq!((lane.queued.count(), lane.items.count()), (2, 2));
    assert_eq!((lane.items.min(), lane.items.max()), (4, 10));
    assert_eq!((lane.bytes.min(), lane.bytes.max()), (32, 80));

    let mut page = Exposition::new();
    aqueduct_pipeline::write_distributions(&lanes, &mut page);
    let text = page.prometheus_text();
    let labels = "signal=\"traces\",destination=\"test\"";
    for line in [
        format!("aqueduct_export_duration_seconds_count{{{labels}}} 3"),
        format!("aqueduct_pipeline_queue_duration_seconds_count{{{labels}}} 2"),
        format!("aqueduct_pipeline_batch_items_bucket{{{labels},le=\"4\"}} 1"),
        format!("aqueduct_pipeline_batch_items_bucket{{{labels},le=\"16\"}} 2"),
        format!("aqueduct_pipeline_batch_bytes_sum{{{labels}}} 112"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}
