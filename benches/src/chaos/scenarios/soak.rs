//! Minutes of a load that the gateway can just take.

use std::collections::BTreeMap;

use super::{Arena, DRAIN, Failure, Row};
use crate::chaos::gateway::{Gateway, Settings};
use crate::chaos::load::Load;
use crate::chaos::sink::Sink;
use crate::chaos::theil_sen;
use crate::chaos::watch::{Look, Watch};

/// Growth of resident memory over the whole time that is still called flat, in MiB: a few batches more or less on their way.
/// Three minutes carry tens of millions of spans, so a tenth of a byte that leaked with each would already be as much.
const FLAT: f64 = 8.0;
/// Seconds over which the least memory is taken.
const WINDOW: f64 = 10.0;

pub(super) fn steady(arena: &Arena, row: &mut Row) -> Result<(), Failure> {
    let most = {
        let sink = Sink::start(arena, &[])?;
        let gateway = Gateway::start(arena, &Settings::to(sink.grpc))?;
        let probe = Load { rate: None, spans: 10, in_flight: 64, ..Load::usual(arena, arena.pick(1.0, 5.0)) };
        probe.start(arena, gateway.grpc)?.finish()?.requests_per_second()?
    };
    let seconds = arena.pick(20.0, 180.0);
    let sink = Sink::start(arena, &[])?;
    let gateway = Gateway::start(arena, &Settings::to(sink.grpc))?;
    let watch = Watch::start(&gateway);
    let load = Load { rate: Some(0.8 * most), spans: 10, ..Load::usual(arena, seconds) };
    let offered = load.start(arena, gateway.grpc)?.finish()?;
    let looks = watch.stop()?;
    let mut books = gateway.at_rest(DRAIN)?;
    gateway.stop()?;
    let ends = offered.account(&sink.stop()?, row)?;
    books.compare("otlp", &ends);
    row.books(&books);
    row.expect_nothing_lost();
    row.expect(looks.blind.is_empty(), format_args!("the gateway did not always answer: {:?}", looks.blind));

    // Connections are made and buffers grow in the first sixth; at the end connections are closed again.
    let Some(first) = looks.looks.first().map(|look| look.at) else { return Err("nothing was seen".into()) };
    let minutes = |look: &Look| (look.at - first).as_secs_f64() / 60.0;
    let steady = seconds / 6.0..seconds - 0.5;
    let late: Vec<_> = looks.looks.iter().filter(|look| steady.contains(&(minutes(look) * 60.0))).collect();
    // Memory follows what is held, and a machine that is busy otherwise makes that more for a while. What leaks raises the floor
    // as well, the least of each window.
    let mut floors: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    for look in &late {
        let (minute, mib) = (minutes(look), look.rss as f64 / f64::from(1 << 20));
        let floor = floors.entry((minute * 60.0 / arena.pick(1.0, WINDOW)) as u64).or_insert((minute, mib));
        floor.1 = floor.1.min(mib);
    }
    let points: Vec<_> = floors.into_values().collect();
    let slope = theil_sen(&points);
    let flat = slope * seconds / 60.0 <= FLAT;
    row.expect(flat, format_args!("memory grows by {slope:.2} MiB a minute"));
    let constant = |of: fn(&Look) -> usize| {
        let (least, most) = (late.iter().map(|look| of(look)).min(), late.iter().map(|look| of(look)).max());
        (least.unwrap_or(0), most.unwrap_or(0))
    };
    // The look itself is a connection to the admin endpoint, which may be open or closed at the moment of counting.
    let (least, most_descriptors) = constant(|look| look.descriptors);
    row.expect(most_descriptors - least <= 2, format_args!("{least} to {most_descriptors} descriptors"));
    let (least, most_threads) = constant(|look| look.threads);
    row.expect(most_threads == least, format_args!("{least} to {most_threads} threads"));
    row.note(format_args!(
        "{:.0} requests of 10 spans a second for {seconds} s; RSS {slope:+.2} MiB a minute (from {:.0} to {:.0} MiB), {:.0} MiB at \
         most; {most_descriptors} descriptors, {most_threads} threads",
        0.8 * most,
        points.first().map_or(0.0, |point| point.1),
        points.last().map_or(0.0, |point| point.1),
        looks.peak_rss() as f64 / f64::from(1 << 20)
    ));
    Ok(())
}
