//! The gateway is asked to end.

use std::time::{Duration, Instant};

use super::{Arena, Failure, Row};
use crate::chaos::books::Books;
use crate::chaos::gateway::{Gateway, Settings};
use crate::chaos::load::{Generator, Load};
use crate::chaos::sink::Sink;

/// A process needs a moment beyond its deadline to print and to end.
const GRACE: Duration = Duration::from_secs(1);
/// Long enough for a machine that is busy otherwise.
const FLOW: Duration = Duration::from_secs(20);

/// A load that would go on long after the gateway has ended, and gives up soon then.
fn endless(arena: &Arena, gateway: &Gateway) -> Result<Generator, Failure> {
    let load = Load { expiry: Duration::from_millis(1500), ..Load::usual(arena, 60.0) };
    load.start(arena, gateway.grpc)
}

/// Waits until so many seconds' worth of the load was accepted.
fn flowing(arena: &Arena, gateway: &Gateway, seconds: f64) -> Result<(), Failure> {
    let items = (arena.rate * seconds) as u64;
    gateway.wait_until(FLOW, |accounts| accounts.iter().all(|account| account.accepted >= items))
}

pub(super) fn under_load(arena: &Arena, row: &mut Row) -> Result<(), Failure> {
    let sink = Sink::start(arena, &[])?;
    let settings = Settings::to(sink.grpc);
    let gateway = Gateway::start(arena, &settings)?;
    let load = endless(arena, &gateway)?;
    flowing(arena, &gateway, arena.pick(1.0, 2.0))?;
    gateway.terminate()?;
    let signalled = Instant::now();
    let ended = gateway.end(settings.drain + Duration::from_secs(20))?;
    let took = signalled.elapsed();
    let offered = load.stop()?;
    let ends = offered.account(&sink.stop()?, row)?;
    let mut books = Books::of_drain(ended.lines.iter().map(String::as_str));
    books.compare("otlp", &ends);
    row.books(&books);
    row.expect_nothing_lost();
    let code = ended.code;
    row.expect(code == Some(0), format_args!("everything was delivered, but the exit code is {code:?}"));
    row.expect(took <= settings.drain + GRACE, format_args!("it took {took:?} to end"));
    row.note(format_args!("ended {:.2} s after the signal", took.as_secs_f64()));
    Ok(())
}

pub(super) fn sink_down(arena: &Arena, row: &mut Row) -> Result<(), Failure> {
    let sink = Sink::start(arena, &["--down-at", "1s"])?;
    let settings = Settings { drain: Duration::from_secs(3), ..Settings::to(sink.grpc) };
    let mut gateway = Gateway::start(arena, &settings)?;
    let load = endless(arena, &gateway)?;
    gateway.wait_for_line(FLOW, "export fails and is retried")?;
    // Some more, so that there is something in each place where items can wait.
    let held = (arena.rate / 2.0) as u64;
    gateway.wait_until(FLOW, |accounts| accounts.iter().all(|account| account.held >= held))?;
    gateway.terminate()?;
    let signalled = Instant::now();
    let ended = gateway.end(settings.drain + Duration::from_secs(20))?;
    let took = signalled.elapsed();
    let offered = load.stop()?;
    let ends = offered.account(&sink.stop()?, row)?;
    let mut books = Books::of_drain(ended.lines.iter().map(String::as_str));
    books.compare("otlp", &ends);
    row.books(&books);
    let account = books.account("otlp")?;
    let (lost, dropped) = (row.lost, account.dropped());
    row.expect(dropped > 0, "the report names nothing that was not delivered");
    row.expect(lost <= dropped, format_args!("{lost} items are lost, the report names {dropped}"));
    row.note(format_args!("published as dropped: {:?}", account.dropped));
    let code = ended.code;
    row.expect(
        code.is_some_and(|code| code != 0),
        format_args!("items were given up, but the exit code is {code:?}"),
    );
    let sound = took >= settings.drain - GRACE && took <= settings.drain + GRACE;
    row.expect(sound, format_args!("it ended after {took:?} with a deadline of {:?}", settings.drain));
    Ok(())
}

pub(super) fn twice(arena: &Arena, row: &mut Row) -> Result<(), Failure> {
    let sink = Sink::start(arena, &["--down-at", "1s"])?;
    let settings = Settings { drain: Duration::from_secs(30), ..Settings::to(sink.grpc) };
    let mut gateway = Gateway::start(arena, &settings)?;
    let load = endless(arena, &gateway)?;
    gateway.wait_for_line(FLOW, "export fails and is retried")?;
    gateway.terminate()?;
    gateway.wait_for_line(FLOW, "SIGTERM: ")?;
    gateway.terminate()?;
    let signalled = Instant::now();
    let ended = gateway.end(Duration::from_secs(20))?;
    let took = signalled.elapsed();
    let offered = load.stop()?;
    offered.account(&sink.stop()?, row)?;
    row.expect(took <= GRACE, format_args!("the second signal took {took:?}"));
    let code = ended.code;
    row.expect(code.is_some_and(|code| code != 0), format_args!("the exit code is {code:?}"));
    row.expect(ended.lines.iter().any(|line| line.contains("second signal")), "the log does not mention it");
    Ok(())
}
