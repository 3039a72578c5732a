//! The ledger as the gateway tells it, and whether its tellings agree.
//!
//! `/statusz` derives `held` from the other columns, so that these add up proves nothing by itself. What proves something: at
//! rest nothing is held, the items found by walking the stages (`/metrics`) are none either, both pages say the same, and the
//! numbers agree with what generator and sink counted at the two ends.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Failure;

/// One destination of one pipeline, in items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// `traces`, `metrics` or `logs`.
    pub signal: String,
    /// The exporter's name.
    pub destination: String,
    /// Taken in.
    pub accepted: u64,
    /// Confirmed by the destination.
    pub delivered: u64,
    /// Refused by the destination for good.
    pub rejected: u64,
    /// Given up, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Still there.
    pub held: u64,
}

impl Account {
    /// Given up for any reason.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Whatever became of them, these are gone.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.delivered + self.rejected + self.dropped()
    }

    /// Whether every item is in exactly one column.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.accepted == self.settled() + self.held
    }
}

/// Everything a gateway says about its items.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// One account per destination of each pipeline.
    pub accounts: Vec<Account>,
    /// Attempts that followed a failed one.
    pub retries: u64,
    /// What does not agree. Empty: the ledger is exact.
    pub faults: Vec<String>,
}

impl Books {
    /// Compares the two pages of a gateway that should be at rest.
    ///
    /// # Errors
    /// A page lacks what it should have.
    pub fn at_rest(statusz: &str, metrics: &str) -> Result<Books, Failure> {
        let accounts = accounts(statusz)?;
        let metrics = Metrics(metrics);
        let mut faults = Vec::new();
        for account in &accounts {
            let name = &account.destination;
            if !account.balances() {
                faults.push(format!("{name}: /statusz does not add up: {account:?}"));
            }
            if account.held != 0 {
                faults.push(format!("{name}: {} items are held at rest", account.held));
            }
            let figures = [
                ("aqueduct_pipeline_walked_items", 0),
                ("aqueduct_held_items", account.held),
                ("aqueduct_pipeline_held_bytes", 0),
                ("aqueduct_accepted_items_total", account.accepted),
                ("aqueduct_delivered_items_total", account.delivered),
                ("aqueduct_rejected_items_total", account.rejected),
                ("aqueduct_dropped_items_total", account.dropped()),
            ];
            for (family, expected) in figures {
                let found = metrics.sum(family, account);
                if found != Some(expected) {
                    faults.push(format!("{name}: {family} is {found:?}, expected {expected}"));
                }
            }
            if account.dropped.get("leaked").is_some_and(|items| *items > 0) {
                faults.push(format!("{name}: items leaked: {:?}", account.dropped));
            }
        }
        let retries = accounts
            .iter()
            .filter_map(|account| metrics.sum("aqueduct_pipeline_retries_total", account))
            .sum();
        Ok(Books { accounts, retries, faults })
    }

    /// The books as the drain report has them: its lines among others.
    #[must_use]
    pub fn of_drain<'a>(lines: impl Iterator<Item = &'a str>) -> Books {
        let accounts: Vec<_> = lines.filter_map(drained).collect();
        let mut faults = Vec::new();
        if accounts.is_empty() {
            faults.push("there is no drain report".to_owned());
        }
        for account in &accounts {
            if !account.balances() || account.held != 0 {
                faults.push(format!("the drain report does not add up: {account:?}"));
            }
        }
        Books { accounts, retries: 0, faults }
    }

    /// The account of a destination.
    ///
    /// # Errors
    /// There is none.
    pub fn account(&self, destination: &str) -> Result<&Account, Failure> {
        let mut accounts = self.accounts.iter();
        let found = accounts.find(|account| account.destination == destination);
        found.ok_or_else(|| format!("the gateway has no account of {destination}").into())
    }

    /// Holds an account against both ends. An item that the generator sent again because it got no answer may have been
    /// accepted twice, and an item that the gateway sent again may have been received twice; beyond that nothing may differ.
    pub fn compare(&mut self, destination: &str, ends: &Ends) {
        let Ok(account) = self.account(destination).cloned() else {
            self.faults.push(format!("{destination}: no account"));
            return;
        };
        let most = ends.acknowledged + ends.unanswered + ends.resent;
        if !(ends.acknowledged..=most).contains(&account.accepted) {
            let text = format!("{destination}: {} accepted, but {ends:?}", account.accepted);
            self.faults.push(text);
        }
        // What was dropped may have arrived (unknown outcome); what was delivered must have.
        let least = account.delivered.saturating_sub(ends.duplicated);
        if !(least..=account.delivered + account.dropped() + account.rejected).contains(&ends.received) {
            self.faults.push(format!("{destination}: {account:?}, but {ends:?}"));
        }
    }
}

