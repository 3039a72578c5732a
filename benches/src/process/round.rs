//! One round: a fresh sink, a fresh gateway, a load, and what they add up to.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::build::{Profile, Programs};
use super::child::Process;
use super::contender::{Contender, Egress, Gateway};
use super::cores::Cores;
use crate::Failure;

const START: Duration = Duration::from_secs(20);
/// How often memory, descriptors and threads are looked at while the load runs.
const LOOK: Duration = Duration::from_millis(50);
/// After the load a gateway may take this long to send what it holds.
const DRAIN: Duration = Duration::from_secs(15);
/// How long a gateway is warmed up, in seconds.
const WARM_UP: f64 = 0.5;
/// Warm-up and measurement share a sink, so they send as different producers.
const WARM_UP_PRODUCER: u32 = 1000;
const PRODUCER: u32 = 1;

/// What process benchmarks have in common: the programs and the cores.
#[derive(Clone, Debug)]
pub struct Bench {
    /// Where the programs are.
    pub programs: Programs,
    /// Where they run.
    pub cores: Cores,
}

/// A load to offer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// `traces`, `metrics` or `logs`.
    pub signal: &'static str,
    /// Items a request.
    pub items: u64,
    /// Connections.
    pub connections: usize,
    /// Requests in flight on each connection.
    pub in_flight: usize,
    /// Requests a second by the clock (open loop); as fast as answers come (closed loop) without.
    pub rate: Option<f64>,
    /// How long.
    pub seconds: f64,
    /// gzip level 1 in the requests.
    pub gzip: bool,
}

impl Load {
    /// Spans in a closed loop on 4 connections with 64 requests in flight each.
    #[must_use]
    pub fn spans(items: u64, seconds: f64) -> Load {
        Load { signal: "traces", items, connections: 4, in_flight: 64, rate: None, seconds, gzip: false }
    }

    fn arguments(&self, to: SocketAddr, producer: u32) -> Vec<String> {
        let mut arguments = vec!["load".to_owned(), "--json".to_owned(), "--quiet".to_owned()];
        let mut option = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        option("--endpoint", format!("http://{to}"));
        option("--signal", self.signal.to_owned());
        option("--spans", self.items.to_string());
        option("--attributes", "10".to_owned());
        option("--connections", self.connections.to_string());
        option("--in-flight", self.in_flight.to_string());
        option("--seconds", self.seconds.to_string());
        option("--producer", producer.to_string());
        if let Some(rate) = self.rate {
            option("--rate", rate.to_string());
        }
        if self.gzip {
            option("--compression", "gzip".to_owned());
        }
        arguments
    }
}

/// What one round came to. Items are those of the measured load, not of the warm-up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Items that the gateway acknowledged.
    pub acknowledged: u64,
    /// Items that the sink received, each counted once.
    pub received: u64,
    /// Acknowledged and not received.
    pub lost: u64,
    /// Received more than once.
    pub duplicated: u64,
    /// Acknowledged requests a second.
    pub requests_per_second: f64,
    /// To the acknowledgement, in milliseconds.
    pub p50_ms: f64,
    /// To the acknowledgement, in milliseconds.
    pub p99_ms: f64,
    /// How long the load ran, in seconds.
    pub seconds: f64,
    /// CPU time of the gateway, from before the load to after the last item left.
    pub cpu: Duration,
    /// CPU time of the generator.
    pub load_cpu: Duration,
    /// The most resident bytes.
    pub peak_rss: u64,
    /// Looks at the gateway while the load ran.
    pub looks: Vec<Look>,
    acknowledged_ranges: Ranges,
    /// Bytes into the gateway, as sent in the requests' messages.
    pub ingress_bytes: u64,
    /// Bytes out of the gateway, as the sink read them from its sockets.
    pub egress_bytes: u64,
}

/// Sequences, as sorted inclusive ranges.
type Ranges = Vec<(u64, u64)>;

/// A look at the gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Look {
    /// Since the load began.
    pub at: Duration,
    /// Resident bytes.
    pub rss: u64,
    /// Open descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
}

impl Measured {
    /// Microseconds of CPU per received item.
    #[must_use]
    pub fn cpu_us_per_item(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.received as f64
    }

    /// Received items a second.
    #[must_use]
    pub fn items_per_second(&self) -> f64 {
        self.received as f64 / self.seconds
    }

    /// CPU as a share of one core over the time of the load.
    #[must_use]
    pub fn cpu_share(&self) -> f64 {
        self.cpu.as_secs_f64() / self.seconds
    }

    /// The most resident memory in MiB.
    #[must_use]
    pub fn peak_mib(&self) -> f64 {
        self.peak_rss as f64 / f64::from(1 << 20)
    }
}

/// A sink that runs.
#[derive(Debug)]
pub struct Sink {
    process: Process,
    /// Where it takes OTLP over gRPC.
    pub address: SocketAddr,
}

