//! `aqueduct-gateway`: CPU per item, throughput and memory of the gateway, beside the floor and the naive proxy.

use crate::Failure;
use crate::harness::{Declared, Effort, Run, Samples, Suite};
use crate::process::{Bench, Contender, Egress, Load, Measured, Profile};

const FLOOR: &str = "floor";
const NAIVE: &str = "naive";
const US: &str = "us/item";

/// The gateway as a process.
pub(super) const SUITE: Suite = Suite {
    name: "gateway",
    about: "Ten attributes an item; OTLP/gRPC in, batches of 8192 items or 200 ms, OTLP/gRPC out. `4 x 64` is 4 connections with 64 \
            requests in flight each. CPU is the gateway's, validation included, from before the load to after the last \
            item has left. The first rows are the generator and the sink without a gateway between them.",
    rows: &[
        Declared::higher("generator alone, 1 span, 4 x 64: requests/s", "1/s"),
        Declared::lower("generator alone, 1 span, 4 x 64: CPU of the generator", US),
        Declared::higher("generator alone, 512 spans, 4 x 64: items/s", "1/s"),
        Declared::lower("1 span, 4 x 64: CPU against the floor", US).against(FLOOR).bar("ratio<=1.35"),
        Declared::lower("1 span, 4 x 64: CPU against naive", US).against(NAIVE).bar("ratio<=0.85"),
        Declared::higher("1 span, 4 x 64: requests/s against the floor", "1/s").against(FLOOR),
        Declared::higher("1 span, 4 x 64: items/s against naive", "1/s").against(NAIVE),
        Declared::lower("1 span, 4 x 64: P99 against the floor", "ms").against(FLOOR),
        Declared::lower("1 span, 4 x 64: peak RSS against the floor", "MiB").against(FLOOR),
        Declared::lower("10 spans, 4 x 64: CPU against the floor", US).against(FLOOR).bar("ratio<=1.20"),
        Declared::lower("10 spans, 4 x 64: CPU against naive", US).against(NAIVE).bar("ratio<=0.60"),
        Declared::higher("10 spans, 4 x 64: requests/s against the floor", "1/s").against(FLOOR),
        Declared::higher("10 spans, 4 x 64: items/s against naive", "1/s").against(NAIVE),
        Declared::lower("10 spans, 4 x 64: P99 against the floor", "ms").against(FLOOR),
        Declared::lower("10 spans, 4 x 64: peak RSS against the floor", "MiB").against(FLOOR),
        Declared::lower("100 spans, 4 x 64: CPU against the floor", US).against(FLOOR).bar("ratio<=1.10"),
        Declared::lower("100 spans, 4 x 64: CPU against naive", US).against(NAIVE).bar("ratio<=0.35"),
        Declared::higher("100 spans, 4 x 64: requests/s against the floor", "1/s").against(FLOOR),
        Declared::higher("100 spans, 4 x 64: items/s against naive", "1/s").against(NAIVE),
        Declared::lower("100 spans, 4 x 64: P99 against the floor", "ms").against(FLOOR),
        Declared::lower("100 spans, 4 x 64: peak RSS against the floor", "MiB").against(FLOOR),
        Declared::lower("512 spans, 4 x 64: CPU against the floor", US).against(FLOOR).bar("ratio<=1.20"),
        Declared::lower("512 spans, 4 x 64: CPU against naive", US).against(NAIVE).bar("ratio<=0.35"),
        Declared::higher("512 spans, 4 x 64: requests/s against the floor", "1/s").against(FLOOR),
        Declared::higher("512 spans, 4 x 64: items/s against naive", "1/s").against(NAIVE),
        Declared::lower("512 spans, 4 x 64: P99 against the floor", "ms").against(FLOOR),
        Declared::lower("512 spans, 4 x 64: peak RSS against the floor", "MiB").against(FLOOR),
        Declared::lower("1 span, 64 x 1: CPU against the floor", US).against(FLOOR),
        Declared::lower("1 span, 64 x 1: CPU against naive", US).against(NAIVE),
        Declared::higher("1 span, 64 x 1: requests/s against the floor", "1/s").against(FLOOR),
        Declared::higher("1 span, 64 x 1: items/s against naive", "1/s").against(NAIVE),
        Declared::lower("1 span, 64 x 1: P99 against the floor", "ms").against(FLOOR),
        Declared::lower("1 span, 64 x 1: peak RSS against the floor", "MiB").against(FLOOR),
        Declared::lower("512 spans, gzip: CPU against the floor", US).against(FLOOR),
        Declared::lower("512 spans, gzip: CPU against naive", US).against("naive, gzip 6").bar("ratio<=0.25"),
        Declared::higher("512 spans, gzip: requests/s against the floor", "1/s").against(FLOOR),
        Declared::higher("512 spans, gzip: items/s against naive", "1/s").against("naive, gzip 6"),
        Declared::lower("512 spans, gzip: P99 against the floor", "ms").against(FLOOR),
        Declared::lower("512 spans, gzip: peak RSS against the floor", "MiB").against(FLOOR),
        Declared::lower("100 data points, 4 x 64: CPU against the floor", US).against(FLOOR),
        Declared::lower("100 data points, 4 x 64: CPU against naive", US).against(NAIVE),
        Declared::higher("100 data points, 4 x 64: requests/s against the floor", "1/s").against(FLOOR),
        Declared::higher("100 data points, 4 x 64: items/s against naive", "1/s").against(NAIVE),
        Declared::lower("100 data points, 4 x 64: P99 against the floor", "ms").against(FLOOR),
        Declared::lower("100 data points, 4 x 64: peak RSS against the floor", "MiB").against(FLOOR),
        Declared::lower("100 log records, 4 x 64: CPU against the floor", US).against(FLOOR),
        Declared::lower("100 log records, 4 x 64: CPU against naive", US).against(NAIVE),
        Declared::higher("100 log records, 4 x 64: requests/s against the floor", "1/s").against(FLOOR),
        Declared::higher("100 log records, 4 x 64: items/s against naive", "1/s").against(NAIVE),
        Declared::lower("100 log records, 4 x 64: P99 against the floor", "ms").against(FLOOR),
        Declared::lower("100 log records, 4 x 64: peak RSS against the floor", "MiB").against(FLOOR),
        Declared::lower("all rounds: items lost or duplicated by ours", "items").bar("ours<=0"),
    ],
    measure,
};

