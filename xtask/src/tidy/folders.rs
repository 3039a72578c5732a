//! The root of the repository holds four folders, so that a newcomer finds everything.

use std::fs;

use super::Findings;
use crate::workspace::Workspace;

const AGREED: &[&str] = &["crates", "xtask", "benches", "docs"];

pub(super) fn find(workspace: &Workspace, findings: &mut Findings) {
    let Ok(entries) = fs::read_dir(&workspace.root) else {
        findings.problem(workspace.root.display(), "cannot be listed");
        return;
    };
    for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
        let name = entry.file_name().to_string_lossy().into_owned();
        // `target` is cargo's and ignored by git.
        if !name.starts_with('.') && name != "target" && !AGREED.contains(&name.as_str()) {
            findings.problem(&name, format_args!("only {} belong at the top", AGREED.join(", ")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_finds;
    use super::*;

    /// Guards the top level against a fifth folder; dot folders and build output are no folders of ours.
    #[test]
    fn a_further_folder_is_found() {
        assert_finds(find, "scripts: only", |fixture| {
            fixture.write(".github/a.yaml", "");
            fixture.write("target/a", "");
            fixture.write("scripts/a.sh", "");
        });
    }
}
