//! The fake clock moves only when told to.

use aqueduct_testkit::FakeClock;
use std::time::Duration;

/// Guards that time moves only by hand, for all clones alike.
#[test]
fn moves_only_when_advanced() {
    let clock = FakeClock::new();
    let other = clock.clone();
    let start = clock.now();
    assert_eq!(clock.now(), start);
    assert_eq!(other.advance(Duration::from_millis(1500)), start + Duration::from_millis(1500));
    assert_eq!(clock.elapsed(), Duration::from_millis(1500));
    clock.advance_to(start + Duration::from_secs(1));
    assert_eq!(clock.now(), start + Duration::from_millis(1500), "never backwards");
    clock.advance_to(start + Duration::from_secs(2));
    assert_eq!(other.elapsed(), Duration::from_secs(2));
}
