//! `aqueduct-batch`: what a batcher adds to pushing into a vector.

use std::time::{Duration, Instant};

use aqueduct_batch::{BatchConfig, Batcher, Weight};
use bytes::Bytes;

use crate::Failure;
use crate::harness::{Declared, Run, Suite};

const PEER: &str = "Vec::push and a look at the clock's value";

/// Offer, seal, poll.
pub(super) const SUITE: Suite = Suite {
    name: "batch",
    about: "One `offer` of a buffer into a batch of 8192 items, 8 MiB or 200 ms, sealing included; the peer pushes into a \
            vector, adds up items and compares two instants, as one would write it in place.",
    rows: &[
        Declared::lower("offer, 1 item each", "ns/offer").against(PEER).bar("ratio<=2"),
        Declared::lower("offer, 512 items each", "ns/offer").against(PEER).bar("ratio<=2"),
        Declared::lower("poll before the deadline", "ns"),
    ],
    measure,
};

const ITEMS: u64 = 8192;
const BYTES: u64 = 8 << 20;
const AGE: Duration = Duration::from_millis(200);

fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    offer(run, "offer, 1 item each", 1)?;
    offer(run, "offer, 512 items each", 512)?;

    let now = Instant::now();
    let mut batcher = Batcher::<Bytes>::new(config());
    let one = batcher.offer(Bytes::from_static(b"x"), Weight { items: 1, bytes: 1 }, now);
    assert!(one.is_empty(), "one item fills no batch");
    run.alone("poll before the deadline", 1, || batcher.poll(now).is_some())
}

fn config() -> BatchConfig {
    BatchConfig::default().with_max_items(ITEMS).with_max_bytes(BYTES).with_max_age(AGE)
}

fn offer(run: &mut Run<'_>, name: &str, items: u64) -> Result<(), Failure> {
    let offers = run.effort().pick(10, 8192, 8192);
    let body = Bytes::from(vec![7; 64]);
    let weight = Weight { items, bytes: body.len() as u64 };
    let start = Instant::now();
    // The clock's value moves and the clock is not read: both sides would pay that alike.
    let at = |index: u64| start + Duration::from_nanos(100 * index);

    let mut batcher = Batcher::<Bytes>::new(config());
    let ours = || {
        let mut sealed = 0;
        for index in 0..offers {
            sealed += batcher.offer(body.clone(), weight, at(index)).count();
        }
        sealed
    };

    let (mut batch, mut held, mut bytes, mut opened) = (Vec::new(), 0, 0, start);
    let theirs = || {
        let mut sealed = 0;
        for index in 0..offers {
            let now = at(index);
            if batch.is_empty() {
                opened = now;
            }
            batch.push(body.clone());
            held += items;
            bytes += body.len() as u64;
            if held >= ITEMS || bytes >= BYTES || now.duration_since(opened) >= AGE {
                (held, bytes) = (0, 0);
                sealed += std::hint::black_box(std::mem::take(&mut batch)).len().min(1);
            }
        }
        sealed
    };
    run.compare(name, offers, ours, theirs)
}
