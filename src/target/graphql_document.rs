//! What a GraphQL operation says: its fields, with arguments in which variables have their values.
//!
//! Owns the part of the language that the demo needs: one operation, aliases, arguments, variables with defaults.
//! Leaves out fragments, directives and block strings, and says so when one comes.
//! Invariant: pure, and linear in the text; nesting is bounded, so a hostile text cannot exhaust the stack.

use serde_json::{Map, Value};
use std::iter::Peekable;
use std::str::Chars;

/// How deep fields and lists may nest.
const DEEPEST: usize = 20;

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
    let mut reader =
        Reader { chars: text.chars().peekable(), next: Token::End, variables: variables.clone() };
    reader.advance()?;
    let mutates = match &reader.next {
        Token::Name(word) => match word.as_str() {
            "query" | "mutation" => {
                let mutates = word == "mutation";
                reader.advance()?;
                reader.head()?;
                mutates
            }
            other => {
                return Err(format!(
                    "expected `query`, `mutation` or `{{`, got `{other}`; there are no others"
                ));
            }
        },
        _ => false,
    };
    let fields = reader.fields(0)?;
    reader.expect(&Token::End)?;
    Ok(Operation { mutates, fields })
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Number(String),
    Mark(char),
    End,
}

impl Token {
    fn show(&self) -> String {
        match self {
            Token::Name(text) | Token::Number(text) => format!("`{text}`"),
            Token::Text(text) => format!("{text:?}"),
            Token::Mark(mark) => format!("`{mark}`"),
            Token::End => "the end".to_owned(),
        }
    }
}

struct Reader<'a> {
    chars: Peekable<Chars<'a>>,
    next: Token,
    /// Those of the request, then also defaults.
    variables: Map<String, Value>,
}

