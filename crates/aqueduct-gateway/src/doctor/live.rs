//! What a running gateway did between two looks at its metrics.

use std::time::{Duration, Instant};

use aqueduct::metrics::{DropReason, LeakReport, Verdict};
use aqueduct::tune::Snapshot;

use super::page::{Sample, fetch, samples};

/// Looks twice, so long apart.
///
/// # Errors
/// In words, with what to do.
pub(super) fn observe(url: &str, window: Duration) -> Result<Snapshot, String> {
    let page = || fetch(url, "/metrics").map(|text| samples(&text));
    let before = page()?;
    if !before.iter().any(|sample| sample.name == UPTIME) {
        return Err(format!("{url}/metrics has no {UPTIME}: no gateway's admin endpoint"));
    }
    let began = Instant::now();
    // Counters have no event to wait for.
    std::thread::sleep(window);
    let after = page()?;
    let took = began.elapsed();
    if total(&after, UPTIME) < total(&before, UPTIME) {
        return Err(format!("{url}: the gateway was started anew meanwhile: look again"));
    }
    Ok(snapshot(&before, &after, took))
}

const UPTIME: &str = "aqueduct_process_uptime_seconds";

/// The sum over all labels.
fn total(page: &[Sample], name: &str) -> f64 {
    page.iter().filter(|sample| sample.name == name).map(|sample| sample.value).sum()
}

fn level(page: &[Sample], name: &str) -> Option<f64> {
    page.iter().any(|sample| sample.name == name).then(|| total(page, name))
}

fn with<'p>(
    page: &'p [Sample],
    name: &'p str,
    label: &'p str,
    value: &'p str,
) -> impl Iterator<Item = f64> + 'p {
    page.iter()
        .filter(move |sample| sample.name == name && sample.label(label) == value)
        .map(|sample| sample.value)
}

fn snapshot(before: &[Sample], after: &[Sample], window: Duration) -> Snapshot {
    let since = |name: &str| (total(after, name) - total(before, name)).max(0.0);
    let counted = |name: &str| since(name) as u64;
    let by = |name: &str, label: &str, value: &str| {
        let at = |page: &[Sample]| with(page, name, label, value).sum::<f64>();
        (at(after) - at(before)).max(0.0) as u64
    };
    let seconds = window.as_secs_f64();
    let mut seen = Snapshot::default();
    seen.window = window;
    seen.accepted_items = counted("aqueduct_accepted_items_total");
    seen.refused_items = counted("aqueduct_pipeline_refused_items_total");
    seen.offered_items = seen.accepted_items + seen.refused_items;
    seen.delivered_items = counted("aqueduct_delivered_items_total");
    seen.rejected_items = counted("aqueduct_rejected_items_total");
    for reason in DropReason::ALL {
        seen.dropped_items[reason.index()] = by("aqueduct_dropped_items_total", "reason", reason.as_str());
    }
    seen.bytes_in = counted("aqueduct_pipeline_batch_bytes_sum");
    seen.bytes_sent = counted("aqueduct_pipeline_sent_bytes_total");
    seen.requests = counted("aqueduct_export_duration_seconds_count");
    let failed = counted("aqueduct_pipeline_failed_attempts_total");
    seen.requests_succeeded = seen.requests.saturating_sub(failed);
    seen.retries = counted("aqueduct_pipeline_retries_total");
    seen.export_p50 = quantile(before, after, "aqueduct_export_duration_seconds_bucket", 0.5);
    seen.export_p99 = quantile(before, after, "aqueduct_export_duration_seconds_bucket", 0.99);
    seen.wait_p99 = quantile(before, after, "aqueduct_pipeline_wait_duration_seconds_bucket", 0.99);
    seen.held_bytes = total(after, "aqueduct_pipeline_held_bytes") as u64;
    seen.queue_bytes = total(after, "aqueduct_pipeline_capacity_bytes") as u64;
    if seconds > 0.0 {
        seen.cpu_used = level(after, CPU).map(|_| since(CPU) / seconds);
        seen.in_flight = since("aqueduct_export_duration_seconds_sum") / seconds;
    }
    let cores =
        [level(after, "aqueduct_process_available_cpus"), level(after, "aqueduct_process_cpu_limit_cores")];
    seen.cpu_available = cores.into_iter().flatten().reduce(f64::min);
    seen.rss_bytes = level(after, "aqueduct_process_resident_memory_bytes").map(|bytes| bytes as u64);
    seen.memory_limit_bytes = level(after, "aqueduct_process_memory_limit_bytes").map(|bytes| bytes as u64);
    seen.leak = leak(after);
    seen.in_flight_limit = total(after, "aqueduct_pipeline_in_flight_limit") as u64;
    let sealed = |reason: &str| by("aqueduct_pipeline_sealed_batches_total", "reason", reason);
    seen.sealed.items = sealed("items");
    seen.sealed.bytes = sealed("bytes");
    seen.sealed.age = sealed("age");
    seen.sealed.other = sealed("idle") + sealed("flush");
    let alike = seen.retries == 0 && seen.bytes_sent > 0 && seen.bytes_in > 0;
    seen.compression_ratio = alike.then(|| seen.bytes_in as f64 / seen.bytes_sent as f64);
    let left_out = seen.dropped_items[DropReason::NotSampled.index()] as f64;
    seen.sampling_rate =
        (seen.accepted_items > 0).then(|| (1.0 - left_out / seen.accepted_items as f64).max(0.0));
    seen
}

