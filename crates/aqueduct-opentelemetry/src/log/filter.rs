//! Which log records are exported.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::logs::SdkLogRecord;

use super::Item;
use crate::counts::NotTaken;
use crate::span::Verdict;

type Function = dyn Fn(&SdkLogRecord, &InstrumentationScope) -> Verdict + Send + Sync;

/// The function, if there is one.
#[derive(Clone, Default)]
pub(crate) struct LogFilter(Option<Arc<Function>>);

impl LogFilter {
    pub(crate) fn new(
        function: impl Fn(&SdkLogRecord, &InstrumentationScope) -> Verdict + Send + Sync + 'static,
    ) -> LogFilter {
        LogFilter(Some(Arc::new(function)))
    }

    /// Why the record is not exported, if it is not.
    #[inline]
    pub(crate) fn refuses(&self, item: &Item<'_>) -> Option<NotTaken> {
        self.0.as_ref().and_then(|function| ask(&**function, item))
    }
}

#[cold]
fn ask(function: &Function, item: &Item<'_>) -> Option<NotTaken> {
    // The record is lent, so that a panic leaves it as it was.
    match catch_unwind(AssertUnwindSafe(|| function(item.record, item.scope))) {
        Ok(Verdict::Export) => None,
        Ok(Verdict::Drop) => Some(NotTaken::Filtered),
        Err(_) => Some(NotTaken::Panicked),
    }
}

impl fmt::Debug for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogFilter").field(&self.0.is_some()).finish()
    }
}
