//! The executor `shape`: a function of the script says each second how many users, or what rate. Pure.
//!
//! Owns what the function may answer, read from its value. Leaves asking it to `run`.

use serde::{Deserialize, Serialize};

use super::curve::{Curve, Stretch};
use super::rule::{Feed, Rule};
use crate::plan::{MOST_RATE, MOST_USERS, Open};
use crate::script::Value;
use crate::text::did_you_mean;

/// How often a shape is asked, in seconds.
pub(crate) const ASK_EVERY_S: u64 = 1;

/// Nothing until the function has been asked.
pub(super) fn rule(function: &str, open: &Open) -> Rule {
    let feed = Feed::Asked { function: function.to_owned(), open: open.clone() };
    Rule { feed, ..Rule::users(Curve::new([Stretch::flat(0.0, f64::INFINITY)])) }
}

/// What the load is to be from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum ShapeLoad {
    /// So many users.
    Users {
        users: u64,
        /// Added or taken away per second; `None` is all at once.
        spawn_rate: Option<f64>,
        /// New users are of these scenarios only.
        scenarios: Option<Vec<String>>,
    },
    /// So many iterations per second.
    Rate {
        rate: f64,
        /// Of these scenarios only.
        scenarios: Option<Vec<String>>,
    },
    /// The load ends.
    End,
}

const KEYS: [&str; 4] = ["users", "spawn_rate", "rate", "scenarios"];

/// Reads an answer; `known` are the scenarios that it may name, `last` is what the shape said before.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn read(value: &Value, known: &[&str], last: Option<&ShapeLoad>) -> Result<ShapeLoad, String> {
    let answer = read_alone(value, known)?;
    match (&answer, last) {
        (ShapeLoad::Rate { .. }, Some(ShapeLoad::Users { .. })) => {
            Err("it returned a rate, but users before; a load stays what it is at first".to_owned())
        }
        (ShapeLoad::Users { .. }, Some(ShapeLoad::Rate { .. })) => {
            Err("it returned users, but a rate before; a load stays what it is at first".to_owned())
        }
        _ => Ok(answer),
    }
}

fn read_alone(value: &Value, known: &[&str]) -> Result<ShapeLoad, String> {
    let entries = match value {
        Value::Unit => return Ok(ShapeLoad::End),
        Value::Map(entries) => entries,
        other => {
            return Err(format!(
                "it returned {}; it must return #{{ users: … }}, #{{ rate: … }}, or () to end the load",
                describe(other)
            ));
        }
    };
    if let Some((key, _)) = entries.iter().find(|(key, _)| !KEYS.contains(&key.as_str())) {
        return Err(format!(
            "its answer has no key '{key}'{} (known: {})",
            did_you_mean(key, KEYS),
            KEYS.join(", ")
        ));
    }
    let get = |key: &str| entries.iter().find(|(known, _)| known == key).map(|(_, value)| value);
    let number = |key: &str| match get(key) {
        None => Ok(None),
        Some(value) => match number(value) {
            Some(number) if number.is_finite() && number >= 0.0 => Ok(Some(number)),
            _ => Err(format!("its {key} is {}; it must be a number of 0 or more", describe(value))),
        },
    };
    let scenarios = get("scenarios").map(|value| scenarios(value, known)).transpose()?;
    let (users, rate, spawn_rate) = (number("users")?, number("rate")?, number("spawn_rate")?);
    let limits = [
        ("users", users, MOST_USERS as f64),
        ("rate", rate, MOST_RATE),
        ("spawn_rate", spawn_rate, MOST_RATE),
    ];
    for (key, given, most) in limits {
        if let Some(given) = given.filter(|given| *given > most) {
            return Err(format!("its {key} is {given}; the maximum is {most}"));
        }
    }
    match (users, rate, spawn_rate) {
        (Some(_), Some(_), _) => Err("its answer has both users and rate; a load has one of them".to_owned()),
        (Some(users), None, _) if users.fract() != 0.0 => {
            Err(format!("its users is {users}; it must be a whole number"))
        }
        (Some(_), None, Some(0.0)) => Err("its spawn_rate is 0; it must be above 0".to_owned()),
        (Some(users), None, spawn_rate) => {
            Ok(ShapeLoad::Users { users: users as u64, spawn_rate, scenarios })
        }
        (None, Some(_), Some(_)) => {
            Err("its answer has a rate and a spawn_rate, which belongs to users".to_owned())
        }
        (None, Some(rate), None) => Ok(ShapeLoad::Rate { rate, scenarios }),
        (None, None, _) => Err("its answer has neither users nor rate".to_owned()),
    }
}

