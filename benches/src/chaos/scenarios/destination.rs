//! The destination fails for a while under a steady load, and comes back.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Arena, DRAIN, Failure, NOTICE, Row};
use crate::chaos::gateway::{Exporter, Gateway, Settings};
use crate::chaos::load::Load;
use crate::chaos::sink::Sink;
use crate::chaos::watch::Watch;

/// A fault of the destination.
struct Fault {
    /// Before it begins, in seconds from the moment the destination listens.
    begins: u32,
    /// How long it lasts, in seconds.
    lasts: u32,
    /// How long the load goes on afterwards, in seconds.
    after: u32,
    /// Options of the sink; `{at}` and `{for}` stand for the two times above.
    options: &'static [&'static str],
    /// In and out over HTTP rather than gRPC.
    http: bool,
}

impl Fault {
    fn new(arena: &Arena, lasts: u32, options: &'static [&'static str]) -> Fault {
        Fault { begins: arena.pick(1, 2), lasts, after: arena.pick(1, 3), options, http: false }
    }

    fn options(&self) -> Vec<String> {
        let fill = |option: &&str| {
            option.replace("{at}", &format!("{}s", self.begins)).replace("{for}", &format!("{}s", self.lasts))
        };
        self.options.iter().map(fill).collect()
    }
}

pub(super) fn down(arena: &Arena, row: &mut Row) -> Result<(), Failure> {
    let options = &["--down-at", "{at}", "--down-for", "{for}"];
    ride_out(arena, row, &Fault::new(arena, arena.pick(3, 10), options))
}

pub(super) fn unavailable(arena: &Arena, row: &mut Row) -> Result<(), Failure> {
    let options =
        &["--fail-share", "0.2", "--fail-code", "UNAVAILABLE", "--fail-at", "{at}", "--fail-for", "{for}"];
    ride_out(arena, row, &Fault::new(arena, arena.pick(3, 10), options))
}

pub(super) fn retry_info(arena: &Arena, row: &mut Row) -> Result<(), Failure> {
    let options = &[
        "--fail-share",
        "0.2",
        "--fail-code",
        "RESOURCE_EXHAUSTED",
        "--retry-after",
        "200ms",
        "--fail-at",
        "{at}",
        "--fail-for",
        "{for}",
    ];
    ride_out(arena, row, &Fault::new(arena, arena.pick(3, 10), options))
}

pub(super) fn hang(arena: &Arena, row: &mut Row) -> Result<(), Failure> {
    let options = &["--hang-at", "{at}", "--hang-for", "{for}"];
    // Shorter than an attempt's time limit would show less: attempts must run into it.
    ride_out(arena, row, &Fault::new(arena, 5, options))
}

pub(super) fn answer_swallowed(arena: &Arena, row: &mut Row) -> Result<(), Failure> {
    let options = &[
        "--store-then-fail",
        "--fail-share",
        "0.2",
        "--fail-code",
        "reset",
        "--fail-at",
        "{at}",
        "--fail-for",
        "{for}",
    ];
    ride_out(arena, row, &Fault::new(arena, arena.pick(3, 5), options))?;
    let duplicated = row.duplicated;
    row.expect(duplicated > 0, "nothing arrived twice: the fault was not felt");
    Ok(())
}

pub(super) fn http_503(arena: &Arena, row: &mut Row) -> Result<(), Failure> {
    let options = &[
        "--fail-share",
        "0.2",
        "--fail-code",
        "503",
        "--retry-after",
        "1s",
        "--fail-at",
        "{at}",
        "--fail-for",
        "{for}",
    ];
    ride_out(arena, row, &Fault { http: true, ..Fault::new(arena, arena.pick(3, 5), options) })
}

fn ride_out(arena: &Arena, row: &mut Row, fault: &Fault) -> Result<(), Failure> {
    let options = fault.options();
    let sink = Sink::start(arena, &options.iter().map(String::as_str).collect::<Vec<_>>())?;
    let returned = sink.since + Duration::from_secs((fault.begins + fault.lasts).into());
    let (name, to): (_, SocketAddr) = if fault.http { ("otlphttp", sink.http) } else { ("otlp", sink.grpc) };
    let settings = Settings { exporters: vec![Exporter { name, to, queue: None }], ..Settings::to(to) };
    let gateway = Gateway::start(arena, &settings)?;
    let watch = Watch::start(&gateway);
    let mut load = Load::usual(arena, f64::from(fault.begins + fault.lasts + fault.after));
    if fault.http {
        // A request occupies a connection, so there are as many as there were requests in flight.
        load = Load { protocol: "http/protobuf", connections: 128, in_flight: 1, ..load };
    }
    let offered = load.start(arena, if fault.http { gateway.http } else { gateway.grpc })?.finish()?;
    let mut books = gateway.at_rest(DRAIN)?;
    let looks = watch.stop()?;
    gateway.stop()?;
    let ends = offered.account(&sink.stop()?, row)?;
    books.compare(name, &ends);
    row.books(&books);
    row.expect_nothing_lost();
    row.expect_retries();
    row.expect(looks.blind.is_empty(), format_args!("the gateway did not always answer: {:?}", looks.blind));
    match looks.recovery(returned) {
        None => row.expect(false, "the gateway did not recover"),
        Some(recovery) => {
            row.recover_seconds = Some(recovery.caught_up.as_secs_f64());
            let first = recovery.first;
            row.expect(
                first <= NOTICE,
                format_args!("nothing left within {NOTICE:?}, the first after {first:?}"),
            );
        }
    }
    Ok(())
}
