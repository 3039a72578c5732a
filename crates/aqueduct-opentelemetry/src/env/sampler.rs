//! `OTEL_TRACES_SAMPLER` and its argument.

use super::Reader;

/// The sampler that `OTEL_TRACES_SAMPLER` names; see [`Aqueduct::sampler`](crate::Aqueduct::sampler).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum SamplerSetting {
    /// `always_on`.
    AlwaysOn,
    /// `always_off`.
    AlwaysOff,
    /// `traceidratio`: of all traces this share, from 0 to 1.
    TraceIdRatio(f64),
    /// `parentbased_always_on`: as the parent, and all without one. What the specification has by default.
    ParentBasedAlwaysOn,
    /// `parentbased_always_off`: as the parent, and none without one.
    ParentBasedAlwaysOff,
    /// `parentbased_traceidratio`: as the parent, and of those without one this share, from 0 to 1.
    ParentBasedTraceIdRatio(f64),
}

const NAME: &str = "OTEL_TRACES_SAMPLER";
const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";

pub(super) fn read(reader: &mut Reader<'_>) -> Option<SamplerSetting> {
    type WithShare = fn(f64) -> SamplerSetting;
    let parse = |text: &str| -> Result<(Option<SamplerSetting>, WithShare), String> {
        let none: WithShare = SamplerSetting::TraceIdRatio;
        match text.to_ascii_lowercase().as_str() {
            "always_on" => Ok((Some(SamplerSetting::AlwaysOn), none)),
            "always_off" => Ok((Some(SamplerSetting::AlwaysOff), none)),
            "parentbased_always_on" => Ok((Some(SamplerSetting::ParentBasedAlwaysOn), none)),
            "parentbased_always_off" => Ok((Some(SamplerSetting::ParentBasedAlwaysOff), none)),
            "traceidratio" => Ok((None, SamplerSetting::TraceIdRatio)),
            "parentbased_traceidratio" => Ok((None, SamplerSetting::ParentBasedTraceIdRatio)),
            "jaeger_remote" | "parentbased_jaeger_remote" | "xray" => {
                Err("this sampler asks a server, which is not supported".to_owned())
            }
            _ => Err("no such sampler".to_owned()),
        }
    };
    match reader.read(NAME, parse) {
        Some((Some(sampler), _)) => {
            reader.ignore(ARGUMENT, "the sampler has no argument");
            Some(sampler)
        }
        // Without an argument that makes sense the share is 1, as the specification says.
        Some((None, with_share)) => Some(with_share(reader.read(ARGUMENT, share).unwrap_or(1.0))),
        None => {
            reader.ignore(ARGUMENT, "it is for a sampler that is set beside it");
            None
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0 to 1; it is 1".to_owned()),
    }
}
