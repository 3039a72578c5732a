//! Forks.
#![cfg(unix)]
#![allow(unsafe_code, reason = "a fork is what is tested")]

use std::time::Duration;

use aqueduct_exec::{JobError, Refusal, StartError, fork};

use super::tools::{Blocked, count, pool};

/// Runs this in a child, and returns whether it said so.
fn in_a_child(check: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child has this thread only. It allocates, which the C libraries allow after a fork, touches no lock of the test
    // harness, and leaves by `_exit`, so that nothing of the parent's is run or flushed a second time.
    unsafe {
        let child = libc::fork();
        assert!(child >= 0, "no child");
        if child == 0 {
            let good = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).unwrap_or(false);
            libc::_exit(if good { 0 } else { 1 });
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
    }
}

/// Guards the number in children and their children, and the parent's own.
#[test]
fn each_child_has_a_generation_of_its_own() {
    let mine = fork::generation();
    assert!(in_a_child(|| {
        let child = fork::generation();
        child != mine && in_a_child(|| ![mine, child].contains(&fork::generation()))
    }));
    assert_eq!(fork::generation(), mine);
}

/// Guards the child against the pool it inherits: nothing hangs, everything says why, dropping is harmless, and a new pool works.
#[test]
fn a_child_abandons_the_pool_and_builds_anew() {
    let inherited = pool(1);
    let mut job = Blocked::on(&inherited.spawner());
    assert!(in_a_child(|| {
        let refused = inherited.spawn(|| 1).unwrap_err().reason() == Refusal::Forked;
        let resized = matches!(inherited.resize(count(2)), Err(StartError::Refused(Refusal::Forked)));
        let joined = job.handle.join_timeout(Duration::from_secs(60)) == Err(JobError::Forked);
        let report = inherited.shut_down(Duration::from_secs(60));
        let anew = pool(1);
        let worked = anew.spawn(|| 5).unwrap().join() == Ok(5);
        refused && resized && joined && !report.drained && report.threads == 0 && worked
    }));
    job.release();
    assert_eq!(inherited.spawn(|| 2).unwrap().join(), Ok(2), "the parent is unharmed");

    let mut owned = Some(inherited);
    assert!(in_a_child(|| {
        drop(owned.take());
        true
    }));
    assert_eq!(owned.unwrap().spawn(|| 3).unwrap().join(), Ok(3));
}

/// Guards the number: it starts at 1 or above and does not move by itself, from whichever thread it is asked.
#[test]
fn a_process_keeps_its_generation() {
    let first = fork::generation();
    assert!(first >= 1);
    let others: Vec<_> = (0..4).map(|_| std::thread::spawn(fork::generation)).collect();
    assert!(others.into_iter().all(|other| other.join().unwrap() == first));
    assert_eq!(fork::generation(), first);
}
