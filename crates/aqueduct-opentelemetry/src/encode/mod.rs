//! From the SDK's types to the wire: adapters over what it lends.

mod any_value;
mod attributes;
mod scopes;
mod trace_state;
mod value;

pub(crate) use any_value::lend;
pub(crate) use attributes::{Attributes, over};
pub(crate) use scopes::{Scopes, prefix};
pub(crate) use trace_state::{ITEM, LINK, with_trace_state};
pub(crate) use value::{cut, put};

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970-01-01 UTC; 0 of what was before.
#[inline]
pub(crate) fn nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
