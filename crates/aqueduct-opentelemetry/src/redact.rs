//! What becomes of an attribute's value on its way out.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use aqueduct_wire::encode::ValueRef;

use crate::cardinality::CardinalityLimiter;

/// What a redactor decides about one value; see [`Builder::redact`](crate::Builder::redact).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Redaction {
    /// It is written as it is.
    Keep,
    /// The attribute is left out. It is not counted as dropped: that is for limits.
    Omit,
    /// This text is written instead.
    Replace(Cow<'static, str>),
}

/// The key under which the body of a log record is asked about.
pub(crate) const BODY: &str = "log.body";

/// What is asked about each value, if anything is: first the limiters, then the function.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    limiters: Vec<Arc<CardinalityLimiter>>,
    function: Option<Arc<Function>>,
}

type Function = dyn Fn(&str, &ValueRef<'_>) -> Redaction + Send + Sync;

/// What is left of a value.
pub(crate) enum Left<'a> {
    /// All.
    Same,
    /// Nothing, not even its key.
    Nothing,
    /// This text instead.
    Text(Cow<'a, str>),
}

impl Redactor {
    pub(crate) fn limit(&mut self, limiter: Arc<CardinalityLimiter>) {
        self.limiters.push(limiter);
    }

    pub(crate) fn call(
        &mut self,
        function: impl Fn(&str, &ValueRef<'_>) -> Redaction + Send + Sync + 'static,
    ) {
        self.function = Some(Arc::new(function));
    }

    #[inline]
    pub(crate) fn ask(&self, key: &str, value: &ValueRef<'_>) -> Left<'_> {
        let overflow = self.limiters.iter().find_map(|limiter| limiter.overflow_of(key, value));
        let redaction = match (&self.function, overflow) {
            (None, _) => Redaction::Keep,
            (Some(function), None) => function(key, value),
            (Some(function), Some(overflow)) => function(key, &ValueRef::Str(overflow)),
        };
        match (redaction, overflow) {
            (Redaction::Keep, None) => Left::Same,
            (Redaction::Keep, Some(overflow)) => Left::Text(Cow::Borrowed(overflow)),
            (Redaction::Omit, _) => Left::Nothing,
            (Redaction::Replace(text), _) => Left::Text(text),
        }
    }

    /// `None` if it leaves everything as it is.
    #[inline]
    pub(crate) fn if_any(&self) -> Option<&Redactor> {
        (!self.limiters.is_empty() || self.function.is_some()).then_some(self)
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor")
            .field("limiters", &self.limiters)
            .field("function", &self.function.is_some())
            .finish()
    }
}
