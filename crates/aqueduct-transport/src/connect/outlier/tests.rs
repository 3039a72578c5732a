//! Ejection and return, with a clock that is a number.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn address(number: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1 + number as u8], 4317))
}

fn addresses(count: usize) -> Vec<SocketAddr> {
    (0..count).map(address).collect()
}

/// What to connect to, and until when.
#[derive(Debug, PartialEq)]
struct Plan {
    addresses: Vec<SocketAddr>,
    renew_at: Option<Instant>,
}

fn plan(outliers: &mut Outliers, of: &[SocketAddr], turn: usize, now: Instant) -> Plan {
    Plan { addresses: outliers.plan(of, turn, now), renew_at: outliers.renew_at(now) }
}

fn outliers() -> Outliers {
    let (base, longest) = (Duration::from_secs(30), Duration::from_secs(300));
    Outliers::new(Ejection { after: Some(5), base, longest })
}

fn fail(outliers: &mut Outliers, number: usize, times: usize, now: Instant) {
    (0..times).for_each(|_| outliers.failed(address(number), now));
}

/// Guards the whole circle: five failures in a row eject, the time brings back on trial, the trial decides, and the
/// time grows with each ejection in a row.
#[test]
fn ejected_tried_and_admitted() {
    let (mut outliers, mut now) = (outliers(), Instant::now());
    let all = addresses(2);
    assert_eq!(plan(&mut outliers, &all, 0, now), Plan { addresses: all.clone(), renew_at: None });
    fail(&mut outliers, 0, 4, now);
    outliers.succeeded(all[0], now);
    fail(&mut outliers, 0, 4, now);
    assert!(!outliers.is_ejected(all[0], now), "not in a row");
    fail(&mut outliers, 0, 1, now);
    for times in [1, 2, 3] {
        let until = now + Duration::from_secs(30) * times;
        let expected = Plan { addresses: vec![all[1]], renew_at: Some(until) };
        assert_eq!(plan(&mut outliers, &all, 0, until - Duration::from_nanos(1)), expected, "{times}");
        now = until;
        assert_eq!(outliers.plan(&all, 1, now), all, "on trial, so first although it is not its turn");
        assert_eq!(outliers.plan(&all, 1, now), [all[1], all[0]], "one connection is enough");
        fail(&mut outliers, 0, 1, now);
    }
    now += Duration::from_secs(300);
    assert!(!outliers.is_untroubled());
    outliers.succeeded(all[0], now);
    assert!(outliers.is_untroubled());
    fail(&mut outliers, 0, 4, now);
    assert!(!outliers.is_ejected(all[0], now), "admitted again, so it takes five");
}

/// Guards the longest ejection, and that good conduct is remembered.
#[test]
fn ejections_end_and_are_forgiven() {
    let (mut outliers, mut now) = (outliers(), Instant::now());
    let all = addresses(2);
    outliers.plan(&all, 0, now);
    fail(&mut outliers, 0, 5, now);
    for _ in 0..20 {
        now = outliers.renew_at(now).expect("one is ejected");
        fail(&mut outliers, 0, 1, now);
    }
    let until = outliers.renew_at(now).expect("one is ejected");
    assert_eq!(until - now, Duration::from_secs(300));
    now = until;
    outliers.succeeded(all[0], now);
    now += Duration::from_secs(300);
    fail(&mut outliers, 0, 5, now);
    assert_eq!(outliers.renew_at(now), Some(now + Duration::from_secs(30)));
}

/// Guards against having nobody left: a single address is never ejected, and when all others fail, all come back.
#[test]
fn somebody_is_always_left() {
    let (mut outliers, now) = (outliers(), Instant::now());
    outliers.plan(&addresses(1), 0, now);
    fail(&mut outliers, 0, 100, now);
    assert!(!outliers.is_ejected(address(0), now));

    let all = addresses(3);
    outliers.plan(&all, 0, now);
    fail(&mut outliers, 1, 5, now);
    fail(&mut outliers, 2, 5, now);
    assert_eq!(outliers.plan(&all, 0, now).len(), 2, "more than half stay");
    // The name's address goes away that was not ejected.
    assert_eq!(outliers.plan(&[address(1)], 0, now), [address(1)]);

    outliers.plan(&all, 0, now);
    fail(&mut outliers, 0, 5, now);
    assert_eq!(outliers.plan(&all, 0, now).len(), 2);
    outliers.all_failed(now);
    assert_eq!(outliers.plan(&all, 0, now).len(), 3);
}

