//! Takes samples of the machine, this process and the target on demand.
//!
//! Leaves to others when that is. Invariant: a sample covers the time since the one before it.

use std::time::{Duration, Instant};

use sysinfo::{Pid, System};

use super::machine::{Machine, machine_info};
use super::process::ProcessGroup;
use super::target::{TargetError, TargetProcess, refresh_all, with_descendants};
use crate::metrics::{MachineInfo, ResourceInfo, ResourceSample};

/// All processes are scanned only every this many samples: for new children, or for a target that
/// was restarted.
const LOOK_EVERY: u32 = 5;

/// Samples of this machine.
pub struct Sampler {
    system: System,
    machine: Machine,
    machine_info: MachineInfo,
    own: Option<Pid>,
    generator: ProcessGroup,
    target: Option<Watched>,
    last: Instant,
    samples: u32,
    events: Vec<String>,
}

/// The target's processes.
struct Watched {
    target: TargetProcess,
    group: ProcessGroup,
    roots: Vec<Pid>,
    members: Vec<Pid>,
    name: String,
    is_gone: bool,
}

impl Sampler {
    /// A sampler for the machine and this process.
    pub fn new() -> Sampler {
        // It would keep a file open for each process of the machine, up to half of what this process may open: those are for
        // connections. It holds for the whole process, and only costs opening them again.
        sysinfo::set_open_files_limit(0);
        let mut system = System::new();
        let machine_info = machine_info(&mut system);
        let mut sampler = Sampler {
            system,
            machine: Machine::new(),
            machine_info,
            own: sysinfo::get_current_pid().ok(),
            generator: ProcessGroup::default(),
            target: None,
            last: Instant::now(),
            samples: 0,
            events: Vec::new(),
        };
        sampler.restart();
        sampler
    }

    /// Also monitors the target process and its children.
    ///
    /// # Errors
    /// If it is not found.
    pub fn with_target(mut self, target: TargetProcess) -> Result<Sampler, TargetError> {
        self.watch(target)?;
        Ok(self)
    }

    /// As [`Sampler::with_target`].
    pub(super) fn watch(&mut self, target: TargetProcess) -> Result<(), TargetError> {
        let roots = target.find(&mut self.system)?;
        let mut watched = Watched {
            target,
            group: ProcessGroup::default(),
            name: String::new(),
            members: Vec::new(),
            roots,
            is_gone: false,
        };
        watched.gather(&self.system, self.own);
        self.target = Some(watched);
        self.restart();
        Ok(())
    }

    /// Starts a new interval and discards the old one.
    pub fn restart(&mut self) {
        self.sample(Duration::ZERO);
        self.samples = 0;
    }

    /// Takes a sample covering the time since the last call; `at` is its timestamp.
    pub fn sample(&mut self, at: Duration) -> ResourceSample {
        let now = Instant::now();
        let length = now - self.last;
        self.last = now;
        self.samples += 1;
        let own: Vec<Pid> = self.own.into_iter().collect();
        ResourceSample {
            at,
            length,
            system: self.machine.measure(&mut self.system, length),
            generator: self.generator.measure(&mut self.system, &own, length),
            target: self.sample_target(length),
        }
    }

    fn sample_target(&mut self, length: Duration) -> Option<crate::metrics::ProcessUse> {
        let watched = self.target.as_mut()?;
        if self.samples.is_multiple_of(LOOK_EVERY) {
            if watched.is_gone {
                if let Ok(roots) = watched.target.find(&mut self.system) {
                    watched.roots = roots;
                    watched.group = ProcessGroup::default();
                }
            } else {
                refresh_all(&mut self.system, false);
            }
            watched.gather(&self.system, self.own);
        }
        let usage = watched.group.measure(&mut self.system, &watched.members, length);
        if usage.is_none() != watched.is_gone {
            watched.is_gone = usage.is_none();
            let what = if watched.is_gone { "has exited" } else { "is running again" };
            self.events.push(format!("the target's process {} {what}", watched.describe()));
        }
        usage
    }

    /// What has happened to the target's process since the last call.
    pub fn take_events(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events)
    }

    /// What is watched.
    pub fn info(&self) -> ResourceInfo {
        let target = self.target.as_ref();
        ResourceInfo {
            cores: self.machine_info.cores,
            memory_total: self.machine_info.memory_total,
            target: target.map(Watched::describe),
            target_is_generator: target.is_some_and(|target| target.roots.iter().copied().eq(self.own)),
            target_machine: None,
        }
    }

    /// This machine.
    pub fn machine(&self) -> &MachineInfo {
        &self.machine_info
    }
}

impl Default for Sampler {
    fn default() -> Sampler {
        Sampler::new()
    }
}

impl Watched {
    /// Finds the processes below the roots. This process is among them only when it was named itself.
    fn gather(&mut self, system: &System, own: Option<Pid>) {
        let is_own = |pid: &Pid| Some(*pid) == own;
        let named_itself = self.roots.iter().any(is_own);
        let members = with_descendants(&self.roots, system);
        self.members = members.into_iter().filter(|pid| named_itself || !is_own(pid)).collect();
        if let Some(process) = self.roots.iter().find_map(|&pid| system.process(pid)) {
            self.name = process.name().to_string_lossy().into_owned();
        }
    }

    fn describe(&self) -> String {
        let pids: Vec<String> = self.roots.iter().map(Pid::to_string).collect();
        let children = self.members.iter().filter(|pid| !self.roots.contains(pid)).count();
        let and = match children {
            0 => String::new(),
            1 => " and 1 child".to_owned(),
            n => format!(" and {n} children"),
        };
        format!("{} (pid {}{and}{})", self.name, pids.join(", "), self.target.how())
    }
}
