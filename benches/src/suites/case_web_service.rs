//! `case-web-service`: what telemetry adds to a web service at the rate that it can just about sustain.

use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::chaos::theil_sen;
use crate::harness::{Declared, Effort, Run, Samples, Suite, median};
use crate::process::Profile;
use crate::web::{Keep, Running, Stand, Telemetry, ended};

const OFF: &str = "telemetry off";
const STOCK: &str = "opentelemetry-otlp 0.33";

/// CPU, latency and memory of a service.
pub(super) const SUITE: Suite = Suite {
    name: "case-web-service",
    about: "A service (axum, HTTP/1.1) on one core answers with a JSON of 800 bytes; 32 connections on the other core ask, each with one request under way, and a sink there counts the spans. \
            A request extracts its parent (there is none), and makes a server span of four attributes. Three services in turns: without telemetry, with ours (the SDK's tracer; \
            our sampler, ids, propagator and processor), with the stock SDK and its gRPC exporter; a queue of 4,096, batches of 512, and a delay of 200 ms for both, and four exports at a time, of which the SDK's processor makes one. At 1 % ours samples by the rate sampler, which adapts to the load, and the SDK by its ratio. `closed loop` asks as fast as it is answered. \
            All else is asked by the clock, at 70 % of what the service without telemetry answers then. Added CPU is what the service's process takes more for a request than the one without telemetry in the \
            same turn, and latency counts from the intended time. RSS is that of ours at 100 %, over three minutes; its slope is the Theil-Sen estimate of the second half. With `--quick` all times are shorter.",
    rows: &[
        Declared::higher("closed loop, telemetry off: requests/s", "1/s"),
        Declared::higher("closed loop, 100 %: requests/s", "1/s").against(STOCK),
        Declared::lower("telemetry off: CPU", "us/request"),
        Declared::lower("1 %: added CPU, share of the service's", "%").against(STOCK).bar("ours<=3"),
        Declared::lower("100 %: added CPU", "us/request").against(STOCK).bar("ratio<=0.35"),
        Declared::lower("100 %: added CPU, share of the service's", "%").against(STOCK),
        Declared::lower("1 %: P99", "us").against(OFF).bar("ratio<=1.05"),
        Declared::lower("100 %: P99", "us").against(OFF),
        Declared::lower("100 %, stock: P99", "us").against(OFF),
        Declared::lower("100 %: requests without a span in the sink", "%").against(STOCK),
        Declared::lower("100 %: peak RSS", "MB").against(STOCK).bar("ours<=150"),
        Declared::lower("100 %, long run: RSS slope", "MB/min"),
    ],
    measure,
};

const CONNECTIONS: u32 = 32;
/// Of the rate of a closed loop.
const LOAD: f64 = 0.7;
const WARM_UP: f64 = 0.3;
const OURS: Telemetry = Telemetry::Ours(Keep::All);

/// One service under load.
#[derive(Clone, Copy, Debug)]
struct Round {
    per_second: f64,
    cpu_us: f64,
    p99_us: f64,
    lost: f64,
    peak_mb: f64,
}

fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let tiny = run.effort() == Effort::Tiny;
    let stand = Stand::prepare(if tiny { Profile::Dev } else { Profile::Release })?;
    let rate = closed(run, &stand)? * LOAD;
    let all = [
        Telemetry::Off,
        Telemetry::Ours(Keep::Hundredth),
        Telemetry::Stock(Keep::Hundredth),
        OURS,
        Telemetry::Stock(Keep::All),
    ];
    let seconds = run.effort().pick(0.2, 1.5, 3.0);
    let mut rounds = all.map(|_| Vec::new());
    for turn in 0..run.effort().pick(1, 2, 5) {
        for place in 0..all.len() {
            // Not always in the same order: a machine that slows down would do so to the same one.
            let which = (turn + place) % all.len();
            rounds[which].push(round(&stand, all[which], seconds, Some(rate))?);
        }
    }
    let [off, hundredth, stock_hundredth, ours, stock] = &rounds;
    let of = |rounds: &[Round], figure: fn(&Round) -> f64| rounds.iter().map(figure).collect::<Vec<_>>();
    let added =
        |rounds: &[Round]| rounds.iter().zip(off).map(|(with, off)| with.cpu_us - off.cpu_us).collect();
    let share = |rounds: &[Round]| {
        rounds.iter().zip(off).map(|(with, off)| 100.0 * (with.cpu_us / off.cpu_us - 1.0)).collect()
    };
    let p99 = |rounds: &[Round]| Samples {
        ours: of(rounds, |round| round.p99_us),
        peer: of(off, |round| round.p99_us),
    };
    let both = |figure| Samples { ours: of(ours, figure), peer: of(stock, figure) };
    let rows = [
        ("telemetry off: CPU", Samples { ours: of(off, |round| round.cpu_us), peer: Vec::new() }),
        (
            "1 %: added CPU, share of the service's",
            Samples { ours: share(hundredth), peer: share(stock_hundredth) },
        ),
        ("100 %: added CPU", Samples { ours: added(ours), peer: added(stock) }),
        ("100 %: added CPU, share of the service's", Samples { ours: share(ours), peer: share(stock) }),
        ("1 %: P99", p99(hundredth)),
        ("100 %: P99", p99(ours)),
        ("100 %, stock: P99", p99(stock)),
        ("100 %: requests without a span in the sink", both(|round| round.lost)),
        ("100 %: peak RSS", both(|round| round.peak_mb)),
    ];
    rows.iter().try_for_each(|(row, samples)| run.record(row, samples))?;
    slope(run, &stand, rate)
}

/// What services answer at most; the rate of the one without telemetry.
fn closed(run: &mut Run<'_>, stand: &Stand) -> Result<f64, Failure> {
    let seconds = run.effort().pick(0.1, 1.0, 2.0);
    let mut rates = [const { Vec::new() }; 3];
    for _ in 0..run.effort().pick(1, 1, 3) {
        for (rates, telemetry) in rates.iter_mut().zip([Telemetry::Off, OURS, Telemetry::Stock(Keep::All)]) {
            rates.push(round(stand, telemetry, seconds, None)?.per_second);
        }
    }
    let [off, ours, stock] = rates;
    let rate = median(&off);
    run.record("closed loop, telemetry off: requests/s", &Samples { ours: off, peer: Vec::new() })?;
    run.record("closed loop, 100 %: requests/s", &Samples { ours, peer: stock })?;
    Ok(rate)
}

fn round(stand: &Stand, telemetry: Telemetry, seconds: f64, rate: Option<f64>) -> Result<Round, Failure> {
    let mut service = stand.start(telemetry)?;
    let warm = stand.drive(&service, CONNECTIONS, seconds.min(WARM_UP), rate)?.requests;
    let before = service.usage()?;
    let driven = stand.drive(&service, CONNECTIONS, seconds, rate)?;
    let sent = (warm + driven.requests) as f64;
    let received = settled(&mut service)? as f64;
    let after = service.usage()?;
    Ok(Round {
        per_second: driven.requests as f64 / driven.seconds,
        cpu_us: after.cpu_since(&before).as_secs_f64() * 1e6 / driven.requests as f64,
        p99_us: driven.p99_us,
        lost: 100.0 * (1.0 - received / sent),
        peak_mb: after.peak_rss as f64 / 1e6,
    })
}

/// Longer than the delay of a batch; what has not arrived then is lost, or not sampled.
fn settled(service: &mut Running) -> Result<u64, Failure> {
    thread::sleep(Duration::from_millis(400));
    service.spans()
}

fn slope(run: &mut Run<'_>, stand: &Stand, rate: f64) -> Result<(), Failure> {
    const ROW: &str = "100 %, long run: RSS slope";
    if !run.wants(ROW) {
        return Ok(());
    }
    let seconds = run.effort().pick(0.3, 5.0, 180.0);
    let service = stand.start(OURS)?;
    let (start, mut looks) = (Instant::now(), Vec::new());
    let mut load = stand.load(&service, CONNECTIONS, seconds, Some(rate))?;
    while load.is_alive() {
        looks.push((start.elapsed().as_secs_f64() / 60.0, service.usage()?.rss as f64 / 1e6));
        thread::sleep(Duration::from_millis(100));
    }
    ended(load, seconds)?;
    let later = looks.split_off(looks.len() / 2);
    run.record(ROW, &Samples::one(theil_sen(&later)))
}
