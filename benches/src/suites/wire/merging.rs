//! Merging requests: what it costs beside copying them, and how much it copies.
//!
//! A merger takes requests by value and lets go of those it has copied. So that only merging differs, the copy beside it takes requests by
//! value too: both sides clone each one and drop the clone, which is some 20 ns of counting references.

use aqueduct_pool::BufferPool;
use aqueduct_wire::{Chunk, Merged, Merger, Signal};
use bytes::Bytes;

use super::COPY;
use crate::harness::{Declared, Run, Samples};
use crate::{Failure, payload};

/// Large requests stay where they are, small ones are copied into slabs.
pub(super) const ROWS: [Declared; 6] = [
    Declared::lower("merge/64x64k, bytes copied", "bytes").bar("ours<=0"),
    Declared::lower("merge/64x64k", "ns/request").against(COPY),
    Declared::lower("merge/64x1k", "ns/request").against(COPY),
    Declared::lower("merge/64x1k, beyond memcpy", "ns/request").bar("ours<=10"),
    Declared::lower("merge 8192 spans, 1 a request", "ns/span").against(COPY).bar("ratio<=2"),
    Declared::lower("merge 8192 spans, 512 a request", "ns/span").against(COPY).bar("ratio<=1"),
];

const REQUESTS: usize = 64;
/// Spans that make about 64 KiB, and 1 KiB.
const LARGE: usize = 129;
const SMALL: usize = 2;

pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let mut large = Requests::new(REQUESTS, LARGE);
    run.record(ROWS[0].name, &Samples::one(large.copied() as f64))?;
    let (ours, peer) = large.both();
    run.compare(ROWS[1].name, REQUESTS as u64, ours, peer)?;

    let mut small = Requests::new(REQUESTS, SMALL);
    let (ours, peer) = small.both();
    run.compare(ROWS[2].name, REQUESTS as u64, ours, peer)?;
    let (ours, peer) = small.both();
    run.beyond(ROWS[3].name, REQUESTS as u64, ours, peer)?;

    for (row, spans) in [(&ROWS[4], 1), (&ROWS[5], 512)] {
        let items = run.effort().pick(2 * spans, 8192, 8192);
        let mut requests = Requests::new(items / spans, spans);
        let (ours, peer) = requests.both();
        run.compare(row.name, items as u64, ours, peer)?;
    }
    Ok(())
}

/// Distinct buffers, as they would come off a socket: merging one buffer again and again would measure the cache.
struct Requests {
    spans: u64,
    bodies: Vec<Bytes>,
    /// Where the peer copies them to.
    room: Vec<u8>,
    /// Where the merger takes its slabs from, as the pipeline has it.
    pool: BufferPool,
}

impl Requests {
    fn new(count: usize, spans: usize) -> Requests {
        let bodies: Vec<Bytes> =
            (0..count).map(|_| Bytes::copy_from_slice(&payload::traces(spans))).collect();
        let room = Vec::with_capacity(bodies.iter().map(Bytes::len).sum());
        Requests { spans: spans as u64, bodies, room, pool: BufferPool::default() }
    }

    /// Bytes of the result that do not lie in one of the requests.
    fn copied(&self) -> usize {
        let merged = merge(&self.bodies, self.spans, &self.pool);
        let lies_in_one =
            |piece: &&Bytes| self.bodies.iter().any(|body| body.as_ptr_range().contains(&piece.as_ptr()));
        merged.len() - merged.pieces().iter().filter(lies_in_one).map(Bytes::len).sum::<usize>()
    }

    /// Merging clones of them, and copying clones of them into one buffer that already has the room.
    fn both(&mut self) -> (impl FnMut() -> Merged, impl FnMut() -> Option<u8>) {
        let Requests { spans, bodies, room, pool } = self;
        let (spans, bodies, pool) = (*spans, &*bodies, &*pool);
        let copy = move || {
            room.clear();
            for body in bodies {
                let body = body.clone();
                room.extend_from_slice(&body);
            }
            room.last().copied()
        };
        (move || merge(bodies, spans, pool), copy)
    }
}

fn merge(bodies: &[Bytes], spans: u64, pool: &BufferPool) -> Merged {
    let mut merger = Merger::new(Signal::Traces).with_pool(pool.clone());
    for body in bodies {
        merger.push(Chunk::from_valid(Signal::Traces, spans, body.clone()));
    }
    merger.finish()
}
