//! Cores.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use aqueduct_exec::{Affinity, AffinityError, CoreSet, StartError};

use super::tools::{LONG, config};

/// Guards that only the calling thread is pinned, and that the kernel agrees.
#[test]
fn pinning_concerns_the_calling_thread() {
    let before = CoreSet::of_current_thread().unwrap();
    let affinity = Affinity::new(CoreSet::allowed().unwrap()).unwrap();
    thread::spawn(move || {
        let core = affinity.pin_current_thread().unwrap();
        assert_eq!(CoreSet::of_current_thread().unwrap(), CoreSet::from_iter([core]));
    })
    .join()
    .unwrap();
    assert_eq!(CoreSet::of_current_thread().unwrap(), before);
}

/// Guards the deal: every core in turn, and the clones deal from one hand.
#[test]
fn cores_are_dealt_round_robin() {
    let affinity = Affinity::new(CoreSet::from_iter([4, 9, 6])).unwrap();
    let other = affinity.clone();
    let dealt: Vec<_> = (0..4).flat_map(|_| [affinity.next(), other.next()]).collect();
    assert_eq!(dealt, [4, 6, 9, 4, 6, 9, 4, 6]);
}

/// Guards the errors: no cores, and cores that this process does not have.
#[test]
fn impossible_sets_are_errors() {
    assert!(matches!(Affinity::new(CoreSet::default()), Err(AffinityError::Empty)));
    assert!(matches!(CoreSet::default().pin_current_thread(), Err(AffinityError::Empty)));
    for far in [100_000, usize::MAX] {
        let error = CoreSet::from_iter([far]).pin_current_thread().unwrap_err();
        assert!(matches!(error, AffinityError::Os(_)), "{error}");
    }
}

/// Guards the pool: each worker on a core of the set; a core that is not there is an error of the start.
#[test]
fn a_pool_is_pinned() {
    let allowed = CoreSet::allowed().unwrap();
    let pool = config(2).with_affinity(Affinity::new(allowed.clone()).unwrap()).build().unwrap();
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    for _ in 0..20 {
        let seen = Arc::clone(&seen);
        let mut job = pool
            .spawn(move || {
                let cores = CoreSet::of_current_thread().unwrap();
                assert_eq!(cores.len(), 1);
                seen.lock().unwrap().extend(cores.iter());
            })
            .unwrap();
        job.join_timeout(LONG).unwrap();
    }
    assert!(seen.lock().unwrap().iter().all(|core| allowed.contains(*core)));
    let nowhere = Affinity::new(CoreSet::from_iter([100_000])).unwrap();
    let error = config(2).with_affinity(nowhere).build().unwrap_err();
    assert!(matches!(error, StartError::Affinity(_)), "{error}");
}

const CHILD: &str = "AQUEDUCT_EXEC_TEST_CORE";

/// The trap of the sketch: it numbers the cores 0 to n. In a process that was given one core, and not the first, the set is that core and
/// the deal never leaves it. The process is this test again, started from a thread that may use one core only.
#[test]
fn numbering_cpus_0_to_n_regardless_of_the_allowed_set() {
    if let Ok(core) = std::env::var(CHILD) {
        let core: usize = core.parse().unwrap();
        let allowed = CoreSet::allowed().unwrap();
        assert_eq!(allowed, CoreSet::from_iter([core]));
        let affinity = Affinity::new(allowed).unwrap();
        assert!((0..10).all(|_| affinity.next() == core));
        thread::spawn(move || assert_eq!(affinity.pin_current_thread().unwrap(), core)).join().unwrap();
        return;
    }
    let last = CoreSet::allowed().unwrap().iter().last().unwrap();
    let child = thread::spawn(move || {
        CoreSet::from_iter([last]).pin_current_thread().unwrap();
        Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "affinity::numbering_cpus_0_to_n_regardless_of_the_allowed_set",
                "--test-threads=1",
            ])
            .env(CHILD, last.to_string())
            .output()
            .unwrap()
    });
    let output = child.join().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
