//! Anything that the SDK may hand over.

mod logs;
mod spans;
mod values;

pub(crate) use logs::logs;
pub(crate) use spans::{span, spans};
pub(crate) use values::{attributes, scope, text, time};
