//! What moves through the pipeline: bytes together with the receipts they settle.

use aqueduct_metrics::Receipt;
use aqueduct_pool::BufferPool;
use aqueduct_wire::{Chunk, Merged, Merger};

/// One receipt per lane. Almost every pipeline has one lane, which then costs no allocation.
#[derive(Debug)]
pub(crate) enum Receipts {
    One(Receipt),
    Many(Vec<Receipt>),
}

impl Receipts {
    /// Merges lane by lane. Both sides come from the same pipeline, so the lanes correspond.
    fn absorb(&mut self, other: Receipts) {
        match (self, other) {
            (Receipts::One(mine), Receipts::One(theirs)) => absorb(mine, theirs),
            (Receipts::Many(mine), Receipts::Many(theirs)) => {
                for (mine, theirs) in mine.iter_mut().zip(theirs) {
                    absorb(mine, theirs);
                }
            }
            // A pipeline makes one kind only. Receipts dropped here would be counted as leaked, so nothing is silent.
            (Receipts::One(_), Receipts::Many(_)) | (Receipts::Many(_), Receipts::One(_)) => {}
        }
    }

    pub(crate) fn into_vec(self) -> Vec<Receipt> {
        match self {
            Receipts::One(receipt) => vec![receipt],
            Receipts::Many(receipts) => receipts,
        }
    }
}

fn absorb(mine: &mut Receipt, theirs: Receipt) {
    // A receipt of another ledger is handed back; dropping it counts it as leaked, which tests treat as a failure.
    let _ = mine.absorb(theirs);
}

/// A validated chunk and its receipts.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) chunk: Chunk,
    pub(crate) receipts: Receipts,
}

/// The batch that is being filled: pieces of bytes and the sum of the receipts.
#[derive(Debug)]
pub(crate) struct OpenBatch {
    content: Option<Content>,
    slabs: BufferPool,
}

#[derive(Debug)]
struct Content {
    merger: Merger,
    receipts: Receipts,
    /// What the budget was charged: the sum of the chunks' lengths.
    charged: u64,
}

impl Extend<Parcel> for OpenBatch {
    fn extend<I: IntoIterator<Item = Parcel>>(&mut self, parcels: I) {
        for parcel in parcels {
            let charged = parcel.chunk.len() as u64;
            match &mut self.content {
                Some(content) => {
                    content.merger.push(parcel.chunk);
                    content.receipts.absorb(parcel.receipts);
                    content.charged += charged;
                }
                None => {
                    let mut merger = Merger::new(parcel.chunk.signal()).with_pool(self.slabs.clone());
                    merger.push(parcel.chunk);
                    self.content = Some(Content { merger, receipts: parcel.receipts, charged });
                }
            }
        }
    }
}

impl OpenBatch {
    /// An empty batch that copies small chunks into buffers of this pool.
    pub(crate) fn new(slabs: BufferPool) -> OpenBatch {
        OpenBatch { content: None, slabs }
    }

    /// Ends the batch; `None` when nothing was ever put in.
    pub(crate) fn close(self) -> Option<ClosedBatch> {
        let Content { merger, receipts, charged } = self.content?;
        Some(ClosedBatch { merged: merger.finish(), receipts: receipts.into_vec(), charged })
    }
}

/// A sealed batch before it is handed to the lanes: shared bytes, one receipt per lane in lane order.
#[derive(Debug)]
pub(crate) struct ClosedBatch {
    pub(crate) merged: Merged,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) charged: u64,
}
