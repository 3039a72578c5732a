//! `OTEL_TRACES_SAMPLER` and its argument.

use super::Reader;
use crate::sampler::{SamplerSetting, SamplerSettingError};

const NAME: &str = "OTEL_TRACES_SAMPLER";
const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";

pub(super) fn read(reader: &mut Reader<'_>) -> Option<SamplerSetting> {
    let argument = reader.value(ARGUMENT);
    let parse = |name: &str| match SamplerSetting::parse(name, argument.as_deref()) {
        Ok(setting) => Ok((setting, None)),
        // The share is 1 then, as the specification says.
        Err(error @ SamplerSettingError::Argument { .. }) => Ok((error.instead(), Some(error.to_string()))),
        Err(error) => Err(error.to_string()),
    };
    let Some((setting, wrong)) = reader.read(NAME, parse) else {
        reader.ignore(ARGUMENT, "it is for a sampler that is set beside it");
        return None;
    };
    match (setting, wrong) {
        (_, Some(wrong)) => reader.ignore(ARGUMENT, &wrong),
        (SamplerSetting::TraceIdRatio(_) | SamplerSetting::ParentBasedTraceIdRatio(_), None) => {
            let _ = reader.read(ARGUMENT, |_| Ok(()));
        }
        _ => reader.ignore(ARGUMENT, "the sampler has no argument"),
    }
    Some(setting)
}
