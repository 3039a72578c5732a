//! The probe against things that this process does and knows.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::hint::black_box;
use std::io;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use aqueduct_metrics::{ResourceProbe, ThreadProbe};

/// These tests measure the whole process, so they must not run beside each other.
static ALONE: Mutex<()> = Mutex::new(());

fn burn(cpu: Duration) {
    let start = Instant::now();
    while start.elapsed() < cpu {
        black_box((0..1000_u64).sum::<u64>());
    }
}

/// Guards the CPU time of threads, living and ended: a probe that sums living threads only would forget the ended ones, and
/// would run backwards.
#[test]
fn cpu_time_rises_with_work_and_survives_threads() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut probe = ResourceProbe::new();
    let before = probe.sample().unwrap();
    let work = Duration::from_millis(300);
    let wall = Instant::now();
    thread::spawn(move || burn(work)).join().unwrap();
    let after = probe.sample().unwrap();
    let wall = wall.elapsed();

    // Others compete for the cores, so the thread may get less than it asks for; but it got something, and no more than
    // all cores could give.
    let used = after.cpu - before.cpu;
    assert!(used >= Duration::from_millis(20), "{used:?}");
    let cores = thread::available_parallelism().unwrap().get() as u32;
    assert!(used <= wall * cores + Duration::from_millis(40), "{used:?} in {wall:?}");
    let share = used.as_secs_f64() / wall.as_secs_f64();
    assert!((after.cpu_share / share - 1.0).abs() < 0.2, "{} and {share}", after.cpu_share);

    let mut last = after.cpu;
    for _ in 0..50 {
        thread::spawn(|| burn(Duration::from_millis(1))).join().unwrap();
        let now = probe.sample().unwrap().cpu;
        assert!(now >= last, "{now:?} after {last:?}");
        last = now;
    }
}

/// Guards the unit of memory: 64 MiB more are 64 MiB more, and the peak remembers them.
#[test]
fn memory_is_seen_and_the_peak_is_kept() {
    const SIZE: usize = 64 << 20;
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut probe = ResourceProbe::new();
    let before = probe.sample().unwrap();
    let memory = black_box(vec![1_u8; SIZE]);
    let during = probe.sample().unwrap();
    drop(memory);
    let after = probe.sample().unwrap();

    let grown = during.rss_bytes.saturating_sub(before.rss_bytes);
    // The other tests of this binary allocate and free meanwhile.
    let (least, most) = (SIZE as u64 * 3 / 4, SIZE as u64 * 2);
    assert!((least..most).contains(&grown), "{grown}");
    assert!(after.peak_rss_bytes >= during.rss_bytes && during.peak_rss_bytes >= during.rss_bytes);
    assert!(after.peak_rss_bytes >= SIZE as u64);
}

/// Guards the counts of descriptors and threads against what this test opens and starts.
#[test]
fn descriptors_and_threads_are_counted() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut probe = ResourceProbe::new();
    let before = probe.sample().unwrap();
    let files: Vec<_> = (0..100).map(|_| File::open("/proc/self/stat").unwrap()).collect();
    let (stop, stopped) = mpsc::channel::<()>();
    let stopped = Mutex::new(stopped);
    thread::scope(|scope| {
        let (ready, started) = mpsc::channel();
        for _ in 0..100 {
            let (ready, stopped) = (ready.clone(), &stopped);
            scope.spawn(move || {
                ready.send(()).unwrap();
                let _ = stopped.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).recv();
            });
        }
        started.iter().take(100).count();
        let during = probe.sample().unwrap();
        drop(stop);
        // The test harness starts and ends a thread per test meanwhile, with few files of its own.
        let files = during.open_fds as i64 - before.open_fds as i64;
        assert!((80..=120).contains(&files), "{files}");
        let threads = during.threads as i64 - before.threads as i64;
        assert!((60..=140).contains(&threads), "{threads}");
    });
    drop(files);
}

/// Guards the probe of another process, its end, and an id that names nobody.
#[test]
fn another_process_is_probed_until_it_ends() {
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut probe = ResourceProbe::of_process(child.id());
    let resources = probe.sample().unwrap();
    assert_eq!(resources.threads, 1);
    assert!(resources.open_fds >= 3, "{resources:?}");
    assert!(resources.cpu_share < 1.5, "{resources:?}");

    drop(child.stdin.take());
    // Nobody has waited for the child yet, so it stays visible, without memory.
    let stat = format!("/proc/{}/stat", child.id());
    let zombie = || std::fs::read_to_string(&stat).unwrap().contains(") Z ");
    let start = Instant::now();
    while !zombie() && start.elapsed() < Duration::from_secs(10) {
        thread::yield_now();
    }
    let resources = probe.sample().unwrap();
    assert_eq!((resources.rss_bytes, resources.open_fds), (0, 0), "{resources:?}");

    child.wait().unwrap();
    let error = probe.sample().expect_err("the child was waited for");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(error.to_string().contains(&child.id().to_string()), "{error}");

    let error = ResourceProbe::of_process(u32::MAX).sample().expect_err("no process has this id");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

/// Guards the first sample, which has none before it: its share is the average since the process started.
#[test]
fn the_first_share_is_the_average_so_far() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    burn(Duration::from_millis(200));
    let first = ResourceProbe::new().sample().unwrap();
    let cores = thread::available_parallelism().unwrap().get() as f64;
    assert!(first.cpu > Duration::ZERO);
    assert!(first.cpu_share > 0.0 && first.cpu_share <= cores * 1.5, "{first:?}");
}

/// Guards the accounts of parts of a process: of the threads with a name and of no others, also after they have ended.
#[test]
fn threads_are_told_apart_by_name() {
    let spins = |name: &str| {
        let (tell, told) = mpsc::channel::<()>();
        let (end, ended) = mpsc::channel::<()>();
        let spin = move || {
            black_box((0..2_000_000_u64).map(black_box).sum::<u64>());
            tell.send(()).unwrap();
            // It lives until it was looked at.
            let _ = ended.recv();
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(spin).unwrap();
        told.recv().unwrap();
        (end, thread)
    };
    const WORK: Duration = Duration::from_micros(100);
    let mut both = ThreadProbe::new("told-apart-");
    let mut second = ThreadProbe::new("told-apart-2");
    let (end, first) = spins("told-apart-1");
    let of_one = both.sample().unwrap();
    assert!(of_one > WORK, "{of_one:?}");
    assert_eq!(second.sample().unwrap(), Duration::ZERO);
    let (_other, _another) = (spins("told-apart-2"), spins("another"));
    drop(end);
    first.join().unwrap();
    let of_two = both.sample().unwrap();
    let of_second = second.sample().unwrap();
    assert!(of_two >= of_one + WORK, "{of_two:?} of two, {of_one:?} of the one that ended");
    assert!(WORK < of_second && of_second <= of_two - of_one, "{of_second:?} of {of_two:?}");
    for nobody in ["told-apart-3", "told-apart-2 and more than is kept"] {
        assert_eq!(ThreadProbe::new(nobody).sample().unwrap(), Duration::ZERO);
    }
}
