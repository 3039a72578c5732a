//! Metrics about ourselves as OTLP.

use std::time::{SystemTime, UNIX_EPOCH};

use aqueduct_metrics::{Desc, ExponentialHistogram, Exposition, Kind, Number, Sample, SampleValue};
use aqueduct_wire::encode::{
    AttributeSink, BucketsSink, ChunkBuilder, CountSink, DataSink, DoubleSink,
    ExponentialHistogramPointSource, HistogramPointSource, MetricSource, Number as WireNumber,
    NumberPointSource, PointSource, ResourcePrefix, ScopePrefix, ValueRef,
};
use aqueduct_wire::{Chunk, Signal};

/// The specification's default for exponential histograms (metrics SDK, "Base2 Exponential Bucket Histogram Aggregation").
const MAX_BUCKETS: usize = 160;

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: i32 = 2;

/// Encodes an [`Exposition`] as a chunk of metrics, which an [`Intake`](crate::Intake) of a metrics pipeline takes.
///
/// | of the exposition | in OTLP |
/// |---|---|
/// | counter | cumulative, monotonic sum; the name without `_total` |
/// | gauge | gauge |
/// | histogram by upper bounds | cumulative histogram |
/// | distribution | cumulative exponential histogram of at most 160 buckets |
///
/// Labels become attributes with text. Integers stay integers; those from 2^63 on become 2^63 - 1. Counting began at `start`; `now` is the time of all
/// points. Families without samples are left out.
///
/// Source: OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility".
///
/// # Examples
///
/// ```
/// use std::time::SystemTime;
///
/// use aqueduct_metrics::{Desc, Exposition};
/// use aqueduct_pipeline::encode_exposition;
/// use aqueduct_wire::encode::{ResourcePrefix, ScopePrefix, ValueRef};
///
/// const REQUESTS: Desc =
///     Desc::counter("shop_requests_total", "{request}", "Requests answered.").with_attributes(&["code"]);
///
/// let mut page = Exposition::new();
/// page.family(&REQUESTS).sample(&[("code", "200")], 17_u64).sample(&[("code", "503")], 1_u64);
///
/// let resource = ResourcePrefix::new(|out| out.push("service.name", ValueRef::Str("shop")));
/// let now = SystemTime::now();
/// let chunk = encode_exposition(&page, &resource, &ScopePrefix::new("shop", "1.0"), now, now);
/// assert_eq!(chunk.items(), 2);
/// ```
#[doc(alias = "periodic")]
#[must_use]
pub fn encode_exposition(
    exposition: &Exposition,
    resource: &ResourcePrefix,
    scope: &ScopePrefix,
    start: SystemTime,
    now: SystemTime,
) -> Chunk {
    let mut builder = ChunkBuilder::new(Signal::Metrics, resource.clone());
    let times = Times { start: nanos(start), now: nanos(now) };
    for (desc, samples) in exposition.families() {
        for form in [Form::Number, Form::Bounds, Form::Exponential] {
            if samples.iter().any(|sample| form.has(sample)) {
                builder.push_metric(scope, &Family { desc, samples, form, times });
            }
        }
    }
    builder.seal()
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[derive(Clone, Copy)]
struct Times {
    start: u64,
    now: u64,
}

/// What a sample becomes.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Number,
    Bounds,
    Exponential,
}

impl Form {
    fn has(self, sample: &Sample) -> bool {
        match &sample.value {
            SampleValue::Number(_) => self == Form::Number,
            SampleValue::Histogram { .. } => self == Form::Bounds,
            SampleValue::Distribution { .. } => self == Form::Exponential,
            _ => false,
        }
    }
}

/// The samples of one form of a family.
struct Family<'a> {
    desc: &'a Desc,
    samples: &'a [Sample],
    form: Form,
    times: Times,
}

impl<'a> Family<'a> {
    fn points<V: 'a>(
        &self,
        read: impl Fn(&'a SampleValue) -> Option<V> + 'a,
    ) -> impl Iterator<Item = Point<'a, V>> {
        let times = self.times;
        self.samples.iter().filter_map(move |sample| {
            read(&sample.value).map(|value| Point { labels: &sample.labels, times, value })
        })
    }
}

