//! A run of a suite: what is wanted, how much effort, the timing loop, and the check that every promised row exists.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

use super::row::{Declared, Row};
use crate::Failure;

/// How much time a run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// The smallest parameters that still execute everything: for `cargo test`, figures mean nothing.
    Tiny,
    /// All suites in three minutes: for CI.
    Quick,
    /// What is published.
    Full,
}

impl Effort {
    /// Picks by effort.
    pub fn pick<T>(self, tiny: T, quick: T, full: T) -> T {
        match self {
            Effort::Tiny => tiny,
            Effort::Quick => quick,
            Effort::Full => full,
        }
    }
}

/// A suite: its promises, and the function that keeps them.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    /// The name on the command line: a crate's without prefix, `gateway` or `targets`.
    pub name: &'static str,
    /// What it measures, in a sentence or two for the report.
    pub about: &'static str,
    /// The rows, in the order of the report.
    pub rows: &'static [Declared],
    /// Measures the rows that [`Run::wants`].
    pub measure: fn(&mut Run<'_>) -> Result<(), Failure>,
}

/// What was measured for one row, in the row's unit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// Ours.
    pub ours: Vec<f64>,
    /// The peer's; empty without a peer.
    pub peer: Vec<f64>,
}

impl Samples {
    /// One figure of ours, without a peer.
    #[must_use]
    pub fn one(ours: f64) -> Samples {
        Samples { ours: vec![ours], peer: Vec::new() }
    }
}

/// A suite being run.
pub struct Run<'a> {
    suite: Suite,
    effort: Effort,
    case: Option<&'a str>,
    rows: Vec<Row>,
    show: &'a mut dyn FnMut(&Row) -> Result<(), Failure>,
}

impl fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("suite", &self.suite.name)
            .field("rows", &self.rows.len())
            .finish_non_exhaustive()
    }
}

impl<'a> Run<'a> {
    /// Runs a suite and returns its rows in the declared order. Each row is shown as soon as it is there.
    ///
    /// # Errors
    /// What the suite reports, and a promised row that was not measured.
    pub fn suite(
        suite: &Suite,
        effort: Effort,
        case: Option<&'a str>,
        show: &'a mut dyn FnMut(&Row) -> Result<(), Failure>,
    ) -> Result<Vec<Row>, Failure> {
        let mut run = Run { suite: *suite, effort, case, rows: Vec::new(), show };
        if suite.rows.iter().any(|row| run.wants(row.name)) {
            (suite.measure)(&mut run)?;
        }
        run.finish()
    }

    /// How much time the run may take.
    #[must_use]
    pub fn effort(&self) -> Effort {
        self.effort
    }

