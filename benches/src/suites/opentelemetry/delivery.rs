//! What it costs to bring spans to a sink.

use crate::Failure;
use crate::harness::{Run, Samples};
use crate::sdk::{Behind, Delivered, Item, Load, Shape, Theatre};

const GENERATOR: &str = "200,000 spans/s, no processor: CPU";
const PACED: &str = "gRPC, 200,000 spans/s: ";
const FLAT_OUT: &str = "gRPC, flat out: ";

pub(super) fn measure(run: &mut Run<'_>, theatre: &Theatre) -> Result<(), Failure> {
    let rounds = run.effort().pick(1, 1, 3);
    let load = |behind, shape| Load { behind, item: Item::Span, endpoint: None, threads: 1, shape };
    let paced = Shape::Paced {
        rate: run.effort().pick(2_000.0, 200_000.0, 200_000.0),
        seconds: run.effort().pick(0.2, 1.5, 3.0),
    };
    if run.wants(GENERATOR) {
        let told = (0..rounds).map(|_| theatre.run(&load(Behind::Nothing, paced)));
        let ours =
            told.map(|told| Ok(seconds_for_a_million(told?.cpu_ns))).collect::<Result<_, Failure>>()?;
        run.record(GENERATOR, &Samples { ours, peer: Vec::new() })?;
    }
    let both = |shape| {
        let (mut ours, mut sdk) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            ours.push(theatre.deliver(&load(Behind::Ours, shape))?);
            sdk.push(theatre.deliver(&load(Behind::Sdk, shape))?);
        }
        Ok::<_, Failure>([ours, sdk])
    };
    if run.wants_group(PACED) {
        let sides = both(paced)?;
        let cpu = |of: &Delivered| seconds_for_a_million(of.told.cpu_ns);
        record(
            run,
            PACED,
            &sides,
            &[("CPU", cpu), ("spans lost", Delivered::lost_percent), ("peak RSS", peak_mib)],
        )?;
    }
    if run.wants_group(FLAT_OUT) {
        let sides = both(Shape::FlatOut(run.effort().pick(0.1, 1.5, 3.0)))?;
        let received = |of: &Delivered| of.received as f64 / of.told.seconds;
        record(
            run,
            FLAT_OUT,
            &sides,
            &[("spans received", received), ("spans lost", Delivered::lost_percent), ("peak RSS", peak_mib)],
        )?;
    }
    Ok(())
}

/// The end of a row's name, and what it shows.
type Figure<'a> = (&'a str, fn(&Delivered) -> f64);

fn record(
    run: &mut Run<'_>,
    group: &str,
    [ours, sdk]: &[Vec<Delivered>; 2],
    figures: &[Figure<'_>],
) -> Result<(), Failure> {
    for (row, figure) in figures {
        let of = |all: &[Delivered]| all.iter().map(figure).collect();
        run.record(&format!("{group}{row}"), &Samples { ours: of(ours), peer: of(sdk) })?;
    }
    Ok(())
}

/// Nanoseconds for one are thousandths of the seconds for a million.
fn seconds_for_a_million(nanoseconds: f64) -> f64 {
    nanoseconds / 1_000.0
}

fn peak_mib(of: &Delivered) -> f64 {
    of.told.peak_rss as f64 / f64::from(1 << 20)
}
