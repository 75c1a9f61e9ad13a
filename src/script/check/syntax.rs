//! Error-tolerant parsing: all syntax errors of a file, and everything that can be parsed in spite of them.
//!
//! Rhai's parser stops at the first error. Here the function with the error is removed and the rest is parsed
//! again. This works because functions cannot be nested: parsing can resume at a line that begins with `fn`.
//! Invariant: line numbers are preserved, and names declared only in a removed part count as known.

use std::ops::Range;

use rhai::{AST, Engine, ParseErrorType, Position, Token};

use crate::script::error::parse_message;
use crate::script::habits::{Habit, of_syntax};

/// How many parts are left out before the rest is given up.
const MOST_PARTS: usize = 50;

/// What could be read.
pub(super) struct Parsed {
    /// The file without what could not be read.
    pub(super) ast: Option<AST>,
    pub(super) errors: Vec<SyntaxError>,
    /// What the parts that could not be read declare.
    pub(super) unread: Unread,
}

/// One error.
pub(super) struct SyntaxError {
    pub(super) message: String,
    pub(super) hint: Option<String>,
    pub(super) position: Position,
}

/// Names that are declared somewhere in what could not be read.
#[derive(Default)]
pub(super) struct Unread {
    pub(super) functions: Vec<String>,
    pub(super) variables: Vec<String>,
    pub(super) imports: Vec<String>,
}

impl Unread {
    /// Everything could be read.
    pub(super) fn is_empty(&self) -> bool {
        self.functions.is_empty() && self.variables.is_empty() && self.imports.is_empty()
    }
}

/// Reads a file.
pub(super) fn parse(engine: &Engine, text: &str) -> Parsed {
    let whole: Vec<&str> = text.lines().collect();
    let mut lines = whole.clone();
    let parts = parts(&lines);
    let mut left_out = vec![false; parts.len()];
    let mut parsed = Parsed { ast: None, errors: Vec::new(), unread: Unread::default() };
    while parsed.errors.len() < MOST_PARTS {
        let error = match engine.compile(lines.join("\n")) {
            Ok(ast) => {
                parsed.ast = Some(ast);
                break;
            }
            Err(error) => error,
        };
        if matches!(*error.0, ParseErrorType::TooManyFunctions) {
            // It is no mistake of one part; reading the rest again and again would take minutes.
            parsed.errors.push(explained(engine, &error, &whole, "", 0));
            break;
        }
        let line = error.1.line().unwrap_or(usize::MAX).saturating_sub(1);
        let begins_inside = matches!(*error.0, ParseErrorType::WrongFnDefinition);
        let mut part = parts.iter().rposition(|part| part.start <= line).unwrap_or(0);
        if begins_inside && part > 0 {
            // What is wrong is the function before, which does not end.
            part -= 1;
        }
        if left_out[part] {
            // The rest cannot be told from the mistake.
            for (part, _) in parts.iter().zip(&left_out).filter(|(_, left_out)| !**left_out) {
                declared(engine, &lines[part.clone()].join("\n"), &mut parsed.unread);
            }
            break;
        }
        left_out[part] = true;
        let wrong = lines[parts[part].clone()].join("\n");
        parsed.errors.push(explained(engine, &error, &whole, &wrong, parts[part].start));
        declared(engine, &wrong, &mut parsed.unread);
        lines[parts[part].clone()].fill("");
    }
    parsed
}

/// The lines before the first function, and those of each function with what follows it.
fn parts(lines: &[&str]) -> Vec<Range<usize>> {
    let begins = |line: &str| line.starts_with("fn ") || line.starts_with("private fn ");
    let mut starts = vec![0];
    for (index, _) in lines.iter().enumerate().filter(|(_, line)| begins(line)) {
        let comments = lines[..index].iter().rev().take_while(|line| line.starts_with("//")).count();
        let start = index - comments;
        if starts.last().is_some_and(|last| *last < start) {
            starts.push(start);
        }
    }
    let ends = starts.iter().skip(1).copied().chain([lines.len()]);
    starts.iter().zip(ends).map(|(start, end)| *start..end).collect()
}

fn explained(
    engine: &Engine,
    error: &rhai::ParseError,
    whole: &[&str],
    part: &str,
    first_line: usize,
) -> SyntaxError {
    let (message, hint) = match parse_message(&error.0).split_once(" — ") {
        Some((message, hint)) => (message.to_owned(), Some(hint.to_owned())),
        None => (parse_message(&error.0), None),
    };
    let line_of_part = error.1.line().map(|line| line.saturating_sub(first_line));
    let open = match *error.0 {
        ParseErrorType::WrongFnDefinition
        | ParseErrorType::UnexpectedEOF
        | ParseErrorType::MissingToken(..) => {
            let is_at_end = matches!(*error.0, ParseErrorType::WrongFnDefinition)
                || line_of_part.is_none_or(|line| is_blank_from(part, line, error.1));
            open_bracket(engine, part).filter(|_| is_at_end).map(|(bracket, line, column)| {
                format!("the {bracket} opened at {}:{column} is not closed", first_line + line)
            })
        }
        _ => None,
    };
    if open.is_none()
        && let Some(habit) = habit(error, whole)
    {
        let at = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        let position = Position::new(at(habit.line + 1), at(habit.column));
        return SyntaxError { message: habit.message, hint: Some(habit.hint), position };
    }
    SyntaxError { message, hint: open.or(hint), position: error.1 }
}

