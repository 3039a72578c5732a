//! Anything that the SDK may hand over.

mod logs;
mod spans;
mod values;

pub(crate) use logs::logs;
pub(crate) use spans::{a_span, span, spans};
pub(crate) use values::{attributes, scope, text, time};
