//! Literals in calls of the script API: keys of maps, names of functions and events, and where the calls are
//! made.
//!
//! Only literals are checked. Leaves reachability to `reach`. Invariant: messages are those of the functions
//! themselves.

use rhai::{Expr, FnCallExpr, Ident, Position};

use super::project::Project;
use super::reach::Unit;
use super::walk::Walk;
use super::{Problems, perhaps};
use crate::script::api::facts::{self, Keys};
use crate::script::api::unknown_key;
use crate::script::call_site::CallSite;
use crate::script::declare::{wrong_function, wrong_listener};
use crate::script::events::ScriptEvent;

/// A call of a host function that is not allowed everywhere.
pub(super) struct Placed {
    pub(super) place: CallSite,
    pub(super) function: String,
    pub(super) unit: Unit,
    pub(super) in_closure: bool,
    pub(super) position: Position,
}

/// A function that a declaration names.
struct NamedFunction {
    name: String,
    by: String,
    is_listener: bool,
    file: usize,
    place: (Position, usize),
}

/// A declaration with a unique name.
struct Declared {
    text: String,
    file: usize,
    place: (Position, usize),
}

/// What the calls of a script contain.
#[derive(Default)]
pub(super) struct HostCalls {
    pub(super) placed: Vec<Placed>,
    named: Vec<NamedFunction>,
    declared: Vec<Declared>,
}

/// Functions that are called by their names, and with how many arguments at most.
pub(in crate::script) const HOOKS: &[(&str, usize)] =
    &[("iteration", 0), ("setup", 0), ("teardown", 1), ("summary", 1), ("on_start", 0), ("on_stop", 0)];

impl Placed {
    pub(super) fn message(&self) -> String {
        self.place.refusal(&self.function)
    }
}

impl HostCalls {
    pub(super) fn add(&mut self, other: HostCalls) {
        self.placed.extend(other.placed);
        self.named.extend(other.named);
        self.declared.extend(other.declared);
    }

    /// Whether the script itself declares nothing; parameters can be those of a library.
    pub(super) fn is_empty(&self) -> bool {
        let declares = |placed: &&Placed| placed.place == CallSite::Declares && placed.unit.file() == 0;
        !self.placed.iter().filter(declares).any(|placed| placed.function != "param")
    }

    /// Where virtual users begin.
    pub(super) fn entries(&self, project: &Project) -> impl Iterator<Item = Unit> {
        let names =
            self.named.iter().map(|named| named.name.as_str()).chain(HOOKS.iter().map(|(name, _)| *name));
        names.flat_map(|name| {
            project.main().functions_named(name).map(|f| Unit::Function(0, f.name.clone(), f.params.len()))
        })
    }

    /// Whether a declaration names this function.
    pub(super) fn entries_named(&self, name: &str) -> bool {
        self.named.iter().any(|named| named.name == name)
    }

    /// Functions that are named and do not exist.
    pub(super) fn names(&self, project: &Project, findings: &mut Problems) {
        let main = project.main();
        let functions: Vec<(String, usize)> =
            main.functions.iter().map(|function| (function.name.clone(), function.params.len())).collect();
        for named in self.named.iter().filter(|named| !main.unread.functions.contains(&named.name)) {
            let wrong = if named.is_listener { wrong_listener } else { wrong_function };
            if let Some(text) = wrong(&named.by, &named.name, &functions) {
                findings.add_text(&project.files[named.file].name, named.place, "unknown-task", &text);
            }
        }
    }

    /// Names that are given twice.
    pub(super) fn twice(&self, project: &Project, findings: &mut Problems) {
        for (index, declared) in self.declared.iter().enumerate() {
            if self.declared[..index].iter().any(|before| before.text == declared.text) {
                let file = &project.files[declared.file].name;
                findings.add_text(file, declared.place, "declared-twice", &declared.text);
            }
        }
    }
}

