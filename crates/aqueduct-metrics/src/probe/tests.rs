//! The parsers, on texts of systems that the machine running the tests is not.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::CpuTime;
use super::cgroup::Cgroups;
use super::memory_total;
use super::process::{Stat, Status, clock_ticks, parse_stat, parse_status};

/// Guards the field count: a program may put parentheses and spaces into its name.
#[test]
fn stat_survives_a_hostile_program_name() {
    let tail = "S 1 2 3 4 5 6 7 8 9 10 150 27 0 0 20 0 4 0 4242 1000 20";
    for name in ["aqueduct", "a b", "a) S 9 9 (9 9 9", "((", ""] {
        let stat = parse_stat(&format!("77 ({name}) {tail}\n"), 100);
        assert_eq!(stat, Some(Stat { cpu: Duration::from_millis(1770), started: 4242 }), "{name}");
    }
    assert_eq!(parse_stat("77 (short) S 1 2", 100), None);
    assert_eq!(parse_stat("", 100), None);
}

/// Guards the unit (KiB) and that a zombie, which has no memory, is no error.
#[test]
fn status_is_in_kibibytes() {
    let text = "Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t    1024 kB\nThreads:\t3\n";
    let full = Status { rss_bytes: 1 << 20, peak_rss_bytes: 2 << 20, threads: 3 };
    assert_eq!(parse_status(text), full);
    assert_eq!(
        parse_status("Name:\tx\nState:\tZ (zombie)\nThreads:\t1\n"),
        Status { threads: 1, ..Status::default() }
    );
}

/// Guards the search for the clock rate in the auxiliary vector, also a cut one.
#[test]
fn clock_ticks_come_from_the_auxiliary_vector() {
    let words = |words: &[usize]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>();
    assert_eq!(clock_ticks(&words(&[6, 4096, 17, 250, 0, 0])), Some(250));
    assert_eq!(clock_ticks(&words(&[17, 0, 0, 0])), None);
    assert_eq!(clock_ticks(&words(&[6, 4096, 17])), None);
    assert_eq!(clock_ticks(&[]), None);
}

/// Guards the fine count: threads that end take their time out of it, which must neither be lost nor counted twice.
#[test]
fn cpu_time_is_fine_and_keeps_the_ended_threads() {
    let us = Duration::from_micros;
    let tick = us(10_000);
    let start = CpuTime::default().advance(us(50_000), Some(us(57_123)), tick);
    assert_eq!(start, CpuTime { total: us(57_123), ended: us(0) });
    // A thread that had used 30 ms ends; the other goes on for 5 ms.
    let ended = start.advance(us(60_000), Some(us(32_123)), tick);
    assert_eq!(ended, CpuTime { total: us(60_000), ended: us(27_877) });
    // From here on the living thread is counted finely again, on top of what is certain.
    let on = ended.advance(us(60_000), Some(us(32_200)), tick);
    assert_eq!(on.total, us(60_077));
    // A count of living threads that lags (they run on other cores) makes nothing run backwards ...
    assert_eq!(on.advance(us(60_000), Some(us(32_150)), tick).total, us(60_077));
    // ... and one that seems to run ahead is held to what the coarse count allows.
    assert_eq!(on.advance(us(70_000), Some(us(95_000)), tick).total, us(90_000));
    // Without a fine count the coarse one does.
    assert_eq!(on.advance(us(80_000), None, tick).total, us(80_000));
    assert_eq!(on.advance(us(60_000), None, tick).total, us(60_077));
}

