//! `case-cardinality`: what attributes with a hundred thousand values cost, and what is left of that under a limit.

use crate::Failure;
use crate::harness::{Declared, Effort, Run, Samples, Suite};
use crate::process::Profile;
use crate::sdk::{Consumed, Spread, Theatre};

const UNLIMITED: &str = "no limit";

/// Values, series, memory and CPU.
pub(super) const SUITE: Suite = Suite {
    name: "case-cardinality",
    about: "Twenty services in one process, each with a resource and a tracer of the SDK's of its own and our processor behind it, end spans with three attributes of 120,000 values each, one twentieth of them in \
            each service; half of the spans have one of the twenty frequent values of their service, the others any. One `CardinalityLimiter`, called by the filter of spans, \
            leaves each key 500 values over all services, and the overflow value, which is not counted in the row. The peer is the same without it. The consumer is in the same process, on the pipeline's thread: as a \
            backend that makes metrics of spans it reads what is encoded, keeps a histogram for each service, key and value, and writes all of them \
            to a page of text every 60,000 spans, which is a scrape every 15 s of twenty services with 200 spans a second each. Memory is the peak RSS of the process, CPU the time of the process, \
            both of sender and consumer together; `sender alone` is the same with a consumer that drops what it gets, where a limit saves nothing and costs what it costs.",
    rows: &[
        Declared::lower("distinct values of a key that leave", "values").against(UNLIMITED).bar("ours<=500"),
        Declared::lower("series in the consumer", "series").against(UNLIMITED),
        Declared::lower("sender and consumer: peak RSS", "MB").against(UNLIMITED).bar("ratio<=0.25"),
        Declared::lower("sender and consumer: CPU", "CPU-s/million spans")
            .against(UNLIMITED)
            .bar("ratio<=0.32"),
        Declared::lower("sender alone: peak RSS", "MB").against(UNLIMITED),
        Declared::lower("sender alone: CPU", "CPU-s/million spans").against(UNLIMITED),
    ],
    measure,
};

fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let tiny = run.effort() == Effort::Tiny;
    let theatre = Theatre::prepare(if tiny { Profile::Dev } else { Profile::Release })?;
    let spans = run.effort().pick(4_000, 600_000, 1_200_000);
    let rounds = run.effort().pick(1, 1, 3);
    let both = |consumed| {
        let (mut ours, mut peer) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            ours.push(theatre.spread(&Spread { limited: true, consumed, spans })?);
            peer.push(theatre.spread(&Spread { limited: false, consumed, spans })?);
        }
        Ok::<_, Failure>([ours, peer])
    };
    let samples = |[ours, peer]: &[Vec<Consumed>; 2], figure: fn(&Consumed) -> f64| Samples {
        ours: ours.iter().map(figure).collect(),
        peer: peer.iter().map(figure).collect(),
    };
    // Nanoseconds for one are thousandths of the seconds for a million.
    let (cpu, memory) = (|of: &Consumed| of.cpu_ns / 1e3, |of: &Consumed| of.peak_rss as f64 / 1e6);
    if run.wants_group("distinct") || run.wants_group("series") || run.wants_group("sender and") {
        let sides = both(true)?;
        run.record("distinct values of a key that leave", &samples(&sides, |of| of.values as f64))?;
        run.record("series in the consumer", &samples(&sides, |of| of.series as f64))?;
        run.record("sender and consumer: peak RSS", &samples(&sides, memory))?;
        run.record("sender and consumer: CPU", &samples(&sides, cpu))?;
    }
    if run.wants_group("sender alone") {
        let sides = both(false)?;
        run.record("sender alone: peak RSS", &samples(&sides, memory))?;
        run.record("sender alone: CPU", &samples(&sides, cpu))?;
    }
    Ok(())
}
