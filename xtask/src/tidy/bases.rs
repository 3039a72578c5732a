//! The base packages that the design promises are dependencies of their crates, and their sources use them.

use super::Findings;
use crate::sources::{has_word, layers, library_files};
use crate::workspace::{Kind, Workspace};

/// Crates and what each builds upon. Crates that do not exist yet are passed over.
const BASES: &[(&str, &[&str])] = &[
    ("aqueduct-pool", &["bytes"]),
    ("aqueduct-lockfree", &["crossbeam-epoch"]),
    ("aqueduct-exec", &["crossbeam-deque", "libc"]),
    ("aqueduct-wire", &["bytes", "prost"]),
    ("aqueduct-sampling", &["rand"]),
    ("aqueduct-metrics", &["hdrhistogram"]),
    ("aqueduct-transport", &["tokio", "tonic", "flate2"]),
];

pub(super) fn find(workspace: &Workspace, findings: &mut Findings) {
    for (name, bases) in BASES {
        let Some(member) = workspace.member(name) else { continue };
        let dependencies = member.dependencies();
        let code: Vec<String> =
            library_files(workspace, member).iter().map(|source| layers(&source.text).code).collect();
        for base in *bases {
            let declared = dependencies
                .iter()
                .find(|dependency| dependency.kind == Kind::Normal && dependency.package == *base);
            let Some(declared) = declared else {
                findings.problem(name, format_args!("must build upon {base}"));
                continue;
            };
            let word = declared.key.replace('-', "_");
            if !code.iter().any(|code| has_word(code, &word)) {
                findings.problem(name, format_args!("declares {base} and never names it in src"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_finds;
    use super::*;

    /// Guards the promise in both halves: declared, and used rather than only declared.
    #[test]
    fn a_missing_or_unused_base_is_found() {
        assert_finds(find, "must build upon flate2", |fixture| {
            fixture.replace("crates/aqueduct-transport/Cargo.toml", "flate2 = { workspace = true }\n", "");
        });
        assert_finds(find, "declares tonic and never names it", |fixture| {
            fixture.replace("crates/aqueduct-transport/src/lib.rs", "use tonic::Code;", "// tonic");
        });
    }
}
