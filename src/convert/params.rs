//! What a script should not hold: passwords, tokens and names of users become its parameters.
//!
//! Owns the declarations. Leaves which names mean a credential to `credentials`. Invariant: the value of a secret never stands in
//! the script.

use std::collections::HashSet;

use super::literal::{Value, text_literal};
use super::names::{identifier, unused};
use super::request::MARK;
use crate::credentials::is_credential;

/// The parameters that a script declares.
#[derive(Default)]
pub(super) struct Params {
    list: Vec<Declared>,
    names: HashSet<String>,
    /// The values are made up: one parameter for each name.
    by_name: bool,
}

struct Declared {
    name: String,
    /// What it stood for; two values under one name are two parameters.
    value: String,
    help: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// With the value as its default.
    Plain,
    /// Without a default.
    Required,
    /// The same, and masked.
    Secret,
}

impl Params {
    /// Parameters that are told apart by their names alone, because their values are made up.
    pub(super) fn by_name() -> Params {
        Params { by_name: true, ..Params::default() }
    }

    /// A parameter without a default that is masked; `value` tells it from others of its name.
    pub(super) fn secret(&mut self, name: &str, value: &str, help: &str) -> Value {
        self.declare(name, value, help, Kind::Secret)
    }

    /// A parameter whose default is the value.
    pub(super) fn plain(&mut self, name: &str, value: &str, help: &str) -> Value {
        self.declare(name, value, help, Kind::Plain)
    }

    /// A parameter without a default; secret when its name says so.
    pub(super) fn required(&mut self, name: &str, value: &str, help: &str) -> Value {
        self.declare(name, value, help, if is_credential(name) { Kind::Secret } else { Kind::Required })
    }

    fn declare(&mut self, name: &str, value: &str, help: &str, kind: Kind) -> Value {
        let name = identifier(name, "value");
        let same = |known: &&Declared| {
            (self.by_name && known.name == name || known.value == value)
                && known.kind == kind
                && known.name.starts_with(&name)
        };
        if let Some(known) = self.list.iter().find(same) {
            return Value::Code(known.name.to_uppercase());
        }
        let name = unused(name, &mut self.names);
        let code = Value::Code(name.to_uppercase());
        self.list.push(Declared { name, value: value.to_owned(), help: help.to_owned(), kind });
        code
    }

    /// Their declarations, a line each.
    pub(super) fn lines(&self) -> String {
        let line = |param: &Declared| {
            let default = match param.kind {
                Kind::Plain => format!(", {}", text_literal(&param.value)),
                Kind::Required | Kind::Secret => String::new(),
            };
            let mut settings = Vec::new();
            if param.kind == Kind::Secret {
                settings.push(("secret".to_owned(), Value::Bool(true)));
            }
            if !param.help.is_empty() {
                settings.push(("help".to_owned(), Value::text(param.help.clone())));
            }
            let settings = if settings.is_empty() {
                String::new()
            } else {
                format!(", {}", Value::Map(settings).inline())
            };
            format!(
                "const {} = param({}{default}{settings});\n",
                param.name.to_uppercase(),
                text_literal(&param.name)
            )
        };
        self.list.iter().map(line).collect()
    }

    /// The names of those that have no default.
    pub(super) fn names_required(&self) -> Vec<String> {
        self.list.iter().filter(|param| param.kind != Kind::Plain).map(|param| param.name.clone()).collect()
    }
}

/// Whether a field of this name says who logs in.
pub(super) fn is_user(name: &str) -> bool {
    let letters: String = name.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    matches!(
        letters.as_str(),
        "user" | "username" | "userid" | "email" | "mail" | "login" | "account" | "emailaddress"
    )
}

/// Calls `see` with each plain value in a tree and the nearest name above it.
pub(super) fn each_leaf(value: &mut Value, name: &str, see: &mut dyn FnMut(&str, &mut Value)) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| each_leaf(value, name, see)),
        Value::Map(fields) | Value::Fields(fields) => {
            fields.iter_mut().for_each(|(name, value)| each_leaf(value, name, see));
        }
        Value::Text(_) | Value::Number(_) => see(name, value),
        Value::Unit | Value::Bool(_) | Value::Joined(_) | Value::Code(_) => {}
    }
}

/// Replaces passwords and the like in a body or query by parameters, and who logs in beside a password.
pub(super) fn protect(value: &mut Value, params: &mut Params) {
    let mut has_password = false;
    each_leaf(value, "", &mut |name, leaf| {
        if let Value::Text(text) = leaf
            && is_credential(name)
            && !text.is_empty()
            && !text.contains(MARK)
        {
            has_password |= name.to_ascii_lowercase().contains("pass") || name.eq_ignore_ascii_case("pwd");
            *leaf = params.secret(name, text, "");
        }
    });
    let known = |text: &str, params: &Params| {
        params.list.iter().any(|param| param.kind == Kind::Plain && param.value == text)
    };
    each_leaf(value, "", &mut |name, leaf| {
        if let Value::Text(text) = leaf
            && is_user(name)
            && (has_password || known(text, params))
            && !text.contains(MARK)
        {
            *leaf = params.plain(name, text, "");
        }
    });
}

/// The header as `bearer` or `basic`, where it is one of them.
pub(super) fn authorization(
    value: &str,
    headers: &mut Vec<(String, Value)>,
    out: &mut Vec<(&'static str, Value)>,
    params: &mut Params,
) {
    use base64::Engine as _;
    let (scheme, rest) = value.split_once(' ').unwrap_or(("", value));
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        let token = if rest.contains(MARK) {
            Value::text(rest)
        } else {
            params.secret("token", rest, "bearer token")
        };
        out.push(("bearer", token));
        return;
    }
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(rest)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    if scheme.eq_ignore_ascii_case("basic")
        && let Some((user, password)) = decoded.as_deref().and_then(|text| text.split_once(':'))
    {
        out.push((
            "basic",
            Value::Array(vec![params.plain("user", user, ""), params.secret("password", password, "")]),
        ));
        return;
    }
    let value = if value.contains(MARK) {
        Value::text(value)
    } else {
        params.secret("authorization", value, "the whole header")
    };
    headers.push(("authorization".to_owned(), value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_without_its_password() {
        let mut params = Params::default();
        let fields = |password: &str| {
            let pair = |name: &str, value: &str| (name.to_owned(), Value::text(value));
            Value::Map(vec![pair("user", "ann"), pair("password", password), pair("remember", "1")])
        };
        for password in ["hunter2", "hunter2", "other"] {
            let mut login = fields(password);
            protect(&mut login, &mut params);
            assert!(!login.inline().contains(password));
        }
        let expected = "const PASSWORD = param(\"password\", #{ secret: true });\n\
            const USER = param(\"user\", \"ann\");\n\
            const PASSWORD_2 = param(\"password_2\", #{ secret: true });\n";
        assert_eq!(params.lines(), expected);
        assert_eq!(params.names_required(), ["password", "password_2"]);
    }
}
