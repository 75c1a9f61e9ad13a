//! Values that cross threads: what `setup` returns and what top-level variables hold.
//!
//! Rhai's own values cannot leave their thread (they count references without atomics); plain data can,
//! in this form. Functions and host objects cannot.

use rhai::{Array, Blob, Dynamic, Map};

/// A plain value of a script, free of its thread. `flat` writes it down.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Unit,
    Bool(bool),
    Int(i64),
    Float(f64),
    Char(char),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

/// Deepest nesting of a plain value: threads with small stacks copy and drop them.
pub(super) const MOST_DEPTH: usize = 200;

/// What a value takes besides what it holds, and a key of a map besides its text. Numbers that are the same on all machines:
/// what fits into the store is for all of them to agree on.
const VALUE_BYTES: usize = 32;
const KEY_BYTES: usize = 24;

impl Value {
    /// The value in plain form; in words what it holds when that cannot leave its thread.
    pub(crate) fn from_dynamic(value: &Dynamic) -> Result<Value, String> {
        Value::from_level(value, 0)
    }

    fn from_level(value: &Dynamic, level: usize) -> Result<Value, String> {
        if level > MOST_DEPTH {
            return Err(format!("value nested more than {MOST_DEPTH} levels deep"));
        }
        if value.is_shared() {
            return Value::from_level(&value.flatten_clone(), level);
        }
        if value.is_unit() {
            return Ok(Value::Unit);
        }
        if let Ok(v) = value.as_bool() {
            return Ok(Value::Bool(v));
        }
        if let Ok(v) = value.as_int() {
            return Ok(Value::Int(v));
        }
        if let Ok(v) = value.as_float() {
            return Ok(Value::Float(v));
        }
        if let Ok(v) = value.as_char() {
            return Ok(Value::Char(v));
        }
        if let Ok(v) = value.as_immutable_string_ref() {
            return Ok(Value::Text(v.to_string()));
        }
        if let Some(v) = value.read_lock::<Blob>() {
            return Ok(Value::Bytes(v.clone()));
        }
        if let Some(v) = value.read_lock::<Array>() {
            let values = v.iter().map(|v| Value::from_level(v, level + 1));
            return values.collect::<Result<_, _>>().map(Value::List);
        }
        if let Some(v) = value.read_lock::<Map>() {
            let entries = v.iter().map(|(k, v)| Ok((k.to_string(), Value::from_level(v, level + 1)?)));
            return entries.collect::<Result<_, String>>().map(Value::Map);
        }
        Err(value.type_name().to_owned())
    }

    /// About how much memory it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let inside: usize = match self {
            Value::Unit | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Char(_) => 0,
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::List(values) => values.iter().map(Value::bytes).sum(),
            Value::Map(entries) => {
                entries.iter().map(|(key, value)| KEY_BYTES + key.len() + value.bytes()).sum()
            }
        };
        VALUE_BYTES + inside
    }

    /// The value as scripts see it.
    pub(crate) fn to_dynamic(&self) -> Dynamic {
        match self {
            Value::Unit => Dynamic::UNIT,
            Value::Bool(v) => (*v).into(),
            Value::Int(v) => (*v).into(),
            Value::Float(v) => (*v).into(),
            Value::Char(v) => (*v).into(),
            Value::Text(v) => v.as_str().into(),
            Value::Bytes(v) => Dynamic::from_blob(v.clone()),
            Value::List(v) => Dynamic::from_array(v.iter().map(Value::to_dynamic).collect()),
            Value::Map(v) => {
                Dynamic::from_map(v.iter().map(|(k, v)| (k.as_str().into(), v.to_dynamic())).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_values_survive_the_journey() {
        let engine = rhai::Engine::new();
        let source = r#"#{ a: [1, 2.5, 'c', true, ()], "b c": #{ deep: "text" }, blob: blob(3, 7) }"#;
        let value: Dynamic = engine.eval(source).unwrap();
        let plain = Value::from_dynamic(&value).unwrap();
        assert_eq!(plain.to_dynamic().to_string(), value.to_string());
        assert_eq!(Value::from_dynamic(&plain.to_dynamic()).unwrap(), plain);
    }

    #[test]
    fn values_that_are_nested_too_deeply_stay() {
        let nested = |levels| (0..levels).fold(Dynamic::UNIT, |inner, _| Dynamic::from_array(vec![inner]));
        assert!(Value::from_dynamic(&nested(MOST_DEPTH)).is_ok());
        let error = Value::from_dynamic(&nested(MOST_DEPTH + 1)).unwrap_err();
        assert_eq!(error, "value nested more than 200 levels deep");
    }

    #[test]
    fn functions_stay() {
        let value: Dynamic = rhai::Engine::new().eval("#{ f: |x| x }").unwrap();
        assert_eq!(Value::from_dynamic(&value), Err("Fn".to_owned()));
    }
}