    /// Whether this row was asked for.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.case.is_none_or(|case| name.contains(case))
    }

    /// Whether any row that begins so was asked for.
    #[must_use]
    pub fn wants_group(&self, prefix: &str) -> bool {
        self.suite.rows.iter().any(|row| row.name.starts_with(prefix) && self.wants(row.name))
    }

    /// Records what was measured for a row. Rows that nobody asked for are let go.
    ///
    /// # Errors
    /// A name that the suite did not declare, a second measurement of a row, a figure that is no number, a bar that cannot be
    /// read.
    pub fn record(&mut self, name: &str, samples: &Samples) -> Result<(), Failure> {
        if !self.wants(name) {
            return Ok(());
        }
        let declared = self.suite.rows.iter().find(|row| row.name == name);
        let declared =
            declared.ok_or_else(|| format!("suite {}: `{name}` is not declared", self.suite.name))?;
        if self.rows.iter().any(|row| row.name == name) {
            return Err(format!("suite {}: `{name}` was measured twice", self.suite.name).into());
        }
        let row = Row::new(self.suite.name, declared, samples)?;
        if !row.ours.is_finite() {
            return Err(format!("suite {}: `{name}` came out as {}", self.suite.name, row.ours).into());
        }
        (self.show)(&row)?;
        self.rows.push(row);
        Ok(())
    }

    /// Times two operations alternately and records nanoseconds per item; a call works on `items` items.
    ///
    /// # Errors
    /// As [`Run::record`].
    pub fn compare<A, B>(
        &mut self,
        name: &str,
        items: u64,
        mut ours: impl FnMut() -> A,
        mut peer: impl FnMut() -> B,
    ) -> Result<(), Failure> {
        if !self.wants(name) {
            return Ok(());
        }
        let samples = self.pairs(items, &mut ours, &mut peer);
        self.record(name, &samples)
    }

    /// Times two operations alternately and records how many nanoseconds per item ours takes beyond the floor.
    ///
    /// # Errors
    /// As [`Run::record`].
    pub fn beyond<A, B>(
        &mut self,
        name: &str,
        items: u64,
        mut ours: impl FnMut() -> A,
        mut floor: impl FnMut() -> B,
    ) -> Result<(), Failure> {
        if !self.wants(name) {
            return Ok(());
        }
        let samples = self.pairs(items, &mut ours, &mut floor);
        let beyond = samples.ours.iter().zip(&samples.peer).map(|(ours, floor)| ours - floor).collect();
        self.record(name, &Samples { ours: beyond, peer: Vec::new() })
    }

    fn pairs<A, B>(&self, items: u64, ours: &mut impl FnMut() -> A, peer: &mut impl FnMut() -> B) -> Samples {
        let (calls_ours, calls_peer) = (self.calibrate(ours), self.calibrate(peer));
        let mut samples = Samples::default();
        for _ in 0..self.samples() {
            samples.ours.push(nanoseconds(calls_ours, items, ours));
            samples.peer.push(nanoseconds(calls_peer, items, peer));
        }
        samples
    }

    /// Times one operation and records nanoseconds per item; a call works on `items` items.
    ///
    /// # Errors
    /// As [`Run::record`].
    pub fn alone<A>(&mut self, name: &str, items: u64, mut ours: impl FnMut() -> A) -> Result<(), Failure> {
        if !self.wants(name) {
            return Ok(());
        }
        let calls = self.calibrate(&mut ours);
        let ours = (0..self.samples()).map(|_| nanoseconds(calls, items, &mut ours)).collect();
        self.record(name, &Samples { ours, peer: Vec::new() })
    }

    /// Takes samples of two measurements alternately; for what times itself.
    ///
    /// # Errors
    /// What the measurements report, and as [`Run::record`].
    pub fn alternate(
        &mut self,
        name: &str,
        rounds: usize,
        mut ours: impl FnMut() -> Result<f64, Failure>,
        mut peer: impl FnMut() -> Result<f64, Failure>,
    ) -> Result<(), Failure> {
        if !self.wants(name) {
            return Ok(());
        }
        let mut samples = Samples::default();
        for _ in 0..rounds {
            samples.ours.push(ours()?);
            samples.peer.push(peer()?);
        }
        self.record(name, &samples)
    }

    fn samples(&self) -> usize {
        self.effort.pick(2, 9, 25)
    }

    /// How many calls fill a sample. Warms up caches, branch predictors and lazy state on the way.
    fn calibrate<A>(&self, operation: &mut impl FnMut() -> A) -> u64 {
        let target = self.effort.pick(Duration::ZERO, Duration::from_millis(3), Duration::from_millis(20));
        let mut calls = 1;
        loop {
            let start = Instant::now();
            for _ in 0..calls {
                black_box(operation());
            }
            let elapsed = start.elapsed();
            if elapsed >= target {
                return calls;
            }
            // Grows at most tenfold a step: the first calls are slow and would mislead a single extrapolation.
            let wanted = target.as_secs_f64() / elapsed.as_secs_f64().max(1e-9) * calls as f64 * 1.1;
            calls = (wanted as u64).clamp(calls + 1, calls * 10);
        }
    }

    fn finish(self) -> Result<Vec<Row>, Failure> {
        let mut rows = Vec::with_capacity(self.rows.len());
        let mut missing = Vec::new();
        for declared in self.suite.rows.iter().filter(|declared| self.wants(declared.name)) {
            match self.rows.iter().find(|row| row.name == declared.name) {
                Some(row) => rows.push(row.clone()),
                None => missing.push(declared.name),
            }
        }
        if missing.is_empty() {
            Ok(rows)
        } else {
            Err(format!("suite {}: rows without a measurement: {}", self.suite.name, missing.join(", "))
                .into())
        }
    }
}

