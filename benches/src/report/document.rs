//! `docs/benchmarks.md`, its plots, and the raw run.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::line::figure;
use super::machine::{Machine, date, versions};
use super::plot::plot;
use crate::Failure;
use crate::harness::{Effort, Row, Suite};

/// What stands beside the figures; the reader needs it to judge them.
const PREFACE: &str = include_str!("preface.md");

/// The packages whose versions a reader would ask for: the peers, and what both sides stand on.
const PACKAGES: &[&str] = &[
    "tonic",
    "opentelemetry-proto",
    "opentelemetry-otlp",
    "prost",
    "h2",
    "hyper",
    "tokio",
    "bytes",
    "flate2",
    "zlib-rs",
    "zstd",
    "mimalloc",
    "hdrhistogram",
];

/// Rewrites `docs/benchmarks.md` and `docs/benchmarks/*.svg`, and keeps the rows in `benches/runs/DATE.jsonl`.
///
/// # Errors
/// A file cannot be written.
pub fn publish(
    workspace: &Path,
    suites: &[&Suite],
    rows: &[Row],
    effort: Effort,
    took: Duration,
) -> Result<(), Failure> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let date = date(now);

    let runs = workspace.join("benches/runs");
    fs::create_dir_all(&runs)?;
    let raw: Vec<String> = rows.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    fs::write(runs.join(format!("{date}.jsonl")), raw.join("\n") + "\n")?;

    let docs = workspace.join("docs");
    let plots = docs.join("benchmarks");
    fs::create_dir_all(&plots)?;
    let mut drawn = Vec::new();
    for suite in suites {
        let of_suite: Vec<&Row> = rows.iter().filter(|row| row.suite == suite.name).collect();
        if plot(&plots.join(format!("{}.svg", suite.name)), suite.name, &of_suite)? {
            drawn.push(suite.name);
        }
    }
    let facts =
        Facts { date, machine: Machine::read(), versions: versions(workspace, PACKAGES), effort, took };
    fs::write(docs.join("benchmarks.md"), document(&facts, suites, rows, &drawn))?;
    Ok(())
}

/// The circumstances of a run.
#[derive(Debug)]
struct Facts {
    date: String,
    machine: Machine,
    versions: Vec<String>,
    effort: Effort,
    took: Duration,
}

