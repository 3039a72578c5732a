//! The workspace as its manifests describe it: members, layers, dependencies.
//!
//! Manifests are read as written rather than through `cargo metadata`, because the conventions are about what is
//! written (inherited or not, path or version), and because a test can then make a workspace out of a few files.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::failure::{Failure, Result};

/// A cargo workspace.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder of the root manifest.
    pub(crate) root: PathBuf,
    /// The root manifest.
    pub(crate) manifest: Table,
    /// The members, sorted by name.
    pub(crate) members: Vec<Member>,
}

/// A package of the workspace.
#[derive(Debug)]
pub(crate) struct Member {
    /// The package's name.
    pub(crate) name: String,
    /// Its folder, relative to the root.
    pub(crate) dir: PathBuf,
    /// Its manifest.
    pub(crate) manifest: Table,
}

/// Which table of a manifest a dependency stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `[dependencies]`
    Normal,
    /// `[build-dependencies]`
    Build,
    /// `[dev-dependencies]`
    Dev,
}

/// A dependency as a member's manifest writes it.
#[derive(Debug)]
pub(crate) struct Dependency {
    /// The name it is known by in the manifest.
    pub(crate) key: String,
    /// The package's name, which differs from the key where `package = ` renames it.
    pub(crate) package: String,
    /// The table it stands in.
    pub(crate) kind: Kind,
    /// `optional = true`
    pub(crate) optional: bool,
    /// `workspace = true`
    pub(crate) inherited: bool,
    /// A version requirement is written here.
    pub(crate) versioned: bool,
    /// A path is written here.
    pub(crate) path: bool,
}

impl Workspace {
    /// The workspace this binary was built from.
    pub(crate) fn of_this_binary() -> Result<Self> {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self::load(own.parent().ok_or_else(|| Failure::new("xtask lies in no workspace"))?)
    }

    /// Reads the manifests under `root`.
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let manifest = read_manifest(&root.join("Cargo.toml"))?;
        let patterns = lookup(&manifest, &["workspace", "members"]).and_then(Value::as_array);
        let mut members = Vec::new();
        for pattern in patterns.into_iter().flatten().filter_map(Value::as_str) {
            for dir in expand(root, pattern)? {
                let manifest = read_manifest(&root.join(&dir).join("Cargo.toml"))?;
                let name = lookup(&manifest, &["package", "name"]).and_then(Value::as_str);
                let name = name.ok_or_else(|| Failure::at(&dir, "package without a name"))?.to_owned();
                members.push(Member { name, dir, manifest });
            }
        }
        members.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { root: root.to_owned(), manifest, members })
    }

    /// The member called `name`.
    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// The members that go to the registry.
    pub(crate) fn published(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.is_published())
    }

    /// The published members such that each comes after those it needs.
    ///
    /// # Errors
    ///
    /// If they depend on each other in a circle.
    pub(crate) fn publish_order(&self) -> Result<Vec<&Member>> {
        let mut waiting: Vec<&Member> = self.published().collect();
        let mut order: Vec<&Member> = Vec::new();
        while !waiting.is_empty() {
            let free = waiting.iter().position(|candidate| {
                !candidate.dependencies().iter().any(|dependency| {
                    dependency.kind != Kind::Dev
                        && waiting.iter().any(|other| other.name == dependency.package)
                })
            });
            let Some(free) = free else {
                let names: Vec<&str> = waiting.iter().map(|member| member.name.as_str()).collect();
                return Err(Failure::new(format!("these crates need each other: {}", names.join(", "))));
            };
            order.push(waiting.remove(free));
        }
        Ok(order)
    }

    /// Where cargo builds.
    pub(crate) fn target_dir(&self) -> PathBuf {
        let chosen = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        self.root.join(chosen)
    }

    /// The text of a file named relative to the root, if there is one.
    pub(crate) fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    /// Whether there is a file or folder of this name, relative to the root.
    pub(crate) fn has(&self, path: impl AsRef<Path>) -> bool {
        self.root.join(path).exists()
    }
}

impl Member {
    /// A value of the manifest by its path of keys.
    pub(crate) fn get(&self, keys: &[&str]) -> Option<&Value> {
        lookup(&self.manifest, keys)
    }

    /// The layer that `[package.metadata.aqueduct]` states.
    pub(crate) fn layer(&self) -> Option<i64> {
        self.get(&["package", "metadata", "aqueduct", "layer"]).and_then(Value::as_integer)
    }

