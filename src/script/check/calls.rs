//! Checks calls: whether the function exists, and whether it takes this number of arguments.
//!
//! Types are not known here, so a method is valid if any type has it. Leaves the arguments of host functions to
//! `host_calls`.

use rhai::{Expr, FnCallExpr, Ident, Position};

use super::known::{Counts, Known, in_words};
use super::names::Module;
use super::perhaps;
use super::reach::{PlainCall, Unit};
use super::walk::Walk;
use crate::script::habits;

impl Walk<'_> {
    /// `f(…)` or `m::f(…)`.
    pub(super) fn call(&mut self, call: &FnCallExpr, position: Position) {
        if let ("curry", [Expr::DynamicConstant(value, _), captured @ ..]) = (&*call.name, &*call.args)
            && let Some(closure) = value.read_lock::<rhai::FnPtr>()
        {
            self.closure(closure.fn_name(), captured.len());
            return;
        }
        self.arguments(call);
        self.comparison(call, position);
        // Operators look like calls.
        if call.is_operator_call() || !rhai::is_valid_identifier(&call.name) {
            return;
        }
        match &*call.namespace.path {
            [] => self.plain_call(call, position),
            path => self.qualified_call(path, call, position),
        }
    }

    fn plain_call(&mut self, call: &FnCallExpr, position: Position) {
        let (name, count) = (&*call.name, call.args.len());
        if self.file.has_function(name, Some(count)) {
            self.calls_function(self.unit.file(), name, count, position);
            return;
        }
        if Known::takes_anything(name) {
            return;
        }
        let counts = self.known.plain(name);
        if counts.contains(&count) {
            self.host_call("", call, position);
            return;
        }
        if self.may_come_from_elsewhere(name, count) || self.project.guarded.contains(name) {
            return;
        }
        let place = (position, name.chars().count());
        if self.is_local(name) || self.is_of_top_level(name) {
            let text = format!(
                "'{name}' is a variable, not a function — to call the function it holds, write {name}.call(…)"
            );
            self.found.push((place, "unknown-function", text));
            return;
        }
        let own: Counts = self.file.functions_named(name).map(|function| function.params.len()).collect();
        if counts.is_empty() && own.is_empty() {
            let hint = habits::function(name).or_else(|| self.function_near(name));
            self.unknown("unknown-function", (position, name), "function", hint);
        } else if own.is_empty() {
            let hint = self.in_a_module(name, Some(count));
            self.wrong_count(place, name, &counts, count, hint);
        } else {
            // The script's own function is meant, even if a type has a method of that name.
            self.wrong_count(place, name, &own, count, None);
        }
    }

    /// A function can call those of the files that call it: Rhai looks there too.
    fn may_come_from_elsewhere(&self, name: &str, count: usize) -> bool {
        (self.unit.file() > 0 || self.closures > 0) && self.project.has_function(name, Some(count))
    }

    fn function_near(&self, name: &str) -> Option<String> {
        let imported = self.file.imports.iter().filter_map(|(alias, file)| Some((alias, (*file)?)));
        let mut imported = imported.flat_map(|(alias, file)| {
            self.project.files[file].functions.iter().map(move |function| (alias, function))
        });
        if let Some((alias, _)) = imported.find(|(_, function)| function.name == name) {
            return Some(format!("did you mean '{alias}::{name}'?"));
        }
        let own = self.file.functions.iter().map(|function| function.name.as_str());
        let plain = own.chain(self.known.plain_names());
        perhaps(name, plain).or_else(|| self.in_a_module(name, None))
    }

    /// `get` for `http::get`.
    fn in_a_module(&self, name: &str, count: Option<usize>) -> Option<String> {
        let takes = |module: &&str| {
            let counts = self.known.module(module).and_then(|functions| functions.get(name));
            counts.is_some_and(|counts| count.is_none_or(|count| counts.contains(&count)))
        };
        // If several modules have it, requests are the most likely.
        let module = ["http"].into_iter().chain(self.known.module_names()).find(takes)?;
        Some(format!("did you mean '{module}::{name}'?"))
    }

    fn qualified_call(&mut self, path: &[Ident], call: &FnCallExpr, position: Position) {
        let (name, count) = (&*call.name, call.args.len());
        let [root, inner @ ..] = path else { return };
        let place = (position, name.chars().count());
        let module = self.module(&root.name);
        match self.inner_module(module, inner) {
            Module::File(index) => self.call_into(index, path, name, count, place),
            Module::Native(module) => {
                let Some(functions) = self.known.module(&module) else { return };
                match functions.get(name) {
                    Some(counts) if counts.contains(&count) => self.host_call(&module, call, position),
                    Some(counts) => {
                        self.wrong_count(place, &format!("{module}::{name}"), counts, count, None)
                    }
                    None => {
                        let whole: Vec<String> =
                            functions.keys().map(|function| format!("{module}::{function}")).collect();
                        let wanted = format!("{module}::{name}");
                        let hint = perhaps(name, functions.keys().map(String::as_str))
                            .and_then(|_| perhaps(&wanted, whole.iter().map(String::as_str)))
                            .map_or(String::new(), |hint| format!(" — {hint}"));
                        let text = format!("unknown function '{wanted}'{hint}");
                        self.found.push((place, "unknown-function", text));
                    }
                }
            }
            Module::Unclear => {}
            Module::Unknown => self.unknown_module(root),
        }
    }

    /// `a::b::f`: the imports of an imported file can be reached through it.
    fn inner_module(&self, mut module: Module, path: &[Ident]) -> Module {
        for part in path {
            module = match module {
                Module::File(file) => {
                    match self.project.files[file].imports.get(part.name.as_str()).copied().flatten() {
                        Some(inner) => Module::File(inner),
                        None => Module::Unclear,
                    }
                }
                Module::Native(outer) => {
                    let whole = format!("{outer}::{}", part.name);
                    match self.known.module(&whole) {
                        Some(_) => Module::Native(whole),
                        None => Module::Unclear,
                    }
                }
                other => other,
            };
        }
        module
    }

    fn call_into(&mut self, file: usize, path: &[Ident], name: &str, count: usize, place: (Position, usize)) {
        let target = &self.project.files[file];
        let names: Vec<&str> = path.iter().map(|part| part.name.as_str()).collect();
        let whole = format!("{}::{name}", names.join("::"));
        if target.unread.functions.iter().any(|unread| unread == name) {
            return;
        }
        let public = || target.functions.iter().filter(|function| !function.is_private);
        let counts: Counts =
            public().filter(|function| function.name == name).map(|function| function.params.len()).collect();
        if counts.contains(&count) {
            self.calls_function(file, name, count, place.0);
        } else if !counts.is_empty() {
            self.wrong_count(place, &whole, &counts, count, None);
        } else if target.has_function(name, None) {
            let text = format!("'{whole}' is private: it can be called only within {}", target.name);
            self.found.push((place, "private-function", text));
        } else {
            let hint = perhaps(name, public().map(|function| function.name.as_str()))
                .map_or(String::new(), |hint| format!(" — {hint}"));
            let text = format!("unknown function '{whole}': {} has no '{name}'{hint}", target.name);
            self.found.push((place, "unknown-function", text));
        }
    }

    /// `value.f(…)`.
    pub(super) fn method(&mut self, call: &FnCallExpr, position: Position) {
        self.arguments(call);
        let (name, count) = (&*call.name, call.args.len());
        if !rhai::is_valid_identifier(name) {
            return;
        }
        if self.file.has_function(name, Some(count)) {
            self.reach.call(&self.unit, Unit::Function(self.unit.file(), name.to_owned(), count));
        }
        let counts: Counts = self.known.plain(name).iter().filter_map(|count| count.checked_sub(1)).collect();
        if Known::takes_anything(name)
            || counts.contains(&count)
            || self.project.has_function(name, Some(count))
            || self.project.keys.contains(name)
            || self.project.guarded.contains(name)
        {
            return;
        }
        let place = (position, name.chars().count());
        let own: Counts = self.file.functions_named(name).map(|function| function.params.len()).collect();
        if own.contains(&(count + 1)) && counts.is_empty() {
            let text = format!(
                "'{name}' takes {}; the value before the dot is not an argument but its `this` — write \
                 {name}(…)",
                in_words(&own)
            );
            self.found.push((place, "wrong-arguments", text));
            return;
        }
        let counts = if counts.is_empty() { own } else { counts };
        if counts.is_empty() {
            let own = self.file.functions.iter().map(|function| function.name.as_str());
            let hint = habits::method(name).or_else(|| perhaps(name, self.known.plain_names().chain(own)));
            self.unknown("unknown-function", (position, name), "method", hint);
        } else {
            self.wrong_count(place, name, &counts, count, None);
        }
    }

    fn wrong_count(
        &mut self,
        place: (Position, usize),
        name: &str,
        counts: &Counts,
        count: usize,
        hint: Option<String>,
    ) {
        let hint = hint.or_else(|| habits::count(name, count));
        let hint = hint.map_or(String::new(), |hint| format!(" — {hint}"));
        let text = format!("'{name}' takes {}, not {count}{hint}", in_words(counts));
        self.found.push((place, "wrong-arguments", text));
    }

    /// A script function is called without `this`.
    fn calls_function(&mut self, file: usize, name: &str, count: usize, position: Position) {
        let target = Unit::Function(file, name.to_owned(), count);
        self.reach.call(&self.unit, target.clone());
        self.reach.plain_calls.push(PlainCall { target, from: self.unit.file(), position });
    }
}