impl MetricSource for Family<'_> {
    fn name(&self) -> &str {
        match self.desc.kind {
            Kind::Counter => self.desc.name.strip_suffix("_total").unwrap_or(self.desc.name),
            _ => self.desc.name,
        }
    }

    fn description(&self) -> &str {
        self.desc.help
    }

    fn unit(&self) -> &str {
        self.desc.unit
    }

    fn data(&self, out: DataSink<'_>) {
        match self.form {
            Form::Number => {
                let points = self.points(|value| match value {
                    SampleValue::Number(number) => Some(*number),
                    _ => None,
                });
                match self.desc.kind {
                    Kind::Counter => {
                        out.sum(CUMULATIVE, true, |sink| points.for_each(|point| sink.push(&point)));
                    }
                    _ => out.gauge(|sink| points.for_each(|point| sink.push(&Now(point)))),
                }
            }
            Form::Bounds => {
                let points = self.points(|value| match value {
                    SampleValue::Histogram { buckets, count, sum } => {
                        Some(Bounds { buckets, count: *count, sum: *sum })
                    }
                    _ => None,
                });
                out.histogram(CUMULATIVE, |sink| points.for_each(|point| sink.push(&point)));
            }
            Form::Exponential => {
                let points = self.points(|value| value.exponential(MAX_BUCKETS));
                out.exponential_histogram(CUMULATIVE, |sink| points.for_each(|point| sink.push(&point)));
            }
        }
    }
}

struct Point<'a, V> {
    labels: &'a [(String, String)],
    times: Times,
    value: V,
}

impl<V> PointSource for Point<'_, V> {
    fn start_time_unix_nano(&self) -> u64 {
        self.times.start
    }

    fn time_unix_nano(&self) -> u64 {
        self.times.now
    }

    fn attributes(&self, out: &mut AttributeSink<'_>) {
        self.labels.iter().for_each(|(name, value)| out.push(name, ValueRef::Str(value)));
    }
}

/// A point of something that did not begin at any time.
struct Now<'a>(Point<'a, Number>);

impl PointSource for Now<'_> {
    fn time_unix_nano(&self) -> u64 {
        self.0.times.now
    }

    fn attributes(&self, out: &mut AttributeSink<'_>) {
        self.0.attributes(out);
    }
}

fn number(number: Number) -> WireNumber {
    match number {
        Number::Float(float) => WireNumber::Double(float),
        Number::Integer(integer) => WireNumber::Int(i64::try_from(integer).unwrap_or(i64::MAX)),
    }
}

impl NumberPointSource for Point<'_, Number> {
    fn value(&self) -> Option<WireNumber> {
        Some(number(self.value))
    }
}

impl NumberPointSource for Now<'_> {
    fn value(&self) -> Option<WireNumber> {
        Some(number(self.0.value))
    }
}

/// Observations by upper bounds; each count is of all observations up to the bound.
struct Bounds<'a> {
    buckets: &'a [(f64, u64)],
    count: u64,
    sum: f64,
}

impl HistogramPointSource for Point<'_, Bounds<'_>> {
    fn count(&self) -> u64 {
        // Where the count was read before the last bucket.
        self.value.buckets.last().map_or(0, |(_, up_to)| *up_to).max(self.value.count)
    }

    fn sum(&self) -> Option<f64> {
        Some(self.value.sum)
    }

    fn bucket_counts(&self, out: &mut CountSink<'_>) {
        let up_to = self.value.buckets.iter().map(|(_, up_to)| *up_to).chain([self.count()]);
        out.extend(up_to.scan(0_u64, |before, up_to| {
            let own = up_to.saturating_sub(*before);
            *before = up_to;
            Some(own)
        }));
    }

    fn explicit_bounds(&self, out: &mut DoubleSink<'_>) {
        out.extend(self.value.buckets.iter().map(|(bound, _)| *bound));
    }
}

impl ExponentialHistogramPointSource for Point<'_, ExponentialHistogram> {
    fn count(&self) -> u64 {
        self.value.count
    }

    fn sum(&self) -> Option<f64> {
        Some(self.value.sum)
    }

    fn scale(&self) -> i32 {
        self.value.scale
    }

    fn zero_count(&self) -> u64 {
        self.value.zero_count
    }

    fn positive(&self, out: BucketsSink<'_>) {
        out.put(self.value.offset, |counts| counts.extend(&self.value.counts));
    }

    fn min(&self) -> Option<f64> {
        self.value.min
    }

    fn max(&self) -> Option<f64> {
        self.value.max
    }
}