/// What generator and sink counted, in items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// By the generator.
    pub acknowledged: u64,
    /// By the generator: may have been accepted.
    pub unanswered: u64,
    /// By the generator: attempts that ended without an answer or refused, and were repeated.
    pub resent: u64,
    /// By the sink, each item once.
    pub received: u64,
    /// By the sink.
    pub duplicated: u64,
}

/// Reads the accounts of `/statusz`.
///
/// # Errors
/// It is not what it should be.
pub fn accounts(statusz: &str) -> Result<Vec<Account>, Failure> {
    let page: Value = serde_json::from_str(statusz)?;
    let rows = page["pipelines"].as_array().ok_or("/statusz lists no pipelines")?;
    rows.iter().map(account).collect()
}

fn account(row: &Value) -> Result<Account, Failure> {
    let text = |name: &str| row[name].as_str().map(str::to_owned).ok_or(format!("/statusz lacks {name}"));
    let number = |name: &str| row[name].as_u64().ok_or(format!("/statusz lacks {name}"));
    Ok(Account {
        signal: text("signal")?,
        destination: text("destination")?,
        accepted: number("accepted")?,
        delivered: number("delivered")?,
        rejected: number("rejected")?,
        dropped: serde_json::from_value(row["dropped"].clone())?,
        held: number("held")?,
    })
}

/// A page in Prometheus' text format.
#[derive(Clone, Copy, Debug)]
struct Metrics<'a>(&'a str);

impl Metrics<'_> {
    /// The sum of a family's samples that belong to an account; `None` if there are none.
    fn sum(self, family: &str, account: &Account) -> Option<u64> {
        let signal = format!("signal=\"{}\"", account.signal);
        let destination = format!("destination=\"{}\"", account.destination);
        let samples = self.0.lines().filter_map(|line| {
            let labels = line.strip_prefix(family)?.strip_prefix('{')?;
            let (labels, value) = labels.rsplit_once("} ")?;
            (labels.contains(&signal) && labels.contains(&destination)).then_some(value)?.parse::<u64>().ok()
        });
        samples.fold(None, |sum, value| Some(sum.unwrap_or(0) + value))
    }
}

