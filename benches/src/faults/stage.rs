//! An application and its sink, each a process, and what both say at the end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::job::{Carrier, Job, Side, Told};
use super::script::Script;
use super::sink::Tally;
use crate::Failure;
use crate::process::{Process, Profile, program};

/// Longer than either needs to start, even in a debug build on a busy machine.
const START: Duration = Duration::from_secs(20);
/// What an application may take beyond its job, and a sink to add up.
const GRACE: Duration = Duration::from_secs(30);

/// Where the two programs are.
#[derive(Clone, Debug)]
pub struct Stage {
    app: PathBuf,
    sink: PathBuf,
}

/// What one application and one sink say about the same spans.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Round {
    /// The application.
    pub told: Told,
    /// The sink.
    pub tally: Tally,
}

impl Stage {
    /// Builds the programs, if they are not up to date.
    ///
    /// # Errors
    /// They do not compile.
    pub fn prepare(profile: Profile) -> Result<Stage, Failure> {
        Ok(Stage { app: program(profile, "app")?, sink: program(profile, "faulty-sink")? })
    }

    /// Runs an application against a sink of its own.
    ///
    /// # Errors
    /// A process does not do what it should; losses are no error.
    pub fn round(&self, script: &Script, job: &Job) -> Result<Round, Failure> {
        let side = match job.side {
            Side::Ours => "ours",
            Side::Sdk(Carrier::Stock) => "stock",
            Side::Sdk(_) => "ours behind the SDK",
        };
        let mut sink = Process::start(&format!("sink of {side}"), None, &self.sink, &[json(script)?])?;
        let address: SocketAddr = sink.wait_for(START, |line| serde_json::from_str(line).ok())?;
        let job = Job { endpoint: format!("http://{address}"), ..job.clone() };
        let mut app = Process::start(side, None, &self.app, &[json(&job)?])?;
        app.wait_for(START, |line| (line == "\"started\"").then_some(()))?;
        sink.say("begin")?;
        let ends = Duration::from_secs_f64(job.seconds + job.shutdown_seconds) + GRACE;
        let told = serde_json::from_str(&app.finish(ends)?)?;
        sink.say("end")?;
        let tally = serde_json::from_str(&sink.finish(GRACE)?)?;
        let round = Round { told, tally };
        if round.tally.foreign > 0 {
            return Err(format!("the sink got {} spans that nobody sent", round.tally.foreign).into());
        }
        // Nothing is lost of nothing: such a round would pass any bar.
        if round.told.generated == 0 || round.tally.requests == 0 {
            return Err(format!("{side}: no span was ended, or no request came to the sink").into());
        }
        Ok(round)
    }

    /// Runs several at the same time.
    ///
    /// # Errors
    /// As [`Stage::round`].
    pub fn rounds(&self, all: &[(Script, Job)]) -> Result<Vec<Round>, Failure> {
        std::thread::scope(|scope| {
            let running: Vec<_> =
                all.iter().map(|(script, job)| scope.spawn(|| self.round(script, job))).collect();
            let end = |running: std::thread::ScopedJoinHandle<'_, _>| {
                running.join().unwrap_or_else(|_| Err("a round panicked".into()))
            };
            running.into_iter().map(end).collect()
        })
    }
}

fn json<T: Serialize>(what: &T) -> Result<String, Failure> {
    Ok(serde_json::to_string(what)?)
}