/// A directory tree that is removed at the end.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let root = std::env::temp_dir().join(format!("aqueduct-metrics-{}-{name}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Tree(root)
    }

    fn mount(&self, root: &str, point: &str, kind: &str, options: &str) -> String {
        let point = self.0.join(point);
        let point = point.display().to_string().replace(' ', "\\040");
        format!("31 23 0:28 {root} {point} rw,relatime shared:9 - {kind} {kind} {options}\n")
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Guards the rule that an ancestor's limit counts: systemd sets limits on slices above the service.
#[test]
fn version_2_takes_the_smallest_limit_on_the_way_up() {
    let tree = Tree::new(
        "v2",
        &[
            ("cg/a/memory.max", "1073741824\n"),
            ("cg/a/cpu.max", "150000 100000\n"),
            ("cg/a/b/memory.max", "max\n"),
            ("cg/a/b/cpu.max", "max 100000\n"),
            ("cg/a/b/c/memory.max", "2147483648\n"),
            ("cg/a/b/c/cpu.max", "400000 100000\n"),
        ],
    );
    let mounts = tree.mount("/", "cg", "cgroup2", "rw,nsdelegate");
    let groups = Cgroups::locate("0::/a/b/c\n", &mounts);
    assert_eq!(groups.memory_limit(), Some(1 << 30));
    assert_eq!(groups.cpu_limit(), Some(1.5));

    let free = Cgroups::locate("0::/elsewhere\n", &mounts);
    assert_eq!((free.memory_limit(), free.cpu_limit()), (None, None));
}

/// Guards version 1: its own file names, its "no limit", and joint controllers.
#[test]
fn version_1_knows_its_own_no_limit() {
    let tree = Tree::new(
        "v1",
        &[
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/docker/x/memory.limit_in_bytes", "536870912\n"),
            ("cpu/cpu.cfs_quota_us", "-1\n"),
            ("cpu/cpu.cfs_period_us", "100000\n"),
            ("cpu/docker/x/cpu.cfs_quota_us", "50000\n"),
            ("cpu/docker/x/cpu.cfs_period_us", "100000\n"),
        ],
    );
    let mounts = tree.mount("/", "memory", "cgroup", "rw,memory")
        + &tree.mount("/", "cpu", "cgroup", "rw,cpu,cpuacct");
    let inside = Cgroups::locate("4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n", &mounts);
    assert_eq!((inside.memory_limit(), inside.cpu_limit()), (Some(512 << 20), Some(0.5)));
    let top = Cgroups::locate("4:memory:/\n3:cpu,cpuacct:/\n", &mounts);
    assert_eq!((top.memory_limit(), top.cpu_limit()), (None, None));
}

/// Guards containers: the mount starts at the container's group, the path is told from the host's top, and the mount point has a space.
#[test]
fn a_container_finds_its_own_group() {
    let tree = Tree::new("container", &[("a b/memory.max", "1000\n")]);
    let mounts = tree.mount("/docker/x", "a b", "cgroup2", "rw");
    for path in ["/docker/x", "/docker/x/", "/docker/other", "/../..", "/docker/x/../y"] {
        let groups = Cgroups::locate(&format!("0::{path}\n"), &mounts);
        assert_eq!(groups.memory_limit(), Some(1000), "{path}");
    }
}

/// Guards hybrid systems: version 2 is mounted, but without controllers, and version 1 has the limits.
#[test]
fn hybrid_systems_have_both() {
    let tree = Tree::new(
        "hybrid",
        &[("unified/g/cgroup.procs", ""), ("memory/g/memory.limit_in_bytes", "1048576\n")],
    );
    let mounts =
        tree.mount("/", "unified", "cgroup2", "rw") + &tree.mount("/", "memory", "cgroup", "rw,memory");
    let groups = Cgroups::locate("5:memory:/g\n0::/g\n", &mounts);
    assert_eq!((groups.memory_limit(), groups.cpu_limit()), (Some(1 << 20), None));
}

/// Guards against panics on files that are not what they should be.
#[test]
fn nonsense_is_no_limit() {
    let tree = Tree::new("nonsense", &[("cg/memory.max", "lots\n"), ("cg/cpu.max", "1 0\n")]);
    let mount = tree.mount("/", "cg", "cgroup2", "rw");
    for (groups, mounts) in [
        ("0::/", mount.as_str()),
        ("0::/", "no mount at all\n - \n1 2 3 - x\n"),
        ("", ""),
        ("0\n::\n:::", mount.as_str()),
        ("0::/", "1 2 3 / /bad\\escape\\9\\ rw - cgroup2 x y"),
    ] {
        let groups = Cgroups::locate(groups, mounts);
        assert_eq!((groups.memory_limit(), groups.cpu_limit()), (None, None), "{groups:?}");
    }
    assert!(Path::new(&tree.0).exists());
}

#[test]
fn the_machines_memory_is_read_in_kib() {
    assert_eq!(memory_total("MemTotal:        8047592 kB\nMemFree: 1 kB\n"), Some(8_047_592 * 1024));
    assert_eq!(memory_total("MemFree: 1 kB\n"), None);
    assert_eq!(memory_total("MemTotal: many kB\n"), None);
}
