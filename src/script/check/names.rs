//! Checks variables and modules: whether the name exists, and whether it may be written to.

use rhai::{Expr, Ident, Position};

use super::perhaps;
use super::reach::Unit;
use super::walk::{Named, Walk};
use crate::script::api::NAMESPACES;
use crate::script::error::READ_ONLY;
use crate::script::habits;
use crate::text::nearest;

/// What the name before `::` stands for.
pub(super) enum Module {
    /// An imported file.
    File(usize),
    /// A module that is registered with the engine.
    Native(String),
    /// Something that cannot be told.
    Unclear,
    Unknown,
}

impl Walk<'_> {
    /// Whether a variable of the function, or of the block or closure, has this name.
    pub(super) fn is_local(&self, name: &str) -> bool {
        self.scope.iter().any(|named| matches!(named, Named::Variable(known, _) if known == name))
    }

    /// Whether this is a variable of the top level, seen from a function.
    pub(super) fn is_of_top_level(&self, name: &str) -> bool {
        self.unit.is_function() && !self.is_local(name) && self.file.variables.contains(name)
    }

    /// A variable that is read.
    pub(super) fn variable(&mut self, name: &str, position: Position) {
        if let Some(function) = self.file.functions_named(name).next() {
            self.reach
                .call(&self.unit, Unit::Function(self.unit.file(), name.to_owned(), function.params.len()));
        }
        if self.is_local(name) || self.is_of_top_level(name) || self.may_be_a_variable(name) {
            return;
        }
        let further_down = self.file.variables.contains(name);
        let hint = if further_down {
            Some("it is declared further down".to_owned())
        } else if let Some(first) = self.known.module(name).and_then(|functions| functions.keys().next()) {
            Some(format!("'{name}' is a module: write {name}::{first}(…), with ::"))
        } else {
            habits::variable(name).or_else(|| perhaps(name, self.names_of_variables()))
        };
        self.unknown("unknown-variable", (position, name), "variable", hint);
    }

    /// `import random`, without quotes. Whether that is told.
    pub(super) fn names_no_file(&mut self, path: &Expr) -> bool {
        let Expr::Variable(variable, _, position) = path else { return false };
        let name = &*variable.1;
        if self.is_local(name) || self.is_of_top_level(name) || self.may_be_a_variable(name) {
            return false;
        }
        let text = habits::IMPORT.to_owned();
        self.found.push(((*position, name.chars().count()), "syntax", text));
        true
    }

    /// `of.member` where `of` is no variable, but a module or what another language has. Whether that is told.
    pub(super) fn foreign_member(&mut self, of: &Expr, link: &Expr) -> bool {
        let Expr::Variable(variable, _, position) = of else { return false };
        let name = &*variable.1;
        let is_known = self.is_local(name) || self.is_of_top_level(name) || self.may_be_a_variable(name);
        if !variable.2.is_empty() || is_known || self.file.variables.contains(name) {
            return false;
        }
        let first = match link {
            Expr::Dot(chain, ..) | Expr::Index(chain, ..) => &chain.lhs,
            other => other,
        };
        let member = match first {
            Expr::Property(property, _) => property.2.to_string(),
            Expr::MethodCall(call, _) => {
                self.arguments(call);
                call.name.to_string()
            }
            _ => return false,
        };
        let of_module = self.known.module(name).and_then(|functions| {
            let near = functions.keys().find(|known| **known == member).map(String::as_str);
            let near = near.or_else(|| nearest(&member, functions.keys().map(String::as_str)));
            near.map(|function| format!("'{name}' is a module: write {name}::{function}(…)"))
        });
        let Some(hint) = habits::member(name, &member).or(of_module).or_else(|| habits::variable(name))
        else {
            return false;
        };
        self.unknown("unknown-variable", (*position, name), "variable", Some(hint));
        true
    }

    fn may_be_a_variable(&self, name: &str) -> bool {
        self.file.has_eval
            || self.file.unread.variables.iter().any(|unread| unread == name)
            || self.project.has_function(name, None)
            || self.project.guarded.contains(name)
            || self
                .unit
                .function_name()
                .is_some_and(|function| self.project.open_functions.contains(function))
            || self.known.has_value(name)
    }

    /// The names that a variable here could have.
    fn names_of_variables(&self) -> Vec<&str> {
        let local = self.scope.iter().filter_map(|named| match named {
            Named::Variable(name, _) => Some(name.as_str()),
            Named::Module(..) => None,
        });
        let mut names: Vec<&str> = local.collect();
        if self.unit.is_function() {
            names.extend(self.file.variables.iter().map(String::as_str));
        }
        names.extend(self.file.functions.iter().map(|function| function.name.as_str()));
        names
    }

    /// `module::NAME`.
    pub(super) fn qualified_variable(&mut self, path: &[Ident], name: &str, position: Position) {
        let [root] = path else { return };
        if root.name == "global" {
            return;
        }
        let place = (position, name.chars().count());
        match self.module(&root.name) {
            Module::File(index) => {
                let file = &self.project.files[index];
                if file.exports.contains(name) || !file.unread.is_empty() || file.has_eval {
                    return;
                }
                let text = if file.variables.contains(name) {
                    format!("{} does not export '{name}' — write `export const {name} = …` there", file.name)
                } else {
                    let hint = perhaps(name, file.exports.iter().map(String::as_str));
                    let hint = hint.map_or(String::new(), |hint| format!(" — {hint}"));
                    format!("{} does not export '{name}'{hint}", file.name)
                };
                self.found.push((place, "unknown-variable", text));
            }
            Module::Native(module) => {
                let whole = format!("{module}::{name}");
                if !self.known.has_value(&whole) {
                    self.found.push((place, "unknown-variable", format!("unknown variable '{whole}'")));
                }
            }
            Module::Unclear => {}
            Module::Unknown => self.unknown_module(root),
        }
    }

    /// What a name before `::` stands for here.
    pub(super) fn module(&self, name: &str) -> Module {
        let local = self.scope.iter().rev().find_map(|named| match named {
            Named::Module(known, file) if known == name => Some(*file),
            _ => None,
        });
        // Code that runs later sees all imports of the top level.
        let runs_later = self.unit.is_function() || self.closures > 0;
        let of_top_level = || self.file.imports.get(name).copied().filter(|_| runs_later);
        match local.or_else(of_top_level) {
            Some(Some(file)) => Module::File(file),
            Some(None) => Module::Unclear,
            None if self.known.module(name).is_some() => Module::Native(name.to_owned()),
            // A function also sees what its callers import.
            None if self.project.aliases.contains(name) || self.file.has_eval => Module::Unclear,
            None if self.file.unread.imports.iter().any(|unread| unread == name) => Module::Unclear,
            None => Module::Unknown,
        }
    }

    pub(super) fn unknown_module(&mut self, module: &Ident) {
        let imported = self.scope.iter().filter_map(|named| match named {
            Named::Module(name, _) => Some(name.as_str()),
            Named::Variable(..) => None,
        });
        let names = imported.chain(self.file.imports.keys().map(String::as_str));
        let hint = perhaps(&module.name, names.chain(self.known.module_names())).or_else(|| {
            let library = crate::script::source::STDLIB.iter().map(|(path, _)| *path);
            let path = format!("std/{}", module.name);
            let found = nearest(&path, library)?;
            Some(format!("is `import \"{found}\" as {};` missing?", module.name))
        });
        self.unknown("unknown-module", (module.pos, &module.name), "module", hint);
    }

    /// An unknown name.
    pub(super) fn unknown(
        &mut self,
        code: &'static str,
        (position, name): (Position, &str),
        what: &str,
        hint: Option<String>,
    ) {
        let hint = hint.map_or(String::new(), |hint| format!(" — {hint}"));
        self.found.push(((position, name.chars().count()), code, format!("unknown {what} '{name}'{hint}")));
    }

    /// The left side of an assignment.
    pub(super) fn written(&mut self, target: &Expr) {
        if let Some((name, position)) = root_of(target)
            && self.is_of_top_level(name)
        {
            let text = format!("cannot write to '{name}': {READ_ONLY}");
            self.found.push(((position, name.chars().count()), "read-only", text));
        }
        self.expression(target);
    }

    /// An import of the script itself must not hide a module of the API from its functions.
    pub(super) fn imported_as(&mut self, name: &str, position: Position) {
        if self.unit == Unit::Top(0) && self.depth == 0 && NAMESPACES.contains(&name) {
            let text =
                format!("an import cannot be named '{name}': the script API has a module of that name");
            self.found.push(((position, name.chars().count()), "reserved-name", text));
        }
    }
}

/// The variable that a chain of properties and indexes begins with.
fn root_of(target: &Expr) -> Option<(&str, Position)> {
    match target {
        Expr::Variable(variable, _, position) if variable.2.is_empty() => Some((&variable.1, *position)),
        Expr::Dot(chain, ..) | Expr::Index(chain, ..) => root_of(&chain.lhs),
        _ => None,
    }
}
