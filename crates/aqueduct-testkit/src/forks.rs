//! What a forked child makes of what it inherits.

/// A child that takes longer hangs.
const SECONDS: libc::c_uint = 120;

/// Runs a check in a child process, which ends with it, and returns whether it came back true: not if it panicked, crashed, or took two minutes.
///
/// # Panics
///
/// If the system gives no child.
#[allow(unsafe_code, reason = "fork, wait and leave")]
pub fn holds_in_a_child(check: impl FnOnce() -> bool) -> bool {
    // SAFETY: no call has conditions beyond its arguments. The child has this thread only. It allocates, which the C libraries allow after a fork, touches no lock of the test
    // harness, and leaves by `_exit`, so that nothing of the parent's is run or flushed a second time.
    unsafe {
        let child = libc::fork();
        assert!(child >= 0, "no child");
        if child == 0 {
            // Whatever else hangs: the signal ends the process.
            libc::alarm(SECONDS);
            let good = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).unwrap_or(false);
            libc::_exit(if good { 0 } else { 1 });
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards every test that forks: a check that fails, or panics, is told from one that holds.
    #[test]
    fn a_check_that_fails_is_seen() {
        assert!(holds_in_a_child(|| true));
        assert!(!holds_in_a_child(|| false));
        assert!(!holds_in_a_child(|| std::process::abort()));
    }
}
