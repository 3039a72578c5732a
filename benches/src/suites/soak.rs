//! Minutes rather than seconds: whether memory, descriptors and threads stay, and what an overload with a stalled backend does.

use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::harness::{Declared, Effort, Run, Samples, Suite};
use crate::process::{Bench, Contender, Egress, Gateway, Load, Look, Profile, Sink};

/// Steady load and overload.
pub(super) const SUITE: Suite = Suite {
    name: "soak",
    about: "`steady`: ten-span requests by the clock at 80 % of the closed loop's maximum, for 3 minutes; the first sixth is not looked \
            at. `overload`: the backend stops answering for 60 s while ten times the maximum is offered.",
    rows: &[
        Declared::higher("steady: rate", "requests/s"),
        Declared::lower("steady: RSS slope", "MiB/min").bar("ours<=1"),
        Declared::lower("steady: peak RSS", "MiB"),
        Declared::lower("steady: change of descriptors", "descriptors").bar("ours<=0"),
        Declared::lower("steady: change of threads", "threads").bar("ours<=0"),
        Declared::lower("steady: items lost or duplicated", "items").bar("ours<=0"),
        Declared::lower("overload: peak memory", "MB").bar("ours<=256"),
        Declared::higher("overload: alive afterwards", "processes").bar("ours>=1"),
        Declared::lower("overload: from the backend's return to nothing held", "s").bar("ours<=10"),
        Declared::lower("overload: acknowledged items lost", "items").bar("ours<=0"),
        Declared::lower("overload: items duplicated", "items"),
    ],
    measure,
};

fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let tiny = run.effort() == Effort::Tiny;
    let bench = Bench::prepare(if tiny { Profile::Dev } else { Profile::Release })?;
    let probe = Load::spans(10, run.effort().pick(1.0, 1.0, 5.0));
    let most = bench.round(Contender::Ours, Egress::Plain, &probe)?.requests_per_second;
    if run.wants_group("steady: ") {
        steady(run, &bench, most)?;
    }
    if run.wants_group("overload: ") {
        overload(run, &bench, most)?;
    }
    Ok(())
}

fn steady(run: &mut Run<'_>, bench: &Bench, most: f64) -> Result<(), Failure> {
    let seconds = run.effort().pick(0.5, 10.0, 180.0);
    // Debug builds and tests only have to show that it runs.
    let share = run.effort().pick(0.2, 0.8, 0.8);
    let load = Load { rate: Some(share * most), ..Load::spans(10, seconds) };
    let round = bench.round(Contender::Ours, Egress::Plain, &load)?;
    let late = Duration::from_secs_f64(seconds / 6.0);
    let looks: Vec<Look> = round.looks.iter().filter(|look| look.at >= late).copied().collect();
    let change = |of: fn(&Look) -> usize| {
        let (least, most) = (looks.iter().map(of).min(), looks.iter().map(of).max());
        (most.unwrap_or(0) - least.unwrap_or(0)) as f64
    };
    let faults = (round.lost + round.duplicated) as f64;
    for (row, figure) in [
        ("steady: rate", round.requests_per_second),
        ("steady: RSS slope", slope(&looks)),
        ("steady: peak RSS", round.peak_mib()),
        ("steady: change of descriptors", change(|look| look.descriptors)),
        ("steady: change of threads", change(|look| look.threads)),
        ("steady: items lost or duplicated", faults),
    ] {
        run.record(row, &Samples::one(figure))?;
    }
    Ok(())
}

fn overload(run: &mut Run<'_>, bench: &Bench, most: f64) -> Result<(), Failure> {
    let stall = run.effort().pick(1.0, 6.0, 60.0);
    let begin = run.effort().pick(0.1, 1.0, 1.0);
    let wait = Duration::from_secs(run.effort().pick(30, 60, 60));
    let sink = Sink::start(bench, &["--hang-at", &format!("{begin}s"), "--hang-for", &format!("{stall}s")])?;
    let mut gateway =
        Gateway::start(&bench.programs, Contender::Ours, Egress::Plain, sink.address, bench.cores.gateway)?;
    let start = Instant::now();
    let load = Load { rate: Some(10.0 * most), connections: 16, ..Load::spans(10, stall) };
    let mut round = bench.watched(&gateway, &load)?;
    let back = Duration::from_secs_f64(begin + stall);
    while gateway.held()? > 0 || start.elapsed() < back {
        if start.elapsed() > back + wait {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    let recovered = start.elapsed().saturating_sub(back);
    let alive = f64::from(u8::from(gateway.is_alive()));
    round.account(&sink.stop()?)?;
    let peak = gateway.usage()?.peak_rss;
    drop(gateway);
    for (row, figure) in [
        ("overload: peak memory", peak as f64 / 1e6),
        ("overload: alive afterwards", alive),
        ("overload: from the backend's return to nothing held", recovered.as_secs_f64()),
        ("overload: acknowledged items lost", round.lost as f64),
        ("overload: items duplicated", round.duplicated as f64),
    ] {
        run.record(row, &Samples::one(figure))?;
    }
    Ok(())
}

/// How resident memory grows, in MiB a minute: the slope of the line with the least squares of distances.
fn slope(looks: &[Look]) -> f64 {
    let points: Vec<(f64, f64)> = looks
        .iter()
        .map(|look| (look.at.as_secs_f64() / 60.0, look.rss as f64 / f64::from(1 << 20)))
        .collect();
    let n = points.len() as f64;
    let (mean_x, mean_y) = (
        points.iter().map(|point| point.0).sum::<f64>() / n,
        points.iter().map(|point| point.1).sum::<f64>() / n,
    );
    let (over, under) = points.iter().fold((0.0, 0.0), |(over, under), (x, y)| {
        (over + (x - mean_x) * (y - mean_y), under + (x - mean_x) * (x - mean_x))
    });
    if under == 0.0 { 0.0 } else { over / under }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the unit: a MiB a minute is 1, and noise around a constant is about 0.
    #[test]
    fn slopes() {
        let look = |seconds: u64, mib: u64| Look {
            at: Duration::from_secs(seconds),
            rss: mib << 20,
            ..Look::default()
        };
        let growing: Vec<_> = (0..10).map(|minute| look(60 * minute, 20 + minute)).collect();
        assert!((slope(&growing) - 1.0).abs() < 1e-9);
        let flat: Vec<_> = (0..10).map(|minute| look(60 * minute, 20 + minute % 2)).collect();
        assert!(slope(&flat).abs() < 0.1, "{}", slope(&flat));
        assert_eq!(slope(&[look(0, 5)]), 0.0);
    }
}
