//! What becomes of an attribute's value on its way out.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use aqueduct_wire::encode::ValueRef;

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

/// The function, if there is one.
#[derive(Clone, Default)]
pub(crate) struct Redactor(Option<Arc<Function>>);

type Function = dyn Fn(&str, &ValueRef<'_>) -> Redaction + Send + Sync;

impl Redactor {
    pub(crate) fn new(
        function: impl Fn(&str, &ValueRef<'_>) -> Redaction + Send + Sync + 'static,
    ) -> Redactor {
        Redactor(Some(Arc::new(function)))
    }

    #[inline]
    pub(crate) fn ask(&self, key: &str, value: &ValueRef<'_>) -> Redaction {
        self.0.as_ref().map_or(Redaction::Keep, |function| function(key, value))
    }

    #[inline]
    pub(crate) fn is_some(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Redactor").field(&self.is_some()).finish()
    }
}
