//! Resource usage of a group of processes: CPU time, memory, threads, files and disk, summed.
//!
//! Invariant: CPU time and bytes are differences of what the system counts for each process, so a process that
//! came or went in between does not make the sum jump.

use std::collections::HashMap;
use std::time::Duration;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use crate::metrics::ProcessUse;

/// What the system had counted for a process when it was looked at last.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    /// Tells a process from a later one with the same number.
    started: u64,
    cpu_ms: u64,
    read: u64,
    written: u64,
}

/// A group of processes that is measured again and again.
#[derive(Debug, Default)]
pub(super) struct ProcessGroup {
    counted: HashMap<Pid, Counted>,
    was_measured: bool,
}

impl ProcessGroup {
    /// Sums the processes that are alive, `length` after the last time; `None` when none is.
    pub(super) fn measure(
        &mut self,
        system: &mut System,
        pids: &[Pid],
        length: Duration,
    ) -> Option<ProcessUse> {
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory().with_disk_usage();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(pids), true, what);
        let mut sum = ProcessUse { threads: Some(0), fds: Some(0), ..ProcessUse::default() };
        let mut used = Counted::default();
        let mut counted = HashMap::with_capacity(pids.len());
        for process in pids.iter().filter_map(|&pid| system.process(pid)) {
            let disk = process.disk_usage();
            let now = Counted {
                started: process.start_time(),
                cpu_ms: process.accumulated_cpu_time(),
                read: disk.total_read_bytes,
                written: disk.total_written_bytes,
            };
            let before = self.counted.get(&process.pid()).copied().filter(|was| was.started == now.started);
            // A process that began since then did all of it since then; of an older one nothing is known.
            let is_new = self.was_measured && process.run_time() <= length.as_secs() + 1;
            if let Some(before) = before.or(is_new.then(Counted::default)) {
                used.cpu_ms += now.cpu_ms.saturating_sub(before.cpu_ms);
                used.read += now.read.saturating_sub(before.read);
                used.written += now.written.saturating_sub(before.written);
            }
            sum.processes += 1;
            sum.memory += process.memory();
            sum.threads = add(sum.threads, threads(process.pid()));
            sum.fds = add(sum.fds, process.open_files().map(|count| count as u64));
            counted.insert(process.pid(), now);
        }
        let had_begun = std::mem::replace(&mut self.was_measured, !counted.is_empty());
        self.counted = counted;
        if sum.processes == 0 {
            return None;
        }
        let seconds = length.as_secs_f64();
        if had_begun && seconds > 0.0 {
            sum.cpu = Some(used.cpu_ms as f64 / 10.0 / seconds);
            sum.disk_read = Some(used.read as f64 / seconds);
            sum.disk_written = Some(used.written as f64 / seconds);
        }
        Some(sum)
    }
}

/// A sum that is unknown as soon as a part of it is.
fn add(sum: Option<u64>, part: Option<u64>) -> Option<u64> {
    Some(sum? + part?)
}

/// How many threads a process has; known on Linux only.
fn threads(pid: Pid) -> Option<u64> {
    // `sysinfo` would make an entry for each thread; their number is enough.
    Some(std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.count() as u64)
}
