//! Which spans are exported.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use opentelemetry_sdk::trace::SpanData;

use crate::counts::NotTaken;

/// What a filter decides about an item; see [`Builder::filter_spans`](crate::Builder::filter_spans).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It is exported.
    Export,
    /// It is not, and counted as [`NotTaken::Filtered`].
    Drop,
}

type Function = dyn Fn(&mut SpanData) -> Verdict + Send + Sync;

/// The function, if there is one.
#[derive(Clone, Default)]
pub(crate) struct SpanFilter(Option<Arc<Function>>);

impl SpanFilter {
    pub(crate) fn new(function: impl Fn(&mut SpanData) -> Verdict + Send + Sync + 'static) -> SpanFilter {
        SpanFilter(Some(Arc::new(function)))
    }

    /// Why the span is not exported, if it is not.
    #[inline]
    pub(crate) fn refuses(&self, span: &mut SpanData) -> Option<NotTaken> {
        self.0.as_ref().and_then(|function| ask(&**function, span))
    }
}

#[cold]
fn ask(function: &Function, span: &mut SpanData) -> Option<NotTaken> {
    // What the function leaves of a span on which it panics is not looked at again.
    match catch_unwind(AssertUnwindSafe(|| function(span))) {
        Ok(Verdict::Export) => None,
        Ok(Verdict::Drop) => Some(NotTaken::Filtered),
        Err(_) => Some(NotTaken::Panicked),
    }
}

impl fmt::Debug for SpanFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SpanFilter").field(&self.0.is_some()).finish()
    }
}
