//! Both licence texts lie at the root and, the same, in every published crate.

use super::Findings;
use crate::docs::LICENCES;
use crate::workspace::Workspace;

pub(super) fn find(workspace: &Workspace, findings: &mut Findings) {
    for licence in LICENCES {
        let Some(text) = workspace.text(licence) else {
            findings.problem(licence, "the workspace has no such text");
            continue;
        };
        for member in workspace.published() {
            let copy = member.dir.join(licence);
            match workspace.text(&copy) {
                None => findings.problem(copy.display(), "missing; `cargo xtask docs` links it"),
                Some(other) if other != text => {
                    findings.problem(copy.display(), "differs from the one at the root")
                }
                Some(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_finds;
    use super::*;

    /// Guards the packages: each must carry the texts its manifest promises.
    #[test]
    fn missing_and_different_texts_are_found() {
        assert_finds(find, "LICENSE-MIT: missing", |fixture| {
            fixture.remove("crates/aqueduct-wire/LICENSE-MIT")
        });
        assert_finds(find, "differs", |fixture| {
            fixture.append("crates/aqueduct-wire/LICENSE-APACHE", "Not you.")
        });
        assert_finds(find, "the workspace has no such", |fixture| fixture.remove("LICENSE-MIT"));
    }
}
