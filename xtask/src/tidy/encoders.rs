//! Generated protobuf code and tonic stay optional: their weight is what users complain of, and no hot path needs them.

use std::collections::BTreeSet;

use toml::Value;

use super::Findings;
use crate::workspace::{Kind, Member, Workspace};

/// Packages, and the families `NAME-*`, that a published crate may only have behind a feature that is off by default.
const HEAVY: &[&str] = &["prost", "tonic", "opentelemetry-proto"];

pub(super) fn find(workspace: &Workspace, findings: &mut Findings) {
    for member in workspace.published() {
        let by_default = default_features(member);
        for dependency in member.dependencies() {
            if dependency.kind == Kind::Dev || !is_heavy(&dependency.package) {
                continue;
            }
            let key = &dependency.key;
            if !dependency.optional {
                findings.problem(&member.name, format_args!("{key} must be optional"));
            } else if by_default.contains(key.as_str()) || by_default.contains(&format!("dep:{key}")) {
                findings.problem(&member.name, format_args!("{key} is switched on by the default features"));
            }
        }
    }
}

fn is_heavy(package: &str) -> bool {
    HEAVY
        .iter()
        .any(|heavy| package.strip_prefix(heavy).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')))
}

/// Everything that `default` reaches within the crate.
fn default_features(member: &Member) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec!["default".to_owned()];
    while let Some(feature) = open.pop() {
        let enables = member.get(&["features", &feature]).and_then(Value::as_array);
        open.extend(
            enables
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .flat_map(|enabled| {
                    // `tonic/tls` switches on tonic; `tonic?/tls` does not.
                    let dependency = enabled.split_once('/').map(|(dependency, _)| dependency.to_owned());
                    [Some(enabled.to_owned()), dependency]
                        .into_iter()
                        .flatten()
                        .filter(|name| !reached.contains(name))
                })
                .collect::<Vec<_>>(),
        );
        reached.insert(feature);
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_finds;
    use super::*;

    const WIRE: &str = "crates/aqueduct-wire/Cargo.toml";

    /// Guards the light default build: neither directly nor through a chain of features.
    #[test]
    fn a_heavy_dependency_without_a_feature_is_found() {
        assert_finds(find, "prost must be optional", |fixture| {
            fixture.replace(WIRE, ", optional = true", "")
        });
        assert_finds(find, "prost is switched on", |fixture| {
            fixture.replace(WIRE, "default = []", "default = [\"all\"]\nall = [\"interop\"]");
        });
        assert_finds(find, "prost is switched on", |fixture| {
            fixture.replace(WIRE, "default = []", "default = [\"prost/std\"]");
        });
    }

    /// Guards the names: a family counts, a namesake does not.
    #[test]
    fn families_count_and_namesakes_do_not() {
        assert!(is_heavy("tonic") && is_heavy("tonic-prost") && !is_heavy("tonics"));
    }
}