/// What the gateway says about its own growth; `None` from one that does not watch it.
fn leak(page: &[Sample]) -> Option<LeakReport> {
    let verdict = |resource: &str| {
        let is = |sample: &&Sample| {
            sample.name == "aqueduct_leak_verdict"
                && sample.label("resource") == resource
                && sample.value > 0.0
        };
        Some(match page.iter().find(is)?.label("verdict") {
            "steady" => Verdict::Steady,
            "fading" => Verdict::Fading,
            "leaking" => Verdict::Leaking,
            _ => Verdict::TooEarly,
        })
    };
    let mut report = LeakReport::default();
    report.memory.verdict = verdict("memory")?;
    report.memory.per_minute = level(page, "aqueduct_leak_slope_bytes_per_second").unwrap_or_default() * 60.0;
    report.checked_out.verdict = verdict("buffers")?;
    Some(report)
}

const CPU: &str = "aqueduct_process_cpu_seconds_total";

/// The quantile of what came between, interpolated within its bucket, as Prometheus does. Past the last bound it is that bound.
fn quantile(before: &[Sample], after: &[Sample], name: &str, q: f64) -> Option<Duration> {
    let mut bounds: Vec<&str> = Vec::new();
    for sample in after.iter().filter(|sample| sample.name == name) {
        if !bounds.contains(&sample.label("le")) {
            bounds.push(sample.label("le"));
        }
    }
    let mut counts: Vec<(f64, f64)> = bounds
        .into_iter()
        .filter_map(|bound| {
            let at = |page: &[Sample]| with(page, name, "le", bound).sum::<f64>();
            Some((bound.parse().ok()?, at(after) - at(before)))
        })
        .collect();
    counts.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let all = counts.last().filter(|(_, count)| *count > 0.0)?.1;
    let wanted = q * all;
    let place = counts.iter().position(|(_, count)| *count >= wanted)?;
    let (low, below) = place.checked_sub(1).map_or((0.0, 0.0), |place| counts[place]);
    let (high, up_to) = counts[place];
    let seconds =
        if high.is_infinite() { low } else { low + (high - low) * (wanted - below) / (up_to - below) };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "\
aqueduct_accepted_items_total{signal=\"traces\",destination=\"a\"} 100
aqueduct_accepted_items_total{signal=\"logs\",destination=\"a\"} 10
aqueduct_dropped_items_total{signal=\"traces\",destination=\"a\",reason=\"not_sampled\"} 7
aqueduct_export_duration_seconds_bucket{destination=\"a\",le=\"0.01\"} 10
aqueduct_export_duration_seconds_bucket{destination=\"a\",le=\"0.1\"} 10
aqueduct_export_duration_seconds_bucket{destination=\"a\",le=\"+Inf\"} 10
aqueduct_export_duration_seconds_count{destination=\"a\"} 10
aqueduct_export_duration_seconds_sum{destination=\"a\"} 1
aqueduct_process_cpu_seconds_total 5
";
    const AFTER: &str = "\
aqueduct_accepted_items_total{signal=\"traces\",destination=\"a\"} 1000
aqueduct_accepted_items_total{signal=\"logs\",destination=\"a\"} 110
aqueduct_pipeline_refused_items_total{signal=\"logs\",destination=\"a\"} 50
aqueduct_dropped_items_total{signal=\"traces\",destination=\"a\",reason=\"not_sampled\"} 507
aqueduct_export_duration_seconds_bucket{destination=\"a\",le=\"0.01\"} 60
aqueduct_export_duration_seconds_bucket{destination=\"a\",le=\"0.1\"} 110
aqueduct_export_duration_seconds_bucket{destination=\"a\",le=\"+Inf\"} 110
aqueduct_export_duration_seconds_count{destination=\"a\"} 110
aqueduct_export_duration_seconds_sum{destination=\"a\"} 5
aqueduct_pipeline_failed_attempts_total{destination=\"a\"} 5
aqueduct_pipeline_sealed_batches_total{reason=\"items\"} 3
aqueduct_process_cpu_seconds_total 6
aqueduct_process_available_cpus 4
aqueduct_process_cpu_limit_cores 1.5
";

    /// Guards what becomes of two pages: differences for counters, levels as they are, and series that were not there before.
    #[test]
    fn two_pages_are_a_window() {
        let seen = snapshot(&samples(BEFORE), &samples(AFTER), Duration::from_secs(2));
        assert_eq!((seen.accepted_items, seen.refused_items, seen.offered_items), (1_000, 50, 1_050));
        assert_eq!((seen.requests, seen.requests_succeeded), (100, 95));
        assert_eq!(seen.dropped_items[DropReason::NotSampled.index()], 500);
        assert_eq!(seen.sampling_rate, Some(0.5));
        assert_eq!((seen.cpu_used, seen.cpu_available), (Some(0.5), Some(1.5)));
        assert_eq!((seen.in_flight, seen.sealed.items), (2.0, 3));
        assert_eq!(seen.export_p50, Some(Duration::from_millis(10)));
        // 99 of 100: 49 of 50 of the way from 10 to 100 ms.
        let p99 = seen.export_p99.expect("there were requests").as_secs_f64();
        assert!((p99 - 0.0982).abs() < 1e-6, "{p99}");
        assert_eq!((seen.wait_p99, seen.rss_bytes, seen.compression_ratio), (None, None, None));
    }

    /// Guards the verdict on growth against another resource's, and gateways that do not watch theirs.
    #[test]
    fn growth_is_what_the_gateway_says() {
        assert_eq!(leak(&samples(AFTER)), None);
        let text = "aqueduct_leak_verdict{resource=\"memory\",verdict=\"steady\"} 0\n\
                    aqueduct_leak_verdict{resource=\"memory\",verdict=\"leaking\"} 1\n\
                    aqueduct_leak_verdict{resource=\"buffers\",verdict=\"leaking\"} 0\n\
                    aqueduct_leak_verdict{resource=\"buffers\",verdict=\"fading\"} 1\n\
                    aqueduct_leak_slope_bytes_per_second 17476.266666666666\n";
        let report = leak(&samples(text)).expect("it watches");
        assert_eq!((report.memory.verdict, report.checked_out.verdict), (Verdict::Leaking, Verdict::Fading));
        assert!((report.memory.per_minute - 1_048_576.0).abs() < 1.0, "{report:?}");
    }

    /// Guards against a quantile of nothing.
    #[test]
    fn nothing_has_no_quantiles() {
        let page = samples(BEFORE);
        let seen = snapshot(&page, &page, Duration::from_secs(1));
        assert_eq!((seen.export_p50, seen.export_p99, seen.requests), (None, None, 0));
    }
}
