//! Resource limits of this process, and the open files that connections leave to others.

/// Limits that matter to a run with many users; `None` is unknown or unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Maximum number of open files, including connections.
    pub(crate) open_files: Option<u64>,
    /// How far an unprivileged process may raise it.
    pub(crate) open_files_hard: Option<u64>,
    /// Number of local ports for connections to one address and port.
    pub(crate) ports: Option<u64>,
    /// Maximum number of memory mappings.
    pub(crate) mappings: Option<u64>,
}

impl Limits {
    /// The current limits.
    pub(crate) fn read() -> Limits {
        let (open_files, open_files_hard) = open_files();
        Limits { open_files, open_files_hard, ports: ports(), mappings: mappings() }
    }
}

/// Open files that are not for connections: results, event loops, look-ups of names.
const RESERVED_FILES: u64 = 16;

/// Whether a new connection is among the last files that this process may open. The system gives out the lowest number
/// that is free, so the highest ones are left when all others are in use.
#[cfg(unix)]
pub(crate) fn takes_reserved_file(connection: &impl std::os::fd::AsRawFd) -> bool {
    let (limit, _) = open_files();
    let number = u64::try_from(connection.as_raw_fd()).unwrap_or(0);
    limit.is_some_and(|limit| number.saturating_add(RESERVED_FILES) >= limit)
}

#[cfg(not(unix))]
pub(crate) fn takes_reserved_file<T>(_: &T) -> bool {
    false
}

/// The error of a process that has all files open that it may.
pub(crate) fn too_many_files() -> std::io::Error {
    #[cfg(unix)]
    return rustix::io::Errno::MFILE.into();
    #[cfg(not(unix))]
    return std::io::Error::other("too many open files");
}

/// Whether so many further files can be opened now, besides those that connections do not take; if not, how many can.
#[cfg(all(unix, feature = "cli"))]
pub(crate) fn can_open(files: usize, with_reserve: bool) -> Result<(), usize> {
    let files = files + if with_reserve { RESERVED_FILES as usize } else { 0 };
    let mut opened = Vec::new();
    while opened.len() < files {
        match std::fs::File::open("/dev/null") {
            Ok(file) => opened.push(file),
            Err(_) => return Err(opened.len()),
        }
    }
    Ok(())
}

#[cfg(all(not(unix), feature = "cli"))]
pub(crate) fn can_open(_: usize, _: bool) -> Result<(), usize> {
    Ok(())
}

#[cfg(unix)]
fn open_files() -> (Option<u64>, Option<u64>) {
    use rustix::process::{Resource, getrlimit};
    let limit = getrlimit(Resource::Nofile);
    (limit.current, limit.maximum)
}

#[cfg(not(unix))]
fn open_files() -> (Option<u64>, Option<u64>) {
    (None, None)
}

/// `None` on other systems than Linux, which do not have the file.
fn ports() -> Option<u64> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    port_count(&range)
}

fn port_count(range: &str) -> Option<u64> {
    let mut ends = range.split_whitespace().map(str::parse::<u64>);
    let (first, last) = (ends.next()?.ok()?, ends.next()?.ok()?);
    last.checked_sub(first).map(|ports| ports + 1)
}

fn mappings() -> Option<u64> {
    std::fs::read_to_string("/proc/sys/vm/max_map_count").ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_ports_counts_both_ends() {
        assert_eq!(port_count("32768\t60999\n"), Some(28_232));
        assert_eq!(port_count("5 4"), None);
        assert_eq!(port_count("a b"), None);
        assert_eq!(port_count(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_system_has_limits() {
        let limits = Limits::read();
        assert!(limits.ports.is_some_and(|ports| ports > 0), "{limits:?}");
        assert!(limits.mappings.is_some_and(|mappings| mappings > 0), "{limits:?}");
    }
}
