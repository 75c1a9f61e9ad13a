//! `this.list.map(|x| x + this.n)`: a part of `this` is read while a closure uses `this`.
//!
//! Rhai locks a shared value as long as anything is done with a part of it. So the part is taken out first, as if the
//! script said `{ this.list }.map(…)`. Owns which calls are such. Pure. Invariant: only calls that change nothing in
//! what they are called on are treated so; `check` reports those that do (`CHANGING`).

use std::collections::{HashMap, HashSet};

use rhai::{
    ASTFlags, ASTNode, Array, BinaryExpr, Dynamic, Expr, FnCallExpr, FnPtr, Map, Position, ScriptFuncDef,
    Stmt, StmtBlock,
};

/// Functions that take a closure and leave the value before the dot as it is.
const READING: &[&str] = &[
    "all",
    "check",
    "expect",
    "filter",
    "find",
    "find_map",
    "for_each",
    "index_of",
    "map",
    "order",
    "order_by",
    "reduce",
    "reduce_rev",
    "some",
    "zip",
];

/// Those that change it.
pub(super) const CHANGING: &[&str] = &["dedup", "drain", "retain", "sort", "sort_by"];

/// What is known of the functions of a file.
#[derive(Default)]
pub(super) struct Closures {
    /// Closures in which `this` stands, with the number of their parameters.
    with_this: HashMap<String, usize>,
    named: HashSet<String>,
}

impl Closures {
    pub(super) fn of<F: AsRef<ScriptFuncDef>>(functions: &[(F, Vec<Stmt>)]) -> Closures {
        let functions = functions.iter().map(|(function, body)| {
            let function = function.as_ref();
            (function.name.as_str(), function.params.len(), body.as_slice())
        });
        Closures::of_bodies(functions)
    }

    /// The same of names, numbers of parameters and statements.
    pub(super) fn of_bodies<'a>(functions: impl Iterator<Item = (&'a str, usize, &'a [Stmt])>) -> Closures {
        let (mut with_this, mut named) = (HashMap::new(), HashSet::new());
        let mut outer: Vec<(&str, usize, Vec<String>)> = Vec::new();
        for (name, params, body) in functions {
            if rhai::is_valid_identifier(name) {
                named.insert(name.to_owned());
                continue;
            }
            let (has_this, inner) = content(body);
            if has_this {
                with_this.insert(name.to_owned(), params);
            }
            outer.push((name, params, inner));
        }
        // A closure in a closure has the same `this`.
        loop {
            let before = with_this.len();
            for (name, params, inner) in &outer {
                if inner.iter().any(|inner| with_this.contains_key(inner)) {
                    with_this.insert((*name).to_owned(), *params);
                }
            }
            if with_this.len() == before {
                return Closures { with_this, named };
            }
        }
    }

    /// Whether an argument is, or has in it, a closure that takes something and uses the `this` around it. In one that
    /// takes nothing, `this` is the element of the array.
    fn is_used_in(&self, argument: &Expr) -> bool {
        match argument {
            Expr::DynamicConstant(value, _) => self.is_in(value, 0),
            Expr::FnCall(call, _) => self.is_captured_in(call),
            // One that captures variables stands in a block that shares them.
            Expr::Stmt(block) => block.iter().any(|statement| match statement {
                Stmt::Expr(expression) => self.is_used_in(expression),
                Stmt::FnCall(call, _) => self.is_captured_in(call),
                _ => false,
            }),
            Expr::Array(values, _) => values.iter().any(|value| self.is_used_in(value)),
            Expr::Map(map, _) => map.0.iter().any(|(_, value)| self.is_used_in(value)),
            _ => false,
        }
    }

    fn is_captured_in(&self, call: &FnCallExpr) -> bool {
        match &*call.args {
            [Expr::DynamicConstant(value, _), captured @ ..] if call.name == "curry" => {
                self.is_in(value, captured.len())
            }
            _ => false,
        }
    }

    fn is_in(&self, value: &Dynamic, captured: usize) -> bool {
        let mut is_in = false;
        closures_in(value, &mut |closure| {
            is_in |= self.with_this.get(closure).is_some_and(|params| *params > captured);
        });
        is_in
    }

    /// The call in what follows `this` that is one of these and is given such a closure.
    pub(super) fn call_on_part<'e>(
        &self,
        link: &'e Expr,
        names: &[&str],
    ) -> Option<(&'e FnCallExpr, Position)> {
        match link {
            Expr::MethodCall(call, position) => {
                let is_one = names.contains(&call.name.as_str())
                    && !self.named.contains(call.name.as_str())
                    && call.args.iter().any(|argument| self.is_used_in(argument));
                is_one.then_some((&**call, *position))
            }
            Expr::Dot(chain, ..) | Expr::Index(chain, ..) => {
                self.call_on_part(&chain.lhs, names).or_else(|| self.call_on_part(&chain.rhs, names))
            }
            _ => None,
        }
    }
}

