//! Command lines as shells read them: words and where a command ends.
//!
//! Owns the quoting of bash (`'…'`, `"…"`, `$'…'`, `\`) and of Windows' `cmd` (`^`, `"…"`), as browsers write it when they
//! copy a request. Invariant: any text gives words; what is not closed at its end is taken as closed there.

use super::request::{MARK, MARK_END};

/// One command: its words.
pub(super) type Command = Vec<String>;

/// The commands in a text. Variables of the shell stand between [`MARK`]s.
pub(super) fn commands(text: &str) -> Vec<Command> {
    // What would be taken for a mark is not text that anybody means.
    let text: String = text.chars().filter(|c| *c != MARK && *c != MARK_END && *c != '\u{feff}').collect();
    let commands = if is_cmd(&text) { cmd(&text) } else { bash(&text) };
    commands.into_iter().filter(|words| !words.is_empty()).collect()
}

/// Whether it was written for `cmd`: quotes after a caret, or a caret at the end of a line.
fn is_cmd(text: &str) -> bool {
    text.contains("^\"") || text.lines().any(|line| line.trim_end().ends_with('^'))
}

/// Collects words into commands.
#[derive(Default)]
struct Words {
    commands: Vec<Command>,
    command: Command,
    word: Option<String>,
}

impl Words {
    fn push(&mut self, c: char) {
        self.word.get_or_insert_with(String::new).push(c);
    }

    fn open(&mut self) -> &mut String {
        self.word.get_or_insert_with(String::new)
    }

    fn end_word(&mut self) {
        self.command.extend(self.word.take());
    }

    fn end_command(&mut self) {
        self.end_word();
        if !self.command.is_empty() {
            self.commands.push(std::mem::take(&mut self.command));
        }
    }

    fn done(mut self) -> Vec<Command> {
        self.end_command();
        self.commands
    }
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn bash(text: &str) -> Vec<Command> {
    let mut words = Words::default();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('\n') | None => {}
                Some('\r') if chars.peek() == Some(&'\n') => drop(chars.next()),
                Some(c) => words.push(c),
            },
            '\'' => {
                let word = words.open();
                word.extend(chars.by_ref().take_while(|c| *c != '\''));
            }
            '"' => double_quoted(&mut chars, words.open()),
            '$' if chars.peek() == Some(&'\'') => {
                chars.next();
                ansi_quoted(&mut chars, words.open());
            }
            '$' => variable(&mut chars, words.open()),
            '#' if words.word.is_none() => drop(chars.by_ref().take_while(|c| *c != '\n').count()),
            '\n' | ';' | '&' | '|' => words.end_command(),
            // What is printed elsewhere is no word of curl's.
            '>' | '<' => {
                if words.word.as_deref().is_some_and(|word| word.chars().all(|c| c.is_ascii_digit())) {
                    words.word = None;
                }
                words.end_word();
                chars.by_ref().next_if(|c| *c == '>');
                chars.by_ref().next_if(|c| *c == '&');
                while chars.by_ref().next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
                while chars.by_ref().next_if(|c| !c.is_whitespace() && !";&|".contains(*c)).is_some() {}
            }
            c if c.is_whitespace() => words.end_word(),
            c => words.push(c),
        }
        // A redirection ends a line too.
        if c == '\n' {
            words.end_command();
        }
    }
    words.done()
}

fn double_quoted(chars: &mut Chars, word: &mut String) {
    while let Some(c) = chars.next() {
        match c {
            '"' => return,
            '\\' => match chars.next() {
                Some('\n') | None => {}
                Some(c @ ('"' | '\\' | '$' | '`')) => word.push(c),
                Some(c) => word.extend(['\\', c]),
            },
            '$' => variable(chars, word),
            c => word.push(c),
        }
    }
}

