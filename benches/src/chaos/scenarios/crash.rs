//! The gateway is killed and started again while the load goes on.

use std::thread;
use std::time::{Duration, Instant};

use super::{Arena, DRAIN, Failure, Row};
use crate::chaos::gateway::{Gateway, Settings};
use crate::chaos::load::{Load, Offered};
use crate::chaos::sink::Sink;
use crate::chaos::watch::{Looks, Watch};

/// How long nobody listens.
const GONE: Duration = Duration::from_millis(500);

pub(super) fn exported(arena: &Arena, row: &mut Row) -> Result<(), Failure> {
    crash(arena, row, true)?;
    row.expect_nothing_lost();
    Ok(())
}

pub(super) fn enqueued(arena: &Arena, row: &mut Row) -> Result<(), Failure> {
    let (_, before) = crash(arena, row, false)?;
    // What the gateway held when it was last looked at, and what came in since; a look takes less than half a second.
    let held = before.looks.last().map_or(0, |look| look.held);
    let most = held + (arena.rate / 2.0) as u64;
    let (lost, acknowledged) = (row.lost, row.acknowledged);
    row.expect(lost <= most, format_args!("{lost} items are lost, but at most about {most} were in memory"));
    row.note(format_args!(
        "published: {lost} of {acknowledged} acknowledged items were in memory and are lost"
    ));
    Ok(())
}

fn crash(arena: &Arena, row: &mut Row, exported: bool) -> Result<(Offered, Looks), Failure> {
    let sink = Sink::start(arena, &[])?;
    let gateway = Gateway::start(arena, &Settings { exported, ..Settings::to(sink.grpc) })?;
    let usual = Load::usual(arena, arena.pick(4.0, 8.0));
    // An acknowledgement after the export takes as long as a batch waits and travels, so more requests are under way.
    let load = if exported { Load { connections: 32, ..usual } } else { usual };
    let load = load.start(arena, gateway.grpc)?;
    let watch = Watch::start(&gateway);
    let enough = (arena.rate * arena.pick(1.0, 2.0)) as u64;
    gateway.wait_until(DRAIN, |accounts| accounts.iter().all(|account| account.delivered >= enough))?;
    let killed = gateway.kill();
    let since = Instant::now();
    let before = watch.stop()?;
    thread::sleep(GONE.saturating_sub(since.elapsed()));
    let gateway = Gateway::restart(arena, &killed)?;
    let offered = load.finish()?;
    let books = gateway.at_rest(DRAIN)?;
    gateway.stop()?;
    offered.account(&sink.stop()?, row)?;
    // The first gateway took its books with it; these are the second one's.
    row.books(&books);
    let taken = books.account("otlp")?.accepted;
    row.expect(taken > 0, "the restarted gateway took nothing");
    Ok((offered, before))
}
