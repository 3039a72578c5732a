//! Anything that the SDK may hand over.

mod spans;
mod values;

pub(crate) use spans::{span, spans};
pub(crate) use values::{attributes, scope, text, time};