/// `$NAME` or `${NAME}` as a mark; a dollar before anything else stands for itself.
fn variable(chars: &mut Chars, word: &mut String) {
    let braces = chars.peek() == Some(&'{');
    let mut ahead = chars.clone();
    if braces {
        ahead.next();
    }
    let mut name = String::new();
    while let Some(c) = ahead.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
        name.push(c);
    }
    let closed = !braces || ahead.next() == Some('}');
    if !closed || !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        word.push('$');
        return;
    }
    *chars = ahead;
    word.push(MARK);
    word.push_str(&name);
    word.push(MARK_END);
}

/// `$'…'`: with the escapes of C.
fn ansi_quoted(chars: &mut Chars, word: &mut String) {
    while let Some(c) = chars.next() {
        let escaped = match c {
            '\'' => return,
            '\\' => chars.next(),
            c => {
                word.push(c);
                continue;
            }
        };
        match escaped {
            Some('n') => word.push('\n'),
            Some('r') => word.push('\r'),
            Some('t') => word.push('\t'),
            Some('a') => word.push('\u{7}'),
            Some('b') => word.push('\u{8}'),
            Some('e' | 'E') => word.push('\u{1b}'),
            Some('f') => word.push('\u{c}'),
            Some('v') => word.push('\u{b}'),
            Some('x') => word.extend(digits(chars, 2, 16)),
            Some('u') => unicode(chars, word),
            Some('U') => word.extend(digits(chars, 8, 16)),
            Some(c @ '0'..='7') => {
                let more = u32::from(c) - u32::from('0');
                let rest: String = octal(chars);
                let value = u32::from_str_radix(&format!("{more}{rest}"), 8).unwrap_or(0);
                word.extend(char::from_u32(value));
            }
            Some(c) => word.push(c),
            None => {}
        }
    }
}

fn octal(chars: &mut Chars) -> String {
    let mut digits = String::new();
    while digits.len() < 2
        && let Some(c) = chars.next_if(|c| ('0'..='7').contains(c))
    {
        digits.push(c);
    }
    digits
}

fn number(chars: &mut Chars, most: usize, radix: u32) -> u32 {
    let mut digits = String::new();
    while digits.len() < most
        && let Some(c) = chars.next_if(|c| c.is_digit(radix))
    {
        digits.push(c);
    }
    u32::from_str_radix(&digits, radix).unwrap_or(0)
}

fn digits(chars: &mut Chars, most: usize, radix: u32) -> Option<char> {
    char::from_u32(number(chars, most, radix))
}

/// `\u` with four hexadecimal digits; browsers write characters beyond 16 bits as two of them.
fn unicode(chars: &mut Chars, word: &mut String) {
    let first = number(chars, 4, 16);
    let mut units = vec![first as u16];
    if (0xd800..0xdc00).contains(&first) {
        let mut ahead = chars.clone();
        if ahead.next() == Some('\\') && ahead.next() == Some('u') {
            units.push(number(&mut ahead, 4, 16) as u16);
            *chars = ahead;
        }
    }
    word.push_str(&String::from_utf16_lossy(&units));
}

/// `cmd` first takes carets away, then the program splits what is left; so each character knows whether it had one.
fn cmd(text: &str) -> Vec<Command> {
    let mut words = Words::default();
    let mut line: Vec<(char, bool)> = Vec::new();
    let mut quoted = false;
    let mut chars = text.chars().filter(|c| *c != '\r').peekable();
    while let Some(c) = chars.next() {
        match c {
            '^' if !quoted => match chars.next() {
                // The line goes on; a line break in the text is a caret and two of them.
                Some('\n') => drop(chars.next_if(|c| *c == '\n').map(|c| line.push((c, true)))),
                Some(c) => line.push((c, true)),
                None => {}
            },
            '"' => {
                quoted = !quoted;
                line.push((c, false));
            }
            '\n' => {
                quoted = false;
                split(&std::mem::take(&mut line), &mut words);
            }
            '&' | '|' if !quoted => split(&std::mem::take(&mut line), &mut words),
            c => line.push((c, false)),
        }
    }
    split(&line, &mut words);
    words.done()
}

