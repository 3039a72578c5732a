//! `docs/capabilities.md` tells the truth: what it calls `here` exists under our name, can be found under the names
//! users know, and has an example.
//!
//! A row is `known as | ours | crate | example | state`:
//!
//! - *known as*: names in backticks must be a `#[doc(alias)]` in a file that defines one of the row's types (on the
//!   type, or on the method that does it), unless the name is our own; words without backticks are for reading;
//! - *ours*: in backticks `module::Type` or `module::Type::method`, a command such as `aqueduct load` and
//!   `cargo xtask bench`, or a file of the repository;
//! - *crate*: the packages that hold the types, in backticks;
//! - *example*: files of the repository in backticks (an example, or a source whose documentation has one), or a
//!   command;
//! - *state*: `here`, or `later` for what a following release brings. Of a `later` row only the example is looked at.

use super::Findings;
use crate::sources::{Layers, has_word, layers, library_files, word_positions};
use crate::workspace::Workspace;

const PAGE: &str = "docs/capabilities.md";
const COLUMNS: [&str; 5] = ["known as", "ours", "crate", "example", "state"];
const ITEMS: &[&str] = &["struct", "enum", "trait", "type", "fn", "const", "macro_rules!"];

/// A row of the table, with the line it stands in.
struct Row<'t> {
    line: usize,
    known_as: &'t str,
    ours: &'t str,
    packages: &'t str,
    example: &'t str,
    state: &'t str,
}

/// A source file of a crate in the forms the check needs.
struct File {
    text: String,
    code: String,
}

pub(super) fn find(workspace: &Workspace, findings: &mut Findings) {
    let Some(page) = workspace.text(PAGE) else {
        findings.problem(PAGE, "missing");
        return;
    };
    let rows = rows(&page, findings);
    if rows.is_empty() {
        findings.problem(PAGE, format_args!("has no table with the columns {}", COLUMNS.join(", ")));
    }
    for row in rows {
        let mut complaints = Vec::new();
        match row.state {
            "here" => {
                check_types(workspace, &row, &mut complaints);
                if quoted(row.example).is_empty() {
                    complaints.push("has no example".to_owned());
                }
            }
            "later" => {}
            other => complaints.push(format!("the state {other:?} is neither here nor later")),
        }
        for path in quoted(row.example).into_iter().filter(|text| is_path(text)) {
            match workspace.text(path) {
                None => complaints.push(format!("the example {path} does not exist")),
                Some(text) if !holds_example(path, &text) => {
                    complaints.push(format!("{path} holds no example that is compiled"));
                }
                Some(_) => {}
            }
        }
        for complaint in complaints {
            findings.problem(format_args!("{PAGE}:{}", row.line), complaint);
        }
    }
}

/// The rows of every table whose head has our columns; other tables are none of our business.
fn rows<'t>(page: &'t str, findings: &mut Findings) -> Vec<Row<'t>> {
    let mut rows = Vec::new();
    let mut inside = false;
    for (number, line) in page.lines().enumerate() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        if !line.starts_with('|') {
            inside = false;
        } else if cells == COLUMNS {
            inside = true;
        } else if inside && !cells.iter().all(|cell| cell.chars().all(|c| c == '-' || c == ':')) {
            match cells[..] {
                [known_as, ours, packages, example, state] => {
                    rows.push(Row { line: number + 1, known_as, ours, packages, example, state });
                }
                _ => findings.problem(format_args!("{PAGE}:{}", number + 1), "a row needs five cells"),
            }
        }
    }
    rows
}

/// Whether a text is a path in the repository rather than a name or a command.
fn is_path(text: &str) -> bool {
    text.contains('/') && !text.contains(' ')
}

/// Whether cargo compiles an example in this file: the file is one, or its documentation has one.
fn holds_example(path: &str, text: &str) -> bool {
    let rust = path.ends_with(".rs");
    !rust || path.contains("/examples/") || ["//! ```", "/// ```"].iter().any(|fence| text.contains(fence))
}

/// The texts in backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn check_types(workspace: &Workspace, row: &Row<'_>, complaints: &mut Vec<String>) {
    let mut files = Vec::new();
    for package in quoted(row.packages) {
        match workspace.member(package) {
            None => complaints.push(format!("there is no crate {package}")),
            Some(member) => files.extend(library_files(workspace, member).into_iter().map(|source| {
                let Layers { code, .. } = layers(&source.text);
                File { text: source.text, code }
            })),
        }
    }
    let ours = quoted(row.ours);
    if ours.is_empty() {
        complaints.push("names nothing of ours".to_owned());
    }
    let mut defining: Vec<&File> = Vec::new();
    for name in ours.iter().filter(|name| !is_path(name)) {
        let found: Vec<&File> = match name.strip_prefix("aqueduct ").or(name.strip_prefix("cargo xtask ")) {
            // A command is an enum variant of the gateway's arguments or an entry of our own table.
            Some(command) => files.iter().filter(|file| is_command(file, first_word(command))).collect(),
            None => {
                let names = item_names(name);
                let parts = || names.iter().map(|item| files.iter().filter(|file| defines(&file.code, item)));
                if parts().all(|mut part| part.next().is_some()) {
                    parts().flatten().collect()
                } else {
                    Vec::new()
                }
            }
        };
        if found.is_empty() {
            complaints.push(format!("`{name}` is not defined in {}", row.packages));
        }
        defining.extend(found);
    }
    for path in ours.iter().filter(|name| is_path(name) && !workspace.has(name)) {
        complaints.push(format!("{path} does not exist"));
    }
    for known in quoted(row.known_as) {
        let is_ours = ours.iter().any(|name| item_names(name).contains(&known));
        if !is_ours && !defining.iter().any(|file| has_alias(file, known)) {
            complaints.push(format!("no doc alias {known:?} in a file that defines {}", row.ours));
        }
    }
}

