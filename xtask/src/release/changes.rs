//! What happened to a crate since its last release.

use std::process::Command;

use crate::process::read;
use crate::workspace::{Member, Workspace};

/// The changes of a crate since its last tag.
#[derive(Debug)]
pub(super) struct Changes {
    /// The tag of its last release, `NAME-vVERSION`; none before the first.
    pub(super) tag: Option<String>,
    /// Commits since then that touch its folder.
    pub(super) commits: usize,
    /// Entries of its changelog for the version its manifest has.
    pub(super) notes: usize,
}

impl Changes {
    /// In words.
    pub(super) fn summary(&self) -> String {
        let since = self.tag.as_deref().unwrap_or("the beginning");
        format!("{since}: {} commits, {} entries in CHANGELOG.md", self.commits, self.notes)
    }
}

/// Asks git and the changelog.
pub(super) fn of(workspace: &Workspace, member: &Member) -> Changes {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(&workspace.root);
        // No repository or no commit yet: then nothing was released and nothing changed.
        read(command).unwrap_or_default()
    };
    let tags = git(&["tag", "--list", "--sort=-version:refname", &format!("{}-v*", member.name)]);
    let tag = tags.lines().next().map(str::to_owned);
    let range = tag.as_ref().map_or("HEAD".to_owned(), |tag| format!("{tag}..HEAD"));
    let dir = member.dir.to_string_lossy();
    let commits = git(&["rev-list", "--count", &range, "--", &dir]).parse().unwrap_or(0);
    let changelog = workspace.text(member.dir.join("CHANGELOG.md")).unwrap_or_default();
    Changes { tag, commits, notes: entries(&changelog, member.version()) }
}

/// The list entries in a version's section of a changelog.
fn entries(changelog: &str, version: &str) -> usize {
    let mut inside = false;
    let mut count = 0;
    for line in changelog.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            inside = title.trim_start_matches('[').starts_with(version);
        } else if inside && (line.starts_with("- ") || line.starts_with("* ")) {
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the plan against a release without notes.
    #[test]
    fn entries_of_one_version_are_counted() {
        let text =
            "# Changelog\n\n## 0.2.0 - unreleased\n\n### Added\n\n- a\n  more\n- b\n\n## 0.1.0\n\n- c\n";
        assert_eq!((entries(text, "0.2.0"), entries(text, "0.1.0"), entries(text, "0.3.0")), (2, 1, 0));
    }
}
