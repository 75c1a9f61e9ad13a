//! Walks the statements and expressions of one function, or of the top level of one file.
//!
//! Owns the order of evaluation and the scopes. Leaves checking names to `names`, calls to `calls`, and calls of
//! the script API to `host_calls`. Invariant: scopes are those of Rhai; a closure is walked where it is defined,
//! with its captures in scope.

use rhai::{ASTFlags, BinaryExpr, Expr, FnCallExpr, FnPtr, Position, Stmt, StmtBlock};

use super::Problems;
use super::host_calls::HostCalls;
use super::known::Known;
use super::project::{File, Function, Project};
use super::reach::{Reach, Unit};
use crate::script::habits;
use crate::script::this_parts::CHANGING;

/// What a variable holds, as far as it is known without running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    Response,
}

/// A name in scope.
pub(super) enum Named {
    Variable(String, Kind),
    /// An import, with its file when that is known.
    Module(String, Option<usize>),
}

/// What was found in a pass: where, code, text of the message with its hint.
pub(super) type Found = ((Position, usize), &'static str, String);

/// See the module's description.
pub(super) struct Walk<'a> {
    pub(super) project: &'a Project,
    pub(super) known: &'a Known<'a>,
    pub(super) file: &'a File,
    pub(super) unit: Unit,
    pub(super) scope: Vec<Named>,
    /// How many blocks are around.
    pub(super) depth: usize,
    /// How many closures are around.
    pub(super) closures: usize,
    /// The closures that are arguments here get a response.
    pub(super) is_judged: bool,
    pub(super) found: Vec<Found>,
    pub(super) reach: Reach,
    pub(super) host_calls: HostCalls,
}

impl<'a> Walk<'a> {
    pub(super) fn new(project: &'a Project, known: &'a Known<'a>, unit: Unit) -> Walk<'a> {
        Walk {
            project,
            known,
            file: &project.files[unit.file()],
            unit,
            scope: Vec::new(),
            depth: 0,
            closures: 0,
            is_judged: false,
            found: Vec::new(),
            reach: Reach::default(),
            host_calls: HostCalls::default(),
        }
    }

    /// Hands over what was found.
    pub(super) fn finish(self, findings: &mut Problems, reach: &mut Reach, host_calls: &mut HostCalls) {
        for (place, code, text) in self.found {
            findings.add_text(&self.file.name, place, code, &text);
        }
        reach.add(self.reach);
        host_calls.add(self.host_calls);
    }

    /// The whole of a function.
    pub(super) fn function(&mut self, function: &Function) {
        self.scope.extend(function.params.iter().map(|name| Named::Variable(name.to_string(), Kind::Any)));
        self.statements(&function.body);
    }

    pub(super) fn statements(&mut self, statements: &[Stmt]) {
        statements.iter().for_each(|statement| self.statement(statement));
    }

    /// Something with names of its own.
    fn scoped(&mut self, walk: impl FnOnce(&mut Self)) {
        let outer = self.scope.len();
        self.depth += 1;
        walk(self);
        self.depth -= 1;
        self.scope.truncate(outer);
    }

    fn block(&mut self, block: &StmtBlock) {
        self.scoped(|walk| walk.statements(block.statements()));
    }

    fn variable_named(&mut self, name: &str) {
        self.scope.push(Named::Variable(name.to_owned(), Kind::Any));
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::If(flow, _) => {
                self.expression(&flow.expr);
                self.block(&flow.body);
                self.block(&flow.branch);
            }
            Stmt::While(flow, _) => {
                self.expression(&flow.expr);
                self.block(&flow.body);
            }
            Stmt::Do(flow, ..) => {
                self.block(&flow.body);
                self.expression(&flow.expr);
            }
            Stmt::Switch(switch, _) => {
                self.expression(&switch.0);
                for case in &switch.1.expressions {
                    self.expression(&case.lhs);
                    self.scoped(|walk| walk.expression(&case.rhs));
                }
            }
            Stmt::For(parts, _) => {
                let (item, counter, flow) = &**parts;
                self.expression(&flow.expr);
                self.scoped(|walk| {
                    walk.variable_named(&item.name);
                    counter.iter().for_each(|counter| walk.variable_named(&counter.name));
                    walk.statements(flow.body.statements());
                });
            }
            Stmt::TryCatch(flow, _) => {
                self.block(&flow.body);
                self.scoped(|walk| {
                    if let Expr::Variable(caught, ..) = &flow.expr {
                        walk.variable_named(&caught.1);
                    }
                    walk.statements(flow.branch.statements());
                });
            }
            Stmt::Var(variable, ..) => {
                self.expression(&variable.1);
                self.value(&variable.1);
                let kind = self.kind_of(&variable.0.name, &variable.1);
                self.scope.push(Named::Variable(variable.0.name.to_string(), kind));
            }
            Stmt::Assignment(assignment) => {
                self.expression(&assignment.1.rhs);
                self.value(&assignment.1.rhs);
                self.written(&assignment.1.lhs);
            }
            Stmt::FnCall(call, position) => self.call(call, *position),
            Stmt::Block(block) => self.block(block),
            Stmt::Expr(expression) => self.expression(expression),
            Stmt::BreakLoop(Some(value), ..) | Stmt::Return(Some(value), ..) => self.expression(value),
            Stmt::Import(import, _) => {
                let (path, alias) = &**import;
                if !self.names_no_file(path) {
                    self.expression(path);
                }
                let file = match path {
                    Expr::StringConstant(path, _) => self.file.paths.get(path.as_str()).copied().flatten(),
                    _ => None,
                };
                if !alias.name.is_empty() {
                    self.imported_as(&alias.name, alias.pos);
                    self.scope.push(Named::Module(alias.name.to_string(), file));
                }
            }
            _ => {}
        }
    }

