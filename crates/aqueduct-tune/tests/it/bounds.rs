//! Bounds and parameters.

use std::time::Duration;

use aqueduct_tune::{Algorithm, Bounds, Knob, Parameters, Value};

/// Guards bounds that make no sense.
#[test]
#[expect(clippy::reversed_empty_ranges, reason = "that is what is tested")]
fn senseless_bounds_are_put_right() {
    let mut bounds = Bounds::default();
    bounds.batch_items = 100..=10;
    bounds.in_flight = 0..=0;
    bounds.batch_delay = Duration::from_secs(2)..=Duration::from_secs(1);
    bounds.compression = vec![Algorithm::Gzip, Algorithm::None, Algorithm::Gzip];
    bounds.sampling_rate = Some(f64::NAN..=-1.0);
    let right = bounds.sanitised();
    assert_eq!(right.batch_items, 10..=100);
    assert_eq!(right.in_flight, 1..=1);
    assert_eq!(right.batch_delay, Duration::from_secs(1)..=Duration::from_secs(2));
    assert_eq!(right.compression, [Algorithm::None, Algorithm::Gzip]);
    assert_eq!(right.sampling_rate, Some(1e-6..=1.0));
    bounds.compression.clear();
    assert_eq!(bounds.sanitised().compression, [Algorithm::None], "nothing allowed is no compression");
}

/// Guards clamping, each knob by its own bounds.
#[test]
fn parameters_are_brought_within() {
    let mut parameters = Parameters::default();
    parameters.batch_items = Some(1);
    parameters.batch_bytes = Some(u64::MAX);
    parameters.batch_delay = Some(Duration::ZERO);
    parameters.min_in_flight = Some(99);
    parameters.max_in_flight = Some(9);
    parameters.connections = Some(1_000);
    parameters.queue_bytes = Some(0);
    parameters.compression = Some(Algorithm::Zstd);
    parameters.compression_level = Some(22);
    parameters.worker_threads = Some(0);
    parameters.sampling_rate = Some(0.5);
    let bounds = Bounds::default();
    assert!(!bounds.contains(&parameters));
    let inside = bounds.clamp(&parameters);
    assert!(bounds.contains(&inside));
    assert_eq!((inside.batch_items, inside.batch_bytes), (Some(16), Some(16 << 20)));
    assert_eq!((inside.batch_delay, inside.queue_bytes), (Some(Duration::from_millis(1)), Some(1 << 20)));
    assert_eq!(
        (inside.min_in_flight, inside.max_in_flight),
        (Some(9), Some(9)),
        "the low end follows the high one"
    );
    assert_eq!((inside.connections, inside.worker_threads), (Some(16), Some(1)));
    assert_eq!((inside.compression, inside.compression_level), (Some(Algorithm::None), Some(9)));
    assert_eq!(inside.sampling_rate, Some(0.5), "forbidden means untouched");
}

/// Guards the table of knobs against a setting that can be read and not written.
#[test]
fn every_knob_can_be_read_and_written() {
    let values = [
        Value::Count(1),
        Value::Bytes(2),
        Value::Time(Duration::from_secs(3)),
        Value::Count(4),
        Value::Count(5),
        Value::Count(6),
        Value::Bytes(7),
        Value::Algorithm(Algorithm::Gzip),
        Value::Level(8),
        Value::Count(9),
        Value::Share(0.1),
    ];
    let mut parameters = Parameters::default();
    for (index, (knob, value)) in Knob::ALL.into_iter().zip(values).enumerate() {
        assert_eq!(knob.index(), index);
        assert_eq!(parameters.get(knob), None, "{knob}");
        assert!(parameters.set(knob, value), "{knob}");
        assert_eq!(parameters.get(knob), Some(value), "{knob}");
        let only = parameters.only(knob);
        assert!(Knob::ALL.into_iter().all(|other| only.get(other).is_some() == (other == knob)));
    }
    assert!(Knob::ALL.into_iter().zip(values).all(|(knob, value)| parameters.get(knob) == Some(value)));
    assert!(!parameters.set(Knob::BatchDelay, Value::Count(1)), "a delay is no count");
    assert_eq!(parameters.batch_delay, Some(Duration::from_secs(3)));
}
