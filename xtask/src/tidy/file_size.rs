//! Files stay short enough to be read: a file that grows past the limit holds two ideas.

use super::Findings;
use crate::sources::rust_files;
use crate::workspace::Workspace;

/// Lines above which a file is refused.
const MOST: usize = 900;
/// Lines above which it is time to look for the second idea in it.
const MANY: usize = 600;

pub(super) fn find(workspace: &Workspace, findings: &mut Findings) {
    for source in workspace.members.iter().flat_map(|member| rust_files(workspace, member)) {
        let lines = source_lines(&source.text);
        if lines > MOST {
            findings.problem(source.path.display(), format_args!("{lines} lines, at most {MOST}"));
        } else if lines > MANY {
            findings.warning(source.path.display(), format_args!("{lines} lines, comfortable is {MANY}"));
        }
    }
}

/// The lines before the tests that stand at the end of the file itself.
fn source_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1] == "mod tests {");
    tests.unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_finds;
    use super::*;

    const LIB: &str = "crates/aqueduct-wire/src/lib.rs";

    /// Guards the limit.
    #[test]
    fn an_overlong_file_is_found() {
        assert_finds(find, "at most 900", |fixture| fixture.append(LIB, &"// line\n".repeat(MOST)));
    }

    /// Guards the early warning, and the exemption of tests in the file.
    #[test]
    fn a_long_file_is_warned_of_and_its_tests_do_not_count() {
        let fixture = crate::fixture::Fixture::sound();
        fixture.append(LIB, &"// line\n".repeat(MANY));
        fixture.append(LIB, &format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    // line\n".repeat(MOST)));
        let mut findings = Findings::default();
        find(&fixture.workspace(), &mut findings);
        assert_eq!((findings.problems.len(), findings.warnings.len()), (0, 1));
    }
}
