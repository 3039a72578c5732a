//! `OTEL_BSP_*` and `OTEL_BLRP_*`: the knobs of the SDK's batch processors.

use std::time::Duration;

use super::Reader;

/// What the environment says of batches; `None` where it says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batching {
    pub(crate) delay: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) queue_items: Option<u64>,
    pub(crate) batch_items: Option<u64>,
    pub(crate) requests: Option<usize>,
}

impl Batching {
    pub(super) fn read(reader: &mut Reader<'_>, prefix: &str) -> Batching {
        let name = |name: &str| format!("{prefix}{name}");
        let delay = reader.read(&name("SCHEDULE_DELAY"), milliseconds);
        let timeout = reader.read(&name("EXPORT_TIMEOUT"), milliseconds);
        if timeout.is_some() {
            reader.differ(
                &name("EXPORT_TIMEOUT"),
                "as the time limit of flushes; what can be retried is kept for longer".to_owned(),
            );
        }
        let queue_items = reader.read(&name("MAX_QUEUE_SIZE"), positive);
        if let Some(items) = queue_items {
            let bytes = queue_bytes(items);
            reader.differ(
                &name("MAX_QUEUE_SIZE"),
                format!("as {} KiB of encoded items, reckoned at 1 KiB each", bytes >> 10),
            );
        }
        let mut batch_items = reader.read(&name("MAX_EXPORT_BATCH_SIZE"), positive);
        if let (Some(batch), Some(queue)) = (batch_items, queue_items)
            && batch > queue
        {
            reader.differ(
                &name("MAX_EXPORT_BATCH_SIZE"),
                format!("as {queue}, which is the size of the queue"),
            );
            batch_items = Some(queue);
        }
        let requests = reader.read(&name("MAX_CONCURRENT_EXPORTS"), positive);
        let requests = requests.map(|requests| usize::try_from(requests).unwrap_or(usize::MAX));
        Batching { delay, timeout, queue_items, batch_items, requests }
    }
}

/// The bytes that stand for so many items: 1 KiB each, as a span with some ten attributes has, and 1 MiB at least, so that a few threads can each
/// have a chunk open.
pub(crate) fn queue_bytes(items: u64) -> u64 {
    items.saturating_mul(1024).max(1 << 20)
}

pub(super) fn milliseconds(text: &str) -> Result<Duration, String> {
    let whole = text.parse().map(Duration::from_millis);
    whole.map_err(|_| "expected a whole number of milliseconds".to_owned())
}

fn positive(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a whole number of at least 1".to_owned()),
        Ok(number) => Ok(number),
    }
}
