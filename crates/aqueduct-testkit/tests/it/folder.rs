//! The place for files.

use aqueduct_testkit::Folder;

/// Guards tests that run at once: each has a folder of its own, and a name that is free.
#[test]
fn folders_are_apart() {
    let (one, other) = (Folder::create(), Folder::create());
    let (a, b) = (one.write("name", "one"), other.path("name"));
    assert!(a.exists() && !b.exists());
    drop(other);
    assert!(a.exists(), "the other one's end is not its own");
}
