//! `HashMap` beside scc, dashmap and papaya, all with our hasher.
//!
//! Threads are counted in CPU time: a figure is what a core does in a second of its own, so that 2 and 8 threads on 2 cores can be
//! compared, and what else runs on the machine matters less. Lock waiters that sleep cost nothing in it, so the peers that have locks
//! are not at a disadvantage.

use std::hash::{BuildHasher, Hash};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use aqueduct_lockfree::HashMap;
use aqueduct_lockfree::map::{Guard, KeyedState, Pinned};
use dashmap::DashMap;

use super::threads::{Barrier, cpu_time};
use crate::Failure;
use crate::harness::{Declared, Run, Samples, median};
use crate::process::Usage;

const RATE: &str = "M ops/CPU s";
const INDEX: &str = "scc::HashIndex";
const SCC: &str = "scc::HashMap";

pub(super) const ROWS: &[Declared] = &[
    Declared::lower("map/memory/u64", "B/entry").against("dashmap"),
    Declared::higher("map/read99/2t", RATE).against(INDEX).bar("ratio>=1.3"),
    Declared::higher("map/read99/8t", RATE).against(INDEX).bar("ratio>=1.3"),
    Declared::higher("map/read99/8t over 2t", RATE).against("ourselves at 2t").bar("ratio>=0.9"),
    Declared::higher("map/read99 papaya/2t", RATE).against("papaya"),
    Declared::higher("map/read99 dashmap/2t", RATE).against("dashmap"),
    Declared::higher("map/read99 string/2t", RATE).against(INDEX),
    Declared::higher("map/read99 pinned/2t", RATE).against("scc::HashIndex, one guard for 64"),
    Declared::higher("map/read99 without lookup/2t", RATE).against(INDEX),
    Declared::higher("map/read/2t", RATE).against(INDEX),
    Declared::higher("map/read dashmap/2t", RATE).against("dashmap"),
    Declared::higher("map/mixed/1t", RATE).against(SCC).bar("ratio>=0.5"),
    Declared::higher("map/mixed/2t", RATE).against(SCC).bar("ratio>=0.5"),
    Declared::higher("map/mixed dashmap/2t", RATE).against("dashmap"),
    Declared::higher("map/mixed papaya/2t", RATE).against("papaya"),
    Declared::higher("map/insert/1t", RATE).against(SCC).bar("ratio>=0.5"),
    Declared::higher("map/insert/2t", RATE).against(SCC).bar("ratio>=0.5"),
    Declared::higher("map/insert dashmap/2t", RATE).against("dashmap"),
    Declared::higher("map/insert papaya/2t", RATE).against("papaya"),
];

/// What is asked of a map.
trait Table<K>: Default + Sync {
    fn get(&self, key: &K) -> Option<u64>;
    /// Puts a value in, over the old one.
    fn put(&self, key: K, value: u64);
    fn remove(&self, key: &K);
}

trait Key: Hash + Eq + Clone + Send + Sync + 'static {
    fn new(number: u64) -> Self;
}

