//! Syntax of other languages, recognised in the line where Rhai's parser stopped.
//!
//! Works on the text of the lines, because what cannot be parsed has no tree. Invariant: only called for lines that
//! Rhai rejects, so a rule needs to be right only about those.

/// What is wrong, and what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Habit {
    /// Line in the text, from 0.
    pub(crate) line: usize,
    /// Column, from 1, in characters.
    pub(crate) column: usize,
    /// What is wrong.
    pub(crate) message: String,
    /// What to write instead.
    pub(crate) hint: String,
}

/// A rule: the code of the line without texts and comments, the line as it is, the column where the parser stopped.
/// Gives the column of what is wrong, message and hint.
type Rule = fn(&Line<'_>) -> Option<(usize, String, String)>;

struct Line<'a> {
    /// The line as it is.
    text: &'a str,
    /// The same with blanks instead of what is in double quotes and backticks, and of comments.
    code: String,
    /// Where the parser stopped, from 0, in characters.
    stopped: usize,
}

const RULES: &[Rule] = &[
    comment,
    import,
    function,
    class,
    decorator,
    elif,
    single_quotes,
    f_string,
    strict_equality,
    increment,
    for_loop,
    arrow,
    lambda,
    object_literal,
    ternary,
    colon_block,
    words,
    annotation,
    name_letters,
];

/// What the line at which the parser stopped was meant to be; `line` counts from 0, `column` from 1.
///
/// `is_unterminated`: the parser misses the ';' of the statement before.
pub(crate) fn of_syntax(lines: &[&str], line: usize, column: usize, is_unterminated: bool) -> Option<Habit> {
    let at = |index: usize| lines.get(index).copied().unwrap_or_default();
    let read = Line { text: at(line), code: code_of(at(line)), stopped: column.saturating_sub(1) };
    let found = RULES.iter().find_map(|rule| rule(&read));
    if let Some((column, message, hint)) = found {
        return Some(Habit { line, column, message, hint });
    }
    if !is_unterminated || !read.code.chars().take(read.stopped).all(char::is_whitespace) {
        return None;
    }
    // The statement that lacks its ';' ends on a line before.
    let (index, code) =
        (0..line).rev().map(|index| (index, code_of(at(index)))).find(|(_, c)| !c.trim().is_empty())?;
    let before = Line { text: at(index), code, stopped: usize::MAX };
    if let Some((column, message, hint)) = RULES.iter().find_map(|rule| rule(&before)) {
        return Some(Habit { line: index, column, message, hint });
    }
    let end = before.code.trim_end().chars().count();
    Some(Habit {
        line: index,
        column: end + 1,
        message: "this statement does not end with a ';'".to_owned(),
        hint: "add ; here".to_owned(),
    })
}

/// The line with blanks for what is text or comment, so that columns stay.
fn code_of(line: &str) -> String {
    let mut code = String::with_capacity(line.len());
    let mut quote = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match quote {
            Some(open) => {
                code.push(if c == open { c } else { ' ' });
                if c == '\\' && chars.next().is_some() {
                    code.push(' ');
                } else if c == open {
                    quote = None;
                }
            }
            None if c == '/' && chars.peek() == Some(&'/') => {
                code.push(' ');
                code.extend(chars.by_ref().map(|_| ' '));
            }
            None => {
                if c == '"' || c == '`' {
                    quote = Some(c);
                }
                code.push(c);
            }
        }
    }
    code
}

impl Line<'_> {
    /// The column of a part of the code, from 1, and what follows it.
    fn find(&self, part: &str) -> Option<(usize, &str)> {
        let at = self.code.find(part)?;
        Some((self.code[..at].chars().count() + 1, &self.code[at + part.len()..]))
    }

    /// The same for a whole word.
    fn word(&self, word: &str) -> Option<(usize, &str)> {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let (at, _) = self.code.match_indices(word).find(|(at, _)| {
            !self.code[..*at].ends_with(is_part) && !self.code[at + word.len()..].starts_with(is_part)
        })?;
        Some((self.code[..at].chars().count() + 1, &self.code[at + word.len()..]))
    }

    /// What follows a word that the line begins with, and the column of the word.
    fn begins(&self, word: &str) -> Option<(usize, &str)> {
        self.word(word)
            .filter(|(column, _)| self.code.chars().take(column - 1).all(|c| c.is_whitespace() || c == '}'))
    }
}