    pub(super) fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::DynamicConstant(value, _) => {
                if let Some(closure) = value.read_lock::<FnPtr>() {
                    self.closure(closure.fn_name(), 0);
                }
            }
            Expr::StringConstant(text, position) => self.not_interpolated(text, *position),
            Expr::InterpolatedString(parts, _) | Expr::Array(parts, _) => {
                parts.iter().for_each(|part| self.expression(part));
            }
            Expr::Map(map, _) => map.0.iter().for_each(|(_, value)| self.expression(value)),
            Expr::Variable(variable, _, position) => match variable.2.is_empty() {
                true => self.variable(&variable.1, *position),
                false => self.qualified_variable(&variable.2.path, &variable.1, *position),
            },
            // Of a closure it is that of whoever calls it.
            Expr::ThisPtr(_) if self.closures == 0 => self.reach.uses_this(&self.unit),
            Expr::Stmt(block) => self.block(block),
            Expr::FnCall(call, position) => self.call(call, *position),
            Expr::MethodCall(call, position) => self.method(call, *position),
            Expr::Dot(chain, ..) => {
                if self.foreign_member(&chain.lhs, &chain.rhs) {
                    return;
                }
                self.changed_part_of_this(chain);
                self.expression(&chain.lhs);
                self.property_of(&chain.lhs, &chain.rhs);
                let is_response = self.is_response(&chain.lhs);
                let is_outer = std::mem::replace(&mut self.is_judged, is_response);
                self.link(&chain.rhs);
                self.is_judged = is_outer;
            }
            Expr::Index(chain, flags, _) => {
                self.expression(&chain.lhs);
                self.index(&chain.rhs, *flags);
            }
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
                parts.iter().for_each(|part| self.expression(part));
            }
            // Syntax of an embedding program: nobody knows what its parts mean.
            _ => {}
        }
    }

    /// What follows a dot.
    fn link(&mut self, link: &Expr) {
        match link {
            Expr::Property(..) => {}
            Expr::Dot(chain, ..) => {
                self.link(&chain.lhs);
                self.link(&chain.rhs);
            }
            Expr::Index(chain, flags, _) => {
                self.link(&chain.lhs);
                self.index(&chain.rhs, *flags);
            }
            other => self.expression(other),
        }
    }

    /// What follows an opening bracket: the index, and the rest of the chain.
    fn index(&mut self, index: &Expr, flags: ASTFlags) {
        match index {
            Expr::Dot(chain, ..) if !flags.contains(ASTFlags::BREAK) => {
                self.expression(&chain.lhs);
                self.link(&chain.rhs);
            }
            Expr::Index(chain, flags_of_rest, _) if !flags.contains(ASTFlags::BREAK) => {
                self.expression(&chain.lhs);
                self.index(&chain.rhs, *flags_of_rest);
            }
            other => self.expression(other),
        }
    }

    /// The parts of a call that are expressions.
    pub(super) fn arguments(&mut self, call: &FnCallExpr) {
        let judges = |walk: &Self| match &*call.name {
            "check" => {
                call.args.first().map_or(walk.is_judged, |first| walk.is_judged || walk.is_response(first))
            }
            "expect" => walk.is_judged,
            _ => false,
        };
        let is_judged = judges(self);
        let is_outer = std::mem::replace(&mut self.is_judged, is_judged);
        for argument in &call.args {
            self.expression(argument);
            self.value(argument);
        }
        self.is_judged = is_outer;
    }

    /// `this.list.retain(|x| x != this.n)`
    fn changed_part_of_this(&mut self, chain: &BinaryExpr) {
        if let Expr::ThisPtr(_) = chain.lhs
            && let Some((call, position)) = self.file.with_this.call_on_part(&chain.rhs, CHANGING)
        {
            let name = &*call.name;
            let text = format!(
                "'{name}' changes a part of `this` while its closure uses `this` — take what the closure needs into a \
                 variable first: let wanted = this.wanted;"
            );
            self.found.push(((position, name.chars().count()), "this-in-use", text));
        }
    }

    /// What stands where a value is used.
    fn value(&mut self, expression: &Expr) {
        match expression {
            Expr::Stmt(block) if block.statements().is_empty() => {
                let text = "{} is an empty block, whose value is () — an empty map is #{}".to_owned();
                self.found.push(((block.position(), 1), "empty-block", text));
            }
            Expr::Dot(chain, ..) => {
                let mut last = &chain.rhs;
                while let Expr::Dot(inner, ..) = last {
                    last = &inner.rhs;
                }
                if let Expr::MethodCall(call, position) = last
                    && let Some(hint) = habits::in_place(&call.name)
                    && !self.known.is_extended(&call.name)
                    && !self.project.has_function(&call.name, None)
                    && !self.project.keys.contains(&*call.name)
                {
                    let name = &*call.name;
                    let text = format!("'{name}' changes the value before the dot and returns () — {hint}");
                    self.found.push(((*position, name.chars().count()), "no-value", text));
                }
            }
            _ => {}
        }
    }

    /// `"${name}"` in double quotes, where `name` is a variable.
    fn not_interpolated(&mut self, text: &str, position: Position) {
        let mut names = text.split("${").skip(1).map(|rest| {
            rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default()
        });
        if let Some(name) = names.find(|name| self.is_local(name) || self.is_of_top_level(name)) {
            let said = format!(
                "\"…${{{name}}}…\" in double quotes stays as it is — values stand in text in backticks: `…${{{name}}}…`"
            );
            self.found.push(((position, text.chars().count() + 2), "not-interpolated", said));
        }
    }

    /// `captured` is how many of its parameters are variables around it.
    pub(super) fn closure(&mut self, name: &str, captured: usize) {
        let Some(closure) = self.file.closures.get(name) else { return };
        self.scoped(|walk| {
            walk.closures += 1;
            let kind = if walk.is_judged { Kind::Response } else { Kind::Any };
            for name in closure.params.iter().skip(captured) {
                walk.scope.push(Named::Variable(name.to_string(), kind));
            }
            walk.is_judged = false;
            walk.statements(&closure.body);
            walk.closures -= 1;
        });
    }
}
