//! Forks.
#![cfg(unix)]
#![allow(unsafe_code, reason = "a fork is what is tested")]

use std::io::{PipeWriter, Read, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use aqueduct_exec::fork::PerProcess;
use aqueduct_exec::{JobError, Refusal, Spawner, StartError, fork};
use aqueduct_testkit::holds_in_a_child;

use super::tools::{Blocked, LONG, config, count, pool};

/// Guards the number in children and their children, and the parent's own.
#[test]
fn each_child_has_a_generation_of_its_own() {
    let mine = fork::generation();
    assert!(holds_in_a_child(|| {
        let child = fork::generation();
        child != mine && holds_in_a_child(|| ![mine, child].contains(&fork::generation()))
    }));
    assert_eq!(fork::generation(), mine);
}

/// Guards a child whose parent had a thread that held the lock: its own value has a lock of its own, and the parent's value is as it was.
#[test]
fn a_child_builds_a_value_of_its_own() {
    let cell = PerProcess::with(Mutex::new(1));
    let held = cell.get().unwrap().lock().unwrap();
    assert!(holds_in_a_child(|| {
        let nothing_yet =
            cell.get().is_none() && cell.inherited().is_some_and(|value| value.try_lock().is_err());
        let built = *cell.get_or_build(|_| Mutex::new(2)).lock().unwrap() == 2;
        nothing_yet && built && *cell.get().unwrap().lock().unwrap() == 2
    }));
    drop(held);
    assert_eq!(*cell.get_or_build(|_| Mutex::new(3)).lock().unwrap(), 1);
}

/// Guards the child against the pool it inherits: nothing hangs, everything says why, dropping is harmless, and a new pool works.
#[test]
fn a_child_abandons_the_pool_and_builds_anew() {
    let inherited = pool(1);
    let mut job = Blocked::on(&inherited.spawner());
    assert!(holds_in_a_child(|| {
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
    assert!(holds_in_a_child(|| {
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

/// Forks, and in the child returns `None`.
fn fork_here() -> Option<libc::pid_t> {
    // SAFETY: what the child does is what its caller does with `None`: it allocates at most, and ends by `_exit`.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "no child");
    (child != 0).then_some(child)
}

/// The status with which a child ends by itself.
fn status_of(child: libc::pid_t) -> i32 {
    let (begin, mut status) = (Instant::now(), 0);
    loop {
        // SAFETY: a plain call with a place for the status.
        match unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) } {
            0 if begin.elapsed() < LONG => std::thread::yield_now(),
            0 => {
                // SAFETY: a plain call; the child has not been waited for, so that its number is still its own.
                unsafe { libc::kill(child, libc::SIGKILL) };
                panic!("the child does not end");
            }
            found => {
                assert_eq!(found, child);
                assert!(libc::WIFEXITED(status), "{status}");
                return libc::WEXITSTATUS(status);
            }
        }
    }
}

/// A job that says in which process it runs.
fn tells(pipe: &PipeWriter) -> impl FnOnce() + Send + 'static {
    let mut pipe = pipe.try_clone().expect("a descriptor");
    move || pipe.write_all(&std::process::id().to_ne_bytes()).expect("somebody reads")
}

/// Runs this with a pipe, and returns the processes of the jobs that told theirs. Both ends must be closed in children before this ends.
fn told(run: impl FnOnce(&PipeWriter)) -> Vec<u32> {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    run(&writer);
    drop(writer);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).expect("a pipe can be read");
    let number = |bytes: &[u8]| u32::from_ne_bytes(bytes.try_into().expect("four bytes"));
    bytes.chunks(4).map(number).collect()
}

/// Guards a job that forks and returns in the child: the child ends there, with the status of a program whose `main` did that, and runs no
/// job of the parent's, wherever it waits: in the worker's own queue, in the injector, or behind it in its batch.
#[test]
fn a_child_that_returns_from_its_job_ends() {
    let told = told(|pipe| {
        for panics in [false, true] {
            let pool = pool(1);
            let blocked = Blocked::on(&pool.spawner());
            let own = tells(pipe);
            let forks = move || {
                drop(Spawner::current().expect("in a job").spawn(own).expect("room"));
                let child = fork_here();
                if panics && child.is_none() {
                    // Without the hook, whose locks other tests may have held at the fork.
                    std::panic::resume_unwind(Box::new("the child panics"));
                }
                child
            };
            let forked = pool.spawn(forks).expect("room");
            let behind = pool.spawn(tells(pipe)).expect("room");
            blocked.release();
            let child = forked.join().expect("no panic").expect("this is the parent");
            assert_eq!(status_of(child), if panics { 101 } else { 0 });
            behind.join().expect("no panic");
            assert!(pool.shut_down(LONG).drained, "the parent is unharmed");
        }
        let pool = pool(1);
        // Two closures a part.
        let batch = (0..16).map(|n| {
            let tells = tells(pipe);
            move || if n == 0 { fork_here() } else { (None, tells()).0 }
        });
        let mut results = pool.spawn_batch(batch).expect("room").join();
        let child = results.remove(0).expect("no panic").expect("this is the parent");
        assert_eq!(status_of(child), 0);

        let blocked = Blocked::on(&pool.spawner());
        let forked = pool.spawn_future(async { fork_here() }).expect("room");
        let behind = pool.spawn(tells(pipe)).expect("room");
        blocked.release();
        assert_eq!(status_of(forked.join().expect("no panic").expect("this is the parent")), 0);
        behind.join().expect("no panic");
    });
    assert!(told.iter().all(|&process| process == std::process::id()), "{told:?}");
    assert_eq!(told.len(), 20);
}

/// Guards the child of a job that uses a pool of its own: it waits for that as any thread does, and runs none of the parent's jobs
/// meanwhile.
#[test]
fn a_child_that_joins_runs_no_job_of_the_parent() {
    let told = told(|pipe| {
        let pool = pool(1);
        let (own, mut in_child) = (tells(pipe), Some(tells(pipe)));
        let forks = move || {
            let own = Spawner::current().expect("in a job").spawn(own).expect("room");
            let child = fork_here();
            if child.is_none() {
                assert_eq!(own.join(), Err(JobError::Forked));
                let anew = config(1).build().expect("threads start");
                anew.spawn(in_child.take().expect("once")).expect("room").join().expect("no panic");
            }
            child
        };
        let child = pool.spawn(forks).expect("room").join().expect("no panic").expect("this is the parent");
        assert_eq!(status_of(child), 0);
        assert!(pool.shut_down(LONG).drained);
    });
    let here = told.iter().filter(|&&process| process == std::process::id()).count();
    assert_eq!((here, told.len()), (1, 2), "{told:?}");
}