/// Splits a line as programs of Windows do: `\"` is a quote, and so is `""` inside of quotes.
fn split(line: &[(char, bool)], words: &mut Words) {
    let mut quoted = false;
    let mut at = 0;
    while let Some(&(c, _)) = line.get(at) {
        at += 1;
        let next = line.get(at).map(|(c, _)| *c);
        match c {
            '\\' => {
                let slashes = 1 + line[at..].iter().take_while(|(c, _)| *c == '\\').count();
                at += slashes - 1;
                let before_quote = line.get(at).is_some_and(|(c, _)| *c == '"');
                let kept = if before_quote { slashes / 2 } else { slashes };
                words.open().extend(std::iter::repeat_n('\\', kept));
                if before_quote && slashes % 2 == 1 {
                    words.push('"');
                    at += 1;
                }
            }
            '"' if quoted && next == Some('"') => {
                words.push('"');
                at += 1;
            }
            '"' => {
                quoted = !quoted;
                words.open();
            }
            c if c.is_whitespace() && !quoted => words.end_word(),
            c => words.push(c),
        }
    }
    words.end_command();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&[&str]]) {
        assert_eq!(commands(text), expected, "{text}");
    }

    #[test]
    fn bash_and_its_quotes() {
        check("curl 'a b' \"c\\\"d\" e\\ f", &[&["curl", "a b", "c\"d", "e f"]]);
        check("curl a \\\n  -H 'x: y' \\\r\n b", &[&["curl", "a", "-H", "x: y", "b"]]);
        check("curl a'b'\"c\"d '' # comment 'x", &[&["curl", "abcd", ""]]);
        check(r"curl $'it\'s\n\u00fc\x41\u0021\101\\'", &[&["curl", "it's\n\u{fc}A!A\\"]]);
        check(r"curl $'\ud83d\ude00 \ud83d'", &[&["curl", "\u{1f600} \u{fffd}"]]);
        check("curl 'not closed", &[&["curl", "not closed"]]);
        check("curl a?b=1#c", &[&["curl", "a?b=1#c"]]);
    }

    #[test]
    fn commands_end() {
        check(
            "curl a; curl b && curl c\n\ncurl d ;\ncurl e & curl f",
            &["a", "b", "c", "d", "e", "f"].map(|x| ["curl", x]).each_ref().map(|c| &c[..]),
        );
        check(
            "curl a | jq .x > out 2>&1\ncurl b >/dev/null 2>&1",
            &[&["curl", "a"], &["jq", ".x"], &["curl", "b"]],
        );
        check("# only\n\n", &[]);
    }

    #[test]
    fn variables_are_marked() {
        check(
            "curl $A \"${B}/c$\" '$D' \\$E $1",
            &[&["curl", "\u{e000}A\u{e001}", "\u{e000}B\u{e001}/c$", "$D", "$E", "$1"]],
        );
        check("curl \u{e000}x\u{e001} ${a", &[&["curl", "x", "${a"]]);
    }

    #[test]
    fn cmd_and_its_carets() {
        let copied = "curl ^\"http://a/?x=1^&y=^%^20^\" ^\n  -H ^\"accept: */*^\" ^\n  --data-raw ^\"^{^\\^\"a^\\^\":^\\^\"b c^\\^\"^}^\" &\ncurl ^\"http://b^\"";
        check(
            copied,
            &[
                &["curl", "http://a/?x=1&y=%20", "-H", "accept: */*", "--data-raw", "{\"a\":\"b c\"}"],
                &["curl", "http://b"],
            ],
        );
        check(
            "curl \"http://a/^x\" ^\r\n -d \"a\"\"b\\\\\" -d c",
            &[&["curl", "http://a/^x", "-d", "a\"b\\", "-d", "c"]],
        );
        check("curl ^\"a^\n\nb^\"", &[&["curl", "a\nb"]]);
    }
}
