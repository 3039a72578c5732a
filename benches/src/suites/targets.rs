//! The targets: what the whole must hold at once.

use crate::Failure;
use crate::harness::{Declared, Effort, Run, Samples, Suite};
use crate::process::{Bench, Contender, Cores, Egress, Gateway, Load, Measured, Profile, Sink};

const FLOOR: &str = "floor";

/// All five targets in one run, and the one-core targets.
pub(super) const SUITE: Suite = Suite {
    name: "targets",
    about: "`in one run`: one-span requests by the clock (open loop) at 50,500 a second for 30 s, batches of 8192 items or 200 ms, zstd \
            on the way out; latency counts from the intended time to the acknowledgement. `one core`: the same rate without \
            compression, in turns with the floor. The gateway has one core in all of them; its share of the whole \
            machine is CPU time / (cores x wall time).",
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
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let megabits = |bytes: u64| bytes as f64 * 8.0 / 1e6 / round.seconds;
    let (received, p99) = (round.items_per_second(), round.p99_ms);
    let (memory, cpu) = (round.peak_rss as f64 / 1e6, round.cpu_share() * 100.0);
    let egress = megabits(round.egress_bytes);
    let holding =
        [received > 50_000.0, p99 < 50.0, memory < 256.0, cpu / (cores as f64) < 60.0, egress < 50.0];
    let rows = [
        ("in one run: one-span requests received", received),
        ("in one run: P99", p99),
        ("in one run: peak memory", memory),
        ("in one run: CPU, share of the machine", cpu / cores as f64),
        ("in one run: CPU, share of one core", cpu),
        ("in one run: egress", egress),
        ("in one run: ingress", megabits(round.ingress_bytes)),
        ("in one run: items lost or duplicated", (round.lost + round.duplicated) as f64),
        ("in one run: targets that hold, of five", holding.iter().filter(|holds| **holds).count() as f64),
    ];
    rows.iter().try_for_each(|(name, figure)| run.record(name, &Samples::one(*figure)))
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
