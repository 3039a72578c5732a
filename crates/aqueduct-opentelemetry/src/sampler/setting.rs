//! The samplers that the specification names, as `OTEL_TRACES_SAMPLER` has them.

use std::fmt;

use aqueduct_sampling::{AlwaysOff, Composite, ParentBased, ProbabilityError, TraceIdRatio};

use super::Sampler;

/// One of the usual samplers, as plain data.
///
/// But for [`Probability`](Self::Probability) they decide bit for bit as the SDK's of the same names, so a trace of which one half is written through
/// the SDK's is in one piece. They leave the trace state as it is; only a `th` that is not true any more is removed, where the SDK's let it stand.
/// A parent without valid ids is none, as for the SDK's `Sampler::parent_based`; its older `Sampler::ParentBased` drops what has such a parent.
///
/// # Examples
///
/// ```
/// use aqueduct_opentelemetry::SamplerSetting;
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// // OTEL_TRACES_SAMPLER=parentbased_traceidratio OTEL_TRACES_SAMPLER_ARG=0.1
/// let setting = SamplerSetting::parse("parentbased_traceidratio", Some("0.1"))?;
/// assert_eq!(setting, SamplerSetting::ParentBasedTraceIdRatio(0.1));
/// let provider = SdkTracerProvider::builder().with_sampler(setting.sampler()?).build();
///
/// let wrong = SamplerSetting::parse("xray", None).unwrap_err();
/// assert_eq!(wrong.to_string(), "the sampler `xray` is not supported");
/// assert_eq!(wrong.instead(), SamplerSetting::ParentBasedAlwaysOn);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "OTEL_TRACES_SAMPLER")]
#[doc(alias = "OTEL_TRACES_SAMPLER_ARG")]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum SamplerSetting {
    /// `always_on`: every span, whatever became of its parent.
    #[doc(alias = "always_on")]
    AlwaysOn,
    /// `always_off`: no span.
    #[doc(alias = "always_off")]
    AlwaysOff,
    /// `traceidratio`: this share of all traces, by the lower half of their ids. From 1 on all, below 0 none.
    #[doc(alias = "traceidratio")]
    TraceIdRatio(f64),
    /// `parentbased_always_on`, the specification's default: as the parent, and every root.
    #[doc(alias = "parentbased_always_on")]
    #[default]
    ParentBasedAlwaysOn,
    /// `parentbased_always_off`: as the parent, and no root.
    #[doc(alias = "parentbased_always_off")]
    ParentBasedAlwaysOff,
    /// `parentbased_traceidratio`: as the parent, and this share of the roots.
    #[doc(alias = "parentbased_traceidratio")]
    ParentBasedTraceIdRatio(f64),
    /// As the parent, and this share of the roots by a threshold that travels with them: [`Sampler::probability`]. From 2^-56 to 1. No name in
    /// `OTEL_TRACES_SAMPLER` stands for it.
    Probability(f64),
}

impl SamplerSetting {
    /// Reads the values of `OTEL_TRACES_SAMPLER`, in any case of letters, and of `OTEL_TRACES_SAMPLER_ARG`. Spaces around them do not count. An empty sampler is the
    /// default, an empty argument none; a share that is not given is 1. Samplers that take no argument let any pass.
    ///
    /// # Errors
    ///
    /// Says what is wrong, and by [`instead`](SamplerSettingError::instead) what the specification has for such a case.
    pub fn parse(sampler: &str, argument: Option<&str>) -> Result<Self, SamplerSettingError> {
        let name = sampler.trim();
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if name.is_empty() || is("parentbased_always_on") {
            Ok(SamplerSetting::ParentBasedAlwaysOn)
        } else if is("parentbased_always_off") {
            Ok(SamplerSetting::ParentBasedAlwaysOff)
        } else if is("parentbased_traceidratio") {
            share(argument, SamplerSetting::ParentBasedTraceIdRatio)
        } else if is("always_on") {
            Ok(SamplerSetting::AlwaysOn)
        } else if is("always_off") {
            Ok(SamplerSetting::AlwaysOff)
        } else if is("traceidratio") {
            share(argument, SamplerSetting::TraceIdRatio)
        } else if is("jaeger_remote") || is("parentbased_jaeger_remote") || is("xray") {
            Err(SamplerSettingError::Unsupported { sampler: name.to_owned() })
        } else {
            Err(SamplerSettingError::Unknown { sampler: name.to_owned() })
        }
    }

    /// The sampler.
    ///
    /// # Errors
    ///
    /// A [`Probability`](Self::Probability) that no threshold has.
    pub fn sampler(self) -> Result<Sampler, ProbabilityError> {
        // A ratio of 1 keeps and one of 0 drops all, and neither says anything of a threshold.
        let parent_based = |ratio| Sampler::new(ParentBased::new(TraceIdRatio::new(ratio))).erased();
        Ok(match self {
            SamplerSetting::AlwaysOn => Sampler::new(TraceIdRatio::new(1.0)).erased(),
            SamplerSetting::AlwaysOff => Sampler::new(Composite::new(AlwaysOff)).erased(),
            SamplerSetting::TraceIdRatio(ratio) => Sampler::new(TraceIdRatio::new(ratio)).erased(),
            SamplerSetting::ParentBasedAlwaysOn => parent_based(1.0),
            SamplerSetting::ParentBasedAlwaysOff => parent_based(0.0),
            SamplerSetting::ParentBasedTraceIdRatio(ratio) => parent_based(ratio),
            SamplerSetting::Probability(share) => Sampler::probability(share)?.erased(),
        })
    }
}

fn share(
    argument: Option<&str>,
    setting: fn(f64) -> SamplerSetting,
) -> Result<SamplerSetting, SamplerSettingError> {
    let text = argument.map(str::trim).unwrap_or_default();
    if text.is_empty() {
        return Ok(setting(1.0));
    }
    match text.parse() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(setting(ratio)),
        _ => Err(SamplerSettingError::Argument { argument: text.to_owned(), instead: setting(1.0) }),
    }
}

/// What is wrong with the value of `OTEL_TRACES_SAMPLER` or `OTEL_TRACES_SAMPLER_ARG`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SamplerSettingError {
    /// No sampler of the specification has this name.
    Unknown {
        /// The name.
        sampler: String,
    },
    /// The specification knows it, and this crate does not have it: `jaeger_remote`, `parentbased_jaeger_remote` and `xray`.
    Unsupported {
        /// The name.
        sampler: String,
    },
    /// The argument is no number from 0 to 1.
    Argument {
        /// The argument.
        argument: String,
        /// The sampler as it is without an argument.
        instead: SamplerSetting,
    },
}

impl SamplerSettingError {
    /// What the specification has in its place: the sampler without the argument, or the default.
    #[must_use]
    pub fn instead(&self) -> SamplerSetting {
        match self {
            SamplerSettingError::Argument { instead, .. } => *instead,
            SamplerSettingError::Unknown { .. } | SamplerSettingError::Unsupported { .. } => {
                SamplerSetting::default()
            }
        }
    }
}

impl fmt::Display for SamplerSettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SamplerSettingError::Unknown { sampler } => write!(f, "no sampler is called `{sampler}`"),
            SamplerSettingError::Unsupported { sampler } => {
                write!(f, "the sampler `{sampler}` is not supported")
            }
            SamplerSettingError::Argument { argument, .. } => {
                write!(f, "the sampler's argument `{argument}` is not a number from 0 to 1")
            }
        }
    }
}

impl std::error::Error for SamplerSettingError {}
