//! `cargo xtask release --dry-run`: what the next release would publish, in which order, and how long that takes.
//!
//! Publishing itself stays in a person's hands: it cannot be undone, and `docs/releasing.md` says each step.

mod changes;
mod schedule;

use std::process::ExitCode;

use crate::ci;
use crate::failure::{Failure, Result};
use crate::process::hand_over;
use crate::workspace::Workspace;

const GUIDE: &str = "docs/releasing.md";

/// Runs the command.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    match arguments {
        [] => {
            println!("This tool does not publish. The steps, from {GUIDE}:\n");
            println!("{}", section(&workspace.text(GUIDE).unwrap_or_default(), "Steps"));
            Ok(ExitCode::FAILURE)
        }
        [argument] if argument == "--dry-run" => rehearse(workspace),
        _ => Err(Failure::new("the only argument is --dry-run")),
    }
}

fn rehearse(workspace: &Workspace) -> Result<ExitCode> {
    let mut schedule = schedule::Schedule::default();
    let mut complaints = Vec::new();
    println!("{:<22} {:<9} {:<9} {:>9}  changes since", "crate", "version", "last tag", "starts");
    for member in workspace.publish_order()? {
        let changes = changes::of(workspace, member);
        let last = changes
            .tag
            .as_deref()
            .and_then(|tag| tag.rsplit_once("-v"))
            .map_or("none", |(_, version)| version);
        let due = last != member.version();
        let start =
            if due { format!("{} min", schedule.next(changes.tag.is_none())) } else { "-".to_owned() };
        println!("{:<22} {:<9} {last:<9} {start:>9}  {}", member.name, member.version(), changes.summary());
        if !due && changes.commits > 0 {
            complaints.push(format!("{} changed and still has the version of its last tag", member.name));
        }
        if due && changes.notes == 0 {
            complaints.push(format!("{}: CHANGELOG.md says nothing about {}", member.name, member.version()));
        }
    }
    println!(
        "\nThe registry takes {}; the last crate can start after {} minutes.",
        schedule::LIMITS,
        schedule.minutes()
    );
    complaints.iter().for_each(|complaint| println!("problem: {complaint}"));
    println!("\nThe rehearsal:");
    let code = hand_over(ci::publish_dry_run(workspace)?)?;
    Ok(if complaints.is_empty() { code } else { ExitCode::FAILURE })
}

/// The text under a heading of level two.
fn section<'t>(page: &'t str, title: &str) -> &'t str {
    let heading = format!("## {title}\n");
    let Some(start) = page.find(&heading) else { return page };
    let rest = &page[start + heading.len()..];
    rest[..rest.find("\n## ").unwrap_or(rest.len())].trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the refusal: it prints the steps and nothing else of the page.
    #[test]
    fn the_section_ends_at_the_next_heading() {
        assert_eq!(
            section("# A\n\n## Steps\n\n1. One\n\n### Sub\n\n## Traps\n\nNo", "Steps"),
            "1. One\n\n### Sub"
        );
    }
}
