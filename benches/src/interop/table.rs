//! The table on standard output.

use std::io::{self, Write};

use super::gateway::DESTINATIONS;
use super::row::Row;

/// The names of the columns.
pub(super) fn head(out: &mut impl Write) -> io::Result<()> {
    let names = DESTINATIONS.map(|destination| destination.name).join(", ");
    writeln!(out, "requests: to the reference > to the destinations {names}")?;
    writeln!(
        out,
        "{:9} {:13} {:11} {:7} {:>5} {:>7}  {:10} result",
        "client", "protocol", "compression", "signal", "items", "fields", "requests"
    )?;
    out.flush()
}

/// One row, and why it failed.
pub(super) fn row(out: &mut impl Write, row: &Row) -> io::Result<()> {
    let variant = &row.variant;
    let requests: Vec<String> = row.requests.iter().map(usize::to_string).collect();
    let requests = match requests.split_first() {
        Some((reference, rest)) if row.has_reference() => format!("{reference} > {}", rest.join(" ")),
        _ => format!("- > {}", requests.join(" ")),
    };
    writeln!(
        out,
        "{:9} {:13} {:11} {:7} {:>5} {:>7}  {:10} {}",
        variant.client,
        variant.protocol,
        variant.compression,
        row.signal.as_str(),
        row.items,
        row.fields,
        requests,
        if row.problems.is_empty() { "pass" } else { "FAIL" }
    )?;
    for problem in &row.problems {
        writeln!(out, "    {problem}")?;
    }
    out.flush()
}