/// Whether `this` stands in these statements, and the closures that do.
fn content(statements: &[Stmt]) -> (bool, Vec<String>) {
    let (mut has_this, mut closures) = (false, Vec::new());
    for statement in statements {
        statement.walk(&mut Vec::new(), &mut |path| {
            match path.last() {
                Some(ASTNode::Expr(Expr::ThisPtr(_))) => has_this = true,
                Some(ASTNode::Expr(Expr::DynamicConstant(value, _))) => {
                    closures_in(value, &mut |closure| closures.push(closure.to_owned()));
                }
                _ => {}
            }
            true
        });
    }
    (has_this, closures)
}

/// A constant is a closure, or a map or array with closures in it.
fn closures_in(value: &Dynamic, found: &mut dyn FnMut(&str)) {
    if let Some(closure) = value.read_lock::<FnPtr>() {
        found(closure.fn_name());
    } else if let Some(map) = value.read_lock::<Map>() {
        map.values().for_each(|value| closures_in(value, found));
    } else if let Some(array) = value.read_lock::<Array>() {
        array.iter().for_each(|value| closures_in(value, found));
    }
}

/// Takes the parts out, wherever they stand in these statements.
pub(super) fn release(statements: &mut [Stmt], closures: &Closures) {
    if closures.with_this.is_empty() {
        return;
    }
    for statement in statements {
        match statement {
            Stmt::If(flow, _) | Stmt::While(flow, _) | Stmt::Do(flow, ..) | Stmt::TryCatch(flow, _) => {
                in_expression(&mut flow.expr, closures);
                release(flow.body.statements_mut(), closures);
                release(flow.branch.statements_mut(), closures);
            }
            Stmt::Switch(switch, _) => {
                in_expression(&mut switch.0, closures);
                for case in &mut switch.1.expressions {
                    in_expression(&mut case.lhs, closures);
                    in_expression(&mut case.rhs, closures);
                }
            }
            Stmt::For(parts, _) => {
                in_expression(&mut parts.2.expr, closures);
                release(parts.2.body.statements_mut(), closures);
            }
            Stmt::Var(variable, ..) => in_expression(&mut variable.1, closures),
            Stmt::Assignment(assignment) => in_expression(&mut assignment.1.rhs, closures),
            Stmt::FnCall(call, _) => in_all(&mut call.args, closures),
            Stmt::Block(block) => release(block.statements_mut(), closures),
            Stmt::Expr(expression) => in_expression(expression, closures),
            Stmt::BreakLoop(Some(value), ..) | Stmt::Return(Some(value), ..) => {
                in_expression(value, closures)
            }
            _ => {}
        }
    }
}

fn in_all(expressions: &mut [Expr], closures: &Closures) {
    expressions.iter_mut().for_each(|expression| in_expression(expression, closures));
}

fn in_expression(expression: &mut Expr, closures: &Closures) {
    match expression {
        Expr::InterpolatedString(parts, _) | Expr::Array(parts, _) => in_all(parts, closures),
        Expr::Map(map, _) => map.0.iter_mut().for_each(|(_, value)| in_expression(value, closures)),
        Expr::Stmt(block) => release(block.statements_mut(), closures),
        Expr::FnCall(call, _) | Expr::MethodCall(call, _) => in_all(&mut call.args, closures),
        Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => in_all(parts, closures),
        Expr::Dot(chain, flags, _) | Expr::Index(chain, flags, _) => {
            let is_on_part = flags.is_empty()
                && matches!(chain.lhs, Expr::ThisPtr(_))
                && closures.call_on_part(&chain.rhs, READING).is_some();
            if is_on_part {
                take_out(chain);
            }
            in_expression(&mut chain.lhs, closures);
            in_expression(&mut chain.rhs, closures);
        }
        _ => {}
    }
}

/// `this.a.b.map(…)` becomes `{ this.a.b }.map(…)`. Where more than properties stands before the call, it becomes
/// `{ this }…`, which copies more.
fn take_out(chain: &mut BinaryExpr) {
    let position = chain.lhs.position();
    let mut properties = Vec::new();
    loop {
        match std::mem::take(&mut chain.rhs) {
            Expr::Dot(rest, flags, at) if flags.is_empty() && matches!(rest.lhs, Expr::Property(..)) => {
                let BinaryExpr { lhs, rhs } = *rest;
                properties.push((lhs, at));
                chain.rhs = rhs;
            }
            other => {
                chain.rhs = other;
                break;
            }
        }
    }
    let dot = |lhs, rhs, at| Expr::Dot(Box::new(BinaryExpr { lhs, rhs }), ASTFlags::empty(), at);
    let joined =
        properties.into_iter().rev().reduce(|(rest, _), (property, at)| (dot(property, rest, at), at));
    let this = std::mem::take(&mut chain.lhs);
    let value = match joined {
        None => this,
        Some((properties, at)) => dot(this, properties, at),
    };
    let statement = Stmt::Expr(Box::new(value));
    chain.lhs = Expr::Stmt(Box::new(StmtBlock::new([statement], position, position)));
}
