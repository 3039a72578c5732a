//! Manifests of published crates follow one pattern, and internal dependencies are written so that publishing works.
//!
//! An internal dependency of the normal kind comes from `[workspace.dependencies]` with path *and* version, because
//! the registry keeps the version only. An internal dev-dependency has a path and no version: with a version, two
//! crates that test each other could never be published for the first time.

use toml::Value;

use super::Findings;
use crate::workspace::{Kind, Member, Workspace, lookup};

/// Fields inherited from `[workspace.package]`, in every package.
const INHERITED: &[&str] = &["edition", "rust-version", "license", "repository"];
/// Files a published crate must include beside its sources.
const INCLUDED: &[&str] = &["src/**", "README.md", "CHANGELOG.md", "LICENSE-*"];

pub(super) fn find(workspace: &Workspace, findings: &mut Findings) {
    for member in &workspace.members {
        if member.get(&["lints", "workspace"]).and_then(Value::as_bool) != Some(true) {
            findings.problem(&member.name, "needs [lints] workspace = true");
        }
        for field in INHERITED {
            // A package that stays here needs no address of its own.
            let needed = member.is_published() || *field != "repository";
            if needed && member.get(&["package", field, "workspace"]).and_then(Value::as_bool) != Some(true) {
                findings.problem(&member.name, format_args!("needs {field}.workspace = true"));
            }
        }
        if member.is_published() {
            check_published(workspace, member, findings);
        }
        check_dependencies(workspace, member, findings);
    }
}

fn check_published(workspace: &Workspace, member: &Member, findings: &mut Findings) {
    let name = &member.name;
    if member.dir.file_name().is_none_or(|folder| folder != name.as_str()) {
        findings
            .problem(name, format_args!("lies in {}; folder and crate have one name", member.dir.display()));
    }
    for field in ["version", "description"] {
        if member.get(&["package", field]).and_then(Value::as_str).is_none_or(str::is_empty) {
            findings.problem(name, format_args!("needs its own {field}"));
        }
    }
    for (field, most) in [("keywords", 5), ("categories", 5)] {
        let count = member.get(&["package", field]).and_then(Value::as_array).map_or(0, Vec::len);
        if !(1..=most).contains(&count) {
            findings.problem(name, format_args!("needs 1 to {most} {field}, has {count}"));
        }
    }
    if member.get(&["package", "readme"]).and_then(Value::as_str) != Some("README.md") {
        findings.problem(name, "needs readme = \"README.md\"");
    }
    if member.get(&["package", "metadata", "docs", "rs"]).and_then(Value::as_table).is_none() {
        findings.problem(name, "needs [package.metadata.docs.rs]");
    }
    let include = member.get(&["package", "include"]).and_then(Value::as_array);
    for file in INCLUDED {
        if !include.into_iter().flatten().any(|entry| entry.as_str() == Some(file)) {
            findings.problem(name, format_args!("include must list {file:?}"));
        }
    }
    match workspace.text(member.dir.join("CHANGELOG.md")) {
        None => findings.problem(name, "needs CHANGELOG.md"),
        Some(text) if !text.lines().any(|line| is_section_of(line, member.version())) => {
            findings.problem(name, format_args!("CHANGELOG.md has no section for {}", member.version()));
        }
        Some(_) => {}
    }
}

/// Whether a line of a changelog opens the section of a version: `## 0.1.0 - unreleased`, `## [0.1.0]`.
fn is_section_of(line: &str, version: &str) -> bool {
    let title = line.strip_prefix("## ").unwrap_or_default().trim_start_matches('[');
    title.strip_prefix(version).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ']']))
}