fn nanoseconds<A>(calls: u64, items: u64, operation: &mut impl FnMut() -> A) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        black_box(operation());
    }
    start.elapsed().as_nanos() as f64 / (calls * items) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &[Declared] =
        &[Declared::lower("b slow", "ns").against("fast").bar("ratio<=2"), Declared::lower("a alone", "ns")];

    fn suite(measure: fn(&mut Run<'_>) -> Result<(), Failure>) -> Suite {
        Suite { name: "test", about: "", rows: ROWS, measure }
    }

    fn rows(
        measure: fn(&mut Run<'_>) -> Result<(), Failure>,
        case: Option<&str>,
    ) -> Result<Vec<Row>, Failure> {
        Run::suite(&suite(measure), Effort::Tiny, case, &mut |_| Ok(()))
    }

    /// Guards the error for a promised row that nobody measured, whether skipped or not a number.
    #[test]
    fn a_missing_row_is_an_error() {
        let error = rows(|run| run.alone("a alone", 1, || 1), None).unwrap_err();
        assert!(error.to_string().contains("b slow"), "{error}");
        assert!(rows(|run| run.record("a alone", &Samples::one(f64::NAN)), Some("alone")).is_err());
    }

    /// Guards the declared order, the verdict against the peer, and that a filter asks only for what it names.
    #[test]
    fn rows_come_in_the_declared_order() {
        let both = |run: &mut Run<'_>| {
            run.alone("a alone", 1, || 1)?;
            run.record("b slow", &Samples { ours: vec![3.0], peer: vec![1.0] })
        };
        let mut shown = Vec::new();
        let mut show = |row: &Row| {
            shown.push(row.name.clone());
            Ok(())
        };
        let all = Run::suite(&suite(both), Effort::Tiny, None, &mut show).unwrap();
        assert_eq!(all.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["b slow", "a alone"]);
        assert_eq!(shown, ["a alone", "b slow"]);
        assert_eq!(all[0].holds, Some(false));
        assert_eq!(rows(both, Some("alone")).unwrap().len(), 1);
        assert!(rows(both, Some("nothing like it")).unwrap().is_empty());
    }

    /// Guards against rows under a wrong name and against counting one twice.
    #[test]
    fn undeclared_and_repeated_rows_are_errors() {
        assert!(rows(|run| run.alone("c", 1, || 1), None).is_err());
        let twice = |run: &mut Run<'_>| {
            run.alone("a alone", 1, || 1)?;
            run.alone("a alone", 1, || 1)
        };
        assert!(rows(twice, Some("a alone")).is_err());
    }

    /// Guards that samples are taken in turns, so that a slow minute hits both sides.
    #[test]
    fn sides_alternate() {
        use std::cell::RefCell;
        let order = RefCell::new(String::new());
        let mut show = |_: &Row| Ok(());
        let mut run = Run {
            suite: suite(|_| Ok(())),
            effort: Effort::Tiny,
            case: None,
            rows: Vec::new(),
            show: &mut show,
        };
        let side = |name| {
            let order = &order;
            move || {
                order.borrow_mut().push(name);
                Ok(1.0)
            }
        };
        run.alternate("b slow", 3, side('o'), side('p')).unwrap();
        assert_eq!(*order.borrow(), "opopop");
    }

    /// Guards the calibration: a sample lasts about as long as it should, whatever the cost of a call.
    #[test]
    fn calibration_fills_the_sample() {
        let mut show = |_: &Row| Ok(());
        let run = Run {
            suite: suite(|_| Ok(())),
            effort: Effort::Quick,
            case: None,
            rows: Vec::new(),
            show: &mut show,
        };
        let mut operation = || black_box(7_u64).wrapping_mul(3);
        let calls = run.calibrate(&mut operation);
        assert!(calls > 10_000, "{calls} calls of a nanosecond do not last 3 ms");
    }
}