    /// Whether `[package.metadata.aqueduct]` sets this switch.
    pub(crate) fn says(&self, switch: &str) -> bool {
        self.get(&["package", "metadata", "aqueduct", switch]).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Whether the package goes to the registry.
    pub(crate) fn is_published(&self) -> bool {
        self.get(&["package", "publish"]).and_then(Value::as_bool).unwrap_or(true)
    }

    /// The package's own version, or an empty text where it is inherited or absent.
    pub(crate) fn version(&self) -> &str {
        self.get(&["package", "version"]).and_then(Value::as_str).unwrap_or_default()
    }

    /// The name without the family's prefix: `wire` for `aqueduct-wire`.
    pub(crate) fn short_name(&self) -> &str {
        self.name.strip_prefix("aqueduct-").unwrap_or(&self.name)
    }

    /// Every dependency, of every kind and target.
    pub(crate) fn dependencies(&self) -> Vec<Dependency> {
        let mut found = Vec::new();
        let targets = self.get(&["target"]).and_then(Value::as_table);
        let tables = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
        for table in std::iter::once(&self.manifest).chain(tables) {
            for (key, kind) in [
                ("dependencies", Kind::Normal),
                ("build-dependencies", Kind::Build),
                ("dev-dependencies", Kind::Dev),
            ] {
                let dependencies = table.get(key).and_then(Value::as_table);
                found.extend(
                    dependencies.into_iter().flatten().map(|(key, value)| dependency(key, value, kind)),
                );
            }
        }
        found
    }
}

/// What a line of a dependency table says.
fn dependency(key: &str, value: &Value, kind: Kind) -> Dependency {
    let switch = |name: &str| value.get(name).and_then(Value::as_bool).unwrap_or(false);
    Dependency {
        key: key.to_owned(),
        package: value.get("package").and_then(Value::as_str).unwrap_or(key).to_owned(),
        kind,
        optional: switch("optional"),
        inherited: switch("workspace"),
        versioned: value.is_str() || value.get("version").is_some(),
        path: value.get("path").is_some(),
    }
}

/// A value of a table by its path of keys.
pub(crate) fn lookup<'t>(table: &'t Table, keys: &[&str]) -> Option<&'t Value> {
    let (first, rest) = keys.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(*key))
}

fn read_manifest(path: &Path) -> Result<Table> {
    let text = fs::read_to_string(path).map_err(|error| Failure::at(path, error))?;
    text.parse().map_err(|error| Failure::at(path, error))
}

/// The folders a member pattern stands for; `*` is understood as the last component only.
fn expand(root: &Path, pattern: &str) -> Result<Vec<PathBuf>> {
    let Some(parent) = pattern.strip_suffix("/*") else {
        return Ok(vec![PathBuf::from(pattern)]);
    };
    let dir = root.join(parent);
    let mut found = Vec::new();
    for entry in fs::read_dir(&dir).map_err(|error| Failure::at(&dir, error))? {
        let entry = entry.map_err(|error| Failure::at(&dir, error))?;
        if entry.path().join("Cargo.toml").is_file() {
            found.push(Path::new(parent).join(entry.file_name()));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    /// Guards the reading of all three kinds of dependencies, renamed and per target ones included.
    #[test]
    fn dependencies_of_every_kind_and_target_are_found() {
        let fixture = Fixture::sound();
        fixture.append(
            "crates/aqueduct-wire/Cargo.toml",
            "\n[target.'cfg(unix)'.dependencies]\nposix = { package = \"libc\", version = \"1\", optional = true }\n",
        );
        let workspace = fixture.workspace();
        let wire = workspace.member("aqueduct-wire").expect("the fixture has it");
        let found = wire.dependencies();
        let libc = found.iter().find(|dependency| dependency.package == "libc").expect("target table read");
        assert_eq!(
            (libc.key.as_str(), libc.kind, libc.optional, libc.versioned),
            ("posix", Kind::Normal, true, true)
        );
        assert!(found.iter().any(|dependency| dependency.kind == Kind::Dev && dependency.path));
    }

    /// Guards the order of publishing: a crate never before what it needs, and a circle is an error rather than a hang.
    #[test]
    fn publish_order_is_topological_and_ends_on_a_circle() {
        let fixture = Fixture::sound();
        let names = |workspace: &Workspace| -> Vec<String> {
            workspace.publish_order().expect("acyclic").iter().map(|member| member.name.clone()).collect()
        };
        assert_eq!(names(&fixture.workspace()), ["aqueduct-wire", "aqueduct-transport"]);
        fixture.append(
            "crates/aqueduct-wire/Cargo.toml",
            "[build-dependencies]\naqueduct-transport = \"0.1\"\n",
        );
        assert!(fixture.workspace().publish_order().is_err());
    }
}
