//! What can be refused.

use std::fmt;

/// A buffer did not fit below the cap of its pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CapReached {
    /// The capacity in bytes that the buffer would have had.
    pub asked: usize,
    /// The cap of the pool, in bytes.
    pub max_bytes: usize,
}

impl CapReached {
    /// Whether the same request may succeed once buffers have come back: false if it is larger than the cap itself.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.asked <= self.max_bytes
    }
}

impl fmt::Display for CapReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a buffer of {} bytes does not fit below the pool's cap of {} bytes",
            self.asked, self.max_bytes
        )
    }
}

impl std::error::Error for CapReached {}

/// No block was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TakeBlockError {
    /// More bytes were asked for than a block has. No amount of waiting helps.
    #[doc(alias = "BufferTooLarge")]
    TooLarge {
        /// The bytes asked for.
        asked: usize,
        /// The bytes of a block.
        block_size: usize,
    },
    /// All blocks are in use.
    #[doc(alias = "NoAvailableBuffer")]
    Exhausted {
        /// How many blocks there are.
        blocks: usize,
    },
}

impl TakeBlockError {
    /// Whether the same request may succeed once a block has come back.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, TakeBlockError::Exhausted { .. })
    }
}

impl fmt::Display for TakeBlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TakeBlockError::TooLarge { asked, block_size } => {
                write!(f, "{asked} bytes asked for, a block has {block_size}")
            }
            TakeBlockError::Exhausted { blocks } => write!(f, "all {blocks} blocks are in use"),
        }
    }
}

impl std::error::Error for TakeBlockError {}

/// The blocks of a [`BlockPool`](crate::BlockPool) could not be allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildBlocksError {
    /// All blocks together are larger than an address space.
    TooLarge {
        /// The number of blocks asked for.
        blocks: usize,
        /// The bytes of each.
        block_size: usize,
    },
    /// The allocator refused.
    OutOfMemory {
        /// What it was asked for: the bytes of all blocks together, or a bit for each block, if already those are too many.
        bytes: usize,
    },
}

impl fmt::Display for BuildBlocksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildBlocksError::TooLarge { blocks, block_size } => {
                write!(f, "{blocks} blocks of {block_size} bytes are more than an address space holds")
            }
            BuildBlocksError::OutOfMemory { bytes } => write!(f, "the allocator refused {bytes} bytes"),
        }
    }
}

impl std::error::Error for BuildBlocksError {}
