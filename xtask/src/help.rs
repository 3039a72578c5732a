//! `cargo xtask help`: the table of commands.

use std::process::ExitCode;

use crate::failure::Result;
use crate::workspace::Workspace;
use crate::{COMMANDS, ci, tidy};

/// Prints every command with its arguments and purpose, then the names `ci` and `tidy` understand.
pub(crate) fn run(_workspace: &Workspace, _arguments: &[String]) -> Result<ExitCode> {
    println!("Usage: cargo xtask COMMAND\n");
    for command in COMMANDS {
        println!("  {:<10} {}\n             {}", command.name, command.arguments, command.purpose);
    }
    println!("\nSteps of ci:    {}", ci::names().join(" "));
    println!("Checks of tidy: {}", tidy::names().join(" "));
    Ok(ExitCode::SUCCESS)
}