fn scenarios(value: &Value, known: &[&str]) -> Result<Vec<String>, String> {
    let Value::List(names) = value else {
        return Err(format!("its scenarios is {}; it must be an array of names", describe(value)));
    };
    if names.is_empty() {
        return Err("its scenarios is empty; leave it out for all of them".to_owned());
    }
    names
        .iter()
        .map(|name| match name {
            Value::Text(name) if known.contains(&name.as_str()) => Ok(name.clone()),
            Value::Text(name) => {
                let hint = did_you_mean(name, known.iter().copied());
                Err(format!("there is no scenario '{name}' to take part{hint} (known: {})", known.join(", ")))
            }
            other => Err(format!("its scenarios hold {}; they must be names", describe(other))),
        })
        .collect()
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(int) => Some(*int as f64),
        Value::Float(float) => Some(*float),
        _ => None,
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("the text \"{text}\""),
        Value::Int(int) => int.to_string(),
        Value::Float(float) => float.to_string(),
        Value::Bool(bool) => bool.to_string(),
        Value::List(_) => "an array".to_owned(),
        Value::Map(_) => "a map".to_owned(),
        Value::Unit => "()".to_owned(),
        Value::Char(_) | Value::Bytes(_) => "a value of another type".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, Value)]) -> Value {
        Value::Map(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
    }

    #[test]
    fn what_it_may_answer() {
        let known = ["browse", "buy"];
        assert_eq!(read(&Value::Unit, &known, None), Ok(ShapeLoad::End));
        let users = map(&[("users", Value::Int(5)), ("spawn_rate", Value::Float(2.5))]);
        let expected = ShapeLoad::Users { users: 5, spawn_rate: Some(2.5), scenarios: None };
        assert_eq!(read(&users, &known, None), Ok(expected));
        let names = Value::List(vec![Value::Text("buy".into())]);
        let rate = map(&[("rate", Value::Int(7)), ("scenarios", names)]);
        assert_eq!(
            read(&rate, &known, None),
            Ok(ShapeLoad::Rate { rate: 7.0, scenarios: Some(vec!["buy".into()]) })
        );
    }

    #[test]
    fn a_load_stays_what_it_is_at_first() {
        let users = ShapeLoad::Users { users: 1, spawn_rate: None, scenarios: None };
        let error = read(&map(&[("rate", Value::Int(1))]), &[], Some(&users)).unwrap_err();
        assert!(error.contains("a rate, but users before"), "{error}");
        assert_eq!(read(&Value::Unit, &[], Some(&users)), Ok(ShapeLoad::End));
    }

    #[test]
    fn nonsense_is_named() {
        let check = |value: Value, expected: &str| {
            let error = read(&value, &["browse"], None).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check(Value::Text("many".into()), "it returned the text \"many\"");
        check(map(&[]), "neither users nor rate");
        check(map(&[("user", Value::Int(1))]), "did you mean 'users'");
        check(map(&[("users", Value::Int(-1))]), "its users is -1");
        check(map(&[("users", Value::Float(1.5))]), "whole number");
        check(map(&[("rate", Value::Float(f64::NAN))]), "its rate is NaN");
        check(
            map(&[("users", Value::Float(1e18))]),
            "its users is 1000000000000000000; the maximum is 1000000",
        );
        check(map(&[("rate", Value::Float(1e18))]), "the maximum is 10000000");
        let fast = [("users", Value::Int(1)), ("spawn_rate", Value::Float(1e300))];
        check(map(&fast), "the maximum is 10000000");
        check(map(&[("users", Value::Int(1)), ("rate", Value::Int(1))]), "both users and rate");
        check(
            map(&[("users", Value::Int(1)), ("scenarios", Value::List(vec![Value::Text("brwse".into())]))]),
            "did you mean 'browse'",
        );
    }
}
