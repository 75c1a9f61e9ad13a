//! CPU, memory, network and disk of a run: plain figures, about one sample per second.
//!
//! Owns the names of the resource metrics and their statistics. Leaves the measuring to a [`ResourceSource`],
//! of which `rhaid::resources` has one. Invariant: what could not be measured is `None`, never 0.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::builtin::{self, Builtin, Resource, Source, Whose};
use super::snapshot::Log;

/// Measures resources during a run.
///
/// The driver calls it from one thread: first `begin`, then `take` about once a second and once at the end.
pub trait ResourceSource: Send {
    /// The load starts at this instant; samples measure time from here.
    fn begin(&mut self, start: Instant);

    /// What has been measured since the last call, oldest first. Must not block.
    fn take(&mut self) -> ResourceBatch;
}

/// The output of a [`ResourceSource`] since the last call.
#[derive(Clone, Debug, Default)]
pub struct ResourceBatch {
    /// What is monitored; `None` if unchanged.
    pub info: Option<Arc<ResourceInfo>>,
    /// Oldest first.
    pub samples: Vec<ResourceSample>,
    /// Events, such as the end of the target's process, with their time since the start.
    pub events: Vec<(Duration, String)>,
}

/// What is watched.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceInfo {
    /// Logical cores of the generator's machine.
    pub cores: usize,
    /// Memory of the generator's machine, bytes.
    pub memory_total: u64,
    /// Description of the target's process: `nginx (pid 812 and 2 children, listening on port 8000)`.
    pub target: Option<String>,
    /// The target runs in the generator's own process, so both have the same figures.
    pub target_is_generator: bool,
    /// The machine of the target, if it is another one and reports its figures.
    pub target_machine: Option<MachineInfo>,
}

/// A machine's size.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MachineInfo {
    /// Its name.
    pub name: String,
    /// Logical cores.
    pub cores: usize,
    /// Memory, bytes.
    pub memory_total: u64,
}

/// Resources over one interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceSample {
    /// End of the interval, as time since the load began.
    pub at: Duration,
    /// Length of the interval.
    pub length: Duration,
    /// The machine of the target: this one, unless another one reports its figures.
    pub system: SystemUse,
    /// This process.
    pub generator: Option<ProcessUse>,
    /// The target's process with its children; `None` while there is none.
    pub target: Option<ProcessUse>,
}

/// Figures of a whole machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SystemUse {
    /// Busy share of all cores together, percent: 100 is all of them.
    pub cpu: Option<f64>,
    /// Memory in use, bytes.
    pub memory: Option<u64>,
    /// Bytes sent per second over all interfaces, loopback included.
    pub net_sent: Option<f64>,
    /// Bytes received per second over all interfaces, loopback included.
    pub net_received: Option<f64>,
    /// Bytes read from disks per second.
    pub disk_read: Option<f64>,
    /// Bytes written to disks per second.
    pub disk_written: Option<f64>,
}

/// Figures of a process and its children.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessUse {
    /// How many processes were summed.
    pub processes: usize,
    /// CPU time per wall time, percent of one core; `None` in its first interval.
    pub cpu: Option<f64>,
    /// Resident memory, bytes.
    pub memory: u64,
    /// Threads.
    pub threads: Option<u64>,
    /// Open file descriptors, sockets included; `None` without the right to see them.
    pub fds: Option<u64>,
    /// Bytes read from disks per second.
    pub disk_read: Option<f64>,
    /// Bytes written to disks per second.
    pub disk_written: Option<f64>,
}

impl ResourceSample {
    /// The value of each metric of resources, in the order of [`builtin::resources`]; `None` where nothing was measured.
    pub fn values(&self) -> impl Iterator<Item = (&'static Builtin, Option<f64>)> {
        builtin::resources().map(|metric| match metric.metric.source {
            Source::Resource(whose, resource) => (metric, self.of(whose, resource)),
            _ => (metric, None),
        })
    }

    /// The value of the resource metric of this name; `None` when nothing was measured or there is no such metric.
    pub fn value(&self, name: &str) -> Option<f64> {
        match builtin::named(name)?.metric.source {
            Source::Resource(whose, resource) => self.of(whose, resource),
            _ => None,
        }
    }

    pub(super) fn of(&self, whose: Whose, resource: Resource) -> Option<f64> {
        let process = match whose {
            Whose::System => return self.system.of(resource),
            Whose::Target => self.target.as_ref()?,
            Whose::Generator => self.generator.as_ref()?,
        };
        match resource {
            Resource::Cpu => process.cpu,
            Resource::Memory => Some(process.memory as f64),
            Resource::Threads => process.threads.map(|count| count as f64),
            Resource::Fds => process.fds.map(|count| count as f64),
            Resource::DiskRead => process.disk_read,
            Resource::DiskWritten => process.disk_written,
            Resource::Processes => Some(process.processes as f64),
            Resource::NetSent | Resource::NetReceived => None,
        }
    }
}

