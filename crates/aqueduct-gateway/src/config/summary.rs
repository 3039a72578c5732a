//! The effective configuration as text for people: what `aqueduct validate` prints.

use std::fmt::Write;

use aqueduct::tune::Mode;

use super::duration::format as time;
use super::exporters::{Compression, ExportProtocol, Exporter, ExporterKind, OtlpExporter};
use super::receivers::{Acknowledge, Listener, Receiver};
use super::size::format as bytes;
use super::tls::{Tls, TlsVersion};
use super::{Config, Periodic, Pipeline, Signal};

impl Config {
    /// The effective configuration, defaults included, values of headers hidden. For people; its form may change.
    pub fn summary(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_summary(&mut out);
        out
    }

    fn write_summary(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "receivers")?;
        for receiver in &self.receivers {
            write_receiver(out, receiver)?;
        }
        writeln!(out, "exporters")?;
        for exporter in &self.exporters {
            write_exporter(out, exporter)?;
        }
        writeln!(out, "pipelines")?;
        for pipeline in &self.pipelines {
            self.write_pipeline(out, pipeline)?;
        }
        let lanes = self.pipelines.iter().map(|pipeline| pipeline.exporters.len()).sum();
        writeln!(out, "memory for data")?;
        writeln!(out, "  being received  {}", bytes(self.receive_budget))?;
        writeln!(
            out,
            "  queued          {} in {} (one per pipeline and exporter)",
            bytes(self.queued_bytes()),
            count(lanes, "queue")
        )?;
        match &self.telemetry.admin {
            Some(admin) => writeln!(out, "admin endpoint    http://{admin}")?,
            None => writeln!(out, "admin endpoint    none")?,
        }
        if let Some(Periodic { interval, exporter }) = &self.telemetry.periodic {
            writeln!(out, "own metrics       sent every {}", time(*interval))?;
            write_otlp(out, "otlp", exporter)?;
        }
        if let Some(tuning) = &self.tuning {
            let does = if tuning.mode == Mode::Apply { "moves settings" } else { "suggests settings" };
            writeln!(out, "tuner             {does}, every {} at most", time(tuning.window))?;
        }
        writeln!(out, "log level         {}", self.telemetry.log_level.as_str())
    }

    /// Bytes that all queues together may hold.
    pub(crate) fn queued_bytes(&self) -> u64 {
        let lanes = self.pipelines.iter().flat_map(|pipeline| &pipeline.exporters);
        lanes.map(|exporter| self.queue_bytes(*exporter)).fold(0, u64::saturating_add)
    }

    fn queue_bytes(&self, exporter: usize) -> u64 {
        match &self.exporters[exporter].kind {
            ExporterKind::Otlp(otlp) => otlp.queue.max_bytes,
            ExporterKind::Debug | ExporterKind::File(_) => super::Queue::default().max_bytes,
        }
    }

    fn write_pipeline(&self, out: &mut String, pipeline: &Pipeline) -> std::fmt::Result {
        let receivers: Vec<&str> =
            pipeline.receivers.iter().map(|i| self.receivers[*i].name.as_str()).collect();
        let exporters: Vec<&str> =
            pipeline.exporters.iter().map(|i| self.exporters[*i].name.as_str()).collect();
        write!(out, "  {}: {} -> ", pipeline.name, receivers.join(", "))?;
        for sampler in &pipeline.samplers {
            let (share, mode) = (sampler.sampling_percentage, sampler.mode_for(pipeline.signal));
            write!(out, "sample {share} % ({}) -> ", mode.as_str())?;
        }
        if let Some(tail) = &pipeline.tail {
            let (policies, wait) = (
                count(tail.policies.len(), "policy").replace("policys", "policies"),
                time(tail.config.decision_wait),
            );
            write!(out, "sample traces ({policies}, {wait}, {}) -> ", bytes(tail.config.max_bytes as u64))?;
        }
        match &pipeline.batch {
            Some(batch) => {
                write!(out, "batch (")?;
                if let Some(items) = batch.send_batch_size {
                    write!(out, "{items} items, ")?;
                }
                write!(out, "{}, {})", bytes(batch.send_batch_max_bytes), time(batch.timeout))?;
            }
            None => write!(out, "no batching")?,
        }
        writeln!(out, " -> {}", exporters.join(", "))
    }
}

fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

