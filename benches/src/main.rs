//! `bench [SUITE]... [--case SUBSTR] [--quick] [--json]`: runs the suites.
//!
//! With `--json` standard output carries one object a line and nothing else; otherwise a table. Without suites everything runs,
//! and without `--quick` and `--case` such a run rewrites `docs/benchmarks.md`. A missed bar is no error, a missing row is.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use aqueduct_benches::harness::{Effort, Row, Run, Suite};
use aqueduct_benches::{Failure, report, suites};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "\
usage: bench [SUITE]... [--case SUBSTR] [--quick [--publish]] [--json]
       bench --soak

  --case SUBSTR  only rows whose name contains SUBSTR
  --quick        three minutes in all, for CI; figures are rough
  --publish      with --quick: rewrite docs/benchmarks.md all the same; it will say that its figures are rough
  --json         one object a line on standard output
  --soak         minutes of load and overload against the gateway, outside the suites

Without a suite everything runs, and docs/benchmarks.md is rewritten. Suites:";

/// What the command line asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    suites: Vec<String>,
    case: Option<String>,
    quick: bool,
    publish: bool,
    json: bool,
    soak: bool,
    help: bool,
}

impl Wanted {
    fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Wanted, Failure> {
        let mut wanted = Wanted::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--case" => {
                    wanted.case = Some(arguments.next().ok_or("--case needs a part of a row's name")?)
                }
                "--quick" => wanted.quick = true,
                "--publish" => wanted.publish = true,
                "--json" => wanted.json = true,
                "--soak" => wanted.soak = true,
                "--help" | "-h" => wanted.help = true,
                name if suites::find(name).is_some() => wanted.suites.push(argument),
                other => {
                    return Err(format!("`{other}` is neither a suite nor an option\n{}", usage()).into());
                }
            }
        }
        Ok(wanted)
    }

    fn suites(&self) -> Vec<&'static Suite> {
        if self.suites.is_empty() && self.soak {
            return vec![&suites::SOAK];
        }
        let asked =
            |suite: &&&Suite| self.suites.is_empty() || self.suites.iter().any(|name| name == suite.name);
        suites::ALL.iter().filter(asked).copied().collect()
    }

    /// Only a whole run may replace what is published, and a quick one only if that is asked for.
    fn publishes(&self) -> bool {
        let whole = self.suites.is_empty() && self.case.is_none() && !self.soak;
        whole && (!self.quick || self.publish)
    }
}

fn usage() -> String {
    let names: Vec<_> = suites::ALL.iter().map(|suite| suite.name).collect();
    format!("{USAGE} {}", names.join(", "))
}

fn main() -> ExitCode {
    match Wanted::parse(std::env::args().skip(1)).and_then(|wanted| run(&wanted)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(wanted: &Wanted) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    if wanted.help {
        writeln!(out, "{}", usage())?;
        return Ok(());
    }
    let start = Instant::now();
    let effort = if wanted.quick { Effort::Quick } else { Effort::Full };
    let selected = wanted.suites();
    let mut rows: Vec<Row> = Vec::new();
    let mut failures = Vec::new();
    let mut show = |row: &Row| {
        let line = if wanted.json { serde_json::to_string(row)? } else { report::line(row) };
        writeln!(out, "{line}")?;
        Ok(out.flush()?)
    };
    for suite in &selected {
        // A suite that fails must not cost the others their figures: the run fails at its end.
        match Run::suite(suite, effort, wanted.case.as_deref(), &mut show) {
            Ok(measured) => rows.extend(measured),
            Err(failure) => failures.push(failure.to_string()),
        }
    }
    if !failures.is_empty() {
        return Err(failures.join("\n").into());
    }
    if rows.is_empty() {
        return Err("no row has such a name".into());
    }
    if wanted.publishes() {
        let workspace =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("benches/ has a parent folder")?;
        report::publish(workspace, &selected, &rows, effort, start.elapsed())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Wanted, Failure> {
        Wanted::parse(arguments.iter().map(|argument| (*argument).to_owned()))
    }

    /// Guards the command line that xtask forwards.
    #[test]
    fn the_command_line() {
        let wanted = parse(&["wire", "gateway", "--case", "512", "--quick", "--json"]).unwrap();
        assert_eq!(wanted.suites().iter().map(|suite| suite.name).collect::<Vec<_>>(), ["gateway", "wire"]);
        assert_eq!(wanted.case.as_deref(), Some("512"));
        assert!(wanted.quick && wanted.json && !wanted.publishes());
        assert!(parse(&["wires"]).is_err());
        assert!(parse(&["--case"]).is_err());
    }

    /// Guards that only a whole and thorough run replaces the published figures.
    #[test]
    fn only_a_whole_run_publishes() {
        assert!(parse(&["--quick", "--publish"]).unwrap().publishes());
        assert!(!parse(&["wire", "--publish"]).unwrap().publishes());
        let wanted = parse(&[]).unwrap();
        assert_eq!(wanted.suites().len(), suites::ALL.len());
        assert!(wanted.publishes());
        for arguments in [&["--quick"][..], &["--soak"], &["wire"], &["--case", "x"]] {
            assert!(!parse(arguments).unwrap().publishes(), "{arguments:?}");
        }
    }
}
