//! Resource usage of a machine as a whole: CPU, memory, network interfaces, disks.

use std::collections::HashSet;
use std::time::Duration;

use sysinfo::{CpuRefreshKind, DiskRefreshKind, Disks, MemoryRefreshKind, Networks, System};

use crate::metrics::{MachineInfo, SystemUse};

/// This machine.
pub(super) struct Machine {
    networks: Networks,
    disks: Disks,
    /// It has been looked at before, so that differences mean something.
    was_measured: bool,
}

impl Machine {
    pub(super) fn new() -> Machine {
        Machine {
            networks: Networks::new_with_refreshed_list(),
            // Only what the disks did: asking how full they are can wait for ever on a dead network disk.
            disks: Disks::new_with_refreshed_list_specifics(DiskRefreshKind::nothing().with_io_usage()),
            was_measured: false,
        }
    }

    /// What it did in the `length` since the last call.
    pub(super) fn measure(&mut self, system: &mut System, length: Duration) -> SystemUse {
        system.refresh_cpu_usage();
        system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        self.networks.refresh(true);
        self.disks.refresh_specifics(false, DiskRefreshKind::nothing().with_io_usage());
        let mut usage = SystemUse {
            memory: (system.total_memory() > 0).then(|| system.used_memory()),
            ..SystemUse::default()
        };
        let seconds = length.as_secs_f64();
        if std::mem::replace(&mut self.was_measured, true) && seconds > 0.0 {
            usage.cpu = (!system.cpus().is_empty()).then(|| f64::from(system.global_cpu_usage()));
            if !self.networks.list().is_empty() {
                let sum = |bytes: fn(&sysinfo::NetworkData) -> u64| {
                    Some(self.networks.list().values().map(bytes).sum::<u64>() as f64 / seconds)
                };
                usage.net_sent = sum(sysinfo::NetworkData::transmitted);
                usage.net_received = sum(sysinfo::NetworkData::received);
            }
            (usage.disk_read, usage.disk_written) = self.disk_rates(seconds);
        }
        usage
    }

    fn disk_rates(&self, seconds: f64) -> (Option<f64>, Option<f64>) {
        // A disk stands in the list once for each place it is mounted at.
        let mut seen = HashSet::new();
        let (mut read, mut written) = (0, 0);
        for disk in self.disks.list().iter().filter(|disk| seen.insert(disk.name().to_owned())) {
            read += disk.usage().read_bytes;
            written += disk.usage().written_bytes;
        }
        if seen.is_empty() {
            return (None, None);
        }
        (Some(read as f64 / seconds), Some(written as f64 / seconds))
    }
}

/// What this system says of the machine beside what is known of it.
pub(crate) fn described(machine: crate::plan::Machine) -> crate::plan::Machine {
    let mut system = System::new();
    system.refresh_cpu_specifics(CpuRefreshKind::nothing());
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    let brand = system.cpus().first().map(|cpu| cpu.brand().trim().to_owned());
    crate::plan::Machine {
        os_version: System::long_os_version().filter(|version| !version.is_empty()),
        cpu: brand.filter(|brand| !brand.is_empty()),
        memory_bytes: Some(system.total_memory()).filter(|&bytes| bytes > 0),
        ..machine
    }
}

/// This machine's name and size.
pub(super) fn machine_info(system: &mut System) -> MachineInfo {
    system.refresh_cpu_usage();
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    MachineInfo {
        name: System::host_name().unwrap_or_default(),
        cores: system.cpus().len(),
        memory_total: system.total_memory(),
    }
}
