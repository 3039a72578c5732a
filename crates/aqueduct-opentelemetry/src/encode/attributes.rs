//! Lists of attributes, under the limits and the redactor.

use aqueduct_wire::encode::AttributeSink;
use opentelemetry::KeyValue;

use super::put;
use crate::redact::Redactor;

/// What holds for a list of attributes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a> {
    /// So many at most.
    pub(crate) count: u32,
    /// Texts and byte strings are so long at most.
    pub(crate) value_length: Option<u32>,
    /// `None` if nothing is asked of values: [`Redactor::if_any`].
    pub(crate) redactor: Option<&'a Redactor>,
}

impl Attributes<'_> {
    // One call for all of them.
    #[inline(never)]
    pub(crate) fn put(&self, out: &mut AttributeSink<'_>, attributes: &[KeyValue]) {
        for attribute in attributes.iter().take(self.count as usize) {
            put(out, attribute.key.as_str(), &attribute.value, self);
        }
    }
}

/// How many of `count` things a limit leaves out, in addition to what was `dropped` before.
#[inline]
pub(crate) fn over(count: usize, limit: u32, dropped: u32) -> u32 {
    // Nearly always.
    if count <= limit as usize {
        return dropped;
    }
    let over = count - limit as usize;
    dropped.saturating_add(u32::try_from(over).unwrap_or(u32::MAX))
}