fn check_dependencies(workspace: &Workspace, member: &Member, findings: &mut Findings) {
    for dependency in member.dependencies() {
        let key = &dependency.key;
        let Some(other) = workspace.member(&dependency.package) else {
            continue;
        };
        if dependency.kind == Kind::Dev {
            if !dependency.path || dependency.versioned || dependency.inherited {
                findings.problem(
                    &member.name,
                    format_args!("dev-dependency {key} must be a path and nothing more"),
                );
            }
        } else if other.is_published() {
            if !dependency.inherited || dependency.path || dependency.versioned {
                findings.problem(&member.name, format_args!("dependency {key} must say workspace = true"));
            }
            let shared = lookup(&workspace.manifest, &["workspace", "dependencies", &dependency.package]);
            let field = |name: &str| shared.and_then(|shared| shared.get(name));
            if field("path").is_none() || field("version").and_then(Value::as_str) != Some(other.version()) {
                findings.problem(
                    "Cargo.toml",
                    format_args!(
                        "[workspace.dependencies] {key} needs path and version {:?}",
                        other.version()
                    ),
                );
            }
            if field("default-features").and_then(Value::as_bool) != Some(false) {
                findings.problem("Cargo.toml", format_args!("{key} needs default-features = false"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_finds;
    use super::*;

    const WIRE: &str = "crates/aqueduct-wire/Cargo.toml";
    const TRANSPORT: &str = "crates/aqueduct-transport/Cargo.toml";

    /// Guards each field of a published manifest: removing it is noticed.
    #[test]
    fn each_missing_field_is_found() {
        for (line, part) in [
            ("edition.workspace = true\n", "needs edition.workspace"),
            ("rust-version.workspace = true\n", "needs rust-version.workspace"),
            ("license.workspace = true\n", "needs license.workspace"),
            ("repository.workspace = true\n", "needs repository.workspace"),
            ("version = \"0.1.0\"\n", "needs its own version"),
            ("description = \"A crate of a test\"\n", "needs its own description"),
            ("keywords = [\"otlp\"]\n", "needs 1 to 5 keywords, has 0"),
            ("categories = [\"encoding\"]\n", "needs 1 to 5 categories, has 0"),
            ("readme = \"README.md\"\n", "needs readme"),
            ("[package.metadata.docs.rs]\nall-features = true\n", "needs [package.metadata.docs.rs]"),
            ("\"LICENSE-*\"", "include must list \"LICENSE-*\""),
            ("[lints]\nworkspace = true\n", "needs [lints]"),
        ] {
            assert_finds(find, part, |fixture| fixture.replace(WIRE, line, ""));
        }
    }

    /// Guards the first publication: a versioned dev-dependency on a sibling makes a circle.
    #[test]
    fn a_versioned_dev_dependency_is_found() {
        assert_finds(find, "dev-dependency aqueduct-transport must be a path", |fixture| {
            let versioned = "{ path = \"../aqueduct-transport\", version = \"0.1.0\" }";
            fixture.replace(WIRE, "{ path = \"../aqueduct-transport\" }", versioned);
        });
        assert_finds(find, "dev-dependency aqueduct-transport must be a path", |fixture| {
            fixture.replace(WIRE, "{ path = \"../aqueduct-transport\" }", "{ workspace = true }");
        });
    }

    /// Guards the published dependency: without a version the registry refuses it.
    #[test]
    fn a_path_only_dependency_is_found() {
        assert_finds(find, "dependency aqueduct-wire must say workspace", |fixture| {
            let path = "aqueduct-wire = { path = \"../aqueduct-wire\" }";
            fixture.replace(TRANSPORT, "aqueduct-wire = { workspace = true }", path);
        });
        assert_finds(find, "aqueduct-wire needs path and version", |fixture| {
            fixture.replace("Cargo.toml", ", version = \"0.1.0\"", ", version = \"0.0.9\"");
        });
    }

    /// Guards the changelog: the version that would be published has its section.
    #[test]
    fn a_version_without_a_changelog_section_is_found() {
        assert_finds(find, "no section for 0.1.0", |fixture| {
            fixture.replace("crates/aqueduct-wire/CHANGELOG.md", "## 0.1.0 -", "## 0.1.0-alpha -");
        });
        assert!(is_section_of("## [0.1.0] - 2026-01-01", "0.1.0") && is_section_of("## 0.1.0", "0.1.0"));
    }
}
