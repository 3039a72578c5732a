//! `HashMap` and `Capped`, in one thread.

use std::collections::HashMap as Twin;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use aqueduct_lockfree::HashMap;
use aqueduct_lockfree::map::{Admitted, Capped, Computed, Full, Guard, KeyedState, Operation};
use proptest::prelude::*;

use crate::census::{Census, Counted};

/// Drops what is due: two epochs, and whatever other tests' threads hold up.
pub(crate) fn collect_until(done: impl Fn() -> bool) {
    for _ in 0..1_000_000 {
        if done() {
            return;
        }
        Guard::pin().flush();
        std::thread::yield_now();
    }
    panic!("the garbage was not collected");
}

/// A hasher that gives everybody the same hash, or the key itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bad<const MASK: u64>(u64);

impl<const MASK: u64> Hasher for Bad<MASK> {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0 << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn finish(&self) -> u64 {
        self.0 & MASK
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64, u64),
    GetOrInsert(u64, u64),
    Update(u64),
    Compute(u64, u8),
    Remove(u64),
    Get(u64),
    Retain(u64),
    Clear,
    Shrink,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..200_u64;
    let step = prop_oneof![
        6 => (key.clone(), any::<u64>()).prop_map(|(key, value)| Step::Insert(key, value)),
        2 => (key.clone(), any::<u64>()).prop_map(|(key, value)| Step::GetOrInsert(key, value)),
        1 => key.clone().prop_map(Step::Update),
        2 => (key.clone(), 0..3_u8).prop_map(|(key, what)| Step::Compute(key, what)),
        4 => key.clone().prop_map(Step::Remove),
        2 => key.prop_map(Step::Get),
        1 => (2..6_u64).prop_map(Step::Retain),
        1 => Just(Step::Shrink),
    ];
    let step = prop_oneof![60 => step, 1 => Just(Step::Clear)];
    prop::collection::vec(step, 0..400)
}

