//! The targets: what the whole must hold at once.

use crate::Failure;
use crate::harness::{Declared, Effort, Run, Samples, Suite};
use crate::process::{Bench, Contender, Cores, Egress, Gateway, Load, Measured, Profile, Sink};
use crate::sdk::{Clocked, Theatre, Timed};
use serde_json::Value;

const FLOOR: &str = "floor";
const APPLICATION: &str = "application, in one run: ";

/// All five targets in one run, and the one-core targets.
pub(super) const SUITE: Suite = Suite {
    name: "targets",
    about: "`in one run`: one-span requests by the clock (open loop) at 50,500 a second for 30 s, batches of 8192 items or 200 ms, zstd \
            on the way out; latency counts from the intended time to the acknowledgement. `one core`: the same rate without \
            compression, in turns with the floor. The gateway has one core in all of them; its share of the whole \
            machine is CPU time / (cores x wall time). `application`: the same five in a program with the SDK's tracer and our processor with its defaults and zstd: root spans of five \
            attributes, two of them different in each, by the clock at the same rate; latency counts from when a span was due until it was ended, and ingress is what the spans take encoded. \
            The program has a core, the sink another.",
    rows: &[
        Declared::higher("in one run: one-span requests received", "1/s").bar("ours>=50000"),
        Declared::lower("in one run: P99", "ms").bar("ours<=50"),
        Declared::lower("in one run: peak memory", "MB").bar("ours<=256"),
        Declared::lower("in one run: CPU, share of the machine", "%").bar("ours<=60"),
        Declared::lower("in one run: CPU, share of one core", "%"),
        Declared::lower("in one run: egress", "Mbit/s").bar("ours<=50"),
        Declared::lower("in one run: ingress", "Mbit/s"),
        Declared::lower("in one run: items lost or duplicated", "items").bar("ours<=0"),
        Declared::higher("in one run: targets that hold, of five", "targets").bar("ours>=5"),
        Declared::lower("one core, 50,000/s: P99", "ms").bar("ours<=15"),
        Declared::lower("one core, 50,000/s: P99 against the floor", "ms").against(FLOOR),
        Declared::lower("one core, 50,000/s: CPU against the floor", "us/item")
            .against(FLOOR)
            .bar("ratio<=1.15"),
        Declared::lower("one core, 50,000/s: CPU, share of the core", "%").against(FLOOR),
        Declared::lower("one core, 50,000/s: peak RSS", "MiB").bar("ours<=64"),
        Declared::higher("application, in one run: spans received", "1/s").bar("ours>=50000"),
        Declared::lower("application, in one run: P99", "ms").bar("ours<=50"),
        Declared::lower("application, in one run: peak memory", "MB").bar("ours<=256"),
        Declared::lower("application, in one run: CPU, share of the machine", "%").bar("ours<=60"),
        Declared::lower("application, in one run: CPU, share of one core", "%"),
        Declared::lower("application, in one run: egress", "Mbit/s").bar("ours<=50"),
        Declared::lower("application, in one run: ingress", "Mbit/s"),
        Declared::lower("application, in one run: items lost or duplicated", "items").bar("ours<=0"),
        Declared::higher("application, in one run: targets that hold, of five", "targets").bar("ours>=5"),
        Declared::lower("idle: RSS", "MiB").bar("ours<=16"),
        Declared::lower("light load: P99", "ms").bar("ours<=5"),
    ],
    measure,
};

/// A little more than the target: what is offered at exactly the target is received at a little less.
const RATE: f64 = 50_500.0;

fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let tiny = run.effort() == Effort::Tiny;
    let bench = Bench::prepare(if tiny { Profile::Dev } else { Profile::Release })?;
    let rate = if tiny { 500.0 } else { RATE };
    if run.wants_group("in one run: ") {
        let seconds = run.effort().pick(1.0, 8.0, 30.0);
        let load = Load { rate: Some(rate), ..Load::spans(1, seconds) };
        five(run, &bench.round(Contender::Ours, Egress::Zstd, &load)?)?;
    }
    if run.wants_group("one core, 50,000/s: ") {
        let seconds = run.effort().pick(1.0, 3.0, 10.0);
        let load = Load { rate: Some(rate), ..Load::spans(1, seconds) };
        one_core(run, &bench, &load)?;
    }
    if run.wants_group(APPLICATION) {
        let seconds = run.effort().pick(1.0, 8.0, 30.0);
        let theatre = Theatre::prepare(if tiny { Profile::Dev } else { Profile::Release })?;
        let sink = Sink::start(&bench, &[])?;
        let clocked = Clocked { endpoint: format!("http://{}", sink.address), rate, seconds };
        let timed = theatre.clocked(bench.cores.gateway, &clocked)?;
        application(run, &timed, &sink.stop()?)?;
    }
    if run.wants("idle: RSS") {
        let sink = Sink::start(&bench, &[])?;
        let gateway = Gateway::start(
            &bench.programs,
            Contender::Ours,
            Egress::Plain,
            sink.address,
            bench.cores.gateway,
        )?;
        let rss = gateway.usage()?.rss as f64 / f64::from(1 << 20);
        run.record("idle: RSS", &Samples::one(rss))?;
    }
    if run.wants("light load: P99") {
        let seconds = run.effort().pick(1.0, 2.0, 5.0);
        let load =
            Load { rate: Some(if tiny { 50.0 } else { 1000.0 }), connections: 1, ..Load::spans(1, seconds) };
        let rounds = run.effort().pick(1, 1, 3);
        let round = || Ok::<_, Failure>(bench.round(Contender::Ours, Egress::Plain, &load)?.p99_ms);
        let ours = (0..rounds).map(|_| round()).collect::<Result<_, _>>()?;
        run.record("light load: P99", &Samples { ours, peer: Vec::new() })?;
    }
    Ok(())
}

