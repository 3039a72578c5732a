//! The pool of texts: one allocation for each, bounds that hold, and the SDK's own equality.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use aqueduct_opentelemetry::{AttributePool, AttributePoolConfig};
use aqueduct_testkit::{CountingAllocator, holds_in_a_child};
use opentelemetry::{Key, KeyValue, StringValue};

/// Guards what the pool gives: the same keys, values and attributes as without it, from the pool and beyond its bounds.
#[test]
fn attributes_are_what_they_would_be_without_it() {
    let tiny = AttributePool::new(AttributePoolConfig::default().with_max_entries(1));
    for pool in [AttributePool::default(), tiny] {
        for text in ["GET", "", "a", "a", "b", "schön"] {
            assert_eq!(pool.key(text), Key::from(text.to_owned()));
            assert_eq!(pool.value(text), StringValue::from(text.to_owned()));
            assert_eq!(pool.key_value(text, "b"), KeyValue::new(text.to_owned(), "b"));
        }
    }
}

/// Guards the promise: a text that is there is given without allocating, as key, value and both, and so are clones of it; common texts are there from the start.
#[test]
fn hits_allocate_nothing() {
    let pool = AttributePool::default();
    let _ = pool.key_value("tenant", "acme");
    for (key, value) in [("tenant", "acme"), ("http.request.method", "GET"), ("http.status_code", "404")] {
        let (_, allocations) = CountingAllocator::count(|| {
            let attribute = pool.key_value(key, value);
            (attribute.clone(), attribute, pool.key(key), pool.value(value))
        });
        assert_eq!(allocations.count, 0, "{key}");
    }
    let stats = pool.stats();
    assert_eq!((stats.hits, stats.misses, stats.refused), (12, 2, 0));
}

/// Guards texts that a program registers: no bound holds them off, and none is used up.
#[test]
fn registered_texts_are_there() {
    let pool = AttributePool::new(AttributePoolConfig::default().with_max_entries(0));
    pool.register(&["acme"]);
    let (_, allocations) = CountingAllocator::count(|| pool.value("acme"));
    assert_eq!((allocations.count, pool.stats().hits, pool.stats().entries), (0, 1, 0));
}

/// Guards each bound at its edge.
#[test]
fn bounds_are_exact() {
    let config = AttributePoolConfig::default();
    let refused = |config: AttributePoolConfig, texts: &[&str]| {
        let pool = AttributePool::new(config);
        texts.iter().for_each(|text| drop(pool.value(text)));
        (pool.stats().refused, pool.stats().entries, pool.stats().bytes)
    };
    let entry = AttributePool::ENTRY_BYTES;
    assert_eq!(refused(config.with_max_entries(2), &["a", "b", "c", "a"]), (1, 2, 2 * (entry + 1)));
    assert_eq!(refused(config.with_max_text_bytes(3), &["abc", "abcd"]), (1, 1, entry + 3));
    assert_eq!(refused(config.with_max_bytes(entry + 3), &["abcd", "abc", "x"]), (2, 1, entry + 3));
}

/// Guards the bounds and the counts while threads add the same texts and more than there is room for.
#[test]
fn threads_share_one_pool() {
    let pool = AttributePool::new(AttributePoolConfig::default().with_max_entries(100));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let pool = &pool;
            scope.spawn(move || {
                for at in 0..5_000 {
                    let text = format!("text {}", (at * 7 + thread) % 200);
                    assert_eq!(pool.value(&text).as_str(), text);
                }
            });
        }
    });
    let stats = pool.stats();
    assert_eq!((stats.entries, stats.misses), (100, 100));
    assert_eq!(stats.hits + stats.misses + stats.refused, 20_000);
}

/// Guards the bounds against two threads that both saw the last place free.
#[test]
fn the_last_place_is_given_once() {
    for _ in 0..500 {
        let pool = AttributePool::new(AttributePoolConfig::default().with_max_entries(1));
        let start = Barrier::new(2);
        std::thread::scope(|scope| {
            for text in ["one text", "another"] {
                let (pool, start) = (&pool, &start);
                scope.spawn(move || {
                    start.wait();
                    assert_eq!(pool.value(text).as_str(), text);
                });
            }
        });
        let stats = pool.stats();
        assert_eq!((stats.entries, stats.misses, stats.refused), (1, 1, 1));
    }
}

/// Guards a forked child against a lock that a thread of its parent had: it adds texts, finds what was there, registered ones included, and counts for itself.
#[cfg(unix)]
#[test]
fn a_forked_child_has_a_pool_of_its_own() {
    let pool = AttributePool::new(AttributePoolConfig::default().with_max_entries(2));
    pool.register(&["registered"]);
    let _ = pool.value("of the parent");
    assert!(holds_in_a_child(|| {
        let before = pool.stats();
        let texts = ["registered", "of the parent", "GET", "new", "one too many"];
        let same = texts.iter().all(|text| pool.value(text).as_str() == *text);
        let after = pool.stats();
        (before.hits, before.misses, before.entries) == (0, 0, 1)
            && same
            && (after.hits, after.misses, after.refused, after.entries) == (3, 1, 1, 2)
    }));
    assert_eq!((pool.stats().hits, pool.stats().misses, pool.stats().entries), (0, 1, 1));
    // The lock is held nearly all the time.
    for _ in 0..20 {
        let (pool, end) = (AttributePool::default(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..4_000 {
                    let _ = pool.value(&number.to_string());
                    if end.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
            assert!(holds_in_a_child(|| pool.value("of the child").as_str() == "of the child"));
            end.store(true, Ordering::Relaxed);
        });
    }
}
