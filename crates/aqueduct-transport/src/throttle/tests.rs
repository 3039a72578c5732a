//! Tests of the throttle.

use super::*;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Sends whatever may be sent each millisecond, to a server that takes what `takes` says; how many were sent, and taken, in each second.
fn seconds(
    throttle: &mut Throttle,
    start: Instant,
    count: usize,
    mut takes: impl FnMut(u64) -> bool,
) -> Vec<(u64, u64)> {
    let mut seconds = vec![(0, 0); count];
    let mut attempts = 0;
    for at in 0..count as u64 * 1000 {
        let now = start + MS(at);
        if throttle.wait(now).is_some() {
            continue;
        }
        throttle.sent(now);
        attempts += 1;
        let second = &mut seconds[at as usize / 1000];
        second.0 += 1;
        if takes(attempts) {
            second.1 += 1;
            throttle.taken(now);
        } else {
            throttle.refused(now);
        }
    }
    seconds
}

/// Guards those whose destination works: nothing is held back, ever.
#[test]
fn without_refusals_there_is_no_rate() {
    let start = Instant::now();
    let mut throttle = Throttle::new(start);
    assert_eq!(seconds(&mut throttle, start, 3, |_| true), [(1000, 1000); 3]);
    assert_eq!(throttle.rate(), None);
}

/// Guards against refusals that slow down a client for long: one alone changes nothing, and two hold it to what it had, for a second.
#[test]
fn few_refusals_are_soon_forgotten() {
    let start = Instant::now();
    let mut throttle = Throttle::new(start);
    // Ten a second, of which one is refused.
    for request in 0..100 {
        let now = start + MS(100 * request);
        assert_eq!(throttle.wait(now), None, "request {request}");
        throttle.sent(now);
        if [20, 50, 55].contains(&request) {
            throttle.refused(now);
            assert_eq!(throttle.rate().is_some_and(|rate| rate > 9.0), request == 55, "{throttle:?}");
        } else {
            throttle.taken(now);
        }
    }
    assert_eq!(throttle.rate(), None);
}

/// Guards the share: at a server that takes twenty a second, little more is sent, and most of what there is is used.
#[test]
fn a_capacity_is_found() {
    let start = Instant::now();
    let mut throttle = Throttle::new(start);
    let mut saved = 0.0_f64;
    let mut last = 0;
    let mut counts = vec![(0_u64, 0_u64); 60];
    for at in 0..60_000_u64 {
        let now = start + MS(at);
        if throttle.wait(now).is_some() {
            continue;
        }
        throttle.sent(now);
        saved = (saved + (at - last) as f64 * 0.02).min(2.0);
        last = at;
        let count = &mut counts[at as usize / 1000];
        count.0 += 1;
        if saved >= 1.0 {
            saved -= 1.0;
            count.1 += 1;
            throttle.taken(now);
        } else {
            throttle.refused(now);
        }
    }
    let (sent, taken) = counts[10..].iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    assert!(taken >= 850 && sent * 10 <= taken * 12, "{sent} sent, {taken} taken in 50 s");
}

/// Guards what a higher capacity means: fifty requests in a row without a refusal, and the rate doubles each second.
#[test]
fn spare_capacity_is_noticed() {
    let start = Instant::now();
    let mut throttle = Throttle::new(start);
    // At first one in three is taken.
    let slow = seconds(&mut throttle, start, 20, |attempt| attempt % 3 == 0);
    assert!(slow[19].0 <= 2, "{slow:?}");
    let fast = seconds(&mut throttle, start + MS(20_000), 60, |_| true);
    assert!(fast[59].0 >= 500, "{fast:?}");
}

/// Guards the return of a server: two requests a second at first, twice as many every half second, and no limit once nothing waits.
#[test]
fn a_return_is_met_slowly() {
    let start = Instant::now();
    let mut throttle = Throttle::new(start);
    throttle.returned(start);
    let met = seconds(&mut throttle, start, 5, |_| true);
    assert!((2..=4).contains(&met[0].1) && (9..=14).contains(&met[1].1) && met[4].1 >= 500, "{met:?}");
    // An idle second.
    assert_eq!(throttle.wait(start + MS(10_000)), None);
    assert_eq!(throttle.rate(), None);
}

/// Guards against a rate of nothing: a server that refuses everything is asked once a second.
#[test]
fn the_rate_has_a_floor() {
    let start = Instant::now();
    let mut throttle = Throttle::new(start);
    let asked = seconds(&mut throttle, start, 30, |_| false);
    assert!(asked[2..].iter().all(|(sent, _)| *sent == 1), "{asked:?}");
    assert_eq!(throttle.rate(), Some(LEAST));
}
