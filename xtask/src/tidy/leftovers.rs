//! Nothing unfinished and no test switched off.
//!
//! A test that cannot run everywhere gets a switch the runner sets and says so when it does nothing; an ignored test
//! is one that nobody runs.

use super::Findings;
use crate::sources::{layers, line_of, rust_files, word_positions};
use crate::workspace::Workspace;

/// Macros for code that is not there.
const MACROS: &[&str] = &["todo", "unimplemented"];
/// Words in comments that say the same.
const WORDS: &[&str] = &["TODO", "FIXME", "XXX"];

pub(super) fn find(workspace: &Workspace, findings: &mut Findings) {
    for source in workspace.members.iter().flat_map(|member| rust_files(workspace, member)) {
        let layers = layers(&source.text);
        let mut report = |offset: usize, what: &str| {
            let place = format!("{}:{}", source.path.display(), line_of(&source.text, offset));
            findings.problem(place, format_args!("{what} does not belong in the tree"));
        };
        for name in MACROS {
            word_positions(&layers.code, name)
                .filter(|at| layers.code[at + name.len()..].starts_with('!'))
                .for_each(|at| report(at, &format!("{name}!")));
        }
        word_positions(&layers.code, "ignore")
            .filter(|&at| layers.code[..at].trim_end().ends_with("#["))
            .for_each(|at| report(at, "#[ignore]"));
        for word in WORDS {
            word_positions(&layers.comments, word).for_each(|at| report(at, word));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_finds;
    use super::*;

    const LIB: &str = "crates/aqueduct-wire/src/lib.rs";

    /// Guards the tree against stubs and switched-off tests, with the line for whoever has to remove it.
    #[test]
    fn each_leftover_is_found_with_its_line() {
        for (text, part) in [
            ("fn f() {\n    todo!()\n}\n", "lib.rs:6: todo!"),
            ("fn f() { unimplemented!(\"later\") }\n", "unimplemented!"),
            ("#[test]\n#[ignore = \"slow\"]\nfn f() {}\n", "#[ignore]"),
            ("// FIXME: wrong\n", "FIXME"),
        ] {
            assert_finds(find, part, |fixture| fixture.append(LIB, text));
        }
    }

    /// Guards against false alarms: the words as text or as other names are fine.
    #[test]
    fn literals_and_other_names_are_no_leftovers() {
        let fixture = crate::fixture::Fixture::sound();
        fixture.append(LIB, "const A: &str = \"todo!() TODO\"; fn todo() {} // a list of todo items\n");
        let mut findings = Findings::default();
        find(&fixture.workspace(), &mut findings);
        assert_eq!(findings.problems, Vec::<String>::new());
    }
}
