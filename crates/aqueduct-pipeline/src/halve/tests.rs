//! What is learnt about sizes, and the parts that are made.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

use super::*;
use aqueduct_testkit::Generator;
use aqueduct_wire::filter;
use proptest::prelude::*;

/// Sends requests of `wanted` bytes or, if that is less, of the limit to a destination that takes `most`. How many were refused.
fn send(sizes: &mut Sizes, requests: usize, wanted: usize, most: usize) -> usize {
    let mut refused = 0;
    for _ in 0..requests {
        let bytes = wanted.min(sizes.limit());
        if bytes > most {
            refused += 1;
            sizes.refused(bytes, false);
        } else {
            sizes.delivered(bytes);
        }
    }
    refused
}

/// Guards the search: few refusals until requests pass, then hardly any, and the limit is not far from the truth.
#[test]
fn the_limit_is_found_and_kept() {
    for most in [1_000, 4_000_000, 7_999_999] {
        let mut sizes = Sizes::default();
        assert!(send(&mut sizes, 1_000, 8_000_000, most) <= 17 + 2);
        assert!(sizes.limit() <= most + most / 4 + 1 && sizes.limit() > most / 2, "{sizes:?}");
        let refused = send(&mut sizes, 100_000, 8_000_000, most);
        assert!(refused <= 15, "{refused}");
    }
}

/// Guards destinations that change: one that takes more is noticed after a while, one that takes less at once.
#[test]
fn changes_are_noticed() {
    let mut sizes = Sizes::default();
    send(&mut sizes, 1_000, 1_000_000, 10_000);
    send(&mut sizes, 20_000, 1_000_000, usize::MAX);
    assert!(sizes.limit() >= 1_000_000, "{sizes:?}");
    assert!(send(&mut sizes, 100, 1_000_000, 10_000) < 15);
    assert!(sizes.limit() <= 12_501, "{sizes:?}");
}

/// Guards a limit that was kept for long, and so is seldom tried: once it gives way, the next steps are quick.
#[test]
fn a_long_known_limit_is_forgotten_too() {
    let mut sizes = Sizes::default();
    send(&mut sizes, 300_000, 1_000_000, 10_000);
    assert_eq!(sizes.patience, SELDOM);
    send(&mut sizes, 50_000, 1_000_000, usize::MAX);
    assert!(sizes.limit() >= 1_000_000, "{sizes:?}");
}

/// Guards what is certain: an answer that comes late, to a larger request than the limit allows by now, lifts it. It is doubled from there, but not
/// to what was refused.
#[test]
fn what_was_delivered_is_within_the_limit() {
    let mut sizes = Sizes::default();
    sizes.refused(1_000_000, false);
    sizes.refused(800_000, true);
    sizes.delivered(500_000);
    assert_eq!(sizes.limit(), 500_000);
    let mut sizes = Sizes::default();
    sizes.refused(1_000_000, false);
    sizes.refused(100_000, true);
    sizes.delivered(40_000);
    assert_eq!(sizes.limit(), half_of(100_000));
    // An item refused alone may be why.
    sizes.alone_refused();
    sizes.delivered(40_000);
    assert_eq!(sizes.limit(), 2 * half_of(100_000));
}

/// Guards everybody else's requests from one whose content is refused whatever its size: sizes that pass are not given up for it, even if it comes
/// again and again.
#[test]
fn one_bad_request_does_not_make_all_of_them_small() {
    let mut sizes = Sizes::default();
    for _ in 0..100 {
        sizes.delivered(1_000_000);
        let mut bytes = 900_000;
        sizes.refused(bytes, false);
        while bytes > 100 {
            bytes = half_of(bytes);
            sizes.refused(bytes, true);
            sizes.delivered(bytes);
        }
    }
    assert_eq!(sizes.limit(), usize::MAX);
    // Without a delivery of such a size in between it is not about one request.
    sizes.refused(900_000, false);
    sizes.refused(800_000, false);
    assert_eq!(sizes.limit(), half_of(800_000));
}

/// Guards the end of halving: every step makes less of it.
#[test]
fn half_is_less() {
    assert_eq!(half_of(0), 0);
    assert_eq!(half_of(16), 9);
    for bytes in [1, 2, 3, 15, 16, 17, 1_000, usize::MAX] {
        assert!(half_of(bytes) < bytes);
    }
}

fn batch(signal: Signal, chunks: &[Chunk], copy_below: usize) -> Merged {
    let mut merger = Merger::new(signal).with_copy_below(copy_below);
    chunks.iter().for_each(|chunk| merger.push(chunk.clone()));
    merger.finish()
}

/// The encoded items, in order.
fn items_of(batch: &Merged) -> Vec<Vec<u8>> {
    let mut items = Vec::new();
    filter(&Chunk::from(batch.clone()), |item| {
        items.push(item.bytes().to_vec());
        true
    })
    .unwrap();
    items
}

fn parts(mut rest: Rest) -> Vec<Merged> {
    let part = |made| match made {
        Made::Part(part) => part,
        Made::Hopeless(items) => panic!("nobody said that {items} items are hopeless"),
    };
    std::iter::from_fn(|| rest.next_part(usize::MAX)).map(part).collect()
}

proptest! {
    /// Guards the parts: in order and together they are the batch, whatever pieces it lies in; those of several items obey the limit; and no two neighbours
    /// would fit into one, which keeps their number low.
    #[test]
    fn parts_are_the_batch(
        seed in any::<u64>(),
        signal in prop::sample::select(Signal::ALL.to_vec()),
        items in prop::collection::vec(1..30_usize, 1..8),
        limit in 0..20_000_usize,
        by_reference in any::<bool>(),
    ) {
        let mut generator = Generator::new(seed);
        let chunks: Vec<Chunk> = items.iter().map(|items| generator.chunk(signal, *items)).collect();
        let whole = batch(signal, &chunks, if by_reference { 0 } else { usize::MAX });
        let made = parts(Rest::of(&whole, limit).unwrap());
        prop_assert_eq!(made.iter().map(Merged::items).sum::<u64>(), whole.items());
        prop_assert!(made.iter().all(|part| part.len() <= limit || part.items() == 1));
        let full = made.windows(2).filter(|pair| pair[0].len() + pair[1].len() > limit).count();
        prop_assert!(2 * full + 1 >= made.len() - 1, "{:?}", made.iter().map(Merged::len).collect::<Vec<_>>());
        // A part of a part, whose pieces are no records any more.
        for part in made.iter().filter(|part| part.items() > 1) {
            let again = parts(Rest::of(part, half_of(part.len())).unwrap());
            prop_assert!(again.len() > 1);
            prop_assert_eq!(again.iter().map(Merged::items).sum::<u64>(), part.items());
        }
        prop_assert!(made.iter().flat_map(items_of).eq(items_of(&whole)), "other items, or another order");
    }
}

/// Guards chunks that somebody vouched for wrongly: they are not divided, and nothing panics.
#[test]
fn what_cannot_be_read_is_not_divided() {
    let broken = Chunk::from_valid(Signal::Traces, 3, vec![0; 100].into());
    assert!(Rest::of(&Merged::from_chunk(broken), 50).is_err());
}