impl Sink {
    /// Starts a sink with further arguments and waits until it listens.
    ///
    /// # Errors
    /// It does not start, or not in time.
    pub fn start(bench: &Bench, more: &[&str]) -> Result<Sink, Failure> {
        let arguments = ["sink", "--json", "--stdin", "--listen", "127.0.0.1:0"].iter().chain(more);
        let arguments: Vec<String> = arguments.map(|argument| (*argument).to_owned()).collect();
        let mut process =
            Process::start("aqueduct sink", bench.cores.generator, &bench.programs.aqueduct, &arguments)?;
        let address = process.wait_for(START, |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            line["listening"]["grpc"].as_str()?.parse().ok()
        })?;
        Ok(Sink { process, address })
    }

    /// Items received so far, each counted once.
    ///
    /// # Errors
    /// It does not answer.
    pub fn received(&mut self) -> Result<u64, Failure> {
        self.process.say("report")?;
        self.process.wait_for(START, |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            line["progress"]["received"].as_u64()
        })
    }

    /// Ends the sink and returns its report.
    ///
    /// # Errors
    /// It does not end, or reports nothing.
    pub fn stop(self) -> Result<Value, Failure> {
        Ok(serde_json::from_str(&self.process.stop(DRAIN)?)?)
    }
}

impl Bench {
    /// Builds the programs and picks the cores.
    ///
    /// # Errors
    /// Something does not compile.
    pub fn prepare(profile: Profile) -> Result<Bench, Failure> {
        Ok(Bench { programs: Programs::build(profile)?, cores: Cores::allowed() })
    }

    /// Runs one load through one gateway.
    ///
    /// # Errors
    /// A process does not do what it should; bad figures are no error.
    pub fn round(&self, contender: Contender, egress: Egress, load: &Load) -> Result<Measured, Failure> {
        let mut sink = Sink::start(self, &[])?;
        let gateway = Gateway::start(&self.programs, contender, egress, sink.address, self.cores.gateway)?;
        let mut measured = self.measure(&gateway, &mut sink, load)?;
        measured.account(&sink.stop()?)?;
        Ok(measured)
    }

    /// Runs one load straight into a sink: what generator and sink can do without a gateway between them.
    ///
    /// # Errors
    /// As [`Bench::round`].
    pub fn direct(&self, load: &Load) -> Result<Measured, Failure> {
        let sink = Sink::start(self, &[])?;
        let report = self.load(sink.address, load, PRODUCER)?.finish(finish_within(load))?;
        let mut measured = Measured::of_load(&report)?;
        measured.account(&sink.stop()?)?;
        Ok(measured)
    }

    /// Warms a gateway up, runs the load and waits until the gateway has sent everything.
    ///
    /// # Errors
    /// As [`Bench::round`].
    pub fn measure(&self, gateway: &Gateway, sink: &mut Sink, load: &Load) -> Result<Measured, Failure> {
        let mut due = sink.received()?;
        // A load shorter than the warm-up is a test's, whose figures mean nothing.
        if load.seconds > WARM_UP {
            let warm_up = Load { seconds: WARM_UP, ..*load };
            let report =
                self.load(gateway.address, &warm_up, WARM_UP_PRODUCER)?.finish(finish_within(&warm_up))?;
            due += Measured::of_load(&report)?.acknowledged;
            settle(sink, due)?;
        }
        let before = gateway.usage()?;
        let mut measured = self.watched(gateway, load)?;
        settle(sink, due + measured.acknowledged)?;
        let after = gateway.usage()?;
        measured.cpu = after.cpu_since(&before);
        measured.peak_rss = after.peak_rss;
        Ok(measured)
    }

    /// Runs a load without warm-up or waiting afterwards, and looks at the gateway meanwhile.
    ///
    /// # Errors
    /// As [`Bench::round`].
    pub fn watched(&self, gateway: &Gateway, load: &Load) -> Result<Measured, Failure> {
        let start = Instant::now();
        let mut generator = self.load(gateway.address, load, PRODUCER)?;
        let mut looks = Vec::new();
        while generator.is_alive() {
            let usage = gateway.usage()?;
            let (rss, descriptors, threads) = (usage.rss, usage.descriptors, usage.threads());
            looks.push(Look { at: start.elapsed(), rss, descriptors, threads });
            if start.elapsed() > finish_within(load) {
                return Err("the generator does not end".into());
            }
            thread::sleep(LOOK);
        }
        let report = generator.finish(DRAIN)?;
        Ok(Measured { looks, peak_rss: gateway.usage()?.peak_rss, ..Measured::of_load(&report)? })
    }

    fn load(&self, to: SocketAddr, load: &Load, producer: u32) -> Result<Process, Failure> {
        let arguments = load.arguments(to, producer);
        Process::start("aqueduct load", self.cores.generator, &self.programs.aqueduct, &arguments)
    }
}

fn finish_within(load: &Load) -> Duration {
    Duration::from_secs_f64(load.seconds) + Duration::from_secs(30)
}