/// What the author meant, if it is a habit of another language.
fn habit(error: &rhai::ParseError, lines: &[&str]) -> Option<Habit> {
    let is_unterminated = matches!(&*error.0, ParseErrorType::MissingToken(token, _) if token == ";");
    of_syntax(lines, error.1.line()?.checked_sub(1)?, error.1.position().unwrap_or(1), is_unterminated)
}

/// Whether nothing follows a position, whose line of the part is `line`.
fn is_blank_from(part: &str, line: usize, position: Position) -> bool {
    let column = position.position().unwrap_or(1);
    part.lines().enumerate().skip(line.saturating_sub(1)).all(|(index, text)| {
        let skipped = if index + 1 == line { column.saturating_sub(1) } else { 0 };
        text.chars().skip(skipped).all(char::is_whitespace)
    })
}

/// The bracket that is not closed, with line and column.
fn open_bracket(engine: &Engine, text: &str) -> Option<(&'static str, usize, usize)> {
    let mut open: Vec<(&'static str, usize, usize, bool)> = Vec::new();
    let mut suspect = None;
    let mut last_line = 0;
    let (tokens, control) = engine.lex([&text]);
    let mut is_text = false;
    let indent = |line: usize| text.lines().nth(line.saturating_sub(1)).map_or(0, indentation);
    for (token, position) in tokens {
        let (line, column) = (position.line().unwrap_or(0), position.position().unwrap_or(0));
        let begins_line = std::mem::replace(&mut last_line, line) != line;
        match token {
            Token::EOF => break,
            Token::LeftBrace => open.push(("{", line, column, is_text)),
            Token::MapStart => open.push(("#{", line, column, false)),
            Token::LeftParen => open.push(("(", line, column, false)),
            Token::LeftBracket => open.push(("[", line, column, false)),
            Token::RightBrace | Token::RightParen | Token::RightBracket => {
                if let Some((bracket, opened, at, is_text)) = open.pop() {
                    // It closes something that is indented deeper: that one was meant to be closed before.
                    if begins_line && indent(line) < indent(opened) {
                        suspect = suspect.or(Some((bracket, opened, at)));
                    }
                    control.borrow_mut().is_within_text = is_text;
                }
            }
            _ => {}
        }
        is_text = matches!(token, Token::InterpolatedString(..));
    }
    let (bracket, line, column, _) = open.pop()?;
    Some(suspect.unwrap_or((bracket, line, column)))
}

fn indentation(line: &str) -> usize {
    line.chars().take_while(|c| c.is_whitespace()).count()
}

/// Collects the names that a text declares, whether it is right or not.
fn declared(engine: &Engine, text: &str, unread: &mut Unread) {
    let (tokens, _) = engine.lex([&text]);
    let mut before = None;
    for (token, _) in tokens {
        match (&before, &token) {
            (_, Token::EOF) => break,
            (Some(Token::Fn), Token::Identifier(name)) => unread.functions.push(name.to_string()),
            (Some(Token::Let | Token::Const), Token::Identifier(name)) => {
                unread.variables.push(name.to_string());
            }
            (Some(Token::As), Token::Identifier(name)) => unread.imports.push(name.to_string()),
            _ => {}
        }
        before = Some(token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> Vec<String> {
        let parsed = parse(&Engine::new(), text);
        let shown = |error: SyntaxError| {
            let line = error.position.line().unwrap_or(0);
            format!(
                "{line}: {}{}",
                error.message,
                error.hint.map_or(String::new(), |hint| format!(" — {hint}"))
            )
        };
        parsed.errors.into_iter().map(shown).collect()
    }

    #[test]
    fn each_function_with_an_error_is_told() {
        let text = "let a = ;\n\n/// One.\nfn one() { let = 3; }\n/// Two.\nfn two() { 1 }\nfn three( { }\n";
        let found = errors(text);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("1: ") && found[1].starts_with("4: ") && found[2].starts_with("7: "));
    }

    #[test]
    fn a_bracket_that_is_not_closed_is_found_by_its_indentation() {
        let found = errors("fn a() {\n    if true {\n        print(`${1}`);\n}\nfn b() {}\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("the { opened at 2:13 is not closed"), "{found:?}");
        let found = errors("fn a() {\n  foo(#{ a: 1\n");
        assert!(found[0].contains("the #{ opened at 2:7 is not closed"), "{found:?}");
    }

    #[test]
    fn names_of_what_cannot_be_read_are_known() {
        let parsed = parse(&Engine::new(), "const A = 1;\nlet b = ;\nfn f(x) { }\nfn g( { let c = 1; }");
        assert!(parsed.ast.is_some());
        assert_eq!(parsed.unread.variables, ["A", "b", "c"]);
        assert_eq!(parsed.unread.functions, ["g"]);
    }

    #[test]
    fn what_is_no_script_gives_an_error_and_comes_to_an_end() {
        assert_eq!(errors("<html>\n<body></body>").len(), 1);
        assert!(!errors("`").is_empty());
        assert!(errors("").is_empty());
    }
}
