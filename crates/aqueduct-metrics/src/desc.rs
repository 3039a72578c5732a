//! Metric descriptors: what a metric is called, counts and means, in one constant that code, exposition and documentation share.

/// How the values of a metric behave.
///
/// Complete by the exposition format 0.0.4 as far as we use it: summaries cannot be aggregated and are left out on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Only ever rises, until the process restarts.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
}

impl Kind {
    /// The kind as the exposition format spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// The description of one metric.
///
/// Beside the name under which it is published, it says what the metric is called in the semantic conventions of OpenTelemetry, and under which other names
/// users may know it.
///
/// Descriptors are constants. Each crate lists its own in a `METRICS` table, from which `/metrics`, the documentation and the alert rules are made,
/// so that no name is written twice.
///
/// # Examples
///
/// ```
/// use aqueduct_metrics::Desc;
///
/// const REFUSED: Desc = Desc::counter("shop_refused_requests_total", "{request}", "Requests refused at the door.")
///     .with_attributes(&["reason"]);
/// assert_eq!(REFUSED.attributes, ["reason"]);
/// ```
///
/// A name that the exposition format does not allow fails to compile:
///
/// ```compile_fail
/// # use aqueduct_metrics::Desc;
/// const REFUSED: Desc = Desc::counter("shop.refused", "{request}", "Requests refused at the door.");
/// ```
#[doc(alias = "OtlpPerformanceMetrics")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Desc {
    /// The name in the exposition format: `aqueduct_<noun>_<unit>`, and `_total` at the end of every counter.
    pub name: &'static str,
    /// The unit in UCUM notation: `s`, `By`, `1`, `{item}`.
    pub unit: &'static str,
    /// How the values behave.
    pub kind: Kind,
    /// One sentence for a person.
    pub help: &'static str,
    /// The names of the labels, in the order in which they are written.
    pub attributes: &'static [&'static str],
    /// The metric of the semantic conventions that it corresponds to, as `otel.sdk.exporter.{signal}.exported`; see
    /// [`convention_for`](Desc::convention_for).
    pub convention: Option<&'static str>,
    /// Other names under which users look for it: older ones, and the Collector's.
    pub aliases: &'static [&'static str],
}

impl Desc {
    /// A counter without attributes.
    ///
    /// # Panics
    ///
    /// If the name is not `[a-zA-Z_:][a-zA-Z0-9_:]*` or does not end in `_total`. In a constant that is a compile error.
    pub const fn counter(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        assert!(ends_in_total(name), "the name of a counter ends in _total");
        Self::new(name, unit, Kind::Counter, help)
    }

    /// A gauge without attributes.
    ///
    /// # Panics
    ///
    /// If the name is not `[a-zA-Z_:][a-zA-Z0-9_:]*` or ends in `_total`. In a constant that is a compile error.
    pub const fn gauge(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        assert!(!ends_in_total(name), "only the name of a counter ends in _total");
        Self::new(name, unit, Kind::Gauge, help)
    }

    /// A histogram without attributes.
    ///
    /// # Panics
    ///
    /// If the name is not `[a-zA-Z_:][a-zA-Z0-9_:]*` or ends in `_total`. In a constant that is a compile error.
    pub const fn histogram(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        assert!(!ends_in_total(name), "only the name of a counter ends in _total");
        Self::new(name, unit, Kind::Histogram, help)
    }

    /// The same metric with these labels.
    ///
    /// # Panics
    ///
    /// If a label is not `[a-zA-Z_][a-zA-Z0-9_]*`. In a constant that is a compile error.
    pub const fn with_attributes(mut self, attributes: &'static [&'static str]) -> Self {
        let mut index = 0;
        while index < attributes.len() {
            assert!(is_name(attributes[index], false), "a label is made of letters, digits and underscores");
            index += 1;
        }
        self.attributes = attributes;
        self
    }

    /// The same metric with its counterpart in the semantic conventions. `{signal}` as one of its parts stands for what the conventions call the
    /// items of the signal that a label names.
    ///
    /// Source: <https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/>.
    ///
    /// # Panics
    ///
    /// If the name is not made of parts `[a-z][a-z0-9_]*`, at least two, with dots between them. In a constant that is a compile error.
    pub const fn with_convention(mut self, convention: &'static str) -> Self {
        assert!(
            is_dotted(convention, true),
            "a name of the conventions is made of lower-case parts with dots between them"
        );
        self.convention = Some(convention);
        self
    }

    /// The same metric with these other names: older ones of ours, and that of the OpenTelemetry Collector for the same, as
    /// `otelcol_processor_tail_sampling_count_traces_sampled`.
    ///
    /// # Panics
    ///
    /// If one is not made of parts `[a-z][a-z0-9_]*` with dots between them. In a constant that is a compile error.
    pub const fn with_aliases(mut self, aliases: &'static [&'static str]) -> Self {
        let mut index = 0;
        while index < aliases.len() {
            assert!(
                is_dotted(aliases[index], false) || is_plain(aliases[index]),
                "an alias is made of lower-case parts with dots between them"
            );
            index += 1;
        }
        self.aliases = aliases;
        self
    }

    /// The name in the semantic conventions for the items of a signal: `traces`, `metrics` or `logs`; none without a counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use aqueduct_metrics::Desc;
    ///
    /// const SENT: Desc = Desc::counter("shop_sent_items_total", "{item}", "Items sent.")
    ///     .with_attributes(&["signal"])
    ///     .with_convention("otel.sdk.exporter.{signal}.exported")
    ///     .with_aliases(&["otlp.spans.exported"]);
    /// assert_eq!(SENT.convention_for("traces").as_deref(), Some("otel.sdk.exporter.span.exported"));
    /// ```
    pub fn convention_for(&self, signal: &str) -> Option<String> {
        let items = match signal {
            "traces" => "span",
            "metrics" => "metric_data_point",
            "logs" => "log",
            _ => return self.convention.filter(|name| !name.contains(SIGNAL)).map(str::to_owned),
        };
        self.convention.map(|name| name.replace(SIGNAL, items))
    }

    const fn new(name: &'static str, unit: &'static str, kind: Kind, help: &'static str) -> Self {
        assert!(is_name(name, true), "a metric name is made of letters, digits, underscores and colons");
        Desc { name, unit, kind, help, attributes: &[], convention: None, aliases: &[] }
    }
}