fn five(run: &mut Run<'_>, round: &Measured) -> Result<(), Failure> {
    let megabits = |bytes: u64| bytes as f64 * 8.0 / 1e6 / round.seconds;
    let figures = Figures {
        received: round.items_per_second(),
        p99_ms: round.p99_ms,
        memory_mb: round.peak_rss as f64 / 1e6,
        core_percent: round.cpu_share() * 100.0,
        egress: megabits(round.egress_bytes),
        ingress: megabits(round.ingress_bytes),
        wrong: round.lost + round.duplicated,
    };
    figures.record(run, "in one run: one-span requests received", "in one run: ")
}

/// What an application and its sink say.
fn application(run: &mut Run<'_>, timed: &Timed, sink: &Value) -> Result<(), Failure> {
    let figure = |name: &str| sink[name].as_u64().ok_or_else(|| format!("`aqueduct sink` reports no {name}"));
    let (received, foreign) = (figure("received")?, figure("foreign")?);
    if foreign > 0 || received == 0 {
        return Err(format!("the sink got {received} spans, and {foreign} that nobody sent").into());
    }
    let megabits = |bytes: u64| bytes as f64 * 8.0 / 1e6 / timed.seconds;
    let figures = Figures {
        received: received as f64 / timed.seconds,
        p99_ms: timed.p99_ms,
        memory_mb: timed.peak_rss as f64 / 1e6,
        core_percent: timed.cpu_seconds / timed.seconds * 100.0,
        egress: megabits(figure("wire_bytes")?),
        ingress: megabits(figure("bytes")?),
        wrong: timed.made.abs_diff(received) + figure("duplicates")?,
    };
    figures.record(run, "application, in one run: spans received", APPLICATION)
}

/// What the targets are about.
struct Figures {
    /// Items a second.
    received: f64,
    p99_ms: f64,
    memory_mb: f64,
    /// Of one core.
    core_percent: f64,
    /// Megabits a second, as `ingress`.
    egress: f64,
    ingress: f64,
    /// Items lost or duplicated.
    wrong: u64,
}

impl Figures {
    fn record(&self, run: &mut Run<'_>, received: &str, group: &str) -> Result<(), Failure> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let machine = self.core_percent / cores;
        let holding = [
            self.received > 50_000.0,
            self.p99_ms < 50.0,
            self.memory_mb < 256.0,
            machine < 60.0,
            self.egress < 50.0,
        ];
        run.record(received, &Samples::one(self.received))?;
        let rows = [
            ("P99", self.p99_ms),
            ("peak memory", self.memory_mb),
            ("CPU, share of the machine", machine),
            ("CPU, share of one core", self.core_percent),
            ("egress", self.egress),
            ("ingress", self.ingress),
            ("items lost or duplicated", self.wrong as f64),
            ("targets that hold, of five", holding.iter().filter(|holds| **holds).count() as f64),
        ];
        rows.iter().try_for_each(|(row, figure)| run.record(&format!("{group}{row}"), &Samples::one(*figure)))
    }
}

fn one_core(run: &mut Run<'_>, bench: &Bench, load: &Load) -> Result<(), Failure> {
    if bench.cores == (Cores { generator: None, gateway: None }) {
        eprintln!("there is only one core: the gateway shares it with generator and sink");
    }
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..run.effort().pick(1, 1, 3) {
        ours.push(bench.round(Contender::Ours, Egress::Plain, load)?);
        floor.push(bench.round(Contender::Floor, Egress::Plain, load)?);
    }
    let mut record = |row: &str, figure: fn(&Measured) -> f64| {
        let samples =
            Samples { ours: ours.iter().map(figure).collect(), peer: floor.iter().map(figure).collect() };
        run.record(&format!("one core, 50,000/s: {row}"), &samples)
    };
    record("P99", |round| round.p99_ms)?;
    record("P99 against the floor", |round| round.p99_ms)?;
    record("CPU against the floor", Measured::cpu_us_per_item)?;
    record("CPU, share of the core", |round| round.cpu_share() * 100.0)?;
    record("peak RSS", Measured::peak_mib)
}
