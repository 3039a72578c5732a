//! Configurations that cannot be meant.

use aqueduct_batch::{
    Batch, BatchProcessor, ConfigError, DynamicBatch, Failed, Retry, StartError, Watermarks,
};

use super::{MS, of};

/// Guards the check of values that a person wrote.
#[test]
fn a_configuration_that_cannot_be_meant_is_refused() {
    fn handler(_batch: Batch<u32>) -> Result<(), Failed<u32>> {
        Ok(())
    }
    let new = || BatchProcessor::builder(handler);
    let dynamic = DynamicBatch::new(MS, 1, 70_000).unwrap();
    let builders = [
        (
            new().with_queue_items(100),
            ConfigError::BatchExceedsQueue { unit: "items", batch: 8192, queue: 100 },
        ),
        (
            new().with_queue_bytes(100),
            ConfigError::BatchExceedsQueue { unit: "bytes", batch: 8 * 1024 * 1024, queue: 100 },
        ),
        (
            new().with_dynamic(dynamic),
            ConfigError::BatchExceedsQueue { unit: "items", batch: 70_000, queue: 65_536 },
        ),
        (new().with_batch(of(0)), ConfigError::ZeroItems),
        (new().with_retry(Retry::by(0, |_| MS)), ConfigError::ZeroAttempts),
        (new().with_max_concurrent(2), ConfigError::SyncConcurrent { wanted: 2 }),
        (new().with_watermarks(Watermarks { high: 1, low: 1 }), ConfigError::Watermarks { high: 1, low: 1 }),
    ];
    for (builder, expected) in builders {
        match builder.start() {
            Err(StartError::Config(error)) => assert_eq!(error, expected),
            other => panic!("{expected:?} was expected: {other:?}"),
        }
    }
}