/// Whether the exposition format allows the name; labels are as metric names, but without colons.
const fn is_name(name: &str, colons: bool) -> bool {
    let bytes = name.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        let byte = bytes[index];
        let letter = byte.is_ascii_alphabetic() || byte == b'_' || (colons && byte == b':');
        if !letter && (index == 0 || !byte.is_ascii_digit()) {
            return false;
        }
        index += 1;
    }
    !bytes.is_empty()
}

/// The part of a convention's name that stands for the items of a signal.
const SIGNAL: &str = "{signal}";

/// Whether this is two or more parts with dots between them. One of them may be the whole of [`SIGNAL`] if `placeholder`.
const fn is_dotted(name: &str, placeholder: bool) -> bool {
    let (bytes, signal) = (name.as_bytes(), SIGNAL.as_bytes());
    let (mut index, mut start, mut dots) = (0, 0, 0);
    while index < bytes.len() {
        let byte = bytes[index];
        if byte == b'.' {
            if index == start {
                return false;
            }
            dots += 1;
            start = index + 1;
        } else if byte == b'{' {
            let mut at = 0;
            while at < signal.len() {
                if !placeholder
                    || index != start
                    || index + at >= bytes.len()
                    || bytes[index + at] != signal[at]
                {
                    return false;
                }
                at += 1;
            }
            index += signal.len();
            if index < bytes.len() && bytes[index] != b'.' {
                return false;
            }
            continue;
        } else {
            let letter = byte.is_ascii_lowercase();
            if !letter && (index == start || !(byte.is_ascii_digit() || byte == b'_')) {
                return false;
            }
        }
        index += 1;
    }
    dots > 0 && start < bytes.len()
}

/// Whether this is one lower-case part, as the Collector's names of its own metrics are.
const fn is_plain(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        let letter = bytes[index].is_ascii_lowercase();
        if !letter && (index == 0 || !(bytes[index].is_ascii_digit() || bytes[index] == b'_')) {
            return false;
        }
        index += 1;
    }
    !bytes.is_empty()
}

const fn ends_in_total(name: &str) -> bool {
    matches!(name.as_bytes(), [.., b'_', b't', b'o', b't', b'a', b'l'])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the check that keeps illegal names out of `/metrics`: one bad name makes a scraper refuse the whole page.
    #[test]
    fn names_follow_the_exposition_format() {
        for good in ["a", "_a", "a:b", "aqueduct_items_total", "A9"] {
            assert!(is_name(good, true), "{good}");
        }
        for bad in ["", "9a", "a.b", "a-b", "a b", "é"] {
            assert!(!is_name(bad, true), "{bad}");
        }
        assert!(!is_name("a:b", false));
        assert!(ends_in_total("a_total"));
        assert!(!ends_in_total("total"));
    }

    /// Guards the check of the other names: one that no convention has would be looked for in vain.
    #[test]
    fn other_names_are_dotted() {
        for good in ["otel.sdk", "otlp.spans.created", "a1.b_2"] {
            assert!(is_dotted(good, false) && is_dotted(good, true), "{good}");
        }
        for bad in [
            "",
            "otel",
            ".a",
            "a.",
            "a..b",
            "a.B",
            "a.1b",
            "a b.c",
            "a.{sig}",
            "a.x{signal}",
            "a.{signal}x",
            "a.{signal",
        ] {
            assert!(!is_dotted(bad, true), "{bad}");
        }
        for (name, plain) in
            [("otelcol_a1", true), ("", false), ("a.b", false), ("Otel", false), ("1a", false)]
        {
            assert_eq!(is_plain(name), plain, "{name}");
        }
        for placed in ["a.{signal}", "{signal}.a", "a.{signal}.b"] {
            assert!(is_dotted(placed, true) && !is_dotted(placed, false), "{placed}");
        }
    }
}
