//! Every Rust file begins with `//!` and says what it is for.

use super::Findings;
use crate::sources::rust_files;
use crate::workspace::Workspace;

pub(super) fn find(workspace: &Workspace, findings: &mut Findings) {
    for source in workspace.members.iter().flat_map(|member| rust_files(workspace, member)) {
        let first = source.text.lines().next().unwrap_or_default();
        if first.strip_prefix("//!").is_none_or(|rest| rest.trim().is_empty()) {
            findings.problem(source.path.display(), "does not begin with `//!` and a sentence");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_finds;
    use super::*;

    /// Guards the newcomer who opens a file anywhere, examples and tests included.
    #[test]
    fn a_file_without_a_header_is_found() {
        assert_finds(find, "src/frame.rs", |fixture| {
            fixture.write("crates/aqueduct-wire/src/frame.rs", "use std::fmt;\n//! Too late.\n");
        });
        assert_finds(find, "tests/it/main.rs", |fixture| {
            fixture.write("crates/aqueduct-wire/tests/it/main.rs", "//!\n");
        });
    }
}
