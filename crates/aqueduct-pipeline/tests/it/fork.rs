//! What a forked child makes of the pipeline that it inherits.
#![cfg(unix)]

use std::sync::Arc;

use aqueduct_pipeline::{BuildError, LaneConfig, Pipeline, Refused, WaitError, Worker};
use aqueduct_testkit::holds_in_a_child;
use aqueduct_wire::Signal;

use crate::scripted::{PATIENCE, Scripted, batches_of, chunk, destination, numbers, pipeline};

/// Guards the child: nothing hangs, everything says why, dropping abandons, and a pipeline built there works. And the parent: what it holds
/// is delivered once, by itself.
#[test]
fn a_child_abandons_the_pipeline_and_builds_anew() {
    let exporter = Scripted::default();
    let mut inherited = Some(pipeline(&exporter, 1_000));
    let intake = inherited.as_ref().unwrap().intake();
    intake.offer(chunk(1)).unwrap();
    let mut way_in = Some(intake);
    assert!(holds_in_a_child(|| {
        let (pipeline, intake) = (inherited.take().unwrap(), way_in.take().unwrap());
        let refused = intake.offer(chunk(2)) == Err(Refused::Forked) && intake.pressure().is_none();
        let flushed = pipeline.flush(PATIENCE).err() == Some(WaitError::Forked);
        let shut = pipeline.shutdown(PATIENCE).err() == Some(WaitError::Forked);
        let empty = pipeline.status().is_empty();
        drop((pipeline, intake));
        let exporter = Scripted::default();
        let anew = self::pipeline(&exporter, 1_000);
        anew.intake().offer(chunk(3)).unwrap();
        let complete = anew.shutdown(PATIENCE).unwrap().complete;
        refused && flushed && shut && empty && complete && numbers(&exporter.log()) == [3]
    }));
    assert!(inherited.unwrap().shutdown(PATIENCE).unwrap().complete);
    assert_eq!(numbers(&exporter.log()), [1], "the parent delivers what it took, and nobody else does");
}

/// Guards a child that drops an inherited worker right after the pipeline on it, where there is no thread to join, and one that builds on it, where
/// nothing would ever be sent.
#[test]
fn a_child_does_not_wait_for_the_worker() {
    let worker = Arc::new(Worker::start("shared").unwrap());
    let exporter = Scripted::default();
    let built = Pipeline::builder(Signal::Traces)
        .config(batches_of(10))
        .destination(destination("test", &exporter), LaneConfig::default())
        .worker(Arc::clone(&worker))
        .build()
        .unwrap();
    let mut both = Some((built, worker));
    assert!(holds_in_a_child(|| {
        let (built, worker) = both.take().unwrap();
        let exporter = Scripted::default();
        let anew = Pipeline::builder(Signal::Traces)
            .destination(destination("test", &exporter), LaneConfig::default())
            .worker(Arc::clone(&worker))
            .build();
        drop((built, worker));
        matches!(anew, Err(BuildError::Forked))
    }));
    assert!(both.unwrap().0.shutdown(PATIENCE).unwrap().complete);
}
