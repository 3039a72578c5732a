//! The command line.

use aqueduct_wire::Signal;

use super::client::{Client, Variant};
use crate::Failure;

pub(super) const USAGE: &str = "\
usage: interop [--only SUBSTR] [--no-python] [--keep]

  --only SUBSTR  only rows whose name (client, protocol, compression, signal) contains SUBSTR, such as `grpc gzip`
  --no-python    without the Python SDK, which is installed into a temporary folder and needs the network
  --keep         leave the temporary folder: the Python environment, the gateway's configuration, what was captured";

/// What the command line asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    only: Option<String>,
    no_python: bool,
    pub(super) keep: bool,
    pub(super) help: bool,
}

impl Wanted {
    pub(super) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Wanted, Failure> {
        let mut wanted = Wanted::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--only" => {
                    wanted.only = Some(arguments.next().ok_or("--only needs a part of a row's name")?)
                }
                "--no-python" => wanted.no_python = true,
                "--keep" => wanted.keep = true,
                "--help" | "-h" => wanted.help = true,
                other => return Err(format!("`{other}` is not an option\n{USAGE}").into()),
            }
        }
        Ok(wanted)
    }

    /// The variants to run, each with its signals.
    pub(super) fn plan(&self) -> Vec<(Variant, Vec<Signal>)> {
        let variants = Variant::all();
        let with_signals = variants.into_iter().map(|variant| {
            let named = |signal: &Signal| {
                self.only.as_ref().is_none_or(|only| variant.name(*signal).contains(only.as_str()))
            };
            (variant, Signal::ALL.into_iter().filter(named).collect::<Vec<_>>())
        });
        let skipped = |variant: &Variant| self.no_python && variant.client == Client::PythonSdk;
        with_signals.filter(|(variant, signals)| !(signals.is_empty() || skipped(variant))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Wanted, Failure> {
        Wanted::parse(arguments.iter().map(|argument| (*argument).to_owned()))
    }

    fn rows(arguments: &[&str]) -> usize {
        parse(arguments).unwrap().plan().iter().map(|(_, signals)| signals.len()).sum()
    }

    /// Guards the scope of the check: three protocols by three compressions of the Rust SDK and of the generated
    /// messages, two by two of the Python SDK, all with three signals.
    #[test]
    fn everything_is_planned() {
        assert_eq!(rows(&[]), (9 + 9 + 4) * 3);
        assert_eq!(rows(&["--no-python"]), (9 + 9) * 3);
    }

    /// Guards the selection of rows.
    #[test]
    fn rows_are_selected_by_name() {
        assert_eq!(rows(&["--only", "rust http/json zstd logs"]), 1);
        assert_eq!(rows(&["--only", "rust"]), 27);
        assert_eq!(rows(&["--only", "python", "--no-python"]), 0);
        assert!(parse(&["--only"]).is_err());
        assert!(parse(&["rust"]).is_err());
    }
}
