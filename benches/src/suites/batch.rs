//! `aqueduct-batch`: what a batcher adds to pushing into a vector, and a processor to a channel with a thread behind it.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use aqueduct_batch::{Batch, BatchConfig, BatchProcessor, Batcher, Weight};
use bytes::Bytes;

use crate::Failure;
use crate::harness::{Declared, Run, Suite};

const PEER: &str = "Vec::push and a look at the clock's value";
const CHANNEL: &str = "std::sync::mpsc::sync_channel";

/// Offer, seal, poll; add and flush.
pub(super) const SUITE: Suite = Suite {
    name: "batch",
    about: "One `offer` of a buffer into a batch of 8192 items, 8 MiB or 200 ms, sealing included; the peer pushes into a \
            vector, adds up items and compares two instants, as one would write it in place. `processor: add` is one thread that adds to a \
            processor with room for all, which counts bytes, reads the clock and hands batches to its thread; the peer is `try_send` into a channel with \
            room for all, emptied item by item by a thread. `flush` adds an item and waits until it is handled; the peer sends one and \
            waits for an answer.",
    rows: &[
        Declared::lower("offer, 1 item each", "ns/offer").against(PEER).bar("ratio<=2"),
        Declared::lower("offer, 512 items each", "ns/offer").against(PEER).bar("ratio<=2"),
        Declared::lower("poll before the deadline", "ns"),
        Declared::lower("processor: add", "ns/item").against(CHANNEL),
        Declared::lower("processor: add and flush, round trip", "ns").against(CHANNEL),
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
    run.alone("poll before the deadline", 1, || batcher.poll(now).is_some())?;

    add(run)?;
    flush(run)
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

/// Only the adding is timed: the thread behind it has the other core, if there is one.
fn add(run: &mut Run<'_>) -> Result<(), Failure> {
    let items: u64 = run.effort().pick(100, 65_536, 65_536);
    let rounds = run.effort().pick(2, 31, 101);
    let body = Bytes::from(vec![7; 64]);
    let weight = Weight { items: 1, bytes: body.len() as u64 };
    let per_item = |begun: Instant| begun.elapsed().as_nanos() as f64 / items as f64;

    let ours = || {
        let processor = BatchProcessor::builder(|batch: Batch<Bytes>| {
            std::hint::black_box(batch.into_items());
            Ok(())
        })
        .with_batch(config())
        .with_queue_items(items.max(ITEMS))
        .start()?;
        let begun = Instant::now();
        for _ in 0..items {
            processor.add(body.clone(), weight)?;
        }
        let time = per_item(begun);
        let report = processor.shutdown(Duration::from_secs(60))?;
        assert_eq!(report.stats.handled.items, items, "every item was handled");
        Ok(time)
    };
    let theirs = || {
        let (sender, receiver) = mpsc::sync_channel::<Bytes>(items as usize);
        let drain = thread::spawn(move || receiver.iter().map(std::hint::black_box).count() as u64);
        let begun = Instant::now();
        for _ in 0..items {
            sender.try_send(body.clone())?;
        }
        let time = per_item(begun);
        drop(sender);
        assert_eq!(drain.join().expect("it only counts"), items, "every item was received");
        Ok(time)
    };
    run.alternate("processor: add", rounds, ours, theirs)
}

fn flush(run: &mut Run<'_>) -> Result<(), Failure> {
    let handler = |batch: Batch<u64>| {
        std::hint::black_box(batch.into_items());
        Ok(())
    };
    let processor = BatchProcessor::builder(handler).with_batch(config()).start()?;
    let (sender, receiver) = mpsc::sync_channel::<u64>(1);
    let (answer, answers) = mpsc::sync_channel::<u64>(1);
    let echo = thread::spawn(move || receiver.iter().all(|item| answer.send(item).is_ok()));

    let ours = || {
        processor.add(7, Weight { items: 1, bytes: 8 }).expect("an empty queue has room");
        processor.flush(Duration::from_secs(60)).expect("this is not the handler").complete
    };
    let theirs = || {
        sender.send(7).expect("the other thread listens");
        answers.recv()
    };
    run.compare("processor: add and flush, round trip", 1, ours, theirs)?;
    drop(sender);
    echo.join().expect("it only answers");
    Ok(())
}
