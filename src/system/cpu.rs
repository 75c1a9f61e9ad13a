//! CPU time of this process, this thread and the machine.

use std::time::Duration;

use super::cgroup::CpuQuota;
use crate::metrics::CpuTimes;

/// Length of the unit in which Linux counts the time of its cores for programs: `USER_HZ` is 100 everywhere.
const TICK_MS: u64 = 10;

/// Reads the CPU time that this process and others have used.
#[derive(Debug)]
pub(crate) struct CpuMeter {
    quota: Option<CpuQuota>,
    cores: Option<f64>,
}

impl CpuMeter {
    /// Looks up what this process may use.
    pub(crate) fn new() -> CpuMeter {
        let quota = CpuQuota::read();
        // Rust counts a quota in whole cores.
        let allowed = std::thread::available_parallelism().ok().map(|cores| cores.get() as f64);
        let cores = match &quota {
            Some(quota) => Some(affinity().map_or(quota.cores, |cores| quota.cores.min(cores))),
            None => allowed,
        };
        CpuMeter { quota, cores }
    }

    /// What has been used so far.
    pub(crate) fn now(&self) -> CpuTimes {
        CpuTimes {
            cores: self.cores,
            process: clock(Clock::Process),
            machine: std::fs::read_to_string("/proc/stat").ok().and_then(|stat| machine(&stat)),
            periods: self.quota.as_ref().and_then(CpuQuota::periods),
        }
    }
}

/// On how many cores this process may run.
fn affinity() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    cores_in(list)
}

/// How many cores a list such as `0-3,8` has.
fn cores_in(list: &str) -> Option<f64> {
    let count = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(last.parse::<u32>().ok()?.checked_sub(first.parse().ok()?)? + 1)
    };
    let counts: Option<Vec<u32>> = list.trim().split(',').map(count).collect();
    Some(f64::from(counts?.iter().sum::<u32>()))
}

/// Time in which the cores of the machine were busy, and all their time. What the host of a virtual machine took counts
/// as busy; waiting for a disk does not.
fn machine(stat: &str) -> Option<(Duration, Duration)> {
    // user nice system idle iowait irq softirq steal; what follows is part of these.
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Option<Vec<u64>> = line.split_whitespace().take(8).map(|ticks| ticks.parse().ok()).collect();
    let ticks = ticks?;
    let all: u64 = ticks.iter().sum();
    let idle = ticks.get(3)? + ticks.get(4).copied().unwrap_or(0);
    let time = |ticks: u64| Duration::from_millis(ticks.saturating_mul(TICK_MS));
    Some((time(all - idle), time(all)))
}

/// CPU time of the calling thread, user and system; `None` where the system does not report it.
pub(crate) fn thread_cpu() -> Option<Duration> {
    clock(Clock::Thread)
}

enum Clock {
    Process,
    Thread,
}

#[cfg(unix)]
fn clock(clock: Clock) -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(match clock {
        Clock::Process => ClockId::ProcessCPUTime,
        Clock::Thread => ClockId::ThreadCPUTime,
    });
    Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
}

#[cfg(not(unix))]
fn clock(_: Clock) -> Option<Duration> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn computing_is_seen_on_both_clocks() {
        let process_cpu = || clock(Clock::Process);
        let (process, thread) = (process_cpu().unwrap(), thread_cpu().unwrap());
        let mut sum = 0_u64;
        while thread_cpu().unwrap() - thread < Duration::from_millis(5) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(process_cpu().unwrap() - process >= Duration::from_millis(5), "after {sum} rounds");
    }

    #[test]
    fn the_time_of_the_machine_is_read() {
        let stat = "cpu  100 0 50 800 20 5 5 20 7 0\ncpu0 1 2 3\n";
        assert_eq!(machine(stat), Some((Duration::from_millis(1_800), Duration::from_secs(10))));
        assert_eq!(machine("intr 5"), None);
        assert_eq!(machine(""), None);
    }

    #[test]
    fn allowed_cores_are_counted() {
        assert_eq!([cores_in("\t0-1\n"), cores_in("0-3,8,10-11")], [Some(2.0), Some(7.0)]);
        assert_eq!(cores_in("?"), None);
    }
}