fn write_receiver(out: &mut String, receiver: &Receiver) -> std::fmt::Result {
    let acknowledge = match receiver.acknowledge {
        Acknowledge::Enqueued => "once it is queued in memory",
        Acknowledge::Exported => "once it is exported",
    };
    writeln!(out, "  {}: a request is answered {acknowledge}", receiver.name)?;
    for (protocol, listener) in [("grpc", &receiver.grpc), ("http", &receiver.http)] {
        let Some(Listener { listen, max_request_bytes, max_concurrent_streams, .. }) = listener else {
            continue;
        };
        let (size, connections) = (bytes(*max_request_bytes), receiver.limits.max_connections);
        writeln!(
            out,
            "    {protocol} {listen}, requests to {size}, {connections} connections x {max_concurrent_streams} streams"
        )?;
    }
    Ok(())
}

fn write_exporter(out: &mut String, exporter: &Exporter) -> std::fmt::Result {
    match &exporter.kind {
        ExporterKind::Otlp(otlp) => write_otlp(out, &exporter.name, otlp),
        ExporterKind::Debug => writeln!(out, "  {}: a line a second on the standard output", exporter.name),
        ExporterKind::File(file) => {
            let how = if file.append { "appends to" } else { "starts anew" };
            writeln!(out, "  {}: OTLP-JSON lines, {how} {}", exporter.name, file.path.display())
        }
    }
}

fn write_otlp(out: &mut String, name: &str, otlp: &OtlpExporter) -> std::fmt::Result {
    let protocol = match otlp.protocol {
        ExportProtocol::Grpc => "grpc",
        ExportProtocol::HttpProtobuf => "http/protobuf",
        ExportProtocol::HttpJson => "http/json",
    };
    let compression = match otlp.compression {
        Compression::None => "not compressed".to_owned(),
        Compression::Gzip(level) => format!("gzip level {level}"),
        Compression::Zstd(level) => format!("zstd level {level}"),
    };
    let to = otlp.endpoint.as_deref().unwrap_or("per signal");
    writeln!(out, "  {name}: {protocol} to {to}, {compression}, {} per attempt", time(otlp.timeout))?;
    for signal in Signal::ALL {
        if let Some(url) = &otlp.signal_endpoints[signal.index()] {
            writeln!(out, "    {} to {url}", signal.as_str())?;
        }
    }
    if otlp.urls().any(|url| url.starts_with("https://")) {
        write_tls(out, &otlp.tls)?;
    }
    if let Some(proxy) = &otlp.proxy_url {
        // What lies before the last @ may be a password.
        let url = proxy.value.reveal();
        let shown = url.rsplit_once('@').map_or(url.to_owned(), |(_, place)| format!("http://***@{place}"));
        writeln!(out, "    through the proxy {shown}")?;
    }
    if !otlp.headers.is_empty() {
        let names: Vec<String> = otlp.headers.iter().map(|(name, _)| format!("{name}: ***")).collect();
        writeln!(out, "    headers {}", names.join(", "))?;
    }
    writeln!(out, "    queue {}, up to {} in flight", bytes(otlp.queue.max_bytes), otlp.queue.num_consumers)?;
    let retry = &otlp.retry;
    if !retry.enabled {
        return writeln!(out, "    no retry: what fails once is dropped and counted");
    }
    let jitter = match retry.randomization_factor {
        None => "full jitter".to_owned(),
        Some(factor) => format!("jitter {factor}"),
    };
    let until = match retry.max_elapsed_time {
        None => "as long as the queue holds the data".to_owned(),
        Some(elapsed) => format!("for {}", time(elapsed)),
    };
    let (first, last) = (time(retry.initial_interval), time(retry.max_interval));
    writeln!(out, "    retry after {first} to {last} (x{}, {jitter}), {until}", retry.multiplier)
}

fn write_tls(out: &mut String, tls: &Tls) -> std::fmt::Result {
    let version = if tls.min_version == TlsVersion::V1_3 { "1.3" } else { "1.2" };
    let trusted = tls
        .ca_file
        .as_ref()
        .map_or("the system's authorities".to_owned(), |file| file.value.display().to_string());
    write!(out, "    TLS {version} or newer, trusting {trusted}")?;
    if let Some(name) = &tls.server_name_override {
        write!(out, ", expecting {}", name.value)?;
    }
    if let Some(file) = &tls.cert_file {
        write!(out, ", showing {}", file.value.display())?;
    }
    writeln!(out)
}
