//! Invalid requests among valid ones.

use super::{Arena, DRAIN, Failure, Row};
use crate::chaos::gateway::{Gateway, Settings};
use crate::chaos::load::Load;
use crate::chaos::sink::Sink;
use crate::chaos::{books::Account, wire};
use crate::payload;

/// `INVALID_ARGUMENT`.
const INVALID: u32 = 3;
/// One in so many requests is invalid.
const SHARE: u64 = 1000;

pub(super) fn one_in_a_thousand(arena: &Arena, row: &mut Row) -> Result<(), Failure> {
    let sink = Sink::start(arena, &[])?;
    let gateway = Gateway::start(arena, &Settings::to(sink.grpc))?;
    let mut load = Load::usual(arena, arena.pick(2.0, 5.0)).start(arena, gateway.grpc)?;
    let (mut sent, mut wrong) = (0, Vec::new());
    let accepted = |accounts: &[Account]| accounts.iter().map(|account| account.accepted).sum::<u64>();
    while load.is_alive() {
        let poison = poison(sent);
        // Turn and turn about at both doors, in the midst of the load.
        if sent % 2 == 0 {
            let answer = wire::grpc(gateway.grpc, &poison)?;
            if answer.code != INVALID || answer.message.is_empty() || answer.retry_info.is_some() {
                wrong.push(format!("{answer:?}"));
            }
        } else {
            let answer = wire::post(gateway.http, &poison)?;
            if answer.status != 400 || answer.body.is_empty() {
                wrong.push(format!("{answer:?}"));
            }
        }
        sent += 1;
        let due = sent * SHARE;
        gateway.wait_until(DRAIN, |accounts| accepted(accounts) >= due || !load.is_alive())?;
    }
    let offered = load.finish()?;
    let mut books = gateway.at_rest(DRAIN)?;
    let metrics = gateway.page("/metrics")?.body;
    gateway.stop()?;
    let report = sink.stop()?;
    let ends = offered.account(&report, row)?;
    books.compare("otlp", &ends);
    row.books(&books);
    row.expect_nothing_lost();
    row.note(format_args!("{sent} invalid requests among {}", offered.figure("requests")?));
    row.expect(sent >= 10, format_args!("only {sent} invalid requests were sent"));
    row.expect(wrong.is_empty(), format_args!("{} wrong answers, such as {:?}", wrong.len(), wrong.first()));
    let foreign = report["foreign"].as_u64();
    row.expect(foreign == Some(0), format_args!("items of invalid requests arrived: {foreign:?}"));
    let refused_elsewhere = &report["invalid_requests"];
    row.expect(
        refused_elsewhere.as_object().is_some_and(serde_json::Map::is_empty),
        format_args!("the destination found invalid requests: {refused_elsewhere}"),
    );
    let counted = invalid(&metrics);
    row.expect(counted == sent, format_args!("{sent} invalid requests were sent, /metrics counts {counted}"));
    Ok(())
}

/// A valid request with something wrong deep inside, each time something else.
fn poison(number: u64) -> Vec<u8> {
    let mut message = payload::traces_from(number, 3).to_vec();
    match number % 3 {
        // Cut off in the last span.
        0 => message.truncate(message.len() - 1),
        // A span's name that is not UTF-8.
        1 => {
            let name = b"GET /api/v1/orders";
            let at = message.windows(name.len()).rposition(|window| window == name).unwrap_or(0);
            message[at] = 0xff;
        }
        // Group tags, which protobuf has given up and OTLP never had, behind the last field.
        _ => message.extend([0x0b, 0x0c]),
    }
    message
}

/// The requests that the receiver counts as invalid.
fn invalid(metrics: &str) -> u64 {
    let refused = metrics.lines().filter(|line| {
        line.starts_with("aqueduct_receiver_")
            && line.contains("reason=\"invalid\"")
            && line.contains("requests")
    });
    refused.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}
