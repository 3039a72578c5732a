//! Limits of control groups, version 1 and 2, also where a system uses both.
//!
//! A limit of a group holds for everything below it, so a process's limit is the smallest on the way from its group up to the top of what is
//! mounted. Sources: the kernel's `admin-guide/cgroup-v2.rst`, `admin-guide/cgroup-v1/memory.rst`, `scheduler/sched-bwc.rst`, and
//! `cgroups(7)` for `/proc/PID/cgroup`, `proc_pid_mountinfo(5)` for the mounts.

use std::fs;
use std::path::{Path, PathBuf};

/// The directories of a process's groups, each with its ancestors. Only paths are kept: limits may be changed while the process runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cgroups {
    unified: Vec<PathBuf>,
    memory: Vec<PathBuf>,
    cpu: Vec<PathBuf>,
}

/// Version 1 says "no limit" as the largest number of whole pages; anything near it is no limit on any machine.
const NO_LIMIT: u64 = 1 << 60;

impl Cgroups {
    /// Finds the groups from the texts of `/proc/PID/cgroup` and `/proc/self/mountinfo`.
    pub(super) fn locate(groups: &str, mounts: &str) -> Self {
        let mounts: Vec<Mount<'_>> = mounts.lines().filter_map(Mount::parse).collect();
        let mut found = Cgroups::default();
        for line in groups.lines() {
            // hierarchy:controllers:path, where the path may contain colons.
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
            if controllers.is_empty()
                && let Some(mount) = mounts.iter().find(|mount| mount.kind == "cgroup2")
            {
                found.unified = mount.lineage(path);
            }
            for controller in controllers.split(',') {
                let lineage = || {
                    let mount = mounts.iter().find(|mount| mount.kind == "cgroup" && mount.has(controller));
                    mount.map(|mount| mount.lineage(path)).unwrap_or_default()
                };
                match controller {
                    "memory" => found.memory = lineage(),
                    "cpu" => found.cpu = lineage(),
                    _ => {}
                }
            }
        }
        found
    }

    /// Bytes.
    pub(super) fn memory_limit(&self) -> Option<u64> {
        // "max" is no number and so no limit.
        let limit =
            |dir: &Path, file: &str| read(dir, file)?.trim().parse().ok().filter(|limit| *limit < NO_LIMIT);
        let unified = self.unified.iter().filter_map(|dir| limit(dir, "memory.max"));
        let v1 = self.memory.iter().filter_map(|dir| limit(dir, "memory.limit_in_bytes"));
        unified.chain(v1).min()
    }

    /// Cores.
    pub(super) fn cpu_limit(&self) -> Option<f64> {
        let unified = self.unified.iter().filter_map(|dir| {
            let text = read(dir, "cpu.max")?;
            let (quota, period) = text.split_once(' ')?;
            cores(quota, period)
        });
        let v1 = self
            .cpu
            .iter()
            .filter_map(|dir| cores(&read(dir, "cpu.cfs_quota_us")?, &read(dir, "cpu.cfs_period_us")?));
        unified.chain(v1).min_by(f64::total_cmp)
    }
}

/// Microseconds of CPU per period; a quota of "max" or -1 is none.
fn cores(quota: &str, period: &str) -> Option<f64> {
    let quota: u64 = quota.trim().parse().ok()?;
    let period: u64 = period.trim().parse().ok().filter(|period| *period > 0)?;
    Some(quota as f64 / period as f64)
}

fn read(dir: &Path, file: &str) -> Option<String> {
    fs::read_to_string(dir.join(file)).ok()
}

/// One line of `mountinfo`.
struct Mount<'a> {
    /// The directory of the file system that is mounted.
    root: PathBuf,
    /// Where it is mounted.
    point: PathBuf,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    /// `id parent device root point options [optional fields] - kind source options`
    fn parse(line: &'a str) -> Option<Self> {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let mut right = right.split(' ');
        Some(Mount {
            root: unescape(left.next()?),
            point: unescape(left.next()?),
            kind: right.next()?,
            options: right.nth(1)?,
        })
    }

    fn has(&self, controller: &str) -> bool {
        self.options.split(',').any(|option| option == controller)
    }

    /// The directories of the group `path` and its ancestors, the group first.
    fn lineage(&self, path: &str) -> Vec<PathBuf> {
        // In a container the mount may start at the container's group while the path is told from the host's top. And a group outside
        // of what this process can see is told with `..`; then the top of the mount is the best there is.
        let inside = Path::new(path).strip_prefix(&self.root).unwrap_or(Path::new(""));
        let outside = inside.components().any(|part| part.as_os_str() == "..");
        let inside = if outside { Path::new("") } else { inside };
        inside.ancestors().map(|ancestor| self.point.join(ancestor)).collect()
    }
}

/// Spaces, tabs, line ends and backslashes stand as `\040` and the like.
fn unescape(text: &str) -> PathBuf {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        match after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = &after[3..];
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    PathBuf::from(out)
}