/// Does the same to both, and compares all that comes back.
fn same_as_twin<S: BuildHasher>(map: &HashMap<u64, u64, S>, steps: &[Step]) {
    let mut twin = Twin::new();
    let mut guard = Guard::pin();
    for step in steps {
        match *step {
            Step::Insert(key, value) => {
                assert_eq!(map.insert(key, value, &guard).copied(), twin.insert(key, value));
            }
            Step::GetOrInsert(key, value) => {
                assert_eq!(
                    map.get_or_insert_with(key, || value, &guard),
                    twin.entry(key).or_insert_with(|| value)
                );
            }
            Step::Update(key) => {
                let new = twin.get_mut(&key).map(|value| {
                    *value = value.wrapping_mul(3);
                    *value
                });
                assert_eq!(map.update(&key, |value| value.wrapping_mul(3), &guard).copied(), new);
            }
            Step::Compute(key, what) => {
                let old = twin.get(&key).copied();
                let done = map.compute(
                    key,
                    |value| {
                        assert_eq!(value.copied(), old);
                        match what {
                            0 => Operation::Insert(value.map_or(1, |value| value.wrapping_add(1))),
                            1 => Operation::Remove,
                            _ => Operation::Keep,
                        }
                    },
                    &guard,
                );
                match (what, old) {
                    (0, None) => assert_eq!(done, Computed::Inserted(&1)),
                    (0, Some(old)) => {
                        assert_eq!(done, Computed::Updated { new: &old.wrapping_add(1), old: &old });
                    }
                    (1, Some(old)) => assert_eq!(done, Computed::Removed(&old)),
                    (_, old) => assert_eq!(done, Computed::Kept(old.as_ref())),
                }
                match done.current() {
                    Some(value) => twin.insert(key, *value),
                    None => twin.remove(&key),
                };
            }
            Step::Remove(key) => assert_eq!(map.remove(&key, &guard).copied(), twin.remove(&key)),
            Step::Get(key) => {
                assert_eq!(map.get(&key, &guard), twin.get(&key));
                assert_eq!(map.get_key_value(&key, &guard), twin.get_key_value(&key));
                assert_eq!(map.get_cloned(&key), twin.get(&key).copied());
                assert_eq!(map.contains_key(&key), twin.contains_key(&key));
            }
            Step::Retain(modulus) => {
                map.retain(|key, _| key % modulus != 0);
                twin.retain(|key, _| key % modulus != 0);
            }
            Step::Clear => {
                map.clear();
                twin.clear();
            }
            Step::Shrink => map.shrink_to_fit(),
        }
        assert_eq!(map.len(), twin.len());
        assert!(map.capacity() >= map.len());
        guard.refresh();
    }
    let mut entries: Vec<_> = map.iter(&guard).map(|(key, value)| (*key, *value)).collect();
    let mut expected: Vec<_> = twin.into_iter().collect();
    entries.sort_unstable();
    expected.sort_unstable();
    assert_eq!(entries, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    /// Guards every operation's result against the standard library's map.
    #[test]
    fn behaves_like_the_standard_map(steps in steps()) {
        same_as_twin(&HashMap::new(), &steps);
    }

    /// Guards the walk past full buckets, its counts and their saturation: one bucket for all, and the same tag for all.
    #[test]
    fn collisions_are_slow_but_right(steps in steps()) {
        same_as_twin(&HashMap::with_hasher(BuildHasherDefault::<Bad<0>>::default()), &steps);
        same_as_twin(&HashMap::with_hasher(BuildHasherDefault::<Bad<1>>::default()), &steps);
        same_as_twin(&HashMap::with_hasher(BuildHasherDefault::<Bad<{ u64::MAX }>>::default()), &steps);
    }
}

/// Guards the overflow count past its 255, where it no longer knows and must stay.
#[test]
fn a_saturated_overflow_loses_nobody() {
    let map = HashMap::with_hasher(BuildHasherDefault::<Bad<0>>::default());
    let pinned = map.pin();
    for key in 0..600_u64 {
        assert_eq!(pinned.insert(key, key), None);
    }
    for key in 0..590 {
        assert_eq!(pinned.remove(&key), Some(&key));
        assert_eq!(pinned.get(&595), Some(&595));
    }
    assert_eq!(map.len(), 10);
    assert_eq!(pinned.iter().count(), 10);
}

/// Guards against the naive map's fixed array of buckets, whose chains grew without end.
#[test]
fn fixed_buckets() {
    let map = HashMap::new();
    let mut pinned = map.pin();
    for key in 0..50_000_u64 {
        assert_eq!(pinned.insert(key, !key), None);
        if key % 1000 == 0 {
            pinned.refresh();
        }
    }
    assert_eq!(map.len(), 50_000);
    assert!((50_000..200_000).contains(&map.capacity()), "{}", map.capacity());
    assert!((0..50_000).all(|key| pinned.get(&key) == Some(&!key)));
    map.retain(|key, _| key % 100 == 0);
    assert_eq!(map.len(), 500);
    map.shrink_to_fit();
    assert!(map.capacity() < 5000, "{}", map.capacity());
    assert!((0..50_000).all(|key| pinned.contains_key(&key) == (key % 100 == 0)));
    assert!(HashMap::<u64, u64>::with_capacity(1000).capacity() >= 1000);
}

/// Guards against the naive map's memory: what is replaced, removed and cleared must be dropped, and not only with the map.
#[test]
fn never_frees() {
    let census = Arc::new(Census::default());
    let map = HashMap::new();
    for round in 0..3 {
        for key in 0..1000_u64 {
            map.pin().insert(key, Counted::new(&census));
        }
        collect_until(|| census.alive() == 1000);
        assert_eq!(map.len(), 1000, "round {round}");
    }
    (0..500).for_each(|key| assert!(map.pin().remove(&key).is_some()));
    collect_until(|| census.alive() == 500);
    map.clear();
    collect_until(|| census.alive() == 0);
    map.pin().insert(1, Counted::new(&census));
    drop(map);
    assert_eq!(census.alive(), 0);
}

/// Guards that what was read stays readable while the guard lives, whatever becomes of the entry and of the table.
#[test]
fn values_outlive_their_removal() {
    let map = HashMap::new();
    let guard = Guard::pin();
    let old = [map.insert("a", "one".to_owned(), &guard), map.insert("a", "two".to_owned(), &guard)];
    let two = map.get("a", &guard);
    let removed = map.remove("a", &guard);
    for _ in 0..10_000 {
        map.pin().insert("b", "noise".to_owned());
    }
    map.clear();
    assert_eq!((old[1].map(String::as_str), two, removed), (Some("one"), removed, two));
    assert_eq!(two.map(String::as_str), Some("two"));
    assert_eq!(map.get("b", &guard), None);
}

/// Guards that destructors that panic neither leak the others nor stop the collector.
#[test]
fn a_panicking_destructor_does_not_keep_the_others() {
    let census = Arc::new(Census::default());
    let fill = |map: &HashMap<u64, Counted>| {
        for key in 0..300 {
            let value = if key % 50 == 7 { Counted::panicking(&census) } else { Counted::new(&census) };
            map.pin().insert(key, value);
        }
    };
    let map = HashMap::new();
    fill(&map);
    (0..100).for_each(|key| assert!(map.pin().remove(&key).is_some()));
    map.clear();
    collect_until(|| census.alive() == 0);
    fill(&map);
    catch_unwind(AssertUnwindSafe(|| drop(map))).expect_err("the panic is passed on");
    assert_eq!(census.alive(), 0);
}

/// Guards that users' code that panics leaves the map as it was, and its locks usable.
#[test]
fn panics_of_users_code_change_nothing() {
    #[derive(Debug)]
    struct Touchy(u8);
    impl Hash for Touchy {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }
    impl PartialEq for Touchy {
        fn eq(&self, other: &Touchy) -> bool {
            assert!(self.0 < 100 && other.0 < 100, "not comparable");
            self.0 == other.0
        }
    }
    impl Eq for Touchy {}

    let map = HashMap::with_hasher(BuildHasherDefault::<Bad<0>>::default());
    let quietly = |run: &dyn Fn()| catch_unwind(AssertUnwindSafe(run)).expect_err("it panics");
    map.pin().insert(Touchy(1), 1);
    quietly(&|| assert!(map.pin().insert(Touchy(100), 2).is_some()));
    quietly(&|| assert!(map.pin().remove(&Touchy(101)).is_some()));
    quietly(&|| assert!(map.pin().compute(Touchy(1), |_| panic!("undecided")).current().is_some()));
    quietly(&|| assert_eq!(map.pin().get_or_insert_with(Touchy(2), || panic!("no value")), &0));
    map.pin().insert(Touchy(3), 3);
    assert_eq!((map.len(), map.get_cloned(&Touchy(1)), map.get_cloned(&Touchy(3))), (2, Some(1), Some(3)));
}

/// Guards keys and values of odd shapes.
#[test]
fn odd_entries() {
    #[derive(Clone, Debug, PartialEq)]
    #[repr(align(4096))]
    struct Aligned(u8);

    let unit = HashMap::new();
    assert_eq!(unit.pin().insert((), ()), None);
    assert_eq!(unit.pin().insert((), ()), Some(&()));
    assert_eq!(unit.len(), 1);

    let aligned: HashMap<u8, Aligned> = (0..100).map(|n| (n, Aligned(n))).collect();
    assert!((0..100).all(|n| aligned.get_cloned(&n) == Some(Aligned(n))));

    let large = HashMap::new();
    for n in 0..4_u8 {
        large.pin().insert(n, vec![n; 1 << 20].into_boxed_slice());
    }
    assert_eq!(large.get_with(&3, |bytes| bytes[1 << 19]), Some(3));

    let text: HashMap<String, u8> = [("a".to_owned(), 1)].into_iter().collect();
    assert_eq!(text.get_cloned("a"), Some(1));
    assert_eq!(format!("{text:?} {:?}", text.pin()), r#"{"a": 1} {"a": 1}"#);
}

/// Guards that hashes differ between maps, and spread over shards, tags and buckets for the keys that programs use.
#[test]
fn hashes_are_keyed_and_spread() {
    let (one, other) = (KeyedState::default(), KeyedState::default());
    assert_ne!(one.hash_one(1), other.hash_one(1));
    assert_eq!(one.hash_one(1), one.clone().hash_one(1));
    for stride in [1, 2, 8, 64, 1 << 12, 1 << 20, 1 << 32, 1 << 48] {
        let hashes: Vec<_> = (0..4096_u64).map(|n| one.hash_one(n.wrapping_mul(stride))).collect();
        for (shift, bits) in [(57, 7), (50, 7), (0, 7), (0, 10)] {
            let mut counts = vec![0_u64; 1 << bits];
            hashes.iter().for_each(|hash| counts[(hash >> shift) as usize & ((1 << bits) - 1)] += 1);
            let mean = 4096.0 / counts.len() as f64;
            let chi: f64 = counts.iter().map(|count| (*count as f64 - mean).powi(2) / mean).sum();
            // Its mean is the number of cells; twice that is many standard deviations off.
            assert!(chi < 2.0 * counts.len() as f64, "stride {stride}, shift {shift}: {chi}");
        }
    }
}

/// Guards the limit, the overflow, the counts, and that removal makes room.
#[test]
fn the_cap_holds() {
    let map = Capped::new(3, 0);
    let guard = Guard::pin();
    for key in 0..3 {
        assert_eq!(map.insert(key, key + 10, &guard), Ok(None));
    }
    assert!(map.is_full());
    assert_eq!(map.insert(3, 13, &guard), Err(Full { key: 3, value: 13 }));
    assert_eq!(map.insert(2, 22, &guard), Ok(Some(&12)));
    assert_eq!(
        map.get_or_insert_with(4, || unreachable!("there is no room"), &guard),
        Admitted::Overflow(&0)
    );
    assert_eq!(map.get_or_insert_with(1, || unreachable!("it is there"), &guard), Admitted::Own(&11));
    assert_eq!(map.compute(5, |_| Operation::Insert(15), &guard), Err(Full { key: 5, value: 15 }));
    assert_eq!((map.len(), map.limit(), map.overflowed()), (3, 3, 3));
    assert_eq!(map.remove(&0, &guard), Some(&10));
    assert_eq!(map.get_or_insert_with(4, || 14, &guard), Admitted::Own(&14));
    map.retain(|key, _| *key == 4);
    assert_eq!(map.iter(&guard).collect::<Vec<_>>(), [(&4, &14)]);
    map.clear();
    assert!(map.is_empty() && !map.is_full());
    assert_eq!(map.insert(9, 9, &guard), Ok(None));
    let none: Capped<u8, u8> = Capped::new(0, 7);
    assert_eq!(none.get_or_insert_with(1, || 1, &guard).value(), &7);
    assert_eq!(Full { key: 1, value: 2 }.to_string(), "the map has as many entries as it may");
}
