//! Tests of crates with unsafe code under AddressSanitizer and ThreadSanitizer.

use super::{Done, LIMIT};
use crate::failure::Result;
use crate::process::{Log, cargo};
use crate::workspace::{Member, Workspace};

/// The target whose sanitizer runtimes come with the toolchain.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What a sanitizer takes: its flags, a variable of its own, and what it sees.
struct Sanitizer {
    name: &'static str,
    flags: &'static str,
    options: Option<(&'static str, &'static str)>,
}

/// ThreadSanitizer sees only what is compiled with it, and the standard library is not: hence the second flag, and the list of what
/// looks like a race in the test harness. The switch replaces waiting for a lock, which the library does out of its sight.
const SANITIZERS: [Sanitizer; 2] = [
    Sanitizer { name: "address", flags: "-Zsanitizer=address", options: None },
    Sanitizer {
        name: "thread",
        flags: "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg aqueduct_tsan",
        options: Some(("TSAN_OPTIONS", ".config/tsan.supp")),
    },
];

/// Runs the tests of the crates whose manifest says `[package.metadata.aqueduct] sanitize = true`, under a sanitizer unless it also says that
/// this one is blind there (`thread-sanitizer-is-blind = true`), and why.
///
/// The pinned toolchain has the runtimes and knows the flags; `RUSTC_BOOTSTRAP` unlocks them. That spares a second
/// toolchain, and the code under test is what the release compiles.
pub(super) fn run(workspace: &Workspace, log: &Log) -> Result<Done> {
    let crates: Vec<&Member> = workspace.members.iter().filter(|member| member.says("sanitize")).collect();
    if crates.is_empty() {
        return Ok(Done::Skipped("no crate has unsafe code".to_owned()));
    }
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Ok(Done::Skipped(format!("needs {TARGET}")));
    }
    for sanitizer in SANITIZERS {
        log.note(format_args!("sanitizer: {}", sanitizer.name))?;
        let mut command = cargo(&workspace.root);
        // With --target the flags do not reach build scripts, and the builds lie apart from the ordinary ones.
        command.args(["test", "--locked", "--lib", "--tests", "--all-features", "--target", TARGET]);
        let blind = format!("{}-sanitizer-is-blind", sanitizer.name);
        for member in crates.iter().filter(|member| !member.says(&blind)) {
            command.args(["-p", &member.name]);
        }
        command.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", sanitizer.flags);
        if let Some((variable, suppressions)) = sanitizer.options {
            let list = workspace.root.join(suppressions);
            command.env(variable, format!("suppressions={}", list.display()));
        }
        log.run(&mut command, LIMIT)?;
    }
    let names: Vec<&str> = crates.iter().map(|member| member.name.as_str()).collect();
    Ok(Done::Passed(names.join(", ")))
}
