//! What a scenario comes to, and whether that is what it must be.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::books::Books;
use crate::process::Measured;

/// A scenario's result. Items are spans.
///
/// Complete: it is what is printed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// The scenario.
    pub name: String,
    /// Items that the generator made.
    pub offered: u64,
    /// Items that the gateway acknowledged.
    pub acknowledged: u64,
    /// Items that the sink has, each counted once.
    pub received: u64,
    /// Acknowledged and not received.
    pub lost: u64,
    /// Received again.
    pub duplicated: u64,
    /// Items refused until their time was over; the sender still has them.
    pub refused: u64,
    /// Attempts of the gateway that followed a failed one.
    pub retries: u64,
    /// From the end of the fault until everything accepted before it had left the gateway.
    pub recover_seconds: Option<f64>,
    /// Whether the ledger agreed with itself, with the walked stages and with both ends; `None` where no gateway came to rest.
    pub ledger_exact: Option<bool>,
    /// Whether everything was as it must be.
    pub passed: bool,
    /// What was not as it must be.
    pub failures: Vec<String>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
    /// How long the scenario took.
    pub seconds: f64,
}

impl Row {
    /// Holds a statement against what happened.
    pub fn expect(&mut self, holds: bool, otherwise: impl fmt::Display) {
        if !holds {
            self.failures.push(otherwise.to_string());
        }
    }

    /// Adds something worth knowing.
    pub fn note(&mut self, what: impl fmt::Display) {
        self.notes.push(what.to_string());
    }

    /// Takes over what generator and sink say.
    pub fn ends(&mut self, measured: &Measured, offered: u64, refused: u64) {
        self.offered = offered;
        self.refused = refused;
        self.acknowledged = measured.acknowledged;
        self.received = measured.received;
        self.lost = measured.lost;
        self.duplicated = measured.duplicated;
        self.expect(measured.acknowledged > 0, "nothing was acknowledged: the scenario showed nothing");
    }

    /// Takes over the ledger and demands that it is exact.
    pub fn books(&mut self, books: &Books) {
        self.retries += books.retries;
        let exact = books.faults.is_empty();
        self.ledger_exact = Some(exact && self.ledger_exact.unwrap_or(true));
        self.failures.extend(books.faults.iter().map(|fault| format!("ledger: {fault}")));
    }

    /// Demands that nothing acknowledged is missing.
    pub fn expect_nothing_lost(&mut self) {
        let lost = self.lost;
        self.expect(lost == 0, format_args!("{lost} acknowledged items are lost"));
    }

    /// Demands that the fault was felt.
    pub fn expect_retries(&mut self) {
        let retries = self.retries;
        self.expect(retries > 0, "no attempt was repeated: the fault was not felt");
    }

    /// Passes the verdict.
    #[must_use]
    pub fn judged(mut self, took: Duration) -> Row {
        self.passed = self.failures.is_empty();
        self.seconds = took.as_secs_f64();
        self
    }

    /// The names of the columns of [`Row`]'s text.
    #[must_use]
    pub fn header() -> String {
        format!(
            "{:<24}{:>9}{:>9}{:>9}{:>8}{:>8}{:>9}{:>8}{:>9}{:>8}  {}",
            "scenario",
            "offered",
            "acked",
            "received",
            "lost",
            "dupl.",
            "refused",
            "retries",
            "recover",
            "ledger",
            "verdict"
        )
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recover =
            self.recover_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.2} s"));
        let ledger = match self.ledger_exact {
            Some(true) => "exact",
            Some(false) => "WRONG",
            None => "-",
        };
        write!(
            f,
            "{:<24}{:>9}{:>9}{:>9}{:>8}{:>8}{:>9}{:>8}{:>9}{:>8}  {} ({:.0} s)",
            self.name,
            self.offered,
            self.acknowledged,
            self.received,
            self.lost,
            self.duplicated,
            self.refused,
            self.retries,
            recover,
            ledger,
            if self.passed { "passed" } else { "FAILED" },
            self.seconds
        )?;
        for failure in &self.failures {
            write!(f, "\n    failed: {failure}")?;
        }
        for note in &self.notes {
            write!(f, "\n    {note}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards that a verdict needs every expectation, and that the first failure is not overwritten by a later success.
    #[test]
    fn a_single_failed_expectation_fails_the_row() {
        let mut row = Row::default();
        row.expect(true, "never said");
        assert!(row.clone().judged(Duration::ZERO).passed);
        row.lost = 3;
        row.expect_nothing_lost();
        row.expect(true, "never said");
        let row = row.judged(Duration::ZERO);
        assert!(!row.passed);
        assert_eq!(row.failures, ["3 acknowledged items are lost"]);
    }

    /// Guards that a wrong ledger stays wrong when another gateway's is exact.
    #[test]
    fn a_wrong_ledger_is_not_mended_by_another() {
        let mut row = Row::default();
        row.books(&Books { faults: vec!["gone".to_owned()], retries: 2, ..Books::default() });
        row.books(&Books { retries: 3, ..Books::default() });
        assert_eq!((row.ledger_exact, row.retries), (Some(false), 5));
    }
}
