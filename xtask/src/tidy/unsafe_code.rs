//! A crate that allows unsafe code says so in its manifest, and CI then runs its tests under a sanitizer.

use super::Findings;
use crate::sources::{layers, library_files, word_positions};
use crate::workspace::Workspace;

pub(super) fn find(workspace: &Workspace, findings: &mut Findings) {
    for member in workspace.published() {
        let allows = library_files(workspace, member).iter().any(|source| {
            let code = layers(&source.text).code;
            // The word stands in the list of the nearest open parenthesis: `allow(missing_docs, unsafe_code)`.
            word_positions(&code, "unsafe_code").any(|at| {
                let list = code[..at].rsplit_once('(');
                list.is_some_and(|(level, _)| level.ends_with("allow") || level.ends_with("expect"))
            })
        });
        match (allows, member.says("sanitize")) {
            (true, false) => findings.problem(
                &member.name,
                "allows unsafe code, so [package.metadata.aqueduct] needs sanitize = true",
            ),
            (false, true) => findings.problem(&member.name, "says sanitize = true and has no unsafe code"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_finds;
    use super::*;

    /// Guards the sanitizer's list: it cannot fall behind the sources, nor keep a crate that needs it no more.
    #[test]
    fn unsafe_code_without_a_sanitizer_run_is_found() {
        assert_finds(find, "needs sanitize = true", |fixture| {
            fixture.append(
                "crates/aqueduct-wire/src/lib.rs",
                "#[allow(unsafe_code, reason = \"a call\")]\nmod os {}\n",
            );
        });
        assert_finds(find, "has no unsafe code", |fixture| {
            fixture.replace("crates/aqueduct-wire/Cargo.toml", "layer = 1", "layer = 1\nsanitize = true");
        });
    }
}
