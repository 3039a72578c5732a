//! Watermarks: edges, not levels.

use std::sync::Barrier;
use std::thread;

use aqueduct_batch::{ConfigError, Edge, QueueMonitor, Watermarks};

/// Guards the trap by its name: a queue that is full all the time says so once, and one that hovers between the marks says nothing.
#[test]
fn a_warning_per_enqueue() {
    let monitor = QueueMonitor::new(1000);
    let edges: Vec<_> = (0..10_000).filter_map(|len| monitor.observe(len)).collect();
    assert_eq!(edges, [Edge::High]);
    assert!((0..10_000).all(|n| monitor.observe(601 + n % 399).is_none()));
    assert_eq!(monitor.observe(600), Some(Edge::Low));
    assert!((0..10_000).all(|n| monitor.observe(n % 800).is_none()));
    assert_eq!((monitor.peak(), monitor.capacity()), (9_999, 1000));
}

/// Guards the ends of the ranges: no capacity, one item, more than fits into a product of 64 bits.
#[test]
fn extreme_capacities_are_capacities() {
    let none = QueueMonitor::new(0);
    assert_eq!((none.observe(0), none.utilisation(), none.is_empty()), (None, 0.0, true));

    let one = QueueMonitor::new(1);
    assert_eq!((one.observe(0), one.observe(1), one.observe(0)), (None, Some(Edge::High), Some(Edge::Low)));

    let huge = QueueMonitor::new(u64::MAX);
    assert_eq!(huge.observe(u64::MAX / 100 * 79), None);
    assert_eq!(huge.observe(u64::MAX / 100 * 81), Some(Edge::High));
    assert!(huge.is_high());

    let tight = QueueMonitor::with_watermarks(10, Watermarks { high: 100, low: 99 }).unwrap();
    assert_eq!(
        (tight.observe(9), tight.observe(10), tight.observe(9)),
        (None, Some(Edge::High), Some(Edge::Low))
    );
}

/// Guards the check of watermarks that a person wrote.
#[test]
fn watermarks_that_cannot_be_meant_are_refused() {
    for (high, low) in [(101, 60), (60, 60), (60, 80), (0, 0)] {
        let error = QueueMonitor::with_watermarks(10, Watermarks { high, low }).unwrap_err();
        assert_eq!(error, ConfigError::Watermarks { high, low });
        assert!(error.to_string().contains("at most 100"), "{error}");
    }
}

/// Guards that each crossing is told exactly once, whoever comes first.
#[test]
fn threads_share_the_edges() {
    const THREADS: usize = 4;
    let monitor = QueueMonitor::new(100);
    let start = Barrier::new(THREADS);
    let told = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (monitor, start) = (&monitor, &start);
                scope.spawn(move || {
                    start.wait();
                    let mut seen = [0_i64; 2];
                    for n in 0..500_000 {
                        match monitor.observe(if (n + thread) % 2 == 0 { 100 } else { 0 }) {
                            Some(Edge::High) => seen[0] += 1,
                            Some(Edge::Low) => seen[1] += 1,
                            None => {}
                        }
                    }
                    seen
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .fold([0, 0], |sum, seen| [sum[0] + seen[0], sum[1] + seen[1]])
    });
    assert_eq!(told[0] - told[1], i64::from(monitor.is_high()), "edges alternate: {told:?}");
    assert!(told[0] > 1);
}
