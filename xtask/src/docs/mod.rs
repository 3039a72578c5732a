//! `cargo xtask docs`: READMEs of published crates out of their crate docs, and the licence texts into their folders.
//!
//! One text has two readers, docs.rs and the registry's page; generating the second from the first keeps them the
//! same. `--check` writes nothing and fails where something would change.

mod links;
mod readme;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::failure::{Failure, Result};
use crate::workspace::{Member, Workspace};

/// The licence texts at the root, linked into every published crate because packages take in their own folder only.
pub(crate) const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// Runs the command.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let check = match arguments {
        [] => false,
        [argument] if argument == "--check" => true,
        _ => return Err(Failure::new("the only argument is --check")),
    };
    let mut stale = 0;
    for member in workspace.published() {
        if !check {
            LICENCES.iter().try_for_each(|licence| link(workspace, member, licence))?;
        }
        let path = workspace.root.join(&member.dir).join("README.md");
        let wanted = render(workspace, member)?;
        let found = fs::read_to_string(&path).unwrap_or_default();
        if found == wanted {
            continue;
        }
        let place = member.dir.join("README.md");
        if check {
            stale += 1;
            println!("{}: {}", place.display(), first_difference(&found, &wanted));
        } else {
            fs::write(&path, wanted).map_err(|error| Failure::at(&path, error))?;
            println!("wrote {}", place.display());
        }
    }
    if stale > 0 {
        println!("docs: {stale} READMEs differ from their crate docs; `cargo xtask docs` writes them");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// The README that belongs to the crate docs of a member.
fn render(workspace: &Workspace, member: &Member) -> Result<String> {
    let source = member.dir.join("src/lib.rs");
    let text =
        workspace.text(&source).ok_or_else(|| Failure::at(&source, "a published crate needs this file"))?;
    Ok(readme::render(&member.name, &text))
}

/// Links a licence text of the root into a crate, unless it is there.
fn link(workspace: &Workspace, member: &Member, licence: &str) -> Result<()> {
    let path = workspace.root.join(&member.dir).join(licence);
    if path.exists() {
        return Ok(());
    }
    let root: std::path::PathBuf = member.dir.components().map(|_| Path::new("..")).collect();
    symlink(&root.join(licence), &path).map_err(|error| Failure::at(&path, error))
}

#[cfg(unix)]
fn symlink(original: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(original, link)
}

/// Elsewhere links need privileges; a copy serves as well, and `tidy` compares its content.
#[cfg(not(unix))]
fn symlink(original: &Path, link: &Path) -> std::io::Result<()> {
    fs::copy(link.parent().unwrap_or(Path::new(".")).join(original), link).map(|_| ())
}

/// Where two texts part.
fn first_difference(found: &str, wanted: &str) -> String {
    let (mut have, mut want) = (found.lines(), wanted.lines());
    let mut number = 1;
    loop {
        match (have.next(), want.next()) {
            (None, None) => return "the ends differ".to_owned(),
            (have, want) if have != want => {
                let [have, want] =
                    [have, want].map(|line| line.map_or("the end".to_owned(), |line| format!("{line:?}")));
                return format!("line {number} is {have}, the crate docs say {want}");
            }
            _ => number += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    fn docs(fixture: &Fixture, arguments: &[&str]) -> ExitCode {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        run(&fixture.workspace(), &arguments).expect("the fixture can be read and written")
    }

    /// Guards the check and the repair: a README that was edited by hand is refused, and writing makes it right.
    #[test]
    fn a_stale_readme_is_refused_and_repaired() {
        let fixture = Fixture::sound();
        assert_eq!(docs(&fixture, &["--check"]), ExitCode::SUCCESS);
        fixture.append("crates/aqueduct-wire/README.md", "By hand.\n");
        assert_eq!(docs(&fixture, &["--check"]), ExitCode::FAILURE);
        assert_eq!(docs(&fixture, &[]), ExitCode::SUCCESS);
        assert_eq!(
            fixture.read("crates/aqueduct-wire/README.md"),
            "# aqueduct-wire\n\naqueduct-wire in a line.\n"
        );
    }

    /// Guards the licence texts of a new crate: they appear with its README.
    #[test]
    fn licence_texts_are_linked() {
        let fixture = Fixture::sound();
        fixture.remove("crates/aqueduct-wire/LICENSE-MIT");
        docs(&fixture, &[]);
        assert_eq!(fixture.read("crates/aqueduct-wire/LICENSE-MIT"), "Use it.\n");
    }

    /// Guards the message: it must lead to the line.
    #[test]
    fn the_first_difference_is_named() {
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), "line 2 is \"b\", the crate docs say \"c\"");
        assert!(first_difference("a\n", "a\nb\n").contains("the end"));
    }
}
