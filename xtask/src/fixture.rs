//! A small workspace in a temporary folder that obeys every rule, for tests that break one at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::workspace::Workspace;

/// A workspace on disk that is removed when the value is dropped.
pub(crate) struct Fixture {
    root: PathBuf,
}

const ROOT: &str = r#"
[workspace]
members = ["crates/*"]
[workspace.dependencies]
aqueduct-wire = { path = "crates/aqueduct-wire", version = "0.1.0", default-features = false }
"#;

/// What the manifest of a published crate has in common with the others.
const PACKAGE: &str = r#"
version = "0.1.0"
description = "A crate of a test"
keywords = ["otlp"]
categories = ["encoding"]
readme = "README.md"
include = ["src/**", "README.md", "CHANGELOG.md", "LICENSE-*"]
edition.workspace = true
rust-version.workspace = true
license.workspace = true
repository.workspace = true
[package.metadata.docs.rs]
all-features = true
[lints]
workspace = true
"#;

const WIRE: &str = r#"
[package.metadata.aqueduct]
layer = 1
[features]
default = []
interop = ["dep:prost"]
[dependencies]
bytes = { workspace = true }
prost = { workspace = true, optional = true }
[dev-dependencies]
aqueduct-transport = { path = "../aqueduct-transport" }
"#;

const TRANSPORT: &str = r#"
[package.metadata.aqueduct]
layer = 2
[features]
default = []
[dependencies]
aqueduct-wire = { workspace = true }
flate2 = { workspace = true }
tokio = { workspace = true }
tonic = { workspace = true, optional = true }
"#;

const CAPABILITIES: &str = "\
# Capabilities

| known as | ours | crate | example | state |
|---|---|---|---|---|
| `OtlpClientPool`, plain words | `transport::Client` | `aqueduct-transport` | `crates/aqueduct-transport/examples/send.rs` | here |
| `AutoTuner` | `tune::AutoTuner` | `aqueduct-tune` | - | later |
";

impl Fixture {
    /// Two published crates, wire below transport, that every check of `tidy` accepts.
    pub(crate) fn sound() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("xtask-fixture-{}-{number}", std::process::id()));
        let fixture = Self { root };
        fixture.write("Cargo.toml", ROOT);
        for text in ["LICENSE-APACHE", "LICENSE-MIT"] {
            fixture.write(text, "Use it.\n");
        }
        for (name, rest, source) in [
            ("aqueduct-wire", WIRE, "use bytes::Bytes;\nuse prost::Message;\n"),
            (
                "aqueduct-transport",
                TRANSPORT,
                "use tokio::net;\nuse tonic::Code;\nuse flate2::Crc;\n\n/// Sends.\n#[doc(alias = \"OtlpClientPool\")]\n#[derive(Debug)]\npub struct Client;\n",
            ),
        ] {
            let dir = format!("crates/{name}");
            fixture
                .write(format!("{dir}/Cargo.toml"), &format!("[package]\nname = \"{name}\"{PACKAGE}{rest}"));
            fixture.write(format!("{dir}/src/lib.rs"), &format!("//! {name} in a line.\n\n{source}"));
            fixture.write(format!("{dir}/README.md"), &format!("# {name}\n\n{name} in a line.\n"));
            fixture
                .write(format!("{dir}/CHANGELOG.md"), "# Changelog\n\n## 0.1.0 - unreleased\n\n- First.\n");
            for text in ["LICENSE-APACHE", "LICENSE-MIT"] {
                fixture.write(format!("{dir}/{text}"), "Use it.\n");
            }
            let short = name.trim_start_matches("aqueduct-");
            fixture.write(format!("benches/src/suites/{short}.rs"), "//! A suite.\n");
        }
        fixture.write("crates/aqueduct-transport/examples/send.rs", "//! Sends.\n\nfn main() {}\n");
        let results = |suite| format!("## Suite `{suite}`\n\n| row | ours |\n|---|---|\n| a | 1 |\n\n");
        fixture.write("docs/benchmarks.md", &(results("wire") + &results("transport")));
        fixture.write("docs/capabilities.md", CAPABILITIES);
        fixture
    }

    /// A path in the workspace.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }

    /// Writes a file, with the folders it lies in.
    pub(crate) fn write(&self, path: impl AsRef<Path>, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().expect("a file lies in a folder"))
            .expect("temporary folder is writable");
        fs::write(path, text).expect("temporary folder is writable");
    }

    /// The text of a file.
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> String {
        fs::read_to_string(self.root.join(path)).expect("the fixture has this file")
    }

    /// Adds to the end of a file.
    pub(crate) fn append(&self, path: impl AsRef<Path>, text: &str) {
        self.write(&path, &(self.read(&path) + text));
    }

    /// Replaces a text that must occur in a file.
    pub(crate) fn replace(&self, path: impl AsRef<Path>, from: &str, to: &str) {
        let text = self.read(&path);
        assert!(text.contains(from), "{from:?} does not occur in {}", path.as_ref().display());
        self.write(path, &text.replace(from, to));
    }

    /// Removes a file.
    pub(crate) fn remove(&self, path: impl AsRef<Path>) {
        fs::remove_file(self.root.join(path)).expect("the fixture has this file");
    }

    /// The workspace as it now lies on disk.
    pub(crate) fn workspace(&self) -> Workspace {
        Workspace::load(&self.root).expect("the fixture's manifests are well-formed")
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // A folder left behind in the temporary directory harms nobody, a second panic while unwinding would.
        let _ = fs::remove_dir_all(&self.root);
    }
}
