//! The call graph: what the top level reaches, and what virtual users reach.
//!
//! A declaring call is valid in a function that the top level calls, and invalid in one that only tasks call;
//! this is known only after all files have been read. Invariant: only certain mistakes are reported.

use std::collections::{BTreeMap, BTreeSet};

use rhai::Position;

use super::Problems;
use super::host_calls::{HOOKS, HostCalls};
use super::project::Project;
use crate::script::call_site::CallSite;

/// A piece of a script that is run as one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unit {
    /// The top level of a file.
    Top(usize),
    /// A function of a file, with its number of parameters.
    Function(usize, String, usize),
}

impl Unit {
    pub(super) fn file(&self) -> usize {
        match self {
            Unit::Top(file) | Unit::Function(file, ..) => *file,
        }
    }

    pub(super) fn is_function(&self) -> bool {
        matches!(self, Unit::Function(..))
    }

    pub(super) fn function_name(&self) -> Option<&str> {
        match self {
            Unit::Top(_) => None,
            Unit::Function(_, name, _) => Some(name),
        }
    }
}

/// A call that gives no `this`.
pub(super) struct PlainCall {
    pub(super) target: Unit,
    /// File and place of the call.
    pub(super) from: usize,
    pub(super) position: Position,
}

/// See the module's description.
#[derive(Default)]
pub(super) struct Reach {
    calls: BTreeMap<Unit, BTreeSet<Unit>>,
    uses_this: BTreeSet<Unit>,
    pub(super) plain_calls: Vec<PlainCall>,
    /// The top level calls a function whose name it computes.
    pub(super) is_dynamic: bool,
}

impl Reach {
    pub(super) fn call(&mut self, from: &Unit, to: Unit) {
        self.calls.entry(from.clone()).or_default().insert(to);
    }

    pub(super) fn uses_this(&mut self, unit: &Unit) {
        self.uses_this.insert(unit.clone());
    }

    pub(super) fn add(&mut self, other: Reach) {
        for (from, to) in other.calls {
            self.calls.entry(from).or_default().extend(to);
        }
        self.uses_this.extend(other.uses_this);
        self.plain_calls.extend(other.plain_calls);
        self.is_dynamic |= other.is_dynamic;
    }

    /// Everything that is come to from these.
    fn from(&self, starts: impl Iterator<Item = Unit>) -> BTreeSet<Unit> {
        let mut reached = BTreeSet::new();
        let mut next: Vec<Unit> = starts.collect();
        while let Some(unit) = next.pop() {
            if reached.insert(unit.clone()) {
                next.extend(self.calls.get(&unit).into_iter().flatten().cloned());
            }
        }
        reached
    }

    /// Tells what can be told only now.
    pub(super) fn finish(&self, project: &Project, host_calls: &HostCalls, findings: &mut Problems) {
        self.unbound_this(project, findings);
        host_calls.names(project, findings);
        host_calls.twice(project, findings);
        let files = 0..project.files.len();
        let by_top_level = self.from(files.map(Unit::Top));
        let by_users = self.from(host_calls.entries(project));
        for placed in &host_calls.placed {
            let is_wrong = match placed.place {
                CallSite::User => !placed.unit.is_function() && !placed.in_closure,
                CallSite::Declares | CallSite::Reads => {
                    let is_only_of_users =
                        by_users.contains(&placed.unit) && !by_top_level.contains(&placed.unit);
                    is_only_of_users && !self.is_dynamic
                }
                CallSite::Anywhere => false,
            };
            if is_wrong {
                let file = &project.files[placed.unit.file()].name;
                let length = placed.function.rsplit("::").next().map_or(0, |name| name.chars().count());
                findings.add(file, (placed.position, length), "wrong-place", placed.message(), None);
            }
        }
    }

    /// Functions that look as if the engine called them, and that nobody does: the number of their parameters is wrong, or
    /// their name is k6's.
    pub(super) fn hooks(&self, project: &Project, host_calls: &HostCalls, findings: &mut Problems) {
        let main = project.main();
        let called: BTreeSet<&Unit> = self.calls.values().flatten().collect();
        for function in &main.functions {
            let unit = Unit::Function(0, function.name.clone(), function.params.len());
            if called.contains(&unit) || host_calls.entries_named(&function.name) || self.is_dynamic {
                continue;
            }
            let text = match HOOKS.iter().find(|(name, _)| *name == function.name) {
                Some(&(name, most)) => {
                    if main.functions_named(name).any(|other| other.params.len() <= most) {
                        continue;
                    }
                    let takes = if most == 0 { "no parameter" } else { "one parameter or none" };
                    let given = match function.params.len() {
                        1 => "1 parameter".to_owned(),
                        count => format!("{count} parameters"),
                    };
                    format!("'{name}' with {given} is never called — it takes {takes}")
                }
                None if matches!(&*function.name, "handleSummary" | "handle_summary") => {
                    let name = &function.name;
                    format!("'{name}' is never called — rhaid calls fn summary(data) with the final figures")
                }
                None => continue,
            };
            findings.add_text(&main.name, (function.position, 1), "never-called", &text);
        }
    }

    fn unbound_this(&self, project: &Project, findings: &mut Problems) {
        for call in self.plain_calls.iter().filter(|call| self.uses_this.contains(&call.target)) {
            let Unit::Function(file, name, count) = &call.target else { continue };
            let arguments = if *count == 0 { "" } else { "…" };
            let hint = match *file == call.from {
                true => format!("call it as this.{name}({arguments})"),
                false => "functions of another file never have it; pass what it needs as an \
                          argument"
                    .to_owned(),
            };
            findings.add(
                &project.files[call.from].name,
                (call.position, name.chars().count()),
                "unbound-this",
                format!("'{name}' uses `this`, which is not bound in this call"),
                Some(hint),
            );
        }
    }
}