fn document(facts: &Facts, suites: &[&Suite], rows: &[Row], drawn: &[&str]) -> String {
    let Facts { date, machine, versions, effort, took } = facts;
    let effort = match effort {
        Effort::Full => "",
        Effort::Quick | Effort::Tiny => ", a quick run: single short rounds, so the figures are rough",
    };
    let mut text = String::from("# Benchmarks\n\n");
    // Writing to a string cannot fail, here and below.
    let _ = write!(
        text,
        "Written by `cargo xtask bench`; the raw rows of this run are in `benches/runs/{date}.jsonl`.\n\n\
         {PREFACE}\n\
         ## This run\n\n\
         - {date}, {} minutes{effort}\n\
         - {}, {} cores, {} GiB, Linux {}\n\
         - {}, release profile (thin LTO), allocator mimalloc in every process that is compared (`case-faults`, `opentelemetry`: the system's)\n\
         - {}\n\n",
        took.as_secs().div_ceil(60),
        machine.processor,
        machine.cores,
        machine.memory_gib,
        machine.kernel,
        machine.compiler,
        versions.join(", "),
    );
    losing(&mut text, rows);
    for suite in suites {
        let _ = write!(text, "## Suite `{}`\n\n{}\n\n", suite.name, suite.about);
        if drawn.contains(&suite.name) {
            let _ = write!(text, "![{0}](benchmarks/{0}.svg)\n\n", suite.name);
        }
        text += "| row | ours | peer | ratio | bar | samples | spread |\n|---|---|---|---|---|---|---|\n";
        for row in rows.iter().filter(|row| row.suite == suite.name) {
            let _ = writeln!(
                text,
                "| {} | {} {} | {} | {} | {} | {} | {:.0} % |",
                row.name,
                figure(row.ours),
                row.unit,
                peer(row),
                row.ratio.map_or_else(String::new, |ratio| ratio.to_string()),
                bar(row),
                row.samples,
                row.spread * 100.0
            );
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn losing(text: &mut String, rows: &[Row]) {
    *text += "## Where we lose\n\n";
    let missed: Vec<String> = rows.iter().filter(|row| row.holds == Some(false)).map(loss).collect();
    let slower = rows.iter().filter(|row| row.loses() && row.holds != Some(false));
    let slower: Vec<String> = slower.map(loss).collect();
    if missed.is_empty() {
        *text += "No bar was missed in this run.\n\n";
    } else {
        let _ = write!(text, "Bars that were missed:\n\n{}\n", missed.concat());
    }
    if !slower.is_empty() {
        let _ = write!(text, "The peer did better, within the bar or without one:\n\n{}\n", slower.concat());
    }
}

fn loss(row: &Row) -> String {
    let mut text = format!("- {}: {}: {} {}", row.suite, row.name, figure(row.ours), row.unit);
    if let (Some(name), Some(peer)) = (&row.peer_name, row.peer) {
        let _ = write!(text, ", {name} {}", figure(peer));
    }
    if let Some(ratio) = row.ratio {
        let _ = write!(text, ", ratio {ratio}");
    }
    if let Some(bar) = &row.bar {
        let _ = write!(text, " (bar {bar})");
    }
    text + "\n"
}

fn peer(row: &Row) -> String {
    match (&row.peer_name, row.peer) {
        (Some(name), Some(peer)) => format!("{name} {}", figure(peer)),
        _ => String::new(),
    }
}

fn bar(row: &Row) -> String {
    match (&row.bar, row.holds) {
        (Some(bar), Some(true)) => format!("{bar} holds"),
        (Some(bar), Some(false)) => format!("{bar} **missed**"),
        (Some(bar), None) => format!("{bar} undecided"),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Declared, Samples};

    fn row(declared: Declared, ours: f64, peer: f64) -> Row {
        Row::new("wire", &declared, &Samples { ours: vec![ours], peer: vec![peer] })
            .expect("the bar can be read")
    }

    const SUITE: Suite = Suite { name: "wire", about: "Bytes.", rows: &[], measure: |_| Ok(()) };

    /// Guards that a missed bar and a faster peer are named before all tables, and that every row is in its table.
    #[test]
    fn losing_rows_are_listed_first() {
        let rows = [
            row(Declared::lower("good", "ns").against("a").bar("ratio<=1"), 1.0, 2.0),
            row(Declared::lower("missed", "ns").against("b").bar("ratio<=1"), 3.0, 2.0),
            row(Declared::higher("slower", "1/s").against("c"), 1.0, 2.0),
            row(Declared::lower("alone", "ns"), 12_345.0, 0.0),
        ];
        let facts = Facts {
            effort: Effort::Full,
            date: "2026-01-01".to_owned(),
            machine: Machine::read(),
            versions: vec!["h2 0.4.20".to_owned()],
            took: Duration::from_secs(61),
        };
        let text = document(&facts, &[&SUITE], &rows, &["wire"]);
        let (before, tables) = text.split_once("## Suite").unwrap();
        assert!(before.contains("- wire: missed") && before.contains("- wire: slower"), "{before}");
        assert!(!before.contains("wire: good") && !before.contains("wire: alone"), "{before}");
        for line in ["| good | 1 ns | a 2 | 0.5 | ratio<=1 holds |", "| missed |", "| alone | 12,350 ns |  |"]
        {
            assert!(tables.contains(line), "{line}\n{tables}");
        }
        assert!(text.contains("2 minutes") && text.contains("benchmarks/wire.svg"));
    }

    /// Guards the files of a published run: page, plot and raw rows, the last of which can be read again.
    #[test]
    fn a_run_leaves_its_files() {
        let folder = std::env::temp_dir().join(format!("aqueduct-report-{}", std::process::id()));
        let rows = [row(Declared::lower("scan", "ns").against("prost"), 1.0, 2.0)];
        let published = publish(&folder, &[&SUITE], &rows, Effort::Quick, Duration::from_secs(1));
        let page = fs::read_to_string(folder.join("docs/benchmarks.md"));
        let plot = fs::metadata(folder.join("docs/benchmarks/wire.svg"));
        let runs = fs::read_dir(folder.join("benches/runs")).map(|runs| runs.count());
        let _ = fs::remove_dir_all(&folder);
        published.unwrap();
        assert!(page.unwrap().contains("| scan | 1 ns | prost 2 | 0.5 |"));
        assert!(plot.is_ok());
        assert_eq!(runs.unwrap(), 1);
    }
}