impl Walk<'_> {
    /// A call that is a call of the host, with the right number of arguments.
    pub(super) fn host_call(&mut self, module: &str, call: &FnCallExpr, position: Position) {
        let name = &*call.name;
        let place = facts::place_of(module, name);
        let whole = if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") };
        if place != CallSite::Anywhere {
            self.host_calls.placed.push(Placed {
                place,
                function: whole,
                unit: self.unit.clone(),
                in_closure: self.closures > 0,
                position,
            });
        }
        let first = call.args.first();
        for (index, argument) in call.args.iter().enumerate() {
            if let (Expr::Map(map, _), Some(keys)) = (argument, facts::keys_of(module, name, index)) {
                let of = match (name, first) {
                    ("scenario" | "param", Some(Expr::StringConstant(own, _))) => format!("{name} '{own}'"),
                    _ => keys.of.to_owned(),
                };
                self.keys(&of, &keys, &map.0);
                for (key, value) in &map.0 {
                    if let (Expr::Map(inner, _), Some(keys)) =
                        (value, facts::keys_inside(module, name, &key.name))
                    {
                        self.keys(keys.of, &keys, &inner.0);
                    }
                }
            }
        }
        match (module, name) {
            ("", "Fn") => self.function_pointer(first),
            ("", "task") => self.task(first),
            ("", "on") => self.listener(&call.args),
            ("", "scenario") => self.scenario(&call.args),
            ("", "param") => {
                if let Some(Expr::StringConstant(name, place)) = first {
                    self.declares_once(format!("the parameter '{name}' is declared twice"), name, *place);
                }
            }
            ("http", "batch") => self.batch(first),
            _ => {}
        }
    }

    fn keys(&mut self, of: &str, keys: &Keys, map: &[(Ident, Expr)]) {
        if keys.are_of_a_request {
            let literals =
                map.iter().filter_map(|(key, value)| Some((key, value, value.get_literal_value(None)?)));
            let known = literals.filter(|(key, ..)| keys.known.contains(&&*key.name));
            for (key, value, literal) in known {
                if let Some(problem) = facts::problem_of_request(&key.name, literal) {
                    self.found.push(((value.position(), 1), "wrong-value", problem));
                }
            }
        }
        for (key, _) in map.iter().filter(|(key, _)| !keys.known.contains(&&*key.name)) {
            let place = (key.pos, key.name.chars().count());
            self.found.push((place, "unknown-key", unknown_key(of, &key.name, &keys.known)));
        }
    }

    /// `Fn("name")`.
    fn function_pointer(&mut self, argument: Option<&Expr>) {
        let Some(Expr::StringConstant(name, position)) = argument else {
            self.reach.is_dynamic |= !self.unit.is_function();
            return;
        };
        for function in self.file.functions_named(name) {
            let target = Unit::Function(self.unit.file(), name.to_string(), function.params.len());
            self.reach.call(&self.unit, target);
        }
        let exists = self.project.has_function(name, None) || !self.known.plain(name).is_empty();
        if !exists && rhai::is_valid_identifier(name) {
            let own = self.file.functions.iter().map(|function| function.name.as_str());
            let hint = perhaps(name, own).map_or(String::new(), |hint| format!(" — {hint}"));
            let text = format!("Fn(\"{name}\") names an unknown function{hint}");
            self.found.push(((*position, name.chars().count() + 2), "unknown-function", text));
        }
    }

    fn task(&mut self, argument: Option<&Expr>) {
        if let Some(Expr::StringConstant(name, position)) = argument {
            self.names_function(name, (*position, 2), format!("task(\"{name}\")"), false);
        }
    }

    fn listener(&mut self, arguments: &[Expr]) {
        let [Expr::StringConstant(event, position), listener] = arguments else { return };
        if let Err(text) = ScriptEvent::named(event) {
            self.found.push(((*position, event.chars().count() + 2), "unknown-event", text));
        }
        if let Expr::StringConstant(name, position) = listener {
            self.names_function(name, (*position, 2), format!("on(\"{event}\")"), true);
        }
    }

    fn scenario(&mut self, arguments: &[Expr]) {
        let [Expr::StringConstant(name, position), settings] = arguments else { return };
        let text = format!("scenario '{name}' is declared twice; scenario names must be unique");
        self.declares_once(text, name, *position);
        let Expr::Map(settings, _) = settings else { return };
        let by = format!("scenario '{name}'");
        for (key, value) in &settings.0 {
            match (&*key.name, value) {
                ("exec" | "on_start" | "on_stop", Expr::StringConstant(function, position)) => {
                    self.names_function(function, (*position, 2), by.clone(), false);
                }
                ("tasks", Expr::Array(tasks, _)) => {
                    for task in tasks {
                        if let Expr::StringConstant(function, position) = task {
                            self.names_function(function, (*position, 2), by.clone(), false);
                        }
                    }
                }
                ("tasks", Expr::Map(tasks, _)) => {
                    for (function, settings) in &tasks.0 {
                        self.names_function(&function.name, (function.pos, 0), by.clone(), false);
                        if let (Expr::Map(settings, _), Some(keys)) =
                            (settings, facts::keys_of("", "task", 1))
                        {
                            let of = format!("{by}: tasks.{}", function.name);
                            self.keys(&of, &keys, &settings.0);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// `quotes` is how many characters the name is longer in the text than it is.
    fn names_function(
        &mut self,
        name: &str,
        (position, quotes): (Position, usize),
        by: String,
        is_listener: bool,
    ) {
        self.host_calls.named.push(NamedFunction {
            name: name.to_owned(),
            by,
            is_listener,
            file: self.unit.file(),
            place: (position, name.chars().count() + quotes),
        });
    }

    /// A declaration that must be unique; only one directly at the top level is certain to run.
    fn declares_once(&mut self, text: String, name: &str, position: Position) {
        if !self.unit.is_function() && self.depth == 0 && self.closures == 0 {
            let place = (position, name.chars().count() + 2);
            self.host_calls.declared.push(Declared { text, file: self.unit.file(), place });
        }
    }

    /// The parameters of the requests of `http::batch`.
    fn batch(&mut self, entries: Option<&Expr>) {
        let Some(keys) = facts::keys_of("http", "get", 1) else { return };
        let entries: Vec<&Expr> = match entries {
            Some(Expr::Array(entries, _)) => entries.iter().collect(),
            Some(Expr::Map(entries, _)) => entries.0.iter().map(|(_, entry)| entry).collect(),
            _ => return,
        };
        for entry in entries {
            match entry {
                Expr::Array(parts, _) => {
                    if let [_, _, Expr::Map(params, _)] = parts.as_slice() {
                        self.keys(keys.of, &keys, &params.0);
                    }
                }
                Expr::Map(params, _) => {
                    let params: Vec<(Ident, Expr)> = params.0.to_vec();
                    let rest = |(key, _): &(Ident, Expr)| !matches!(&*key.name, "url" | "method");
                    let rest: Vec<(Ident, Expr)> = params.into_iter().filter(rest).collect();
                    self.keys(keys.of, &keys, &rest);
                }
                _ => {}
            }
        }
    }
}