/// The name that a text begins with.
fn name_of(text: &str) -> &str {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The parameters in the first brackets, without `self`.
fn params_of(text: &str) -> String {
    let inner = text.split_once('(').map_or("", |(_, rest)| rest.split(')').next().unwrap_or_default());
    let names = inner.split(',').map(name_of).filter(|name| !matches!(*name, "" | "self"));
    names.collect::<Vec<_>>().join(", ")
}

fn said(
    column: usize,
    message: impl Into<String>,
    hint: impl Into<String>,
) -> Option<(usize, String, String)> {
    Some((column, message.into(), hint.into()))
}

/// `# comment`
fn comment(line: &Line<'_>) -> Option<(usize, String, String)> {
    let (column, rest) = line.find("#")?;
    if rest.starts_with(['{', '!']) || rest.starts_with('"') || rest.starts_with('#') {
        return None;
    }
    said(column, "'#' does not begin a comment", "write // before it")
}

/// `import x from "y"`, `from x import y`
fn import(line: &Line<'_>) -> Option<(usize, String, String)> {
    let is_python = line.begins("from").filter(|(_, rest)| rest.contains("import"));
    let (column, rest) = is_python.or_else(|| line.begins("import"))?;
    if is_python.is_none() && rest.trim_start().starts_with(['"', '`']) {
        return None;
    }
    let (message, hint) = super::IMPORT.split_once(" — ")?;
    let is_name_alone = name_of(rest).len() == rest.trim().trim_end_matches(';').len();
    // Where the walk finds the same.
    let column =
        if is_name_alone { line.code.find(name_of(rest)).map_or(column, |at| at + 1) } else { column };
    said(column, message, hint)
}

/// `def f():`, `function f() {`, `export default function`, `export const options`
fn function(line: &Line<'_>) -> Option<(usize, String, String)> {
    if let Some((column, rest)) = line.begins("def") {
        return said(
            column,
            "'def' is Python",
            format!("write fn {}({}) {{ … }}", name_or(rest, "browse"), params_of(rest)),
        );
    }
    if let Some((column, rest)) = line.begins("export") {
        let inner = rest.trim_start();
        if inner.starts_with("default") {
            return said(
                column,
                "'export default' is JavaScript",
                "the function of a virtual user is fn iteration() { … }",
            );
        }
        if inner.starts_with("const options") {
            return said(
                column,
                "the options are declared by a call",
                "write options(#{ users: 10, run_time: \"1m\" });",
            );
        }
        if inner.starts_with("function") || inner.starts_with("async") {
            return said(
                column,
                "functions need no 'export'",
                format!("write fn {}() {{ … }}", name_or(after(inner, "function"), "browse")),
            );
        }
    }
    let (column, rest) = line.word("function")?;
    let rest = rest.trim_start();
    if rest.starts_with('(') {
        return said(
            column,
            "'function' is JavaScript",
            format!("a closure is written |{}| …, or || {{ … }}", params_of(rest)),
        );
    }
    said(
        column,
        "'function' is JavaScript",
        format!("write fn {}({}) {{ … }}", name_or(rest, "browse"), params_of(rest)),
    )
}

fn after<'a>(text: &'a str, word: &str) -> &'a str {
    text.split_once(word).map_or("", |(_, rest)| rest)
}

fn name_or<'a>(text: &'a str, other: &'a str) -> &'a str {
    let name = name_of(text);
    if name.is_empty() { other } else { name }
}

/// `class`, `struct`, `impl`
fn class(line: &Line<'_>) -> Option<(usize, String, String)> {
    let (column, rest) = ["class", "struct", "impl"].into_iter().find_map(|word| line.begins(word))?;
    if rest.trim_start().starts_with(['=', '.', '(', ';']) {
        return None;
    }
    said(
        column,
        "there are no classes",
        "write each task as a function, fn browse() { … }, and name it at the top: task(\"browse\", 3); wait(between(1, 3));",
    )
}

/// `@task`
fn decorator(line: &Line<'_>) -> Option<(usize, String, String)> {
    let (column, rest) = line.find("@")?;
    let weight = rest.split(['(', ')']).nth(1).filter(|weight| weight.parse::<u32>().is_ok()).unwrap_or("3");
    said(
        column,
        "there are no decorators",
        format!("name the function at the top of the script: task(\"browse\", {weight});"),
    )
}

/// `elif`
fn elif(line: &Line<'_>) -> Option<(usize, String, String)> {
    if let Some((column, _)) =
        line.begins("elif").or_else(|| line.begins("elsif")).or_else(|| line.begins("elseif"))
    {
        return said(column, "'elif' is Python", "write else if … { … }");
    }
    let (column, _) = line.begins("except")?;
    said(column, "'except' is Python", "write try { … } catch (error) { … }")
}

