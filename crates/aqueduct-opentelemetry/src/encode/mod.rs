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

/// Nanoseconds since 1970-01-01 UTC; 0 of what was before, and the most there is of what comes after the year 2554.
#[inline]
pub(crate) fn nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| {
        let seconds = since.as_secs().checked_mul(1_000_000_000);
        seconds.and_then(|nanos| nanos.checked_add(since.subsec_nanos().into())).unwrap_or(u64::MAX)
    })
}
