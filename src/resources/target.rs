//! Finding the target processes by PID, by the port they listen on, or by name, with their children.

use std::collections::HashMap;
use std::path::Path;

use listeners::{Protocol, SocketState};
use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// How to find the target process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetProcess {
    /// By PID.
    Pid(u32),
    /// The process that listens on this TCP port.
    Port(u16),
    /// By program name, or by the name of a file on its command line (`app.jar`, `server.py`).
    Name(String),
}

/// Why the target process cannot be monitored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// No process has this PID.
    #[error("no process with PID {0}; is it still running? (`ps` lists processes)")]
    NoSuchPid(u32),
    /// No process listens on the port, or it is not visible.
    #[error(
        "no visible process listens on port {0}; start the target first, or run rhaid as the target's user \
         (the processes of others are hidden), or name it with its pid"
    )]
    NobodyListens(u16),
    /// No process has the name.
    #[error("no process is named '{0}' or has a file of that name on its command line")]
    NoSuchName(String),
    /// The operating system does not provide the information.
    #[error("cannot find the process that listens on port {port}: {reason}")]
    Unknown {
        /// The port.
        port: u16,
        /// What the system said.
        reason: String,
    },
}

impl TargetProcess {
    /// The processes that match, without their children; never empty.
    ///
    /// # Errors
    /// If there is none, with the reason.
    pub(super) fn find(&self, system: &mut System) -> Result<Vec<Pid>, TargetError> {
        refresh_all(system, matches!(self, TargetProcess::Name(_)));
        match self {
            TargetProcess::Pid(pid) => match system.process(Pid::from_u32(*pid)) {
                Some(_) => Ok(vec![Pid::from_u32(*pid)]),
                None => Err(TargetError::NoSuchPid(*pid)),
            },
            TargetProcess::Port(port) => listening_on(*port),
            TargetProcess::Name(name) => {
                let callers = own_and_callers(system);
                let named: Vec<Pid> = system
                    .processes()
                    .values()
                    .filter(|process| !callers.contains(&process.pid()) && is_called(process, name))
                    .map(Process::pid)
                    .collect();
                if named.is_empty() { Err(TargetError::NoSuchName(name.clone())) } else { Ok(named) }
            }
        }
    }

    /// How it was found, for people.
    pub(super) fn how(&self) -> String {
        match self {
            TargetProcess::Pid(_) => String::new(),
            TargetProcess::Port(port) => format!(", listening on port {port}"),
            TargetProcess::Name(name) => format!(", found by the name '{name}'"),
        }
    }
}

/// Learns which processes there are and who their parents are; with their command lines if wanted.
pub(super) fn refresh_all(system: &mut System, with_names: bool) {
    let what = ProcessRefreshKind::nothing();
    let what = if with_names {
        what.with_cmd(UpdateKind::OnlyIfNotSet).with_exe(UpdateKind::OnlyIfNotSet)
    } else {
        what
    };
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
}

/// The processes and all their descendants, without repetition.
pub(super) fn with_descendants(roots: &[Pid], system: &System) -> Vec<Pid> {
    let mut children: HashMap<Pid, Vec<Pid>> = HashMap::new();
    for process in system.processes().values() {
        // Tasks of a process are listed as its children by some systems; they share its memory.
        if let Some(parent) = process.parent()
            && process.thread_kind().is_none()
        {
            children.entry(parent).or_default().push(process.pid());
        }
    }
    let mut found = Vec::new();
    let mut open = roots.to_vec();
    while let Some(pid) = open.pop() {
        if !found.contains(&pid) {
            found.push(pid);
            open.extend(children.get(&pid).into_iter().flatten());
        }
    }
    found
}

/// This process and those that started it (a shell, `timeout`, `nice`): their command lines name the target too.
fn own_and_callers(system: &System) -> Vec<Pid> {
    let mut callers = Vec::new();
    let mut next = sysinfo::get_current_pid().ok();
    while let Some(pid) = next.filter(|pid| !callers.contains(pid)) {
        callers.push(pid);
        next = system.process(pid).and_then(Process::parent);
    }
    callers
}

fn is_called(process: &Process, name: &str) -> bool {
    let is_file = |path: &Path| path.file_name().is_some_and(|file| file == name);
    // The system cuts a process's own name after 15 letters, so the program's file counts too.
    process.name() == name
        || process.exe().is_some_and(is_file)
        || process.cmd().iter().any(|word| is_file(Path::new(word)))
}

fn listening_on(port: u16) -> Result<Vec<Pid>, TargetError> {
    let all =
        listeners::get_all().map_err(|error| TargetError::Unknown { port, reason: error.to_string() })?;
    let mut pids: Vec<Pid> = all
        .into_iter()
        .filter(|listener| {
            listener.socket.port() == port
                && listener.protocol == Protocol::TCP
                && listener.state == SocketState::Listen
        })
        .map(|listener| Pid::from_u32(listener.process.pid))
        .collect();
    pids.sort_unstable();
    pids.dedup();
    if pids.is_empty() { Err(TargetError::NobodyListens(port)) } else { Ok(pids) }
}