/// `'text'`
fn single_quotes(line: &Line<'_>) -> Option<(usize, String, String)> {
    let start = line.code.find('\'')?;
    let rest = &line.code[start + 1..];
    let end = rest.find('\'')?;
    let column = line.code[..start].chars().count() + 1;
    let length = rest[..end].chars().count();
    // One character in single quotes is a character, which Rhai has.
    let text: String = line.text.chars().skip(column).take(length).collect();
    (length != 1).then(|| {
        (
            column,
            "text does not stand in single quotes".to_owned(),
            format!("write \"{}\"", text.replace('"', "\\\"")),
        )
    })
}

/// `f"{x}"`
fn f_string(line: &Line<'_>) -> Option<(usize, String, String)> {
    let at = ["f\"", "F\"", "r\"", "b\"", "f'", "r'"].into_iter().find_map(|start| {
        line.code
            .match_indices(start)
            .map(|(at, _)| at)
            .find(|at| !line.code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
    })?;
    let column = line.code[..at].chars().count() + 1;
    if line.code[at..].starts_with(['f', 'F']) {
        return said(column, "text has no prefix f", "values stand in text in backticks: `/items/${id}`");
    }
    said(
        column,
        "text has no prefix",
        "text is written \"…\"; raw text, in which \\ is a character, is written #\"…\"#",
    )
}

/// `===`
fn strict_equality(line: &Line<'_>) -> Option<(usize, String, String)> {
    if let Some((column, _)) = line.find("!==") {
        return said(column, "'!==' is JavaScript", "write !=, which never converts types");
    }
    let (column, _) = line.find("===")?;
    said(column, "'===' is JavaScript", "write ==, which never converts types")
}

/// `i++`
fn increment(line: &Line<'_>) -> Option<(usize, String, String)> {
    if line.word("for").is_some() {
        return None;
    }
    let (operator, sign) =
        [("++", '+'), ("--", '-')].into_iter().find(|(operator, _)| line.code.contains(operator))?;
    let (column, _) = line.find(operator)?;
    let before: String = line.code.chars().take(column - 1).collect();
    let start = before
        .trim_end()
        .rfind(|c: char| !c.is_alphanumeric() && c != '_' && c != '.')
        .map_or(0, |at| at + 1);
    let name = before.trim_end().get(start..).filter(|name| !name.is_empty()).unwrap_or("i");
    said(column, format!("there is no operator '{operator}'"), format!("write {name} {sign}= 1"))
}

/// `for (let i = 0; i < n; i++)`, `for (const x of list)`
fn for_loop(line: &Line<'_>) -> Option<(usize, String, String)> {
    let (column, rest) = line.word("for")?;
    if rest.contains(';') && rest.trim_start().starts_with('(') {
        return said(column, "a loop over numbers has no three parts", "write for i in 0..10 { … }");
    }
    if rest.contains(" of ") {
        return said(column, "'for … of' is JavaScript", "write for x in list { … }");
    }
    None
}

/// `(r) => …`
fn arrow(line: &Line<'_>) -> Option<(usize, String, String)> {
    let (column, _) = line.find("=>")?;
    let before: String = line.code.chars().take(column - 1).collect();
    let name = before.trim_end().trim_end_matches(')');
    let start =
        name.rfind(|c: char| !c.is_alphanumeric() && c != '_' && c != ',' && c != ' ').map_or(0, |at| at + 1);
    let params = name.get(start..).unwrap_or_default().trim();
    said(column, "'=>' is JavaScript", format!("a closure is written |{params}| …"))
}

/// `lambda x: …`
fn lambda(line: &Line<'_>) -> Option<(usize, String, String)> {
    let (column, rest) = line.word("lambda")?;
    let params = rest.split(':').next().unwrap_or_default().trim();
    said(column, "'lambda' is Python", format!("a closure is written |{params}| …"))
}

/// `{ a: 1 }` where a value stands
fn object_literal(line: &Line<'_>) -> Option<(usize, String, String)> {
    let chars: Vec<char> = line.code.chars().collect();
    let at = (0..chars.len()).find(|&at| {
        let before = chars[..at].iter().rev().find(|c| !c.is_whitespace());
        let rest: String = chars[at + 1..].iter().collect();
        let rest = rest.trim_start();
        let is_key = rest.starts_with('"')
            && rest[1..].split('"').nth(1).is_some_and(|r| r.trim_start().starts_with(':'))
            || !name_of(rest).is_empty()
                && rest[name_of(rest).len()..].trim_start().starts_with(':')
                && !rest[name_of(rest).len()..].trim_start().starts_with("::");
        chars[at] == '{' && matches!(before, Some('(' | ',' | '=' | ':' | '[' | '|') | None) && is_key
    })?;
    said(at + 1, "a map does not begin with '{'", "write #{ name: value }")
}

/// `a ? b : c`
fn ternary(line: &Line<'_>) -> Option<(usize, String, String)> {
    let (column, rest) = line.find("?")?;
    if rest.starts_with(['?', '.', '[']) {
        return None;
    }
    said(column, "there is no operator '?'", "write if condition { a } else { b }, which is a value")
}

/// `if x:`
fn colon_block(line: &Line<'_>) -> Option<(usize, String, String)> {
    let code = line.code.trim_end();
    let word = name_of(code);
    if !code.ends_with(':')
        || !matches!(word, "if" | "else" | "for" | "while" | "try" | "with" | "match" | "switch" | "finally")
    {
        return None;
    }
    let head = code.trim().trim_end_matches(':').trim_end();
    let hint = if word == "with" {
        "write the statements one after another; a response is a value: let r = http::get(\"/\");".to_owned()
    } else {
        format!("write {head} {{ … }}")
    };
    said(code.chars().count(), "a block does not begin with ':'", hint)
}

/// Words of other languages that stand where none can.
fn words(line: &Line<'_>) -> Option<(usize, String, String)> {
    const WORDS: &[(&str, &str)] = &[
        ("and", "write &&"),
        ("or", "write ||"),
        ("not", "write !"),
        ("typeof", "write type_of(value)"),
        ("instanceof", "write type_of(value) == \"map\""),
        ("mut", "write let name = value; every variable can be written to"),
        ("await", "write the call alone: functions of the API wait by themselves"),
        ("async", "write fn name() { … }: functions of the API wait by themselves"),
        ("var", "write let name = value;"),
        ("new", "write the value alone; throw \"why\" throws, time::unix_ms() is the time"),
        ("null", "write ()"),
        ("nil", "write ()"),
        ("go", "choose another name, for instance step; as a key of a map, write it in quotes"),
        ("is", "write == to compare; as a name, choose another, for instance is_ok"),
        ("match", "write switch value { 1 => …, _ => … }"),
        ("case", "write switch value { 1 => …, _ => … }"),
        ("with", "write the statements one after another; a response is a value: let r = http::get(\"/\");"),
        ("raise", "write throw \"why\", or fail(\"why\") to end the iteration"),
        ("del", "write map.remove(\"key\")"),
        ("yield", "write return"),
        ("global", "keep a virtual user's state in `this`: this.name = value"),
    ];
    let rest: String = line.code.chars().skip(line.stopped).collect();
    // The word where the parser stopped, or the one before it.
    let before: String = line.code.chars().take(line.stopped).collect();
    let word_before =
        before.trim_end().rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    let known = |word: &str| WORDS.iter().find(|(known, _)| *known == word);
    let (column, (word, hint)) = match (known(name_of(&rest)), known(word_before)) {
        (Some(found), _) => {
            (line.stopped + 1 + rest.chars().take_while(|c| c.is_whitespace()).count(), found)
        }
        (None, Some(found)) => (before.trim_end().chars().count() + 1 - word_before.chars().count(), found),
        (None, None) => return None,
    };
    let reserved = rhai_reserves(word);
    let message = if reserved {
        format!("'{word}' is a reserved word of Rhai")
    } else {
        format!("there is no '{word}' in Rhai")
    };
    said(column, message, *hint)
}

fn rhai_reserves(word: &str) -> bool {
    matches!(
        word,
        "await"
            | "async"
            | "var"
            | "new"
            | "null"
            | "nil"
            | "go"
            | "is"
            | "match"
            | "case"
            | "with"
            | "yield"
    )
}

/// `let x: i64 = 1`, `fn f(a: string)`
fn annotation(line: &Line<'_>) -> Option<(usize, String, String)> {
    let is_declared = ["let", "const", "fn"].into_iter().any(|word| line.begins(word).is_some());
    let stopped = line.code.chars().nth(line.stopped);
    (is_declared && stopped == Some(':')).then(|| {
        (line.stopped + 1, "names have no types".to_owned(), "leave out ':' and the type".to_owned())
    })
}

/// `größe`
fn name_letters(line: &Line<'_>) -> Option<(usize, String, String)> {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    let chars: Vec<char> = line.code.chars().collect();
    let foreign = chars.iter().position(|c| is_letter(*c) && !c.is_ascii())?;
    let start = chars[..foreign].iter().rposition(|c| !is_letter(*c)).map_or(0, |at| at + 1);
    let name: String = chars[start..].iter().take_while(|c| is_letter(**c)).collect();
    said(
        start + 1,
        format!("'{name}' cannot be a name"),
        "names have the letters a-z and A-Z, digits and _; as a key of a map, write it in quotes",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_comments_are_no_code() {
        assert_eq!(code_of("a(\"b // # c\"); // # d"), "a(\"        \");       ");
        assert_eq!(code_of("`x \\` y` z"), "`      ` z");
    }
}