/// Waits until the sink has as many items as were acknowledged; what is missing at the deadline will be counted as lost.
fn settle(sink: &mut Sink, acknowledged: u64) -> Result<(), Failure> {
    let deadline = Instant::now() + DRAIN;
    while sink.received()? < acknowledged && Instant::now() < deadline {
        thread::sleep(LOOK);
    }
    Ok(())
}

impl Measured {
    /// What the generator says.
    pub(crate) fn of_load(report: &str) -> Result<Measured, Failure> {
        let report: Value = serde_json::from_str(report)?;
        let figure =
            |name: &str| report[name].as_f64().ok_or_else(|| format!("`aqueduct load` reports no {name}"));
        let acknowledged = figure("acknowledged")?;
        Ok(Measured {
            acknowledged: acknowledged as u64,
            // Until a sink has been asked, all that was acknowledged is missing.
            lost: acknowledged as u64,
            acknowledged_ranges: ranges(&report["acknowledged_ranges"])?,
            requests_per_second: figure("requests_per_second")?,
            p50_ms: figure("p50_ms")?,
            p99_ms: figure("p99_ms")?,
            seconds: figure("seconds")?,
            load_cpu: Duration::from_secs_f64(figure("cpu_seconds")?),
            ingress_bytes: (acknowledged / figure("items_per_request")? * figure("request_bytes")?) as u64,
            ..Measured::default()
        })
    }

    /// Adds what the sink says.
    ///
    /// # Errors
    /// The report lacks a figure.
    pub fn account(&mut self, report: &Value) -> Result<(), Failure> {
        let received = ranges(&report["received_ranges"])?;
        self.received = count(&received);
        self.lost = count(&self.acknowledged_ranges) - common(&self.acknowledged_ranges, &received);
        let figure =
            |name: &str| report[name].as_u64().ok_or_else(|| format!("`aqueduct sink` reports no {name}"));
        self.duplicated = figure("duplicates")?;
        // The sink adds up warm-up and load, which are alike: the load's share of the bytes is its share of the items.
        let share = self.received as f64 / figure("received")?.max(1) as f64;
        self.egress_bytes = (figure("wire_bytes")? as f64 * share) as u64;
        Ok(())
    }
}

/// The ranges of the measured producer in a map from producers to ranges.
fn ranges(map: &Value) -> Result<Ranges, Failure> {
    match map.get(PRODUCER.to_string()) {
        None if map.is_object() => Ok(Vec::new()),
        None => Err("a report has no ranges of identifiers".into()),
        Some(ranges) => Ok(serde_json::from_value(ranges.clone())?),
    }
}

fn count(ranges: &[(u64, u64)]) -> u64 {
    ranges.iter().map(|(first, last)| last - first + 1).sum()
}

/// How many numbers are in both.
fn common(a: &[(u64, u64)], b: &[(u64, u64)]) -> u64 {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut common = 0;
    while let (Some(&&(a_first, a_last)), Some(&&(b_first, b_last))) = (a.peek(), b.peek()) {
        let (first, last) = (a_first.max(b_first), a_last.min(b_last));
        common += (last + 1).saturating_sub(first);
        if a_last < b_last {
            a.next()
        } else {
            b.next()
        };
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the accounting that the claim "nothing lost" rests on: a surplus of unacknowledged items must not hide a loss.
    #[test]
    fn losses_are_counted_by_identity() {
        let report = r#"{"acknowledged":20,"items_per_request":10,"request_bytes":500,"requests_per_second":1,"p50_ms":1,
            "p99_ms":2,"seconds":1,"cpu_seconds":0.5,"acknowledged_ranges":{"1":[[0,9],[20,29]]}}"#;
        let mut measured = Measured::of_load(report).unwrap();
        assert_eq!((measured.lost, measured.ingress_bytes), (20, 1000));
        let sink = r#"{"received_ranges":{"1":[[0,7],[10,24]],"1000":[[0,5]]},"duplicates":3,"received":46,"wire_bytes":14}"#;
        measured.account(&serde_json::from_str(sink).unwrap()).unwrap();
        assert_eq!(
            (measured.received, measured.lost, measured.duplicated, measured.egress_bytes),
            (23, 7, 3, 7)
        );
    }

    /// Guards against reading "nothing lost" from a report that says nothing.
    #[test]
    fn a_report_without_figures_is_an_error() {
        assert!(Measured::of_load("{}").is_err());
        assert!(Measured::default().account(&Value::Null).is_err());
    }

    /// Guards the intersection at its corners.
    #[test]
    fn common_numbers() {
        assert_eq!(common(&[(0, 9)], &[(0, 9)]), 10);
        assert_eq!(common(&[(0, 4), (6, 9)], &[(4, 6)]), 2);
        assert_eq!(common(&[(0, 4)], &[(5, 9)]), 0);
        assert_eq!(common(&[], &[(5, 9)]), 0);
        assert_eq!(common(&[(0, 99)], &[(1, 1), (3, 3), (98, 120)]), 4);
    }
}