/// Reads `traces to otlp: 9 accepted, 5 delivered, 0 rejected, 4 dropped (3 shutdown, 1 unknown_outcome), 0 held`.
fn drained(line: &str) -> Option<Account> {
    let (head, columns) = line.split_once(" accepted, ")?;
    let (names, accepted) = head.rsplit_once(": ")?;
    let (signal, destination) = names.rsplit_once(" to ")?;
    let (delivered, columns) = columns.split_once(" delivered, ")?;
    let (rejected, columns) = columns.split_once(" rejected, ")?;
    let (total, columns) = columns.split_once(" dropped")?;
    let (reasons, held) = columns.rsplit_once(", ")?;
    let reasons = reasons.trim().trim_start_matches('(').trim_end_matches(')');
    let dropped: BTreeMap<String, u64> = reasons
        .split(", ")
        .filter_map(|reason| {
            let (items, reason) = reason.split_once(' ')?;
            Some((reason.to_owned(), items.parse().ok()?))
        })
        .collect();
    let account = Account {
        signal: signal.rsplit(' ').next()?.to_owned(),
        destination: destination.to_owned(),
        accepted: accepted.parse().ok()?,
        delivered: delivered.parse().ok()?,
        rejected: rejected.parse().ok()?,
        dropped,
        held: held.strip_suffix(" held")?.parse().ok()?,
    };
    (account.dropped() == total.parse::<u64>().ok()?).then_some(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUSZ: &str = r#"{"version":"0.1.0","uptime_s":1,"pipelines":[{"signal":"traces","destination":"otlp",
        "accepted":9,"delivered":5,"rejected":1,"dropped":{"shutdown":3},"held":0}]}"#;

    fn metrics(walked: u64) -> String {
        let labels = "signal=\"traces\",destination=\"otlp\"";
        format!(
            "aqueduct_pipeline_walked_items{{{labels},stage=\"open\"}} {walked}
aqueduct_pipeline_walked_items{{{labels},stage=\"queued\"}} 0
aqueduct_pipeline_walked_items{{signal=\"traces\",destination=\"otlp/other\",stage=\"queued\"}} 70
aqueduct_held_items{{{labels}}} 0
aqueduct_pipeline_held_bytes{{{labels}}} 0
aqueduct_accepted_items_total{{{labels}}} 9
aqueduct_delivered_items_total{{{labels}}} 5
aqueduct_rejected_items_total{{{labels}}} 1
aqueduct_dropped_items_total{{{labels},reason=\"shutdown\"}} 3
aqueduct_dropped_items_total{{{labels},reason=\"leaked\"}} 0
aqueduct_pipeline_retries_total{{{labels}}} 4
"
        )
    }

    /// Guards the comparison of the two pages: agreement passes, a single walked item that the ledger does not know fails.
    #[test]
    fn walked_items_must_agree() {
        let books = Books::at_rest(STATUSZ, &metrics(0)).unwrap();
        assert_eq!((books.faults.len(), books.retries), (0, 4), "{:?}", books.faults);
        let books = Books::at_rest(STATUSZ, &metrics(1)).unwrap();
        assert_eq!(books.faults.len(), 1, "{:?}", books.faults);
    }

    /// Guards against a page without figures that passes for an exact one.
    #[test]
    fn missing_figures_are_faults() {
        assert!(!Books::at_rest(STATUSZ, "").unwrap().faults.is_empty());
        assert!(Books::at_rest("{}", "").is_err());
    }

    /// Guards the reading of the drain report, with and without reasons, among other lines.
    #[test]
    fn drain_reports() {
        let lines = [
            "aqueduct: info: SIGTERM: taking no more requests, delivering what is held",
            "aqueduct: info: traces to otlp: 9 accepted, 5 delivered, 0 rejected, 4 dropped (3 shutdown, 1 unknown_outcome), 0 held",
            "aqueduct: info: logs to otlp/b: 2 accepted, 2 delivered, 0 rejected, 0 dropped, 0 held",
            "aqueduct: info: stopped after 3.0 s: the deadline passed",
        ];
        let books = Books::of_drain(lines.into_iter());
        assert!(books.faults.is_empty(), "{:?}", books.faults);
        assert_eq!(books.accounts.len(), 2);
        let account = books.account("otlp").unwrap();
        assert_eq!((account.signal.as_str(), account.accepted, account.dropped()), ("traces", 9, 4));
        assert!(!Books::of_drain(std::iter::empty()).faults.is_empty());
    }

    /// Guards the comparison with the two ends: what cannot be explained by sending twice is a fault.
    #[test]
    fn the_ends_must_agree() {
        let fault = |ends: Ends| {
            let mut books = Books::at_rest(STATUSZ, &metrics(0)).unwrap();
            books.compare("otlp", &ends);
            !books.faults.is_empty()
        };
        let right = Ends { acknowledged: 9, received: 5, ..Ends::default() };
        assert!(!fault(right));
        assert!(!fault(Ends { acknowledged: 7, resent: 2, received: 4, duplicated: 1, ..right }));
        assert!(fault(Ends { acknowledged: 10, ..right }));
        assert!(fault(Ends { acknowledged: 8, ..right }));
        assert!(fault(Ends { received: 4, ..right }));
        assert!(fault(Ends { received: 10, ..right }));
    }
}