/// The items of a path: `transport::RetryPolicy::run()` has `RetryPolicy` and `run`. Modules are left out, generic
/// arguments too.
fn item_names(path: &str) -> Vec<&str> {
    let path = path.split(['<', '(']).next().unwrap_or_default();
    let parts: Vec<&str> = path.split("::").map(str::trim).collect();
    let first = parts.iter().position(|part| part.starts_with(char::is_uppercase)).unwrap_or(parts.len() - 1);
    parts[first..].to_vec()
}

/// Whether the code defines an item of this name, or an enum variant if it begins with a capital letter.
fn defines(code: &str, name: &str) -> bool {
    word_positions(code, name).any(|at| {
        let before = code[..at].trim_end();
        ITEMS.iter().any(|item| {
            before
                .strip_suffix(item)
                .is_some_and(|rest| !rest.ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        })
    })
}

/// Whether the file documents the name as an alias: `#[doc(alias = "a")]` or `#[doc(alias("a", "b"))]`.
fn has_alias(file: &File, name: &str) -> bool {
    let literal = format!("\"{name}\"");
    file.text.match_indices(&literal).any(|(at, _)| {
        // The code layer blanks literals, so an attribute in a comment or in a text does not count.
        let start = file.code[..at].rfind("#[doc(").map(|start| &file.code[start..at]);
        start.is_some_and(|start| has_word(start, "alias") && !start.contains(']'))
    })
}

fn first_word(command: &str) -> &str {
    command.split(' ').next().unwrap_or_default()
}

/// Whether a command of this name is spelled out in the file, as clap's variant or as a text of a table.
fn is_command(file: &File, name: &str) -> bool {
    let mut variant = name.to_owned();
    variant[..1].make_ascii_uppercase();
    let variant = word_positions(&file.code, &variant)
        .any(|at| file.code[at + variant.len()..].trim_start().starts_with(['(', '{', ',']));
    (variant && has_word(&file.code, "Subcommand")) || file.text.contains(&format!("name: \"{name}\""))
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_finds;
    use super::*;

    const LIB: &str = "crates/aqueduct-transport/src/lib.rs";

    /// Guards the page's promises one by one: type, alias, example, crate, state.
    #[test]
    fn each_broken_promise_is_found_with_its_line() {
        assert_finds(find, "capabilities.md:5: `transport::Client` is not defined", |fixture| {
            fixture.replace(LIB, "struct Client", "struct ClientConfig");
        });
        assert_finds(find, "no doc alias \"OtlpClientPool\"", |fixture| {
            fixture.replace(LIB, "OtlpClientPool", "ClientPool");
        });
        assert_finds(find, "send.rs does not exist", |fixture| {
            fixture.remove("crates/aqueduct-transport/examples/send.rs");
        });
        assert_finds(find, "lib.rs holds no example", |fixture| {
            fixture.replace(PAGE, "examples/send.rs", "src/lib.rs");
        });
        assert_finds(find, "there is no crate aqueduct-tune", |fixture| {
            fixture.replace(PAGE, "later", "here")
        });
        assert_finds(find, "the state \"soon\"", |fixture| fixture.replace(PAGE, "later", "soon"));
        assert_finds(find, "has no table", |fixture| fixture.replace(PAGE, "known as", "name"));
    }

    /// Guards the alias against look-alikes: in a comment or in another attribute it helps nobody's search.
    #[test]
    fn an_alias_must_be_an_attribute() {
        assert_finds(find, "no doc alias", |fixture| fixture.replace(LIB, "#[doc(alias", "// #[doc(alias"));
        assert_finds(find, "no doc alias", |fixture| fixture.replace(LIB, "doc(alias", "doc(keyword"));
        let text = "#[doc(alias(\"One\", \"Two\"))] pub struct A;".to_owned();
        let code = layers(&text).code;
        let file = File { text, code };
        assert!(has_alias(&file, "One") && has_alias(&file, "Two") && !has_alias(&file, "Three"));
    }

    /// Guards the reading of paths: methods are looked for, modules and generics are not.
    #[test]
    fn paths_name_types_and_methods() {
        assert_eq!(item_names("transport::RetryPolicy::run(op)"), ["RetryPolicy", "run"]);
        assert_eq!(item_names("batch::BatchProcessor<T>"), ["BatchProcessor"]);
        assert_eq!(item_names("wire::scan"), ["scan"]);
        assert!(defines("pub const fn scan(", "scan") && !defines("let scan = 1; // struct", "scan"));
    }

    /// Guards rows about commands, both clap's and ours.
    #[test]
    fn commands_are_looked_for() {
        let file = |text: &str| File { text: text.to_owned(), code: layers(text).code };
        assert!(is_command(&file("#[derive(Subcommand)] enum C { Load(Load) }"), "load"));
        assert!(is_command(&file("Command { name: \"bench\" }"), "bench"));
        assert!(
            !is_command(&file("struct Load(u8);"), "load")
                && !is_command(&file("Subcommand Loader {}"), "load")
        );
    }
}
