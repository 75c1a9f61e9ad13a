//! The CPU quota that the control groups of this process leave it, and how often it was held to it.
//!
//! Linux only; elsewhere there is none. Owns where the files are, of both versions of control groups. Invariant: the
//! quota is the least of all groups that the process is in, since each of them holds.

use std::path::{Path, PathBuf};

/// Where control groups are mounted.
const ROOT: &str = "/sys/fs/cgroup";

/// The group that limits the CPU time of this process most.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CpuQuota {
    /// How many cores it amounts to, such as 0.5.
    pub(crate) cores: f64,
    group: PathBuf,
}

impl CpuQuota {
    /// The quota of this process, if it has one.
    pub(crate) fn read() -> Option<CpuQuota> {
        let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
        let groups = groups_of(&groups, Path::new(ROOT)).into_iter();
        let quotas = groups.filter_map(|group| Some(CpuQuota { cores: cores_of(&group)?, group }));
        quotas.min_by(|a, b| a.cores.total_cmp(&b.cores))
    }

    /// Periods so far in which the group wanted to run, and those of them in which it was stopped for the rest.
    pub(crate) fn periods(&self) -> Option<(u64, u64)> {
        let stat = std::fs::read_to_string(self.group.join("cpu.stat")).ok()?;
        Some((field(&stat, "nr_periods")?, field(&stat, "nr_throttled")?))
    }
}

/// The folders of the groups of a process, with those of their parents.
fn groups_of(text: &str, root: &Path) -> Vec<PathBuf> {
    let mut groups = Vec::new();
    for line in text.lines() {
        // `4:cpu,cpuacct:/a/b` of version 1, `0::/a/b` of version 2.
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let mounts = match controllers {
            "" => vec![root.to_owned(), root.join("unified")],
            _ if controllers.split(',').any(|name| name == "cpu") => {
                vec![root.join(controllers), root.join("cpu")]
            }
            _ => continue,
        };
        for mount in mounts {
            // In a container, the path may be that of the host; its own group is then the root of the mount.
            let group = mount.join(path.trim_start_matches('/'));
            groups
                .extend(group.ancestors().take_while(|above| above.starts_with(&mount)).map(Path::to_owned));
        }
    }
    groups
}

/// The cores that a group may use; `None` where it has no quota.
fn cores_of(group: &Path) -> Option<f64> {
    let read = |name: &str| std::fs::read_to_string(group.join(name)).ok();
    if let Some(max) = read("cpu.max") {
        let (quota, period) = max.trim().split_once(' ')?;
        return cores(quota, period);
    }
    cores(read("cpu.cfs_quota_us")?.trim(), read("cpu.cfs_period_us")?.trim())
}

/// Version 2 has the word `max` for no quota, version 1 has -1.
fn cores(quota: &str, period: &str) -> Option<f64> {
    let (quota, period) = (quota.parse::<f64>().ok()?, period.parse::<f64>().ok()?);
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The quota of a process with these lines in its `/proc/self/cgroup`, among these files.
    fn quota(lines: &str, files: &[(&str, &str)]) -> Option<f64> {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        groups_of(lines, root.path()).iter().filter_map(|group| cores_of(group)).reduce(f64::min)
    }

    #[test]
    fn the_least_quota_of_a_group_and_its_parents_holds() {
        let files =
            [("cpu.max", "max 100000\n"), ("a/cpu.max", "50000 100000"), ("a/b/cpu.max", "200000 100000")];
        assert_eq!(quota("0::/a/b\n", &files), Some(0.5));
        assert_eq!(quota("0::/\n", &files), None);
        // The path of the host, in a container that sees its own group as the root.
        assert_eq!(quota("0::/docker/123\n", &[("cpu.max", "150000 100000")]), Some(1.5));
    }

    #[test]
    fn version_1_has_two_files_in_a_folder_of_its_own() {
        let files = [
            ("cpu,cpuacct/x/cpu.cfs_quota_us", "25000\n"),
            ("cpu,cpuacct/x/cpu.cfs_period_us", "100000\n"),
            ("cpu,cpuacct/cpu.cfs_quota_us", "-1\n"),
            ("cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
        ];
        assert_eq!(quota("4:memory:/y\n2:cpu,cpuacct:/x\n0::/\n", &files), Some(0.25));
        assert_eq!(quota("2:cpu,cpuacct:/\n", &files), None);
        assert_eq!(quota("", &files), None);
    }

    #[test]
    fn throttled_periods_are_read() {
        let stat = "nr_periods 86\nnr_throttled 83\nthrottled_time 4100000000\n";
        assert_eq!((field(stat, "nr_periods"), field(stat, "nr_throttled")), (Some(86), Some(83)));
        assert_eq!(field(stat, "nr"), None);
    }
}
