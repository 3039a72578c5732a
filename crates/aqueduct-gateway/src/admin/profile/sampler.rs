//! Takes the samples: a timer of processor time interrupts whatever runs, and its stack is walked there and then.
//!
//! The walk is in a signal handler, where neither memory may be allocated nor a lock be waited for. The unwinder is one that reads the unwind tables from
//! its own copy and asks the kernel before it reads a stack; but it makes that copy with the first sample. [`warm_up`] takes that one here, where
//! allocating is allowed.

use std::io;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use nix::sys::signal::{Signal, raise};
use pprof::{ProfilerGuard, ProfilerGuardBuilder, UnresolvedReport};

use super::stacks::Stacks;
use super::symbols;

/// Samples for so long, or until the sender of `gone` is dropped: then nobody wants them any more.
pub(super) fn take(hz: u32, time: Duration, gone: &Receiver<()>) -> io::Result<Stacks> {
    warm_up()?;
    let guard = profiler(hz)?;
    if let Err(RecvTimeoutError::Disconnected) = gone.recv_timeout(time) {
        return Err(io::ErrorKind::Interrupted.into());
    }
    let report = guard.report().build_unresolved().map_err(io::Error::other)?;
    // The timer ends before the rest of the work.
    drop(guard);
    stacks(&report, hz)
}

fn profiler(hz: u32) -> io::Result<ProfilerGuard<'static>> {
    let hz = i32::try_from(hz).unwrap_or(i32::MAX);
    let guard = ProfilerGuardBuilder::default().frequency(hz).build().map_err(|error| {
        io::Error::other(format!(
            "{error}; it needs a folder for temporary files that can be written to (TMPDIR)"
        ))
    });
    // The library names the functions of a stack when it starts, for which all that a debugger would know is read.
    backtrace::clear_symbol_cache();
    guard
}

/// Lets the unwinder read the tables of every library, once in a process.
fn warm_up() -> io::Result<()> {
    static DONE: OnceLock<()> = OnceLock::new();
    if DONE.get().is_some() {
        return Ok(());
    }
    // The timer's own first signal would come after a second of processor time.
    let guard = profiler(1)?;
    raise(Signal::SIGPROF).map_err(io::Error::from)?;
    drop(guard);
    let _ = DONE.set(());
    Ok(())
}

/// A stack before it has names: the thread, the addresses from the one that ran outwards, and how often it was seen.
type Seen = (String, Vec<u64>, u64);

fn stacks(report: &UnresolvedReport, hz: u32) -> io::Result<Stacks> {
    // All but the first are where a call returns to, which may be the next function already.
    let address = |(depth, ip): (usize, usize)| (ip as u64).saturating_sub(u64::from(depth > 0));
    let seen = report.data.iter().map(|(frames, count)| -> Seen {
        let thread = match frames.thread_name.get(..frames.thread_name_length) {
            Some(name) if !name.is_empty() => String::from_utf8_lossy(name).into_owned(),
            _ => format!("thread {}", frames.thread_id),
        };
        let addresses = frames.frames.iter().map(|frame| frame.ip).enumerate().map(address);
        (thread, addresses.collect(), u64::try_from(*count).unwrap_or(0))
    });
    let seen: Vec<Seen> = seen.collect();
    let addresses = seen.iter().flat_map(|(_, addresses, _)| addresses.iter().copied()).collect();
    let names = symbols::names(&addresses)?;
    let mut stacks = Stacks::new(hz, report.timing.start_time, report.timing.duration);
    for (thread, addresses, count) in seen {
        let named = addresses.iter().rev().filter_map(|address| names.get(address).cloned());
        stacks.add(thread, named, count);
    }
    Ok(stacks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;

    #[inline(never)]
    fn burns_processor_time(stop: &AtomicBool) -> u64 {
        let mut sum = 0_u64;
        while !stop.load(Ordering::Relaxed) {
            (0..1_000).for_each(|n| sum = black_box(sum.wrapping_mul(31).wrapping_add(n)));
        }
        sum
    }

    /// Guards the whole way from the timer to names: what burns is found, in its thread, below its caller.
    #[test]
    fn what_burns_is_found() {
        let stop = AtomicBool::new(false);
        let (_stay, gone) = mpsc::channel();
        let stacks = std::thread::scope(|scope| {
            let burner = std::thread::Builder::new().name("burner".to_owned());
            burner.spawn_scoped(scope, || burns_processor_time(&stop)).expect("a thread");
            let taker = std::thread::Builder::new().stack_size(super::super::STACK_BYTES);
            let taken = taker
                .spawn_scoped(scope, move || take(1_000, Duration::from_secs(1), &gone))
                .expect("a thread");
            let stacks = taken.join();
            stop.store(true, Ordering::Relaxed);
            stacks
        });
        let stacks = stacks.expect("no panic").expect("a profile");
        let burns = |place: &usize| stacks.name(*place).contains("burns_processor_time");
        let found = stacks.samples().iter().filter(|sample| sample.frames.iter().any(burns));
        let mut count = 0;
        for sample in found {
            assert_eq!(sample.thread, "burner");
            assert!(sample.frames.iter().position(burns) > Some(0), "its callers are above it: {sample:?}");
            count += sample.count;
        }
        // A kernel that ticks 100 times a second takes no more, and the burner shares its core with other tests.
        assert!(count >= 10, "{count} of {}", stacks.total());
        assert!(stacks.took >= Duration::from_secs(1), "{:?}", stacks.took);
    }
}
