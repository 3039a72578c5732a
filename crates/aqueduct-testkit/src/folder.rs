//! A place for files.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder in the temporary folder, of this test alone. It goes, with what is in it, when it is dropped.
///
/// ```
/// use aqueduct_testkit::Folder;
///
/// let folder = Folder::create();
/// let path = folder.write("greeting.txt", "hello");
/// assert_eq!(std::fs::read(&path)?, b"hello");
/// drop(folder);
/// assert!(!path.exists());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A new, empty folder.
    ///
    /// # Panics
    ///
    /// If there is no place for it.
    pub fn create() -> Self {
        // A plain counter that keeps the tests of one process apart.
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("aqueduct-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a place for files");
        Self(path)
    }

    /// Where a file of this name is, or would be.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file and says where it is.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // One too many in the temporary folder is nobody's trouble.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
