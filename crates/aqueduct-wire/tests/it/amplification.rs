//! What many results of one request cost: bounds that the docs of `split` and `group_by` promise, counted by the allocator.

use crate::operations::field;
use aqueduct_testkit::CountingAllocator;
use aqueduct_wire::{Chunk, Limits, Merged, Signal, group_by, group_by_at_most, split};

/// Log records without content, two bytes each.
const ITEMS: usize = 10_000;

/// Below this many bytes a stretch is copied.
const COPY_BELOW: usize = 16 << 10;

/// What a result takes besides the bytes that are copied into it: the list of pieces (32 bytes each, while it grows and once it
/// is complete), the stretches that it is made of, and the objects that count references.
const BESIDES: usize = 500;

const HEADERS: [usize; 5] = [100, 1 << 10, COPY_BELOW - 20, 16 << 10, 1 << 20];

/// A request with a resource of `header` bytes, whose fields lie side by side or around the items.
fn request(header: usize, around: bool) -> Chunk {
    let resource = field(1, &vec![0x78; header / 2 * 2]);
    let scope = field(2, &field(2, b"").repeat(ITEMS));
    let url = if around { field(3, b"schema") } else { Vec::new() };
    let bytes = field(1, &[resource, scope, url].concat());
    Chunk::validate(Signal::Logs, bytes.into(), &Limits::default()).expect("a valid request")
}

/// Whether the allocator counts, which the bounds depend on.
fn counted<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let (done, made) = CountingAllocator::count(work);
    (done, made.bytes as usize)
}

/// Takes all results, and keeps them; no single one may take more than `most`. The first one is given room for the memory that is
/// kept for the next ones, and for the one copy of headers that do not lie side by side, which grows while it is made.
fn take(mut results: impl Iterator<Item = Merged>, most: usize, what: &str) -> Vec<Merged> {
    let mut all = Vec::with_capacity(ITEMS);
    loop {
        let (next, bytes) = counted(|| results.next());
        let Some(next) = next else { return all };
        let most = if all.is_empty() { most + 4 * next.len() + BESIDES } else { most };
        assert!(bytes <= most, "{what}: {bytes} bytes for a result of {}, the most is {most}", next.len());
        all.push(next);
    }
}

/// Guards the bound for each result, in parts of one item: of a header that is shorter than 16 KiB a copy, of a longer one nothing,
/// wherever its fields lie.
#[test]
fn a_part_copies_short_headers_and_shares_long_ones() {
    assert!(counted(|| Vec::<u8>::with_capacity(10)).1 > 0, "the counter counts");
    for header in HEADERS {
        for around in [false, true] {
            let chunk = request(header, around);
            let copied = if header < COPY_BELOW { header } else { 0 };
            let parts = split(&chunk, 1, usize::MAX).unwrap().map(|part| part.expect("no limit of bytes"));
            let parts = take(parts, copied + BESIDES, &format!("{header} {around}"));
            assert_eq!(parts.len(), ITEMS);
            assert!(parts.iter().all(|part| part.len() > header && part.items() == 1));
        }
    }
}

/// Guards the same for groups, each item a key of its own, and what sorting them takes.
#[test]
fn a_group_copies_short_headers_and_shares_long_ones() {
    for header in HEADERS {
        for around in [false, true] {
            let chunk = request(header, around);
            let mut key = 0;
            let by_number = |_: &aqueduct_wire::Item<'_>| {
                key += 1;
                key
            };
            let (groups, sorting) = counted(|| group_by(&chunk, by_number).expect("valid"));
            // 32 bytes for each item and less than 100 for each key, in lists that grow by doubling.
            assert!(sorting <= 300 * ITEMS + 4 * header, "{header} {around}: {sorting}");
            let copied = if header < COPY_BELOW { header } else { 0 };
            let groups =
                take(groups.map(|(_, group)| group), copied + BESIDES, &format!("{header} {around}"));
            assert_eq!(groups.len(), ITEMS);
        }
    }
}

/// Guards against the multiplication that this is about: ten thousand results of a resource of a mebibyte, all kept, are 10 GB as
/// requests, and take ten megabytes.
#[test]
fn a_large_header_is_in_memory_once() {
    for around in [false, true] {
        let chunk = request(1 << 20, around);
        let parts = || split(&chunk, 1, usize::MAX).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
        let (parts, bytes) = counted(parts);
        assert_eq!(parts.len(), ITEMS);
        assert!(parts.iter().map(Merged::len).sum::<usize>() > ITEMS << 20);
        assert!(bytes <= BESIDES * ITEMS + (4 << 20), "{bytes}");
    }
}

/// Guards the bound where every level has a header that is just short enough to be copied: five of them.
#[test]
fn five_short_headers_are_the_most_that_is_copied() {
    let unknown = field(15, &vec![0; COPY_BELOW - 20]);
    let wrap = |number, inner: Vec<u8>| field(number, &[&unknown[..], &inner, b"\x78\x01"].concat());
    let data = wrap(5, field(1, b"").repeat(100));
    let request = [&unknown[..], &wrap(1, wrap(2, wrap(2, data)))].concat();
    let chunk = Chunk::validate(Signal::Metrics, request.into(), &Limits::default()).unwrap();
    let parts = split(&chunk, 1, usize::MAX).unwrap().map(|part| part.expect("no limit of bytes"));
    let parts = take(parts, 5 * COPY_BELOW + BESIDES, "five levels");
    assert_eq!(parts.len(), 100);
    assert!(parts.iter().all(|part| part.len() > 5 * (COPY_BELOW - 20)));
}

/// Guards the bound of groups: no more than were asked for and one, and no item is lost or in two of them.
#[test]
fn groups_can_be_bounded() {
    let chunk = request(100, true);
    for most in [0, 1, 7, ITEMS, usize::MAX] {
        let mut key = 0_usize;
        let groups = group_by_at_most(&chunk, most, |_| {
            key += 1;
            key % 100
        });
        let groups: Vec<_> = groups.unwrap().collect();
        assert_eq!(groups.len(), (most.min(99) + 1).min(100));
        assert_eq!(groups.iter().map(|(_, group)| group.items()).sum::<u64>(), ITEMS as u64);
        for (n, (key, group)) in groups.iter().enumerate() {
            assert_eq!(*key, (n < most).then_some((n + 1) % 100));
            assert!(key.is_none() || group.items() == ITEMS as u64 / 100);
        }
    }
}