impl Reader<'_> {
    /// Name and variables of the operation, before its `{`.
    fn head(&mut self) -> Result<(), String> {
        if matches!(self.next, Token::Name(_)) {
            self.advance()?;
        }
        if !self.take(&Token::Mark('('))? {
            return Ok(());
        }
        while !self.take(&Token::Mark(')'))? {
            self.expect(&Token::Mark('$'))?;
            let name = self.name()?;
            self.expect(&Token::Mark(':'))?;
            let needed = self.type_name(0)?;
            if self.take(&Token::Mark('='))? {
                let default = self.value(0)?;
                self.variables.entry(name).or_insert(default);
            } else if needed && self.variables.get(&name).is_none_or(Value::is_null) {
                return Err(format!("the variable `${name}` needs a value"));
            } else {
                self.variables.entry(name).or_insert(Value::Null);
            }
        }
        Ok(())
    }

    /// Skips a type; whether it may not be null.
    fn type_name(&mut self, depth: usize) -> Result<bool, String> {
        not_deeper(depth)?;
        if self.take(&Token::Mark('['))? {
            self.type_name(depth + 1)?;
            self.expect(&Token::Mark(']'))?;
        } else {
            self.name()?;
        }
        self.take(&Token::Mark('!'))
    }

    fn fields(&mut self, depth: usize) -> Result<Vec<Field>, String> {
        not_deeper(depth)?;
        self.expect(&Token::Mark('{'))?;
        let mut fields = Vec::new();
        while !self.take(&Token::Mark('}'))? {
            let mut name = self.name()?;
            let key = name.clone();
            if self.take(&Token::Mark(':'))? {
                name = self.name()?;
            }
            let mut field = Field { key, name, arguments: Map::new(), fields: Vec::new() };
            if self.take(&Token::Mark('('))? {
                while !self.take(&Token::Mark(')'))? {
                    let name = self.name()?;
                    self.expect(&Token::Mark(':'))?;
                    field.arguments.insert(name, self.value(depth)?);
                }
            }
            if self.next == Token::Mark('{') {
                field.fields = self.fields(depth + 1)?;
            }
            fields.push(field);
        }
        if fields.is_empty() { Err("expected a field, got `}`".to_owned()) } else { Ok(fields) }
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        not_deeper(depth)?;
        match self.advance()? {
            Token::Text(text) => Ok(Value::String(text)),
            Token::Number(text) => {
                serde_json::from_str(&text).map_err(|_| format!("expected a number, got `{text}`"))
            }
            Token::Name(word) => Ok(match word.as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "null" => Value::Null,
                _ => Value::String(word),
            }),
            Token::Mark('$') => {
                let name = self.name()?;
                self.variables.get(&name).cloned().ok_or(format!("the variable `${name}` is not declared"))
            }
            Token::Mark('[') => {
                let mut list = Vec::new();
                while !self.take(&Token::Mark(']'))? {
                    list.push(self.value(depth + 1)?);
                }
                Ok(Value::Array(list))
            }
            Token::Mark('{') => {
                let mut map = Map::new();
                while !self.take(&Token::Mark('}'))? {
                    let name = self.name()?;
                    self.expect(&Token::Mark(':'))?;
                    map.insert(name, self.value(depth + 1)?);
                }
                Ok(Value::Object(map))
            }
            other => Err(format!("expected a value, got {}", other.show())),
        }
    }

    fn name(&mut self) -> Result<String, String> {
        match self.advance()? {
            Token::Name(name) => Ok(name),
            Token::Mark(mark @ ('.' | '@')) => {
                Err(format!("`{mark}`: fragments and directives are not understood here"))
            }
            other => Err(format!("expected a name, got {}", other.show())),
        }
    }

    fn expect(&mut self, wanted: &Token) -> Result<(), String> {
        if self.take(wanted)? {
            return Ok(());
        }
        Err(format!("expected {}, got {}", wanted.show(), self.next.show()))
    }

    /// Takes the next token if it is this one.
    fn take(&mut self, wanted: &Token) -> Result<bool, String> {
        let is = self.next == *wanted;
        if is && *wanted != Token::End {
            self.advance()?;
        }
        Ok(is)
    }

    /// The next token, and reads the one after it.
    fn advance(&mut self) -> Result<Token, String> {
        let following = self.read()?;
        Ok(std::mem::replace(&mut self.next, following))
    }

    fn read(&mut self) -> Result<Token, String> {
        loop {
            match self.chars.peek() {
                None => return Ok(Token::End),
                Some(c) if c.is_whitespace() || *c == ',' => {
                    self.chars.next();
                }
                Some('#') => while self.chars.next_if(|c| *c != '\n').is_some() {},
                Some('"') => return self.text(),
                Some(c) if c.is_ascii_alphabetic() || *c == '_' => {
                    return Ok(Token::Name(self.run(|c| c.is_ascii_alphanumeric() || c == '_')));
                }
                Some(c) if c.is_ascii_digit() || *c == '-' => {
                    return Ok(Token::Number(
                        self.run(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.')),
                    ));
                }
                Some(c) => {
                    let mark = *c;
                    self.chars.next();
                    return Ok(Token::Mark(mark));
                }
            }
        }
    }

    fn run(&mut self, belongs: impl Fn(char) -> bool) -> String {
        std::iter::from_fn(|| self.chars.next_if(|c| belongs(*c))).collect()
    }

    /// Text in quotes; its escapes are those of JSON.
    fn text(&mut self) -> Result<Token, String> {
        let mut raw = String::from("\"");
        self.chars.next();
        loop {
            match self.chars.next() {
                Some('"') => break,
                Some('\\') => raw.extend(['\\'].into_iter().chain(self.chars.next())),
                None | Some('\n') => return Err("a text is opened and never closed".to_owned()),
                Some(c) => raw.push(c),
            }
        }
        raw.push('"');
        serde_json::from_str(&raw).map(Token::Text).map_err(|error| format!("{raw}: {error}"))
    }
}

fn not_deeper(depth: usize) -> Result<(), String> {
    if depth > DEEPEST { Err(format!("more than {DEEPEST} levels deep")) } else { Ok(()) }
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
        for (text, says) in [
            ("", "expected `{`, got the end"),
            ("subscription { a }", "got `subscription`"),
            ("{ }", "expected a field"),
            ("{ a } { b }", "expected the end, got `{`"),
            ("{ ...F }", "fragments"),
            ("{ a @skip }", "directives"),
            ("query($x: Int!) { a }", "`$x` needs a value"),
            ("{ a(b: $x) }", "`$x` is not declared"),
            ("{ a(b: ) }", "expected a value, got `)`"),
            ("{ a(b: \"", "never closed"),
            ("{ a(b: 1x) }", "expected a number"),
            (deep.as_str(), "levels deep"),
        ] {
            let why = read(text).err().unwrap_or_default();
            assert!(why.contains(says), "{}: {why}", &text[..text.len().min(40)]);
        }
    }
}
