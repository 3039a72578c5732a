//! One of two destinations fails.

use std::time::Duration;

use super::{Arena, DRAIN, Failure, Row};
use crate::chaos::books::Ends;
use crate::chaos::gateway::{Exporter, Gateway, Settings};
use crate::chaos::load::Load;
use crate::chaos::sink::Sink;

pub(super) fn one_hangs(arena: &Arena, row: &mut Row) -> Result<(), Failure> {
    let lasts = arena.pick("4s", "8s");
    let fast = Sink::start(arena, &[])?;
    let slow = Sink::start(arena, &["--hang-at", "1s", "--hang-for", lasts])?;
    let exporters = vec![
        Exporter { name: "otlp/fast", to: fast.grpc, queue: None },
        // Small, so that it is full before the slow destination comes back.
        Exporter { name: "otlp/slow", to: slow.grpc, queue: Some("8MiB") },
    ];
    let gateway = Gateway::start(arena, &Settings { exporters, ..Settings::to(fast.grpc) })?;
    let load = Load { expiry: Duration::from_secs(1), ..Load::usual(arena, arena.pick(6.0, 12.0)) };
    let load = load.start(arena, gateway.grpc)?;

    // While one hangs: it holds much, the other has passed everything on.
    let many = (arena.rate / 2.0) as u64;
    let apart = gateway.wait_until(Duration::from_secs(20), |accounts| {
        let held = |name: &str| {
            accounts.iter().find(|account| account.destination == name).map(|account| account.held)
        };
        held("otlp/slow").is_some_and(|slow| slow > many) && held("otlp/fast").is_some_and(|fast| fast < many)
    });
    row.expect(apart.is_ok(), "the hanging destination held up the other one");
    // Its budget full, new requests are refused, for both: nothing is accepted for one only.
    let full = gateway.wait_until(Duration::from_secs(20), |_| {
        gateway.page("/readyz").is_ok_and(|page| page.status == 503 && page.body.contains("\"full\""))
    });
    row.expect(full.is_ok(), "the budget of the hanging destination was never full");
    let now = gateway.accounts()?;
    let accepted: Vec<_> = now.iter().map(|account| account.accepted).collect();
    row.note(format_args!("while one hangs: {}", tell(&now)));
    row.expect(accepted.len() == 2, "there are not two accounts");

    let offered = load.finish()?;
    let mut books = gateway.at_rest(DRAIN)?;
    gateway.stop()?;
    let late = offered.account(&slow.stop()?, row)?;
    row.expect_nothing_lost();
    let (slow_lost, slow_duplicated) = (row.lost, row.duplicated);
    let ends = offered.account(&fast.stop()?, row)?;
    row.expect_nothing_lost();
    row.note(format_args!("the hanging destination: {slow_lost} lost, {slow_duplicated} duplicated"));
    books.compare("otlp/fast", &ends);
    books.compare("otlp/slow", &Ends { ..late });
    row.books(&books);
    row.expect_retries();
    let (one, other) = (books.account("otlp/fast")?, books.account("otlp/slow")?);
    row.expect(one.accepted == other.accepted, "the two ledgers took different numbers of items");
    Ok(())
}

fn tell(accounts: &[crate::chaos::books::Account]) -> String {
    let one = |account: &crate::chaos::books::Account| {
        format!("{} delivered {} and holds {}", account.destination, account.delivered, account.held)
    };
    accounts.iter().map(one).collect::<Vec<_>>().join("; ")
}
