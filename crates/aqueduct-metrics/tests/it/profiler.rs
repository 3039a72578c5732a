//! Sections against times that are known.

use std::cell::Cell;
use std::time::{Duration, Instant};

use aqueduct_metrics::{Profile, Profiler};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

thread_local!(static NOW: Cell<Option<Instant>> = const { Cell::new(None) });

/// A clock that goes on by 1 ms at each look.
fn clock() -> Instant {
    let now = NOW.get().map_or_else(Instant::now, |now| now + ms(1));
    NOW.set(Some(now));
    now
}

/// Guards own and total times: those of all sections by themselves add up to the whole, and a section inside of itself counts once.
#[test]
fn own_times_add_up() {
    let (profiler, start) = (Profiler::new(), Instant::now());
    let at = |millis| start + ms(millis);
    profiler.start("a", at(0));
    profiler.start("b", at(10));
    profiler.start("a", at(20));
    profiler.stop(at(50));
    profiler.stop(at(60));
    profiler.start("b", at(70));
    profiler.stop(at(75));
    profiler.stop(at(100));
    profiler.stop(at(200)); // nothing is open
    let profile = profiler.profile();
    let [a, b] = ["a", "b"].map(|name| *profile.section(name).unwrap());
    assert_eq!((a.count, a.total, a.own, a.longest), (2, ms(100), ms(75), ms(100)));
    assert_eq!((b.count, b.total, b.own, b.longest), (2, ms(55), ms(25), ms(50)));
    assert_eq!(profile.sections().iter().map(|section| section.name).collect::<Vec<_>>(), ["a", "b"]);
    let mut twice = Profile::new();
    twice.merge(&profile);
    twice.merge(&profile);
    let a = twice.section("a").unwrap();
    assert_eq!((a.count, a.total, a.own, a.longest), (4, ms(200), ms(150), ms(100)));
}

/// Guards guards: they end in the order of their scopes, end what was left open inside, and do not end twice.
#[test]
fn guards_end_their_sections() {
    let profiler = Profiler::new();
    {
        let _outer = profiler.section("outer", clock); // 0
        {
            let _inner = profiler.section("inner", clock); // 1
            profiler.start("left open", clock()); // 2
        } // 3
        assert_eq!(profiler.depth(), 1);
    } // 4
    {
        let _ended = profiler.section("by hand", clock);
        profiler.stop(clock());
    }
    let profile = profiler.profile();
    let section = |name| profile.section(name).unwrap();
    assert_eq!((section("outer").total, section("outer").own), (ms(4), ms(2)));
    assert_eq!((section("inner").total, section("left open").total), (ms(2), ms(1)));
    assert_eq!((section("by hand").count, section("by hand").total), (1, ms(1)));
    assert_eq!(profiler.depth(), 0);
}

/// Guards the bounds: names beyond 256 are `other`, depth beyond 64 is part of the 64th, and a clock that goes back is zero.
#[test]
fn names_and_depth_are_bounded() {
    let (profiler, start) = (Profiler::new(), Instant::now());
    let names: Vec<&'static str> =
        (0..300).map(|name| &*Box::leak(format!("s{name}").into_boxed_str())).collect();
    for name in &names {
        profiler.start(name, start + ms(1));
        profiler.stop(start + ms(2));
    }
    let profile = profiler.profile();
    assert_eq!(profile.sections().len(), 256);
    assert_eq!(profile.section("other").unwrap().count, 45);

    let deep = Profiler::new();
    (0..100).for_each(|_| deep.start("deep", start));
    assert_eq!(deep.depth(), 100);
    (0..100).for_each(|turn| deep.stop(start + ms(turn)));
    let section = *deep.profile().section("deep").unwrap();
    assert_eq!((section.count, section.total, section.own), (64, ms(99), ms(99)));

    let back = Profiler::new();
    back.start("back", start + ms(5));
    back.stop(start);
    assert_eq!(back.profile().section("back").unwrap().total, ms(0));
}