impl SystemUse {
    fn of(&self, resource: Resource) -> Option<f64> {
        match resource {
            Resource::Cpu => self.cpu,
            Resource::Memory => self.memory.map(|bytes| bytes as f64),
            Resource::DiskRead => self.disk_read,
            Resource::DiskWritten => self.disk_written,
            Resource::NetSent => self.net_sent,
            Resource::NetReceived => self.net_received,
            Resource::Threads | Resource::Fds | Resource::Processes => None,
        }
    }
}

/// Statistics of one resource metric over a run; of a gauge, so there is no sum.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct GaugeStats {
    /// Which metric.
    pub metric: &'static Builtin,
    /// How many samples had a value, at least 1.
    pub count: u64,
    /// Mean of the samples.
    pub avg: f64,
    /// Smallest sample.
    pub min: f64,
    /// Largest sample.
    pub max: f64,
    /// The last one.
    pub last: f64,
}

/// Resources of a run so far: what is monitored, statistics, and all samples.
///
/// Stored without its samples, which are in a file of their own.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// What is monitored, if anything.
    pub info: Option<Arc<ResourceInfo>>,
    /// Those metrics that had a value, in the order of [`builtin::resources`].
    #[serde(skip)]
    pub stats: Vec<GaugeStats>,
    /// All samples.
    #[serde(skip)]
    pub samples: Log<ResourceSample>,
}

impl Resources {
    /// Statistics of the metric of this name; `None` when it has no value.
    pub fn stats_of(&self, name: &str) -> Option<&GaugeStats> {
        self.stats.iter().find(|stats| stats.metric.name == name)
    }

    /// Adds what a source has measured; its events are for the caller.
    pub fn extend(&mut self, batch: ResourceBatch) {
        if batch.info.is_some() {
            self.info = batch.info;
        }
        batch.samples.into_iter().for_each(|sample| self.add(sample));
    }

    /// Adds a sample to statistics and log.
    pub(crate) fn add(&mut self, sample: ResourceSample) {
        for (metric, value) in sample.values() {
            let Some(value) = value else { continue };
            match self.stats.iter_mut().find(|stats| stats.metric == metric) {
                Some(stats) => {
                    stats.count += 1;
                    // A running mean: no sum that loses digits over hours of bytes.
                    stats.avg += (value - stats.avg) / stats.count as f64;
                    stats.min = stats.min.min(value);
                    stats.max = stats.max.max(value);
                    stats.last = value;
                }
                None => self.insert(GaugeStats {
                    metric,
                    count: 1,
                    avg: value,
                    min: value,
                    max: value,
                    last: value,
                }),
            }
        }
        self.samples.push(sample);
    }

    fn insert(&mut self, stats: GaugeStats) {
        let place = |metric: &Builtin| builtin::resources().position(|known| known == metric);
        let index = self.stats.partition_point(|known| place(known.metric) < place(stats.metric));
        self.stats.insert(index, stats);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(cpu: Option<f64>, memory: u64) -> ResourceSample {
        let target = Some(ProcessUse { processes: 1, cpu, memory, ..ProcessUse::default() });
        ResourceSample { target, ..ResourceSample::default() }
    }

    #[test]
    fn what_was_not_measured_is_in_no_figure() {
        let mut resources = Resources::default();
        resources.add(sample(None, 100));
        resources.add(sample(Some(50.0), 300));
        resources.add(ResourceSample::default());
        resources.add(sample(Some(100.0), 200));
        let cpu = resources.stats_of("target_cpu").unwrap();
        assert_eq!((cpu.count, cpu.avg, cpu.min, cpu.max, cpu.last), (2, 75.0, 50.0, 100.0, 100.0));
        let memory = resources.stats_of("target_memory").unwrap();
        assert_eq!((memory.count, memory.avg, memory.last), (3, 200.0, 200.0));
        assert_eq!(resources.stats_of("system_cpu"), None);
        assert_eq!(resources.samples.len(), 4);
        let names: Vec<_> = resources.stats.iter().map(|stats| stats.metric.name).collect();
        assert_eq!(names, ["target_cpu", "target_memory", "target_processes"], "in the order of the metrics");
    }

    #[test]
    fn names_find_their_values() {
        let sample = ResourceSample {
            system: SystemUse { net_sent: Some(5.0), ..SystemUse::default() },
            generator: Some(ProcessUse { memory: 7, fds: Some(3), ..ProcessUse::default() }),
            ..ResourceSample::default()
        };
        assert_eq!(sample.value("system_net_sent"), Some(5.0));
        assert_eq!(sample.value("generator_memory"), Some(7.0));
        assert_eq!(sample.value("generator_fds"), Some(3.0));
        assert_eq!(sample.value("target_memory"), None);
        assert_eq!(sample.value("no_such_metric"), None);
    }
}
