//! What a GraphQL operation says: its fields, with arguments in which variables have their values.
//!
//! Owns what of the language the demo answers: one operation, aliases, arguments, variables with defaults. Leaves the grammar
//! to `graphql-parser`, and refuses fragments and directives. Invariant: pure; the parser bounds how deep a text nests.

use graphql_parser::query::{
    Definition, OperationDefinition, Selection, SelectionSet, Type, Value as Literal, parse_query,
};
use serde_json::{Map, Value};

/// An operation.
pub(super) struct Operation {
    pub(super) mutates: bool,
    pub(super) fields: Vec<Field>,
}

/// A field that is asked for.
pub(super) struct Field {
    /// What it is called in the answer: its alias or its name.
    pub(super) key: String,
    pub(super) name: String,
    pub(super) arguments: Map<String, Value>,
    /// What of it is asked for; empty for plain values.
    pub(super) fields: Vec<Field>,
}

/// Reads the operation.
///
/// # Errors
/// What was expected and what came, in words.
pub(super) fn parse(text: &str, variables: &Map<String, Value>) -> Result<Operation, String> {
    let document =
        parse_query::<String>(text).map_err(|error| error.to_string().trim().replace('\n', "; "))?;
    let [Definition::Operation(operation)] = document.definitions.as_slice() else {
        return Err("expected one operation, and no fragments".to_owned());
    };
    let (mutates, declared, selected) = match operation {
        OperationDefinition::SelectionSet(selected) => (false, &[][..], selected),
        OperationDefinition::Query(query) => (false, &query.variable_definitions[..], &query.selection_set),
        OperationDefinition::Mutation(query) => (true, &query.variable_definitions[..], &query.selection_set),
        OperationDefinition::Subscription(_) => return Err("subscriptions are not supported".to_owned()),
    };
    let mut variables = variables.clone();
    for variable in declared {
        let name = &variable.name;
        if let Some(default) = &variable.default_value {
            let default = value(default, &Map::new())?;
            variables.entry(name).or_insert(default);
        } else if !matches!(variable.var_type, Type::NonNullType(_)) {
            variables.entry(name).or_insert(Value::Null);
        } else if variables.get(name).is_none_or(Value::is_null) {
            return Err(format!("the variable `${name}` needs a value"));
        }
    }
    Ok(Operation { mutates, fields: fields(selected, &variables)? })
}

fn fields(selected: &SelectionSet<'_, String>, variables: &Map<String, Value>) -> Result<Vec<Field>, String> {
    let field = |selection: &Selection<'_, String>| match selection {
        Selection::Field(field) if field.directives.is_empty() => Ok(Field {
            key: field.alias.as_ref().unwrap_or(&field.name).clone(),
            name: field.name.clone(),
            arguments: object(field.arguments.iter().map(|(name, value)| (name, value)), variables)?,
            fields: fields(&field.selection_set, variables)?,
        }),
        _ => Err("fragments and directives are not supported".to_owned()),
    };
    selected.items.iter().map(field).collect()
}

fn object<'a, 'b: 'a>(
    entries: impl IntoIterator<Item = (&'a String, &'a Literal<'b, String>)>,
    variables: &Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    entries.into_iter().map(|(name, entry)| Ok((name.clone(), value(entry, variables)?))).collect()
}

fn value(literal: &Literal<'_, String>, variables: &Map<String, Value>) -> Result<Value, String> {
    Ok(match literal {
        Literal::Variable(name) => {
            variables.get(name).cloned().ok_or_else(|| format!("the variable `${name}` is not declared"))?
        }
        Literal::Int(number) => number.as_i64().into(),
        Literal::Float(number) => (*number).into(),
        Literal::String(text) | Literal::Enum(text) => text.as_str().into(),
        Literal::Boolean(flag) => (*flag).into(),
        Literal::Null => Value::Null,
        Literal::List(list) => {
            list.iter().map(|item| value(item, variables)).collect::<Result<Vec<_>, _>>()?.into()
        }
        Literal::Object(map) => object(map, variables)?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Result<Operation, String> {
        parse(text, &Map::new())
    }

    #[test]
    fn arguments_have_their_values() {
        let text = r#"
            # all kinds
            query All($a: [Int!]! = [1, 2], $b: T) {
              x: f(a: $a, b: $b, c: -1.5e3, d: "q\"A", e: true, f: { g: [null, RED] }) { y }
            }"#;
        let operation = read(text).unwrap();
        let field = &operation.fields[0];
        assert_eq!((operation.mutates, field.key.as_str(), field.name.as_str()), (false, "x", "f"));
        let expected = json!({ "a": [1, 2], "b": null, "c": -1500.0, "d": "q\"A", "e": true, "f": { "g": [null, "RED"] } });
        assert_eq!(Value::Object(field.arguments.clone()), expected);
        assert_eq!(field.fields[0].name, "y");
    }

    #[test]
    fn mistakes_are_told() {
        let deep = "{ a ".repeat(100_000);
        let lists = format!("{{ a(b: {}", "[".repeat(100_000));
        let types = format!("query($x: {}", "[".repeat(100_000));
        for (text, says) in [
            ("", "end of input"),
            ("subscription { a }", "subscriptions are not supported"),
            ("{ }", "Expected Name"),
            ("{ a } { b }", "one operation"),
            ("{ ...F }", "fragments"),
            ("{ a @skip }", "directives"),
            ("query($x: Int!) { a }", "`$x` needs a value"),
            ("{ a(b: $x) }", "`$x` is not declared"),
            ("{ a(b: ) }", "Unexpected `)"),
            ("{ a(b: \"", "nterminated"),
            ("{ a(b: 1x) }", "nteger"),
            (deep.as_str(), "ecursion limit"),
            (lists.as_str(), "ecursion limit"),
            (types.as_str(), "ecursion limit"),
        ] {
            let why = read(text).err().unwrap_or_default();
            assert!(why.contains(says), "{}: {why}", &text[..text.len().min(40)]);
        }
    }
}
