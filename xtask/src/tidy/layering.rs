//! Crates depend on strictly lower layers; users of the umbrella depend on nothing else of ours.
//!
//! The layer stands in `[package.metadata.aqueduct] layer = N`; packages with `dev = true` there are tools of this
//! workspace, free to depend on anything, and nothing that is published may depend on them. Dev-dependencies are free.

use super::Findings;
use crate::workspace::{Kind, Member, Workspace};

/// Packages that prove the umbrella complete by using nothing else.
const USERS_OF_THE_UMBRELLA: &[&str] = &["aqueduct-gateway"];
const UMBRELLA: &str = "aqueduct";

pub(super) fn find(workspace: &Workspace, findings: &mut Findings) {
    for member in &workspace.members {
        match (member.layer(), member.says("dev")) {
            (Some(layer), false) => check_member(workspace, member, layer, findings),
            (None, true) => {
                if member.is_published() {
                    findings.problem(&member.name, "a dev package needs publish = false");
                }
            }
            _ => findings.problem(
                &member.name,
                "[package.metadata.aqueduct] must have either layer = N or dev = true",
            ),
        }
    }
}

fn check_member(workspace: &Workspace, member: &Member, layer: i64, findings: &mut Findings) {
    for dependency in member.dependencies() {
        let Some(other) = workspace.member(&dependency.package) else { continue };
        if dependency.kind == Kind::Dev {
            continue;
        }
        let name = &other.name;
        match other.layer() {
            None => findings.problem(&member.name, format_args!("needs the dev package {name}")),
            Some(below) if below >= layer => findings.problem(
                &member.name,
                format_args!(
                    "layer {layer} depends on {name} of layer {below}; only lower layers are allowed"
                ),
            ),
            Some(_) if USERS_OF_THE_UMBRELLA.contains(&member.name.as_str()) && name != UMBRELLA => findings
                .problem(
                    &member.name,
                    format_args!("depends on {name}; it must use the umbrella {UMBRELLA} only"),
                ),
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_finds;
    use super::*;

    const TRANSPORT: &str = "crates/aqueduct-transport/Cargo.toml";

    /// Guards the direction of dependencies, siblings included.
    #[test]
    fn a_sibling_or_upward_dependency_is_found() {
        assert_finds(find, "layer 1 depends on aqueduct-wire of layer 1", |fixture| {
            fixture.replace(TRANSPORT, "layer = 2", "layer = 1");
        });
    }

    /// Guards against a package that escapes the rule by saying nothing.
    #[test]
    fn a_package_without_a_layer_is_found() {
        assert_finds(find, "either layer = N or dev", |fixture| fixture.replace(TRANSPORT, "layer = 2", ""));
    }

    /// Guards the published crates against tools that are never published.
    #[test]
    fn a_dev_package_below_a_published_crate_is_found() {
        assert_finds(find, "needs the dev package aqueduct-wire", |fixture| {
            fixture.replace("crates/aqueduct-wire/Cargo.toml", "layer = 1", "dev = true");
        });
    }

    /// Guards the proof that the umbrella suffices: its user takes no shortcut.
    #[test]
    fn a_shortcut_past_the_umbrella_is_found() {
        assert_finds(find, "must use the umbrella", |fixture| {
            fixture.write(
                "crates/aqueduct-gateway/Cargo.toml",
                "[package]\nname = \"aqueduct-gateway\"\n[package.metadata.aqueduct]\nlayer = 6\n\
                 [dependencies]\naqueduct-wire = { workspace = true }\n",
            );
        });
    }
}
