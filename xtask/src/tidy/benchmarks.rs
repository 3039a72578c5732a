//! Every published crate has a benchmark suite named after it and rows in the results.

use super::Findings;
use crate::workspace::Workspace;

const RESULTS: &str = "docs/benchmarks.md";

pub(super) fn find(workspace: &Workspace, findings: &mut Findings) {
    let results = workspace.text(RESULTS);
    if results.is_none() {
        findings.problem(RESULTS, "missing; `cargo xtask bench` writes it");
    }
    for member in workspace.published() {
        let suite = member.short_name();
        let module = format!("benches/src/suites/{}", suite.replace('-', "_"));
        if !workspace.has(format!("{module}.rs")) && !workspace.has(format!("{module}/mod.rs")) {
            findings.problem(&member.name, format_args!("has no benchmark suite {module}.rs"));
        }
        if results.as_ref().is_some_and(|results| rows(results, suite) == 0) {
            findings.problem(
                &member.name,
                format_args!("has no row under a heading with `{suite}` in {RESULTS}"),
            );
        }
    }
}

/// The rows of the tables under the headings that name the suite as code, the tables' heads not counted.
fn rows(results: &str, suite: &str) -> usize {
    let name = format!("`{suite}`");
    let mut inside = false;
    let mut lines = 0;
    let mut tables = 0;
    for line in results.lines() {
        if line.starts_with('#') {
            inside = line.contains(&name);
        } else if inside && line.starts_with('|') {
            lines += 1;
            tables += usize::from(line.starts_with("|---"));
        }
    }
    // Each table spends two lines on its head.
    usize::saturating_sub(lines, 2 * tables)
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_finds;
    use super::*;

    /// Guards the promise that each crate is measured and the result shown.
    #[test]
    fn a_missing_suite_row_or_page_is_found() {
        assert_finds(find, "has no benchmark suite", |fixture| fixture.remove("benches/src/suites/wire.rs"));
        assert_finds(find, "has no row under a heading with `wire`", |fixture| {
            fixture.replace(RESULTS, "`wire`", "`wired`");
        });
        assert_finds(find, "docs/benchmarks.md: missing", |fixture| fixture.remove(RESULTS));
    }

    /// Guards the counting: heads of tables and other suites' rows are no rows.
    #[test]
    fn rows_of_one_suite_are_counted() {
        let page = "## Suite `a`\n\n| row |\n|---|\n| x |\n| y |\n\n## Suite `b`\n\n| row |\n|---|\n";
        assert_eq!((rows(page, "a"), rows(page, "b"), rows(page, "c")), (2, 0, 0));
    }
}
