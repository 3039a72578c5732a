//! All metrics at one time: families of samples, as plain data.

use std::time::Duration;

use crate::{Desc, ExponentialHistogram, Histogram, LatencyHistogram};

/// The metrics of a program at one time, to be shown: as Prometheus text by [`prometheus_text`](Exposition::prometheus_text), or by whoever reads
/// [`families`](Exposition::families), as the pipeline does who sends them by OTLP.
///
/// Samples are added through the [`Family`] they belong to. A family may be opened again later: its samples still stand in one group, as the text
/// format demands.
///
/// # Examples
///
/// ```
/// use aqueduct_metrics::{Desc, Exposition};
///
/// const REQUESTS: Desc =
///     Desc::counter("shop_requests_total", "{request}", "Requests answered.").with_attributes(&["code"]);
///
/// let mut page = Exposition::new();
/// page.family(&REQUESTS).sample(&[("code", "200")], 17_u64).sample(&[("code", "503")], 1_u64);
/// assert_eq!(
///     page.prometheus_text(),
///     "# HELP shop_requests_total Requests answered.\n\
///      ## TYPE shop_requests_total counter\n\
///      shop_requests_total{code=\"200\"} 17\n\
///      shop_requests_total{code=\"503\"} 1\n"
/// );
/// let (desc, samples) = page.families().next().expect("there is one");
/// assert_eq!((desc.unit, samples.len()), ("{request}", 2));
/// ```
#[doc(alias = "PrometheusText")]
#[derive(Clone, Debug, Default)]
pub struct Exposition {
    groups: Vec<Group>,
}

/// All samples of one family.
#[derive(Clone, Debug)]
struct Group {
    desc: Desc,
    samples: Vec<Sample>,
}

/// One sample of a family.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// Names and values of the labels, in the order in which they were given.
    pub labels: Vec<(String, String)>,
    /// What was measured.
    pub value: SampleValue,
}

/// What a [`Sample`] says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SampleValue {
    /// That of a counter or gauge.
    Number(Number),
    /// Observations by upper bounds.
    Histogram {
        /// Upper bounds, and the observations up to and including them, in rising order.
        buckets: Vec<(f64, u64)>,
        /// All observations.
        count: u64,
        /// Their sum.
        sum: f64,
    },
    /// Observations in our own, fine buckets.
    Distribution {
        /// The observations, before they are multiplied by `scale`.
        histogram: Histogram,
        /// One unit of the observations, in the unit of the metric.
        scale: f64,
        /// Upper bounds for formats that need some, in the unit of the metric.
        bounds: Vec<f64>,
    },
}

impl SampleValue {
    /// A distribution with at most `max_buckets` exponential buckets, in the unit of the metric; none of anything else. See
    /// [`Histogram::exponential`].
    pub fn exponential(&self, max_buckets: usize) -> Option<ExponentialHistogram> {
        match self {
            SampleValue::Distribution { histogram, scale, .. } => {
                Some(histogram.exponential(max_buckets, *scale))
            }
            _ => None,
        }
    }
}

impl Exposition {
    /// Without families.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the family of `desc`, for the first time or again. Families stand in the order in which they were first opened.
    pub fn family(&mut self, desc: &Desc) -> Family<'_> {
        let index = match self.groups.iter().position(|group| group.desc.name == desc.name) {
            Some(index) => index,
            None => {
                self.groups.push(Group { desc: *desc, samples: Vec::new() });
                self.groups.len() - 1
            }
        };
        Family { group: &mut self.groups[index] }
    }

    /// The families, each with its samples, of which there may be none.
    pub fn families(&self) -> impl Iterator<Item = (&Desc, &[Sample])> {
        self.groups.iter().map(|group| (&group.desc, group.samples.as_slice()))
    }
}

/// One family of an [`Exposition`], open for samples.
#[derive(Debug)]
pub struct Family<'a> {
    group: &'a mut Group,
}

impl Family<'_> {
    /// Adds one sample of a counter or gauge.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Into<Number>) -> &mut Self {
        self.push(labels, SampleValue::Number(value.into()))
    }

    /// Adds one histogram from `buckets` of (upper bound, observations up to and including it) in rising order, the number of all observations, and their sum.
    ///
    /// A bucket for infinity is not needed. Where counters were read while they moved, a bucket below its predecessor or above `count` is
    /// brought into line, because a reader takes a histogram that is not cumulative for a reset.
    pub fn histogram(
        &mut self,
        labels: &[(&str, &str)],
        buckets: &[(f64, u64)],
        count: u64,
        sum: f64,
    ) -> &mut Self {
        let mut below = 0;
        let finite = buckets.iter().filter(|(bound, _)| bound.is_finite());
        let buckets = finite.map(|&(bound, up_to)| {
            below = up_to.clamp(below, count.max(below));
            (bound, below)
        });
        let buckets = buckets.collect();
        self.push(labels, SampleValue::Histogram { buckets, count, sum })
    }

    /// Adds a [`LatencyHistogram`] in seconds, with these upper bounds.
    pub fn latency(
        &mut self,
        labels: &[(&str, &str)],
        histogram: &LatencyHistogram,
        bounds: &[Duration],
    ) -> &mut Self {
        let buckets: Vec<_> =
            bounds.iter().map(|bound| (bound.as_secs_f64(), histogram.count_up_to(*bound))).collect();
        self.histogram(labels, &buckets, histogram.len(), histogram.total().as_secs_f64())
    }

    /// Adds a [`Histogram`] whose values are to be multiplied by `scale`, with these upper bounds for the text, in rising order and after multiplying; `+Inf`
    /// is added there. What is in one of our own buckets with a bound is counted by its middle, so counts are as exact as a value moved by 0.8 %.
    ///
    /// # Examples
    ///
    /// ```
    /// use aqueduct_metrics::{Desc, Exposition, Histogram};
    ///
    /// const LATENCY: Desc = Desc::histogram("shop_request_seconds", "s", "Time to an answer.");
    ///
    /// let nanos: Histogram = [1_000_000, 30_000_000].into_iter().collect();
    /// let mut page = Exposition::new();
    /// page.family(&LATENCY).distribution(&[], &nanos, 1e-9, &[0.01, 0.1]);
    /// assert!(page.prometheus_text().contains("shop_request_seconds_bucket{le=\"0.01\"} 1\n"));
    /// ```
    pub fn distribution(
        &mut self,
        labels: &[(&str, &str)],
        histogram: &Histogram,
        scale: f64,
        bounds: &[f64],
    ) -> &mut Self {
        let (histogram, bounds) = (histogram.clone(), bounds.to_vec());
        self.push(labels, SampleValue::Distribution { histogram, scale, bounds })
    }

    fn push(&mut self, labels: &[(&str, &str)], value: SampleValue) -> &mut Self {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.group.samples.push(Sample { labels: labels.collect(), value });
        self
    }
}

/// A sample's value: an integer is written in full, where a float would round it past 2^53.
///
/// Complete: the format knows nothing else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A float; infinities and NaN are allowed.
    Float(f64),
    /// An integer.
    Integer(u64),
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Number::Float(value)
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Number::Integer(value)
    }
}
