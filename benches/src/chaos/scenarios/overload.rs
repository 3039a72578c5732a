//! More than can be taken, and nowhere to put it.

use std::time::{Duration, Instant};

use super::{Arena, DRAIN, Failure, Row};
use crate::chaos::gateway::{Gateway, Settings};
use crate::chaos::load::Load;
use crate::chaos::sink::Sink;
use crate::chaos::watch::Watch;
use crate::chaos::wire;
use crate::payload;

/// `UNAVAILABLE`.
const UNAVAILABLE: u32 = 14;
/// The bar of the gateway's memory, in bytes.
const MEMORY: u64 = 256_000_000;
/// Requests a second that no generator reaches: it sends as fast as it can.
const EVERYTHING: f64 = 1_000_000.0;
/// Spans in a request of the load.
const SPANS: usize = 10;
/// Spans in a request that finds no room: 15 MB, eight batches. What waits is compressed, which makes room by the batch, and the load takes it.
const PROBE: usize = 70_000;
/// So often it may find room nevertheless, while the load pauses because it was refused.
const LUCK: usize = 20;

pub(super) fn stalled(arena: &Arena, row: &mut Row) -> Result<(), Failure> {
    let lasts: u32 = arena.pick(10, 60);
    let sink = Sink::start(arena, &["--hang-at", "1s", "--hang-for", &format!("{lasts}s")])?;
    let returned = sink.since + Duration::from_secs(u64::from(lasts) + 1);
    let gateway = Gateway::start(arena, &Settings::to(sink.grpc))?;
    let watch = Watch::start(&gateway);
    let load = Load {
        rate: Some(EVERYTHING),
        connections: 16,
        spans: SPANS as u32,
        expiry: Duration::from_secs(2),
        ..Load::usual(arena, f64::from(lasts))
    };
    let load = load.start(arena, gateway.grpc)?;

    // Once a request of the load was refused there is no room for a much larger one.
    let refusing = gateway.wait_until(Duration::from_secs(30), |_| {
        gateway.page("/metrics").is_ok_and(|page| refusals(&page.body) > 0)
    });
    row.expect(refusing.is_ok(), "the gateway never refused anything");
    let full = gateway.wait_until(Duration::from_secs(5), |_| {
        gateway.page("/readyz").is_ok_and(|ready| ready.status == 503 && ready.body.contains("\"full\""))
    });
    row.expect(full.is_ok(), "/readyz never said that the gateway is full");
    let probe = payload::traces(PROBE);
    let mut taken = 0;
    let answer = refused(&mut taken, || wire::grpc(gateway.grpc, &probe), |answer| answer.code == 0)?;
    row.expect(
        answer.code == UNAVAILABLE && answer.retry_info.is_some(),
        format_args!("a request too many over gRPC was answered with {answer:?}"),
    );
    let answer = refused(&mut taken, || wire::post(gateway.http, &probe), |answer| answer.status == 200)?;
    row.expect(
        answer.status == 503 && answer.headers.contains_key("retry-after"),
        format_args!("a request too many over HTTP was answered with {answer:?}"),
    );

    let offered = load.finish()?;
    let over = Instant::now();
    // The load ends when the destination comes back; what was accepted until then is delivered now.
    let mut books = gateway.at_rest(returned.saturating_duration_since(over) + DRAIN)?;
    let looks = watch.stop()?;
    let again = Load { producer: 2, ..Load::usual(arena, 1.0) };
    let again = again.start(arena, gateway.grpc)?.finish()?;
    let answered = again.figure("acknowledged")?;
    row.expect(
        answered > 0 && answered == again.figure("offered")?,
        format_args!("afterwards only {answered} of {} items were taken", again.figure("offered")?),
    );
    let after = gateway.at_rest(DRAIN)?;
    row.expect(after.faults.is_empty(), format_args!("the ledger after that: {:?}", after.faults));
    gateway.stop()?;
    let mut ends = offered.account(&sink.stop()?, row)?;
    // Large requests that found room are no producer's, so the generator and the sink do not know them.
    ends.acknowledged += taken;
    ends.received += taken;
    // The books of before the second load, whose items are of another producer.
    books.compare("otlp", &ends);
    row.books(&books);
    row.expect_nothing_lost();
    row.expect_retries();
    row.expect(offered.figure("refusals")? > 0, "nothing was refused: there was no overload");
    let peak = looks.peak_rss();
    row.expect(peak < MEMORY, format_args!("the gateway grew to {:.0} MB", peak as f64 / 1e6));
    row.expect(looks.blind.is_empty(), format_args!("the gateway did not always answer: {:?}", looks.blind));
    let a_second = |requests: u64| requests as f64 / f64::from(lasts);
    let (new, again) = (offered.figure("requests")?, offered.figure("retries")?);
    row.note(format_args!(
        "{:.0} MB at most; {} refusals; {:.0} requests of {SPANS} spans a second, {:.0} of them new",
        peak as f64 / 1e6,
        offered.figure("refusals")?,
        a_second(new + again),
        a_second(new)
    ));
    match looks.recovery(returned) {
        None => row.expect(false, "the gateway did not recover"),
        Some(recovery) => row.recover_seconds = Some(recovery.caught_up.as_secs_f64()),
    }
    Ok(())
}

/// Offers until it is not taken; the items of those that were are added up.
fn refused<A>(
    taken: &mut u64,
    offer: impl Fn() -> Result<A, Failure>,
    is_taken: impl Fn(&A) -> bool,
) -> Result<A, Failure> {
    for _ in 0..LUCK {
        let answer = offer()?;
        if !is_taken(&answer) {
            return Ok(answer);
        }
        *taken += PROBE as u64;
    }
    offer()
}

/// The requests that the gateway counts as refused for want of room.
fn refusals(metrics: &str) -> u64 {
    let refused = metrics
        .lines()
        .filter(|line| line.starts_with("aqueduct_receiver_") && line.contains("reason=\"overloaded\""));
    refused.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}