/// Guards the option to eject nobody.
#[test]
fn ejection_can_be_switched_off() {
    let now = Instant::now();
    let mut outliers = Outliers::new(Ejection { after: None, ..outliers().ejection });
    outliers.plan(&addresses(4), 0, now);
    fail(&mut outliers, 0, 100, now);
    assert!(!outliers.is_ejected(address(0), now) && outliers.is_untroubled());
}

/// Guards the order of RFC 8305: families by turns, the resolver's first one first; and the spread over addresses.
#[test]
fn families_by_turns() {
    let v6 = |n: u16| SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, n], 4317));
    let (a, b, c) = (address(0), address(1), address(2));
    assert_eq!(interleave(&[v6(1), v6(2), a, b, c], 0), [v6(1), a, v6(2), b, c]);
    assert_eq!(interleave(&[a, b, v6(1)], 0), [a, v6(1), b]);
    assert_eq!(interleave(&[a, a, b], 1), [b, a]);
    assert_eq!(interleave(&[], 3), []);
    for turn in 0..6 {
        assert_eq!(interleave(&[a, b, c], turn)[0], [a, b, c][turn % 3]);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Fail(usize),
    Succeed(usize),
    Lookup(Vec<usize>),
    AllFailed,
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..6_usize).prop_map(Step::Fail),
        2 => (0..6_usize).prop_map(Step::Succeed),
        2 => prop::collection::vec(0..6_usize, 1..6).prop_map(Step::Lookup),
        1 => Just(Step::AllFailed),
        3 => (0..200_u64).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 0..150)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards, for any history: at most half are ejected; nobody without a failure; nobody for longer than the longest
    /// time; a plan holds each address that is not ejected, once.
    #[test]
    fn any_history(steps in steps()) {
        let (mut outliers, mut now) = (outliers(), Instant::now());
        let mut known = addresses(4);
        let mut ejected_since: HashMap<SocketAddr, Instant> = HashMap::new();
        let mut last_failure: HashMap<SocketAddr, Instant> = HashMap::new();
        outliers.plan(&known, 0, now);
        for (turn, step) in steps.into_iter().enumerate() {
            match step {
                Step::Fail(number) => {
                    last_failure.insert(address(number), now);
                    outliers.failed(address(number), now);
                }
                Step::Succeed(number) => outliers.succeeded(address(number), now),
                Step::Lookup(numbers) => known = numbers.into_iter().map(address).collect(),
                Step::AllFailed => outliers.all_failed(now),
                Step::Pass(seconds) => now += Duration::from_secs(seconds),
            }
            let mut distinct = known.clone();
            distinct.sort();
            distinct.dedup();
            let plan = plan(&mut outliers, &known, turn, now);
            let mut planned = plan.addresses.clone();
            planned.sort();
            planned.dedup();
            prop_assert_eq!(planned.len(), plan.addresses.len(), "each once");
            let ejected: Vec<_> =
                distinct.iter().copied().filter(|address| !planned.contains(address)).collect();
            prop_assert!(ejected.len() <= distinct.len() / 2);
            prop_assert_eq!(plan.renew_at.is_some(), !ejected.is_empty());
            ejected_since.retain(|address, _| ejected.contains(address));
            for address in ejected {
                let since = *ejected_since.entry(address).or_insert(now);
                let failed = last_failure.get(&address).expect("ejected without a failure");
                // It may have been ejected anew within one step.
                prop_assert!(now - since.max(*failed) < Duration::from_secs(300));
            }
        }
    }
}
