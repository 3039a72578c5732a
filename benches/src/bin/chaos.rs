//! `chaos [--only SUBSTR] [--rate N] [--quick] [--soak] [--json]`: breaks things under load and counts what is left.
//!
//! A table with a row per scenario, or with `--json` one object a line and nothing else on standard output. The exit code says
//! whether every scenario passed.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use aqueduct_benches::Failure;
use aqueduct_benches::chaos::scenarios::{ALL, Scenario, When};
use aqueduct_benches::chaos::{Arena, Row};
use aqueduct_benches::process::{Profile, Programs};

const USAGE: &str = "\
usage: chaos [--only SUBSTR]... [--rate N] [--quick] [--soak] [--json]

  --only SUBSTR  only scenarios whose name contains SUBSTR
  --rate N       one-span requests a second, open loop; 10000 by default
  --quick        shorter faults, for CI
  --soak         three minutes at 80 % of the maximum as well
  --json         one object a line on standard output

Scenarios:";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
struct Wanted {
    only: Vec<String>,
    rate: f64,
    quick: bool,
    soak: bool,
    json: bool,
    help: bool,
}

impl Wanted {
    fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Wanted, Failure> {
        let mut wanted =
            Wanted { only: Vec::new(), rate: 10_000.0, quick: false, soak: false, json: false, help: false };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--only" => wanted.only.push(arguments.next().ok_or("--only needs a part of a name")?),
                "--rate" => {
                    let rate = arguments.next().and_then(|rate| rate.parse().ok());
                    wanted.rate = rate
                        .filter(|rate| (10.0..=1e6).contains(rate))
                        .ok_or("--rate needs requests a second, 10 to 1000000")?;
                }
                "--quick" => wanted.quick = true,
                "--soak" => wanted.soak = true,
                "--json" => wanted.json = true,
                "--help" | "-h" => wanted.help = true,
                other => return Err(format!("`{other}` is no option\n{}", usage()).into()),
            }
        }
        Ok(wanted)
    }

    fn scenarios(&self) -> Vec<&'static Scenario> {
        let asked = |scenario: &&Scenario| {
            let named = self.only.is_empty() || self.only.iter().any(|part| scenario.name.contains(part));
            named
                && match scenario.when {
                    When::Always => true,
                    When::Soak => self.soak,
                }
        };
        ALL.iter().filter(asked).collect()
    }
}

fn usage() -> String {
    let lines = ALL.iter().map(|scenario| format!("\n  {:<22}{}", scenario.name, scenario.about));
    format!("{USAGE}{}", lines.collect::<String>())
}

fn main() -> ExitCode {
    match Wanted::parse(std::env::args().skip(1)).and_then(|wanted| run(&wanted)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("chaos: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every scenario passed.
fn run(wanted: &Wanted) -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    if wanted.help {
        writeln!(out, "{}", usage())?;
        return Ok(true);
    }
    let scenarios = wanted.scenarios();
    if scenarios.is_empty() {
        return Err("no scenario has such a name".into());
    }
    let programs = Programs::build(Profile::Release)?;
    let arena = Arena { aqueduct: programs.aqueduct, rate: wanted.rate, quick: wanted.quick };
    if !wanted.json {
        writeln!(out, "{}", Row::header())?;
    }
    let start = Instant::now();
    let mut passed = 0;
    let mut failed = Vec::new();
    for scenario in scenarios {
        let row = scenario.run(&arena);
        let line = if wanted.json { serde_json::to_string(&row)? } else { row.to_string() };
        writeln!(out, "{line}")?;
        out.flush()?;
        if row.passed {
            passed += 1
        } else {
            failed.push(format!("{}: {}", row.name, row.failures.join("; ")));
        }
    }
    let verdict = format!("{passed} passed, {} failed", failed.len());
    eprintln!("chaos: {:.0} s", start.elapsed().as_secs_f64());
    // Once more at the end: whoever sees only the last lines of a run should see why it failed.
    for failure in &failed {
        eprintln!("FAILED {failure}");
    }
    if wanted.json {
        // Standard output is for objects.
        eprintln!("{verdict}");
    } else {
        writeln!(out, "{verdict}")?;
    }
    Ok(failed.is_empty())
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
        let wanted = parse(&["--only", "sigterm", "--only", "soak", "--rate", "500", "--json"]).unwrap();
        let names: Vec<_> = wanted.scenarios().iter().map(|scenario| scenario.name).collect();
        assert_eq!(names, ["sigterm-under-load", "sigterm-sink-down", "sigterm-twice"]);
        assert_eq!((wanted.rate, wanted.json), (500.0, true));
        for bad in [&["--rate", "fast"][..], &["--rate", "0"], &["--only"], &["sink-down"]] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    /// Guards that minutes are spent only when asked for.
    #[test]
    fn the_soak_is_asked_for() {
        let soaks = |arguments: &[&str]| {
            parse(arguments).unwrap().scenarios().iter().any(|scenario| scenario.name == "soak")
        };
        assert!(!soaks(&[]));
        assert!(soaks(&["--soak"]));
    }
}
