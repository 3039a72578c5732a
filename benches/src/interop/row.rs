//! The judgement of one client, protocol, compression and signal.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use aqueduct_wire::Signal;

use super::capture::Arrival;
use super::client::{Client, Compression, Expected, Protocol, Sent, Variant};
use super::gateway::{DESTINATIONS, Ledger, Ledgers};
use super::items::{self, Item};
use super::message::Message;
use super::{Bench, compare};
use crate::Failure;

/// How long items may take through the gateway: a batch is sent after 200 ms, the rest is for a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A row of the table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) variant: Variant,
    pub(super) signal: Signal,
    /// Items that every destination should have.
    pub(super) items: u64,
    /// Fields that were compared at each destination.
    pub(super) fields: usize,
    /// Requests in which the items came to the reference, and to the destinations.
    pub(super) requests: Vec<usize>,
    /// Why it failed; empty if it passed.
    pub(super) problems: Vec<String>,
}

impl Row {
    /// Waits for what the client sent and compares it.
    pub(super) fn judge(
        bench: &Bench,
        variant: Variant,
        sent: Sent,
        before: &Ledgers,
    ) -> Result<Row, Failure> {
        let Sent { signal, outcome, complaints } = sent;
        let mut row =
            Row { variant, signal, items: 0, fields: 0, requests: Vec::new(), problems: Vec::new() };
        row.problems.extend(complaints.iter().map(|complaint| format!("the client's log: {complaint}")));
        let expected = row.expected(bench, outcome);
        row.items = expected.iter().map(items::count).sum();
        let expected = items::of(&expected);
        row.fields = compare::fields(&expected);
        let mut captured = Vec::with_capacity(DESTINATIONS.len());
        for (destination, judge) in DESTINATIONS.iter().zip(&bench.destinations) {
            judge.wait(signal, row.items, PATIENCE);
            // At rest everything was answered, so whatever came twice is here.
            let after = bench.gateway.settled(signal, PATIENCE)?;
            let (arrivals, unreadable) = judge.take(signal);
            let name = destination.name;
            row.problems.extend(unreadable.iter().map(|problem| format!("{name}: {problem}")));
            row.encoded(name, &arrivals, destination.protocol, destination.compression);
            row.requests.push(arrivals.len());
            let actual = bodies(arrivals);
            let differences = compare::differences(expected.clone(), actual.clone());
            row.problems.extend(differences.iter().map(|difference| format!("{name}: {difference}")));
            row.balance(name, before, &after);
            captured.push((name, actual));
        }
        if let (Some(folder), false) = (&bench.keep, row.problems.is_empty()) {
            captured.push(("expected", expected));
            row.leave(folder, captured)?;
        }
        Ok(row)
    }

    /// Writes what was captured, for a person to compare.
    fn leave(&self, folder: &Path, captured: Vec<(&str, Vec<Item>)>) -> Result<(), Failure> {
        for (place, mut items) in captured {
            items.sort();
            let name = format!("{} {place}.txt", self.variant.name(self.signal)).replace(['/', ' '], "-");
            let mut file = BufWriter::new(File::create(folder.join(name))?);
            for part in items.iter().flat_map(|item| &item.0) {
                writeln!(file, "{} {}", part.name, part.text)?;
            }
            file.flush()?;
        }
        Ok(())
    }

    /// What should arrive.
    fn expected(&mut self, bench: &Bench, outcome: Result<Expected, String>) -> Vec<Message> {
        let count = match outcome {
            Ok(Expected::Built(message)) => return vec![*message],
            Ok(Expected::Captured(count)) => count,
            Err(problem) => {
                self.problems.push(format!("the client: {problem}"));
                0
            }
        };
        let (arrivals, unreadable) = bench.reference.take(self.signal);
        self.problems.extend(unreadable.iter().map(|problem| format!("reference: {problem}")));
        // The row must be what it is called: a client that silently sends something else proves nothing.
        self.encoded("reference", &arrivals, self.variant.protocol, self.variant.compression);
        self.requests.push(arrivals.len());
        for arrival in &arrivals {
            bench.saw_name(self.variant.client, &arrival.user_agent);
        }
        let messages: Vec<Message> = arrivals.into_iter().map(|arrival| arrival.message).collect();
        let captured: u64 = messages.iter().map(items::count).sum();
        if captured != count {
            self.problems.push(format!("reference: {captured} items instead of {count}"));
        }
        messages
    }

    fn encoded(&mut self, place: &str, arrivals: &[Arrival], protocol: Protocol, compression: Compression) {
        for arrival in arrivals {
            let (content_type, encoding) = (&arrival.content_type, &arrival.encoding);
            if content_type != protocol.content_type() || encoding != compression.encoding() {
                self.problems.push(format!(
                    "{place}: a request was {content_type:?} {encoding:?} instead of {protocol} {compression}"
                ));
            }
        }
    }

    /// The gateway's ledger must have grown by the items of this row, all of them delivered.
    fn balance(&mut self, destination: &str, before: &Ledgers, after: &Ledgers) {
        let key = (self.signal.as_str().to_owned(), destination.to_owned());
        let (Some(before), Some(after)) = (before.get(&key), after.get(&key)) else {
            self.problems.push(format!("{destination}: /statusz has no ledger for {}", self.signal));
            return;
        };
        let grown = Ledger {
            accepted: after.accepted - before.accepted,
            delivered: after.delivered - before.delivered,
            rejected: after.rejected - before.rejected,
            dropped: after.dropped - before.dropped,
            held: after.held,
        };
        let right = Ledger { accepted: self.items, delivered: self.items, ..Ledger::default() };
        if grown != right {
            self.problems.push(format!("{destination}: the ledger grew by {grown:?} instead of {right:?}"));
        }
    }

    /// Whether the reference is what was built and not what was captured.
    pub(super) fn has_reference(&self) -> bool {
        self.variant.client != Client::Generated
    }
}

fn bodies(arrivals: Vec<Arrival>) -> Vec<Item> {
    items::of(&arrivals.into_iter().map(|arrival| arrival.message).collect::<Vec<_>>())
}
