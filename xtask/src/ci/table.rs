//! The table at the end of a run.

use std::fmt;
use std::time::Duration;

/// How a step ended.
#[derive(Debug)]
pub(super) enum Verdict {
    /// With a note on what was done.
    Passed(String),
    /// With the reason why there was nothing to do.
    Skipped(String),
    /// With what went wrong.
    Failed(String),
}

/// A line of the table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    pub(super) took: Duration,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, note) = match &self.verdict {
            Verdict::Passed(note) => ("passed", note),
            Verdict::Skipped(reason) => ("skipped", reason),
            Verdict::Failed(message) => ("FAILED", message),
        };
        let line = format!("{:<10} {word:<8} {:>5.1} min  {note}", self.name, self.took.as_secs_f64() / 60.0);
        f.write_str(line.trim_end())
    }
}

/// All rows, the total, and the names of what failed.
pub(super) fn render(rows: &[Row]) -> String {
    let total: Duration = rows.iter().map(|row| row.took).sum();
    let mut out = String::from("\n=== summary\n");
    for row in rows {
        out.push_str(&format!("{row}\n"));
    }
    out.push_str(&format!("{:<10} {:<8} {:>5.1} min\n", "total", "", total.as_secs_f64() / 60.0));
    let failed: Vec<&str> =
        rows.iter().filter(|row| matches!(row.verdict, Verdict::Failed(_))).map(|row| row.name).collect();
    if failed.is_empty() {
        out.push_str("ci: all steps passed\n");
    } else {
        out.push_str(&format!("ci: FAILED: {}\n", failed.join(", ")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the last line, which people and scripts look for.
    #[test]
    fn the_last_line_names_what_failed() {
        let took = Duration::from_secs(90);
        let passed = || Row { name: "fmt", verdict: Verdict::Passed(String::new()), took };
        assert!(render(&[passed()]).ends_with("ci: all steps passed\n"));
        let failed = Row { name: "docs", verdict: Verdict::Failed("one differs".to_owned()), took };
        let text = render(&[passed(), failed]);
        assert!(text.ends_with("ci: FAILED: docs\n"), "{text}");
        assert!(
            text.contains("docs       FAILED     1.5 min  one differs") && text.contains("3.0 min"),
            "{text}"
        );
    }
}
