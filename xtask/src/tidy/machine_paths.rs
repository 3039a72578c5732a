//! No path of somebody's machine in what everybody gets.
//!
//! Tests that need a folder take it from `std::env::temp_dir()`.

use std::path::Path;

use super::Findings;
use crate::sources::{files, line_of};
use crate::workspace::Workspace;

/// Put together at compile time, because this file is looked at as well.
const FORBIDDEN: &[&str] =
    &[concat!("/", "work/"), concat!("/", "root/"), concat!("/", "tmp/"), concat!("/", "home/")];

/// Text files that people read or machines run; an empty extension stands for scripts and licence texts.
const TEXT: &[&str] = &["rs", "toml", "md", "yaml", "yml", "json", "py", "sh", "txt", "svg", "lock", ""];

pub(super) fn find(workspace: &Workspace, findings: &mut Findings) {
    for source in ["crates", "xtask", "benches", "docs", ".ci", ".cargo", ".github"]
        .iter()
        .flat_map(|dir| files(workspace, Path::new(dir), TEXT))
        .chain(root_files(workspace))
    {
        for forbidden in FORBIDDEN {
            for (at, _) in
                source.text.match_indices(forbidden).filter(|(at, _)| begins_a_path(&source.text, *at))
            {
                let place = format!("{}:{}", source.path.display(), line_of(&source.text, at));
                findings.problem(place, format_args!("{forbidden} is a path of one machine"));
            }
        }
    }
}

/// The text files at the root itself.
fn root_files(workspace: &Workspace) -> Vec<crate::sources::Source> {
    let entries = std::fs::read_dir(&workspace.root).into_iter().flatten().flatten();
    let names = entries.map(|entry| std::path::PathBuf::from(entry.file_name()));
    let text =
        names.filter(|name| TEXT.contains(&name.extension().unwrap_or_default().to_string_lossy().as_ref()));
    text.filter_map(|path| workspace.text(&path).map(|text| crate::sources::Source { path, text })).collect()
}

/// Whether the slash at `at` is the root of a path rather than the inside of a longer path or an address.
fn begins_a_path(text: &str, at: usize) -> bool {
    !text[..at]
        .chars()
        .next_back()
        .is_some_and(|before| before.is_alphanumeric() || "._-~$}/*".contains(before))
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_finds;
    use super::*;

    /// Guards sources and documents against paths that exist on one machine only.
    #[test]
    fn a_machine_path_is_found_with_its_line() {
        for forbidden in FORBIDDEN {
            assert_finds(find, "lib.rs:6", |fixture| {
                let text = format!("\nconst A: &str = \"{forbidden}x\";\n");
                fixture.append("crates/aqueduct-wire/src/lib.rs", &text);
            });
            assert_finds(find, "README.md:1", |fixture| {
                fixture.write("README.md", &format!("see {forbidden}a\n"))
            });
        }
    }

    /// Guards against false alarms in longer paths and in addresses.
    #[test]
    fn the_inside_of_a_path_is_no_machine_path() {
        let text = concat!("docs", "/", "work/a and https://example.com", "/", "tmp/a");
        let hits = FORBIDDEN
            .iter()
            .flat_map(|path| text.match_indices(path))
            .filter(|(at, _)| begins_a_path(text, *at));
        assert_eq!(hits.count(), 0);
    }
}