impl Key for u64 {
    fn new(number: u64) -> u64 {
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl Key for String {
    fn new(number: u64) -> String {
        format!("service.instance/{number}")
    }
}

impl<K: Key> Table<K> for HashMap<K, u64> {
    fn get(&self, key: &K) -> Option<u64> {
        self.get_with(key, |value| *value)
    }

    fn put(&self, key: K, value: u64) {
        self.pin().insert(key, value);
    }

    fn remove(&self, key: &K) {
        self.pin().remove(key);
    }
}

impl<K: Key> Table<K> for scc::HashIndex<K, u64, KeyedState> {
    fn get(&self, key: &K) -> Option<u64> {
        self.peek_with(key, |_, value| *value)
    }

    fn put(&self, key: K, value: u64) {
        match self.entry_sync(key) {
            scc::hash_index::Entry::Occupied(mut entry) => entry.update(value),
            scc::hash_index::Entry::Vacant(entry) => drop(entry.insert_entry(value)),
        }
    }

    fn remove(&self, key: &K) {
        self.remove_sync(key);
    }
}

impl<K: Key> Table<K> for scc::HashMap<K, u64, KeyedState> {
    fn get(&self, key: &K) -> Option<u64> {
        self.read_sync(key, |_, value| *value)
    }

    fn put(&self, key: K, value: u64) {
        self.upsert_sync(key, value);
    }

    fn remove(&self, key: &K) {
        self.remove_sync(key);
    }
}

impl<K: Key> Table<K> for DashMap<K, u64, KeyedState> {
    fn get(&self, key: &K) -> Option<u64> {
        DashMap::get(self, key).map(|value| *value)
    }

    fn put(&self, key: K, value: u64) {
        self.insert(key, value);
    }

    fn remove(&self, key: &K) {
        DashMap::remove(self, key);
    }
}

impl<K: Key> Table<K> for papaya::HashMap<K, u64, KeyedState> {
    fn get(&self, key: &K) -> Option<u64> {
        self.pin().get(key).copied()
    }

    fn put(&self, key: K, value: u64) {
        self.pin().insert(key, value);
    }

    fn remove(&self, key: &K) {
        self.pin().remove(key);
    }
}

/// Random enough, and a nanosecond: xorshift.
struct Random(u64);

impl Random {
    fn new(seed: usize) -> Random {
        Random((seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// How many keys the read-mostly tables have.
const KEYS: u64 = 2000;

/// Millions of operations in a second of CPU time.
fn rate(threads: usize, operations: u64, work: impl Fn(usize) + Sync) -> f64 {
    let barrier = Barrier::new(threads);
    let spent = AtomicU64::new(0);
    thread::scope(|scope| {
        for thread in 0..threads {
            let (barrier, spent, work) = (&barrier, &spent, &work);
            scope.spawn(move || {
                barrier.wait();
                let start = cpu_time();
                work(thread);
                spent.fetch_add((cpu_time() - start).as_nanos() as u64, Ordering::Relaxed);
            });
        }
    });
    (operations * threads as u64) as f64 * 1e3 / spent.into_inner() as f64
}

fn filled<K: Key, T: Table<K>>() -> (T, Vec<K>) {
    let table = T::default();
    let keys: Vec<K> = (0..KEYS).map(K::new).collect();
    keys.iter().for_each(|key| table.put(key.clone(), 1));
    (table, keys)
}

/// One operation in `writes` of 1,024 replaces a value, the others read one.
fn read_mostly<K: Key, T: Table<K>>(threads: usize, operations: u64, writes: u64) -> f64 {
    let (table, keys) = filled::<K, T>();
    rate(threads, operations, |thread| {
        let (mut random, mut sum) = (Random::new(thread), 0);
        for _ in 0..operations {
            let drawn = random.next();
            let key = &keys[(((drawn >> 32) * KEYS) >> 32) as usize];
            if drawn & 1023 < writes {
                table.put(key.clone(), drawn);
            } else {
                // Not every table has the key at every moment: HashIndex replaces by removing and inserting.
                sum ^= table.get(key).unwrap_or_default();
            }
        }
        black_box(sum);
    })
}

/// The same with a guard for 64 operations.
fn read_pinned(threads: usize, operations: u64) -> f64 {
    let (map, keys) = filled::<u64, HashMap<u64, u64>>();
    rate(threads, operations, |thread| {
        let (mut random, mut sum) = (Random::new(thread), 0);
        let mut pinned = map.pin();
        for _ in 0..operations / 64 {
            pinned.refresh();
            for _ in 0..64 {
                let drawn = random.next();
                let key = keys[(((drawn >> 32) * KEYS) >> 32) as usize];
                if drawn & 1023 < 10 {
                    pinned.insert(key, drawn);
                } else {
                    sum ^= pinned.get(&key).copied().unwrap_or_default();
                }
            }
        }
        black_box(sum);
    })
}

fn read_pinned_scc(threads: usize, operations: u64) -> f64 {
    let (map, keys) = filled::<u64, scc::HashIndex<u64, u64, KeyedState>>();
    rate(threads, operations, |thread| {
        let (mut random, mut sum) = (Random::new(thread), 0);
        for _ in 0..operations / 64 {
            let guard = scc::Guard::new();
            for _ in 0..64 {
                let drawn = random.next();
                let key = keys[(((drawn >> 32) * KEYS) >> 32) as usize];
                if drawn & 1023 < 10 {
                    map.put(key, drawn);
                } else {
                    sum ^= map.peek(&key, &guard).copied().unwrap_or_default();
                }
            }
        }
        black_box(sum);
    })
}

/// The loop of [`read_mostly`] with nothing in it but hashing and pinning: no map that is read under such a guard is quicker.
fn without_lookup(threads: usize, operations: u64) -> f64 {
    let (keys, hasher): (Vec<u64>, _) = ((0..KEYS).map(Key::new).collect(), KeyedState::default());
    rate(threads, operations, |thread| {
        let (mut random, mut sum) = (Random::new(thread), 0);
        for _ in 0..operations {
            let drawn = random.next();
            sum ^= hasher.hash_one(keys[(((drawn >> 32) * KEYS) >> 32) as usize]);
            black_box(&Guard::pin());
        }
        black_box(sum);
    })
}

/// Half insertions, half removals, of random ones of 100,000 keys.
fn mixed<T: Table<u64>>(threads: usize, operations: u64) -> f64 {
    let table = T::default();
    (0..50_000).for_each(|number| table.put(u64::new(2 * number), 1));
    rate(threads, operations, |thread| {
        let mut random = Random::new(thread);
        for _ in 0..operations {
            let drawn = random.next();
            let key = u64::new(((drawn >> 32) * 100_000) >> 32);
            if drawn & 1 == 0 { table.put(key, drawn) } else { table.remove(&key) }
        }
    })
}

/// New keys into a map that begins empty.
fn insert<T: Table<u64>>(threads: usize, operations: u64) -> f64 {
    let table = T::default();
    rate(threads, operations, |thread| {
        for number in 0..operations {
            table.put(u64::new(number * threads as u64 + thread as u64), number);
        }
    })
}

/// Resident bytes an entry of a map of numbers.
fn memory<T: Table<u64>>(entries: u64) -> Result<(T, f64), Failure> {
    let resident = || Usage::of(std::process::id()).map(|usage| usage.rss as f64);
    let before = resident()?;
    let table = T::default();
    (0..entries).for_each(|number| table.put(u64::new(number), number));
    Guard::pin().flush();
    Ok((table, (resident()? - before).max(0.0) / entries as f64))
}

type Scc = scc::HashMap<u64, u64, KeyedState>;
type Index<K> = scc::HashIndex<K, u64, KeyedState>;
type Dash = DashMap<u64, u64, KeyedState>;
type Papaya = papaya::HashMap<u64, u64, KeyedState>;
type Ours<K> = HashMap<K, u64>;
type Measurement = fn(usize, u64) -> f64;

pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    if run.wants("map/memory/u64") {
        let entries = run.effort().pick(1_000, 1_000_000, 3_000_000);
        // Both stay until both are measured: freed memory would be taken again and not be seen.
        let (ours, theirs) = (memory::<Ours<u64>>(entries)?, memory::<Dash>(entries)?);
        run.record("map/memory/u64", &Samples { ours: vec![ours.1], peer: vec![theirs.1] })?;
    }
    let reads = run.effort().pick(640, 200_000, 1_000_000);
    let writes = run.effort().pick(200, 100_000, 300_000);
    let rounds = run.effort().pick(1, 5, 15);

    let mut two = Samples::default();
    let mut eight = Samples::default();
    if run.wants_group("map/read99/") {
        for _ in 0..rounds {
            two.ours.push(read_mostly::<u64, Ours<u64>>(2, reads, 10));
            two.peer.push(read_mostly::<u64, Index<u64>>(2, reads, 10));
            eight.ours.push(read_mostly::<u64, Ours<u64>>(8, reads, 10));
            eight.peer.push(read_mostly::<u64, Index<u64>>(8, reads, 10));
        }
        run.record("map/read99/2t", &two)?;
        run.record("map/read99/8t", &eight)?;
        let itself = Samples { ours: eight.ours, peer: vec![median(&two.ours)] };
        run.record("map/read99/8t over 2t", &itself)?;
    }
    let pairs: [(&str, u64, usize, Measurement, Measurement); 15] = [
        (
            "map/read99 papaya/2t",
            reads,
            2,
            |t, n| read_mostly::<u64, Ours<u64>>(t, n, 10),
            |t, n| read_mostly::<u64, Papaya>(t, n, 10),
        ),
        (
            "map/read99 dashmap/2t",
            reads,
            2,
            |t, n| read_mostly::<u64, Ours<u64>>(t, n, 10),
            |t, n| read_mostly::<u64, Dash>(t, n, 10),
        ),
        (
            "map/read99 string/2t",
            reads,
            2,
            |t, n| read_mostly::<String, Ours<String>>(t, n, 10),
            |t, n| read_mostly::<String, Index<String>>(t, n, 10),
        ),
        ("map/read99 pinned/2t", reads, 2, read_pinned, read_pinned_scc),
        ("map/read99 without lookup/2t", reads, 2, without_lookup, |t, n| {
            read_mostly::<u64, Index<u64>>(t, n, 10)
        }),
        (
            "map/read/2t",
            reads,
            2,
            |t, n| read_mostly::<u64, Ours<u64>>(t, n, 0),
            |t, n| read_mostly::<u64, Index<u64>>(t, n, 0),
        ),
        (
            "map/read dashmap/2t",
            reads,
            2,
            |t, n| read_mostly::<u64, Ours<u64>>(t, n, 0),
            |t, n| read_mostly::<u64, Dash>(t, n, 0),
        ),
        ("map/mixed/1t", writes, 1, mixed::<Ours<u64>>, mixed::<Scc>),
        ("map/mixed/2t", writes, 2, mixed::<Ours<u64>>, mixed::<Scc>),
        ("map/mixed dashmap/2t", writes, 2, mixed::<Ours<u64>>, mixed::<Dash>),
        ("map/mixed papaya/2t", writes, 2, mixed::<Ours<u64>>, mixed::<Papaya>),
        ("map/insert/1t", writes, 1, insert::<Ours<u64>>, insert::<Scc>),
        ("map/insert/2t", writes, 2, insert::<Ours<u64>>, insert::<Scc>),
        ("map/insert dashmap/2t", writes, 2, insert::<Ours<u64>>, insert::<Dash>),
        ("map/insert papaya/2t", writes, 2, insert::<Ours<u64>>, insert::<Papaya>),
    ];
    for (name, operations, threads, ours, peer) in pairs {
        run.alternate(name, rounds, || Ok(ours(threads, operations)), || Ok(peer(threads, operations)))?;
    }
    Ok(())
}

/// One lookup that finds its key, pinning included.
pub fn get(map: &HashMap<u64, u64>, key: u64) -> u64 {
    map.get_with(black_box(&key), |value| *value).unwrap_or_default()
}

/// One lookup that finds its key, by a thread that is pinned.
pub fn get_pinned(map: &Pinned<'_, u64, u64>, key: u64) -> u64 {
    map.get(black_box(&key)).copied().unwrap_or_default()
}

/// One value put in the place of another.
pub fn replace(map: &HashMap<u64, u64>, key: u64, value: u64) {
    map.pin().insert(black_box(key), value);
}
