//! The folder for what a run needs on disk.

use std::path::{Path, PathBuf};

use crate::Failure;

/// A folder of this process alone. It goes when it is dropped, unless it is kept.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    pub(super) fn create(keep: bool) -> Result<Folder, Failure> {
        let path = std::env::temp_dir().join(format!("aqueduct-interop-{}", std::process::id()));
        // Must not exist yet: what lies in a shared temporary folder may be somebody else's.
        std::fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Folder { path, keep })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.keep {
            eprintln!("interop: kept {}", self.path.display());
        } else {
            // A folder too many in the temporary folder is nobody's trouble.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
