//! Checks what is read of responses: whether the property exists, and whether it can equal what it is compared with.
//!
//! Types are not known here, except where a variable can only hold a response: it was declared with a request and is
//! never written to, or it is the parameter of a condition on a response.

use rhai::{Expr, FnCallExpr, Position};

use super::perhaps;
use super::walk::{Kind, Named, Walk};
use crate::script::habits;

/// The functions of `http` that give a response.
const REQUESTS: &[&str] = &["get", "post", "put", "patch", "delete", "head", "options", "request"];

impl Walk<'_> {
    /// What a variable that is declared with this value holds.
    pub(super) fn kind_of(&self, name: &str, value: &Expr) -> Kind {
        let is_fixed = !self.project.assigned.contains(name);
        if is_fixed && self.is_response(value) { Kind::Response } else { Kind::Any }
    }

    /// Whether this can only be a response.
    pub(super) fn is_response(&self, expression: &Expr) -> bool {
        match expression {
            Expr::FnCall(call, _) => {
                let is_http = matches!(&*call.namespace.path, [module] if module.name == "http");
                is_http && REQUESTS.contains(&&*call.name)
            }
            Expr::Variable(variable, ..) if variable.2.is_empty() => {
                let mut named = self.scope.iter().rev();
                named.find_map(|named| match named {
                    Named::Variable(known, kind) if *known == *variable.1 => Some(*kind),
                    _ => None,
                }) == Some(Kind::Response)
            }
            _ => false,
        }
    }

    /// `response.property`, given what follows the dot.
    pub(super) fn property_of(&mut self, of: &Expr, link: &Expr) {
        let first = match link {
            Expr::Dot(chain, ..) | Expr::Index(chain, ..) => &chain.lhs,
            other => other,
        };
        let Expr::Property(property, position) = first else { return };
        let name = &*property.2;
        if !self.is_response(of) || self.known.has_property(name) {
            return;
        }
        let hint = habits::property(name).or_else(|| perhaps(name, self.known.properties()));
        let hint = hint.map_or(String::new(), |hint| format!(" — {hint}"));
        let text = format!("a response has no property '{name}'{hint}");
        self.found.push(((*position, name.chars().count()), "unknown-property", text));
    }

    /// `response.status == "200"`, which is never true.
    pub(super) fn comparison(&mut self, call: &FnCallExpr, position: Position) {
        let ("==" | "!=", [left, right]) = (&*call.name, &*call.args) else { return };
        for (number, text) in [(left, right), (right, left)] {
            if let (Expr::Dot(chain, ..), Expr::StringConstant(text, at)) = (number, text)
                && let Expr::Property(property, _) = &chain.rhs
                && &*property.2 == "status"
                && self.is_response(&chain.lhs)
            {
                let always = if call.name == "==" { "never" } else { "always" };
                let number = text.trim();
                let form = if number.parse::<u16>().is_ok() { number } else { "200" };
                let said =
                    format!("a status is a number, so this is {always} true — write {} {form}", call.name);
                let place = if at.is_none() { position } else { *at };
                self.found.push(((place, text.chars().count() + 2), "wrong-comparison", said));
            }
        }
    }
}
