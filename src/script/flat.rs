//! Plain values as a flat list on their way to another thread or machine.
//!
//! Owns that form. Invariants: any value arrives as it was, with every number that is none, however deep it is nested and whatever
//! format the list is written in; what arrives is nested no deeper than a value may be.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::value::{MOST_DEPTH, Value};

/// One entry of the list. After `List` come its values, after `Map` each key and its value.
#[derive(Serialize, Deserialize)]
enum Entry<'a> {
    Unit,
    Bool(bool),
    Int(i64),
    /// Its bits: JSON has no way to write infinity or what is not a number.
    Float(u64),
    Char(char),
    Text(Cow<'a, str>),
    #[serde(with = "base64_text")]
    Bytes(Cow<'a, [u8]>),
    List(usize),
    Map(usize),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut list = to.serialize_seq(Some(entries(self)))?;
        add(self, &mut list)?;
        list.end()
    }
}

fn entries(value: &Value) -> usize {
    1 + match value {
        Value::List(values) => values.iter().map(entries).sum(),
        Value::Map(pairs) => pairs.iter().map(|(_, value)| 1 + entries(value)).sum(),
        _ => 0,
    }
}

fn add<S: SerializeSeq>(value: &Value, to: &mut S) -> Result<(), S::Error> {
    to.serialize_element(&match value {
        Value::Unit => Entry::Unit,
        Value::Bool(value) => Entry::Bool(*value),
        Value::Int(value) => Entry::Int(*value),
        Value::Float(value) => Entry::Float(value.to_bits()),
        Value::Char(value) => Entry::Char(*value),
        Value::Text(text) => Entry::Text(text.into()),
        Value::Bytes(bytes) => Entry::Bytes(bytes.into()),
        Value::List(values) => Entry::List(values.len()),
        Value::Map(pairs) => Entry::Map(pairs.len()),
    })?;
    match value {
        Value::List(values) => values.iter().try_for_each(|value| add(value, to)),
        Value::Map(pairs) => pairs.iter().try_for_each(|(key, value)| {
            to.serialize_element(&Entry::Text(key.into()))?;
            add(value, to)
        }),
        _ => Ok(()),
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
        let mut list = Vec::<Entry>::deserialize(from)?.into_iter();
        let value = take(&mut list, 0).map_err(D::Error::custom)?;
        if list.next().is_some() {
            return Err(D::Error::custom("more than one value"));
        }
        Ok(value)
    }
}

fn take<'a>(list: &mut impl Iterator<Item = Entry<'a>>, level: usize) -> Result<Value, &'static str> {
    if level > MOST_DEPTH {
        return Err("a value that is nested too deeply");
    }
    // Nothing is reserved for what is only announced.
    Ok(match list.next().ok_or("a value that ends too early")? {
        Entry::Unit => Value::Unit,
        Entry::Bool(value) => Value::Bool(value),
        Entry::Int(value) => Value::Int(value),
        Entry::Float(bits) => Value::Float(f64::from_bits(bits)),
        Entry::Char(value) => Value::Char(value),
        Entry::Text(text) => Value::Text(text.into_owned()),
        Entry::Bytes(bytes) => Value::Bytes(bytes.into_owned()),
        Entry::List(length) => {
            let mut values = Vec::new();
            for _ in 0..length {
                values.push(take(list, level + 1)?);
            }
            Value::List(values)
        }
        Entry::Map(length) => {
            let mut pairs = Vec::new();
            for _ in 0..length {
                let Some(Entry::Text(key)) = list.next() else { return Err("a map without a key") };
                pairs.push((key.into_owned(), take(list, level + 1)?));
            }
            Value::Map(pairs)
        }
    })
}

/// Bytes as text: as a list of numbers they would take four times as much.
mod base64_text {
    use super::*;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, 'a, D: Deserializer<'de>>(from: D) -> Result<Cow<'a, [u8]>, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map(Cow::Owned).map_err(|_| D::Error::custom("bytes that are not base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_survives_a_journey_as_json() {
        let deep = (0..MOST_DEPTH).fold(Value::Unit, |inner, level| match level % 2 {
            0 => Value::List(vec![inner]),
            _ => Value::Map(vec![("k".into(), inner)]),
        });
        let values = [
            Value::Float(f64::NAN),
            Value::Float(f64::NEG_INFINITY),
            Value::Float(0.1 + 0.2),
            Value::Int(i64::MIN),
            Value::Char('ü'),
            Value::Bytes(vec![0, 255, 7]),
            Value::List(vec![Value::List(Vec::new()), Value::Map(Vec::new()), Value::Bool(true)]),
            Value::Map(vec![("".into(), Value::Text("a\"\n".into())), ("b".into(), Value::Unit)]),
            deep,
        ];
        for value in values {
            let text = serde_json::to_string(&value).unwrap();
            let back: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(format!("{back:?}"), format!("{value:?}"), "{text}");
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        let too_deep = format!("[{}\"Unit\"]", r#"{"List":1},"#.repeat(MOST_DEPTH + 1));
        let long = r#"[{"List":18446744073709551615}]"#;
        let wrong = ["[]", r#"["Unit","Unit"]"#, r#"[{"Map":1},"Unit","Unit"]"#, r#"[{"Bytes":"?"}]"#];
        for text in wrong.into_iter().chain([&*too_deep, long]) {
            assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
        }
    }
}