impl Round {
    /// Spans that were ended and did not arrive.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.told.generated.saturating_sub(self.tally.unique)
    }

    /// The same in per cent of those that were ended.
    #[must_use]
    pub fn lost_percent(&self) -> f64 {
        100.0 * self.lost() as f64 / self.told.generated.max(1) as f64
    }

    /// Those of them that our side was given: all but what a queue of the SDK's lost before.
    #[must_use]
    pub fn lost_of_given(&self) -> u64 {
        self.lost().saturating_sub(self.told.overflowed)
    }

    /// The same in per cent of those that it was given.
    #[must_use]
    pub fn lost_of_given_percent(&self) -> f64 {
        let given = self.told.generated.saturating_sub(self.told.overflowed);
        100.0 * self.lost_of_given() as f64 / given.max(1) as f64
    }

    /// By how many spans the application's own figures are wrong: in themselves, and held against what the sink has. 0 says: each
    /// span that was ended is in exactly one column, and what the ledger calls delivered is what the sink has. `None` without a
    /// ledger.
    ///
    /// What was given up may have arrived all the same, if it was under way; nothing else may.
    #[must_use]
    pub fn misaccounted(&self) -> Option<u64> {
        let books = self.told.books.as_ref()?;
        let entered = self.told.generated.abs_diff(books.accepted + self.told.refused + self.told.overflowed);
        let columns = books.delivered + books.rejected + books.dropped() + books.held;
        let balance = books.accepted.abs_diff(columns);
        let missing = books.delivered.saturating_sub(self.tally.unique);
        let surplus = self.tally.unique.saturating_sub(books.delivered + books.dropped());
        Some(entered + balance + missing + surplus + books.held)
    }

    /// Duplicates beyond the spans of attempts that ended without anybody knowing.
    #[must_use]
    pub fn unexplained(&self) -> u64 {
        self.tally.duplicates.saturating_sub(self.told.unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Books;

    fn round(delivered: u64, dropped: u64, held: u64, unique: u64) -> Round {
        let dropped = [("shutdown".to_owned(), dropped)].into();
        let books = Books { accepted: 90, delivered, rejected: 0, dropped, held };
        let told = Told { generated: 100, refused: 10, books: Some(books), unknown: 7, ..Told::default() };
        Round { told, tally: Tally { unique, ..Tally::default() } }
    }

    /// Guards the losses: by what arrived, not by what the application says of itself.
    #[test]
    fn losses_are_what_did_not_arrive() {
        let round = round(90, 0, 0, 75);
        assert_eq!((round.lost(), round.lost_percent()), (25, 25.0));
        assert_eq!(Round::default().lost_percent(), 0.0);
    }

    /// Guards the books: exact ones pass, and each kind of error is seen.
    #[test]
    fn books_are_held_against_both_ends() {
        assert_eq!(round(90, 0, 0, 90).misaccounted(), Some(0));
        assert_eq!(round(80, 10, 0, 80).misaccounted(), Some(0));
        assert_eq!(round(80, 10, 0, 90).misaccounted(), Some(0), "given up and arrived all the same");
        assert_eq!(round(80, 9, 0, 80).misaccounted(), Some(1), "a span in no column");
        assert_eq!(round(81, 10, 0, 81).misaccounted(), Some(1), "a span in two");
        assert_eq!(round(90, 0, 0, 88).misaccounted(), Some(2), "called delivered and not there");
        assert_eq!(round(80, 9, 1, 91).misaccounted(), Some(3), "there and not known; held after the end");
        let mut refused = round(90, 0, 0, 90);
        refused.told.refused = 9;
        assert_eq!(refused.misaccounted(), Some(1), "a span that was neither taken in nor refused");
        assert_eq!(Round::default().misaccounted(), None);
    }

    /// Guards whose loss it is: what a queue before our exporter lost is in the loss, in the books, and not in ours.
    #[test]
    fn what_the_queue_lost_is_not_ours() {
        let mut round = round(90, 0, 0, 87);
        (round.told.generated, round.told.overflowed) = (150, 50);
        assert_eq!((round.lost(), round.lost_of_given()), (63, 13));
        assert_eq!(round.misaccounted(), Some(3), "called delivered and not there");
        round.told.overflowed = 40;
        assert_eq!(round.misaccounted(), Some(13), "ended, and neither lost before nor given");
    }

    /// Guards that duplicates are explained by attempts with an unknown outcome and by nothing else.
    #[test]
    fn duplicates_need_an_explanation() {
        let mut round = round(90, 0, 0, 90);
        round.tally.duplicates = 7;
        assert_eq!(round.unexplained(), 0);
        round.tally.duplicates = 9;
        assert_eq!(round.unexplained(), 2);
    }
}
