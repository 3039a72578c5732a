//! Tokio's time, for a driver that is spawned on a tokio runtime.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::Sleep;

use super::driver::Timer;

/// A [`Timer`] by tokio's clock, which has a resolution of one millisecond. It is to be polled within a runtime that has its time enabled.
///
/// # Examples
///
/// ```
/// use aqueduct_batch::{Batch, BatchProcessor, TokioTimer, Weight};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), aqueduct_batch::ConfigError> {
/// let handler = async |batch: Batch<u32>| {
///     println!("{} items", batch.len());
///     Ok(())
/// };
/// let (processor, driver) = BatchProcessor::builder(handler).drive(TokioTimer::default())?;
/// let driver = tokio::spawn(driver);
/// processor.add(7, Weight::new(1, 4)).expect("an empty queue has room");
/// let report = processor.shutdown_async(std::time::Duration::from_secs(5)).await;
/// assert!(report.complete);
/// # driver.await.expect("it ended");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct TokioTimer {
    /// Made at the first use, which is within the runtime.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer for TokioTimer {
    fn poll_until(&mut self, at: Instant, context: &mut Context<'_>) -> Poll<()> {
        let at = tokio::time::Instant::from_std(at);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(context)
    }
}
