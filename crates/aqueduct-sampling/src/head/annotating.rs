//! Attributes that say which sampler it was.

use std::borrow::Cow;

use crate::{Annotate, ComposableSampler, Intent, TraceFacts, Value};

/// An attribute that a sampler adds, owned.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Annotation {
    /// A text.
    Str(Cow<'static, str>),
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
    /// True or false.
    Bool(bool),
}

impl Annotation {
    /// The same, borrowed.
    #[must_use]
    pub fn value(&self) -> Value<'_> {
        match self {
            Annotation::Str(text) => Value::Str(text),
            Annotation::Int(number) => Value::Int(*number),
            Annotation::Double(number) => Value::Double(*number),
            Annotation::Bool(bool) => Value::Bool(*bool),
        }
    }
}

impl From<&'static str> for Annotation {
    fn from(text: &'static str) -> Self {
        Annotation::Str(Cow::Borrowed(text))
    }
}

impl From<String> for Annotation {
    fn from(text: String) -> Self {
        Annotation::Str(Cow::Owned(text))
    }
}

impl From<i64> for Annotation {
    fn from(number: i64) -> Self {
        Annotation::Int(number)
    }
}

impl From<f64> for Annotation {
    fn from(number: f64) -> Self {
        Annotation::Double(number)
    }
}

impl From<bool> for Annotation {
    fn from(bool: bool) -> Self {
        Annotation::Bool(bool)
    }
}

/// Decides as another sampler and adds attributes to what is sampled.
///
/// # Examples
///
/// ```
/// use aqueduct_sampling::{AlwaysOn, Annotating};
///
/// let sampler = Annotating::new(AlwaysOn).with("sampler", "all").with("sampler.version", 2);
/// ```
#[doc(alias = "ComposableAnnotating")]
#[derive(Clone, Debug)]
pub struct Annotating<S> {
    delegate: S,
    attributes: Vec<(Cow<'static, str>, Annotation)>,
}

impl<S: ComposableSampler> Annotating<S> {
    /// Adds nothing yet.
    pub const fn new(delegate: S) -> Self {
        Annotating { delegate, attributes: Vec::new() }
    }

    /// The same with one more attribute.
    #[must_use]
    pub fn with(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Annotation>) -> Self {
        self.attributes.push((key.into(), value.into()));
        self
    }
}

impl<S: ComposableSampler> ComposableSampler for Annotating<S> {
    #[inline]
    fn intent(&self, facts: &dyn TraceFacts) -> Intent {
        self.delegate.intent(facts)
    }

    fn annotate(&self, facts: &dyn TraceFacts, tell: Annotate<'_>) {
        self.delegate.annotate(facts, tell);
        for (key, value) in &self.attributes {
            tell(key, value.value());
        }
    }
}
