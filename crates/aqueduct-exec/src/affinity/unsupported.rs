//! Platforms without a call for it.

use super::{AffinityError, CoreSet};

pub(super) fn of_process() -> Result<CoreSet, AffinityError> {
    Err(AffinityError::Unsupported)
}

pub(super) fn of_thread() -> Result<CoreSet, AffinityError> {
    Err(AffinityError::Unsupported)
}

pub(super) fn pin_thread(_: &CoreSet) -> Result<(), AffinityError> {
    Err(AffinityError::Unsupported)
}