/// What an unmeasured error would look like: lost or duplicated items, over all rounds of ours.
const FAULTS: &str = "all rounds: items lost or duplicated by ours";

fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let seconds = run.effort().pick(1.0, 1.0, 4.0);
    let profile = if run.effort() == Effort::Tiny { Profile::Dev } else { Profile::Release };
    let bench = Bench::prepare(profile)?;
    generator(run, &bench, seconds)?;

    let mut faults = 0;
    for (name, load) in cases(seconds) {
        if run.wants_group(&format!("{name}: ")) || run.wants(FAULTS) {
            faults += case(run, &bench, name, &load)?;
        }
    }
    run.record(FAULTS, &Samples::one(faults as f64))
}

/// The loads, by the names that their rows begin with.
fn cases(seconds: f64) -> [(&'static str, Load); 8] {
    let spans = |items| Load::spans(items, seconds);
    [
        ("1 span, 4 x 64", spans(1)),
        ("10 spans, 4 x 64", spans(10)),
        ("100 spans, 4 x 64", spans(100)),
        ("512 spans, 4 x 64", spans(512)),
        ("1 span, 64 x 1", Load { connections: 64, in_flight: 1, ..spans(1) }),
        ("512 spans, gzip", Load { gzip: true, ..spans(512) }),
        ("100 data points, 4 x 64", Load { signal: "metrics", ..spans(100) }),
        ("100 log records, 4 x 64", Load { signal: "logs", ..spans(100) }),
    ]
}

/// A row of a case: what comes after the case's name, beside whom, and what is read off a round.
struct Figure {
    row: &'static str,
    peer: Contender,
    read: fn(&Measured) -> f64,
}

const FIGURES: [Figure; 6] = [
    Figure { row: "CPU against the floor", peer: Contender::Floor, read: Measured::cpu_us_per_item },
    Figure { row: "CPU against naive", peer: Contender::Naive, read: Measured::cpu_us_per_item },
    Figure {
        row: "requests/s against the floor",
        peer: Contender::Floor,
        read: |round| round.requests_per_second,
    },
    Figure { row: "items/s against naive", peer: Contender::Naive, read: Measured::items_per_second },
    Figure { row: "P99 against the floor", peer: Contender::Floor, read: |round| round.p99_ms },
    Figure { row: "peak RSS against the floor", peer: Contender::Floor, read: Measured::peak_mib },
];

/// What generator and sink can do by themselves.
fn generator(run: &mut Run<'_>, bench: &Bench, seconds: f64) -> Result<(), Failure> {
    if run.wants_group("generator alone, 1 span, 4 x 64: ") {
        let direct = bench.direct(&Load::spans(1, seconds))?;
        let cpu = direct.load_cpu.as_secs_f64() * 1e6 / direct.acknowledged as f64;
        run.record("generator alone, 1 span, 4 x 64: requests/s", &Samples::one(direct.requests_per_second))?;
        run.record("generator alone, 1 span, 4 x 64: CPU of the generator", &Samples::one(cpu))?;
    }
    if run.wants_group("generator alone, 512 spans, 4 x 64: ") {
        let direct = bench.direct(&Load::spans(512, seconds))?;
        run.record("generator alone, 512 spans, 4 x 64: items/s", &Samples::one(direct.items_per_second()))?;
    }
    Ok(())
}

/// Runs one load through all three, in turns, and returns the items that ours lost or duplicated.
fn case(run: &mut Run<'_>, bench: &Bench, name: &str, load: &Load) -> Result<u64, Failure> {
    let egress = if load.gzip { Egress::Gzip } else { Egress::Plain };
    let (mut ours, mut floor, mut naive) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..run.effort().pick(1, 1, 3) {
        ours.push(bench.round(Contender::Ours, egress, load)?);
        floor.push(bench.round(Contender::Floor, egress, load)?);
        naive.push(bench.round(Contender::Naive, egress, load)?);
    }
    for Figure { row, peer, read } in FIGURES {
        let peer = if peer == Contender::Floor { &floor } else { &naive };
        let samples =
            Samples { ours: ours.iter().map(read).collect(), peer: peer.iter().map(read).collect() };
        run.record(&format!("{name}: {row}"), &samples)?;
    }
    for (peer, rounds) in [("the floor", &floor), ("naive", &naive)] {
        let faults: u64 = rounds.iter().map(|round| round.lost + round.duplicated).sum();
        if faults > 0 {
            eprintln!(
                "{name}: {peer} lost or duplicated {faults} items: its figures are not those of a working gateway"
            );
        }
    }
    Ok(ours.iter().map(|round| round.lost + round.duplicated).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards that what is measured is what is declared: the tests measure only one of the cases.
    #[test]
    fn every_case_has_its_rows() {
        let declared =
            SUITE.rows.iter().filter(|row| !row.name.starts_with("generator") && row.name != FAULTS);
        let mut declared: Vec<_> = declared.map(|row| row.name.to_owned()).collect();
        let mut measured: Vec<_> = cases(1.0)
            .iter()
            .flat_map(|(name, _)| FIGURES.map(|figure| format!("{name}: {}", figure.row)))
            .collect();
        declared.sort();
        measured.sort();
        assert_eq!(declared, measured);
    }
}
