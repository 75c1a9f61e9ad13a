//! Command lines as shells read them: words, where a command ends, and what it reads.
//!
//! Owns the grammar of bash as far as curl commands need it (quoting, variables, here-documents, pipes) and of Windows'
//! `cmd` (`^`, `"…"`), as browsers write it when they copy a request. Leaves what a command means to its reader.
//! Invariants: any text gives words, and what is not closed at its end is taken as closed there; what only a shell can
//! know stands between [`MARK`]s in a word, as a number in [`Shell::unknown`].

use std::collections::HashMap;

use super::request::{MARK, MARK_END};

/// How deep substitutions may nest.
const MOST_DEPTH: usize = 20;

/// Characters of a `${…}`.
const LONGEST_EXPANSION: usize = 4_096;

/// What a text says to a shell.
#[derive(Default)]
pub(super) struct Shell {
    pub(super) commands: Vec<Command>,
    /// What stands for the marks in words.
    pub(super) unknown: Vec<Unknown>,
    /// Variables that are the output of a command: their names, and the command.
    pub(super) computed: Vec<(String, String)>,
    /// Whether bytes that are no UTF-8 were replaced.
    pub(super) lossy: bool,
    assigned: HashMap<String, String>,
}

/// One command.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Command {
    pub(super) words: Vec<String>,
    pub(super) input: Option<Input>,
    /// What stands before it, if that matters.
    pub(super) after: After,
}

/// Where the standard input of a command comes from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Input {
    Text(String),
    File(String),
    /// A here-document whose text comes later.
    Later(usize),
}

/// How a command depends on the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum After {
    #[default]
    Nothing,
    /// It reads what that prints.
    Pipe,
    /// It only runs when that fails.
    Failure,
}

/// What only a shell knows.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Unknown {
    Variable {
        name: String,
        /// What it is when it is not set.
        default: Option<String>,
        /// As it stands in the command.
        shown: String,
    },
    /// The output of a command, as it stands there.
    Output(String),
    /// The content of a file.
    File { path: String, part: Reading },
}

/// What of a file's content is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Whole,
    /// Without newlines at its end, as shells put the output of commands into words.
    Trimmed,
    /// Without any newlines.
    OneLine,
    /// Percent-encoded.
    Encoded,
}

impl Unknown {
    /// As it stands in the command.
    pub(super) fn shown(&self) -> String {
        match self {
            Unknown::Variable { shown, .. } => shown.clone(),
            Unknown::Output(command) => format!("$({command})"),
            Unknown::File { path, part: Reading::Trimmed } => format!("$(cat {path})"),
            Unknown::File { path, .. } => format!("@{path}"),
        }
    }
}

impl Shell {
    /// Reads a text.
    pub(super) fn read(text: &str) -> Shell {
        // What would be taken for a mark is not text that anybody means.
        let text: String =
            text.chars().filter(|c| *c != MARK && *c != MARK_END && *c != '\u{feff}').collect();
        let mut shell = Shell::default();
        shell.commands = if is_cmd(&text) {
            cmd(&text).into_iter().map(|words| Command { words, ..Command::default() }).collect()
        } else {
            bash(&text, &mut shell, 0)
        };
        shell.commands.retain(|command| !command.words.is_empty());
        shell
    }

    /// A mark for what is not known.
    pub(super) fn mark(&mut self, unknown: Unknown) -> String {
        let number = self.unknown.iter().position(|known| *known == unknown).unwrap_or_else(|| {
            self.unknown.push(unknown);
            self.unknown.len() - 1
        });
        format!("{MARK}{number}{MARK_END}")
    }

    /// Text as it stands in the command.
    pub(super) fn shown(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(MARK) {
            let Some((number, after)) = after.split_once(MARK_END) else { break };
            out.push_str(before);
            let unknown = number.parse::<usize>().ok().and_then(|number| self.unknown.get(number));
            out.push_str(&unknown.map(Unknown::shown).unwrap_or_default());
            rest = after;
        }
        out + rest
    }
}

/// What `echo`, `printf` and `cat` print, where that can be told; `None` for other commands.
pub(super) fn printed(command: &Command) -> Option<Input> {
    let (program, arguments) = command.words.split_first()?;
    match program.as_str() {
        "echo" => {
            let (newline, arguments) = match arguments.split_first() {
                Some((flag, rest)) if flag == "-n" => ("", rest),
                Some((flag, _)) if flag == "-e" || flag == "-ne" || flag == "-en" => return None,
                _ => ("\n", arguments),
            };
            Some(Input::Text(arguments.join(" ") + newline))
        }
        "printf" => match arguments {
            [format, text] if format == "%s" => Some(Input::Text(text.clone())),
            [format, text] if format == "%s\\n" => Some(Input::Text(format!("{text}\n"))),
            [text] if !text.contains(['%', '\\']) => Some(Input::Text(text.clone())),
            _ => None,
        },
        "cat" => match (arguments, &command.input) {
            ([], Some(input)) => Some(input.clone()),
            ([file], _) if file != "-" && !file.starts_with("--") => Some(Input::File(file.clone())),
            _ => None,
        },
        _ => None,
    }
}

/// Whether it was written for `cmd`: a caret before a quote or at the end of a line, where bash would see no quotes.
fn is_cmd(text: &str) -> bool {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => drop(chars.by_ref().take_while(|c| *c != '\'').count()),
            '"' => {
                while let Some(c) = chars.next() {
                    match c {
                        '\\' => drop(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '\\' => drop(chars.next()),
            '^' => {
                let mut ahead = chars.clone();
                match ahead.next() {
                    Some('"' | '\n' | '\r') => return true,
                    Some('\\') if ahead.next() == Some('^') => return true,
                    _ => {}
                }
            }
            _ => {}
        }
    }
    false
}

/// What becomes of the next word.
#[derive(Clone, Copy, PartialEq)]
enum Redirect {
    /// Output: nothing.
    Dropped,
    File,
    Text,
    /// The end of a here-document, and whether tabs before its lines go.
    Here {
        tabs: bool,
    },
}

/// A word that is being read.
#[derive(Default)]
struct Word {
    text: String,
    /// Where the value begins when it is an assignment.
    value_at: Option<usize>,
    /// Whether something in it is quoted.
    quoted: bool,
}

struct HereDocument {
    number: usize,
    end: String,
    tabs: bool,
    /// Variables in it are left as they are.
    literal: bool,
}

struct Bash<'t, 's> {
    chars: &'t [char],
    at: usize,
    shell: &'s mut Shell,
    depth: usize,
    commands: Vec<Command>,
    command: Command,
    /// Assignments at the start of the command.
    assignments: Vec<(String, String)>,
    word: Option<Word>,
    redirect: Option<Redirect>,
    pending: Vec<HereDocument>,
    documents: Vec<String>,
}

fn bash(text: &str, shell: &mut Shell, depth: usize) -> Vec<Command> {
    let chars: Vec<char> = text.replace("\r\n", "\n").chars().collect();
    let mut bash = Bash::new(&chars, 0, shell, depth);
    while bash.at < chars.len() {
        bash.list();
        // A parenthesis that closes.
        bash.end_command(After::Nothing);
        bash.at += 1;
    }
    bash.finish()
}

impl<'t, 's> Bash<'t, 's> {
    fn new(chars: &'t [char], at: usize, shell: &'s mut Shell, depth: usize) -> Bash<'t, 's> {
        Bash {
            chars,
            at,
            shell,
            depth,
            commands: Vec::new(),
            command: Command::default(),
            assignments: Vec::new(),
            word: None,
            redirect: None,
            pending: Vec::new(),
            documents: Vec::new(),
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek(0);
        self.at += usize::from(c.is_some());
        c
    }

    fn next_if(&mut self, wanted: char) -> bool {
        let is_it = self.peek(0) == Some(wanted);
        self.at += usize::from(is_it);
        is_it
    }

    fn open(&mut self) -> &mut Word {
        self.word.get_or_insert_default()
    }

    fn push(&mut self, text: &str) {
        self.open().text.push_str(text);
    }

    fn quoted(&mut self, text: &str) {
        let word = self.open();
        word.text.push_str(text);
        word.quoted = true;
    }

    /// Reads commands up to the end or to a parenthesis that closes.
    fn list(&mut self) {
        while let Some(c) = self.peek(0) {
            if c == ')' && self.word.as_ref().is_none_or(|word| !word.text.contains('(')) {
                return;
            }
            self.at += 1;
            match c {
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some(c) => self.quoted(&c.to_string()),
                },
                '\'' => {
                    let text = self.until('\'');
                    self.quoted(&text);
                }
                '"' => {
                    let text = self.double_quoted(Some('"'));
                    self.quoted(&text);
                }
                '$' if self.peek(0) == Some('\'') => {
                    self.at += 1;
                    let text = self.ansi_quoted();
                    self.quoted(&text);
                }
                '$' if self.peek(0) == Some('"') => {}
                '$' | '`' => {
                    let text = if c == '$' { self.dollar() } else { self.backticks() };
                    self.split(&text);
                }
                '#' if self.word.is_none() => {
                    while self.peek(0).is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                '\n' => {
                    self.end_command(After::Nothing);
                    self.here_documents();
                }
                ';' => self.end_command(After::Nothing),
                '&' if self.next_if('>') => {
                    self.next_if('>');
                    self.end_word();
                    self.redirect = Some(Redirect::Dropped);
                }
                '&' => {
                    self.next_if('&');
                    self.end_command(After::Nothing);
                }
                '|' if self.next_if('|') => self.end_command(After::Failure),
                '|' => {
                    self.next_if('&');
                    self.end_command(After::Pipe);
                }
                '<' | '>' => self.redirection(c),
                // `name()` and `( … )`; within a word it is a slip that is meant as it stands.
                '(' if self.word.is_none() => self.end_command(After::Nothing),
                '(' if self.peek(0) == Some(')') && self.command.words.is_empty() => {
                    self.at += 1;
                    self.word = None;
                }
                '=' => {
                    let word = self.open();
                    if word.value_at.is_none() && !word.quoted && is_variable(&word.text) {
                        word.value_at = Some(word.text.len() + 1);
                    }
                    word.text.push('=');
                }
                c if c.is_whitespace() => self.end_word(),
                c => self.push(&c.to_string()),
            }
        }
    }

    fn redirection(&mut self, c: char) {
        if self
            .word
            .as_ref()
            .is_some_and(|word| !word.quoted && word.text.chars().all(|c| c.is_ascii_digit()))
        {
            self.word = None;
        }
        self.end_word();
        self.redirect = Some(Redirect::Dropped);
        if c == '>' {
            let _ = self.next_if('>') || self.next_if('|') || self.next_if('&');
            return;
        }
        if self.peek(0) == Some('(') {
            self.at += 1;
            let output = self.substitution();
            self.redirect = None;
            self.push(&output);
        } else if self.next_if('<') {
            self.redirect = Some(match self.next_if('<') {
                true => Redirect::Text,
                false => Redirect::Here { tabs: self.next_if('-') },
            });
        } else if !self.next_if('&') && !self.next_if('>') {
            self.redirect = Some(Redirect::File);
        }
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        let input = match self.redirect.take() {
            Some(Redirect::Dropped) => return,
            Some(Redirect::File) => Input::File(word.text),
            Some(Redirect::Text) => Input::Text(word.text + "\n"),
            Some(Redirect::Here { tabs }) => {
                let number = self.documents.len();
                self.documents.push(String::new());
                self.pending.push(HereDocument { number, end: word.text, tabs, literal: word.quoted });
                Input::Later(number)
            }
            None => {
                match word.value_at {
                    Some(at) if self.command.words.is_empty() => {
                        let name = word.text[..at - 1].to_owned();
                        self.assignments.push((name, word.text[at..].to_owned()));
                    }
                    _ => self.command.words.push(word.text),
                }
                return;
            }
        };
        self.command.input = Some(input);
    }

    fn end_command(&mut self, after: After) {
        self.end_word();
        self.redirect = None;
        let command = std::mem::take(&mut self.command);
        let assignments = std::mem::take(&mut self.assignments);
        let Some(first) = command.words.first() else {
            assignments.into_iter().for_each(|(name, value)| self.assign(name, value));
            // After a pipe a line may end.
            self.command.after = if after == After::Nothing { command.after } else { after };
            return;
        };
        self.command.after = after;
        if is_declaration(first) {
            let pairs = command.words.iter().filter_map(|word| word.split_once('='));
            let pairs = pairs.filter(|(name, _)| is_variable(name));
            let pairs: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            pairs.into_iter().for_each(|(name, value)| self.assign(name, value));
        } else {
            self.commands.push(command);
        }
    }

    /// A variable that is the output of a command keeps its name.
    fn assign(&mut self, name: String, value: String) {
        let number = value.strip_prefix(MARK).and_then(|rest| rest.strip_suffix(MARK_END));
        let number = number.and_then(|number| number.parse::<usize>().ok());
        if let Some(Unknown::Output(command)) = number.and_then(|number| self.shell.unknown.get(number)) {
            self.shell.assigned.remove(&name);
            self.shell.computed.push((name, command.clone()));
        } else {
            self.shell.assigned.insert(name, value);
        }
    }

    /// The bodies of the here-documents that the line above began.
    fn here_documents(&mut self) {
        for document in std::mem::take(&mut self.pending) {
            let mut text = String::new();
            while self.at < self.chars.len() {
                let mut line: String = self.chars[self.at..].iter().take_while(|c| **c != '\n').collect();
                self.at = (self.at + line.chars().count() + 1).min(self.chars.len());
                if document.tabs {
                    line = line.trim_start_matches('\t').to_owned();
                }
                if line == document.end {
                    break;
                }
                text.push_str(&line);
                text.push('\n');
            }
            if !document.literal {
                let chars: Vec<char> = text.chars().collect();
                text = Bash::new(&chars, 0, self.shell, self.depth + 1).double_quoted(None);
            }
            self.documents[document.number] = text;
        }
    }

    fn finish(mut self) -> Vec<Command> {
        self.end_command(After::Nothing);
        self.here_documents();
        for command in &mut self.commands {
            if let Some(Input::Later(number)) = command.input {
                command.input = self.documents.get(number).cloned().map(Input::Text);
            }
        }
        self.commands
    }

    fn until(&mut self, end: char) -> String {
        let text: String = self.chars[self.at..].iter().take_while(|c| **c != end).collect();
        self.at = (self.at + text.chars().count() + 1).min(self.chars.len());
        text
    }

    /// Text in double quotes, or a here-document, whose end is that of the text.
    fn double_quoted(&mut self, end: Option<char>) -> String {
        let mut text = String::new();
        while let Some(c) = self.next() {
            match c {
                c if Some(c) == end => break,
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some(c @ ('\\' | '$' | '`')) => text.push(c),
                    Some(c) if Some(c) == end => text.push(c),
                    Some(c) => text.extend(['\\', c]),
                },
                '$' => text.push_str(&self.dollar()),
                '`' => text.push_str(&self.backticks()),
                c => text.push(c),
            }
        }
        text
    }

    /// What follows a dollar: its value, a mark, or the dollar itself.
    fn dollar(&mut self) -> String {
        match self.peek(0) {
            Some('(') if self.peek(1) == Some('(') => {
                self.at += 2;
                let start = self.at;
                while self.at < self.chars.len() && !(self.peek(0) == Some(')') && self.peek(1) == Some(')'))
                {
                    self.at += 1;
                }
                let inner: String = self.chars[start..self.at].iter().collect();
                self.at = (self.at + 2).min(self.chars.len());
                self.variable("number", None, &format!("$(({inner}))"))
            }
            Some('(') => {
                self.at += 1;
                self.substitution()
            }
            Some('{') => self.braces(),
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let name = self.name();
                let shown = format!("${name}");
                self.value(&name, None, &shown)
            }
            Some(c) if c.is_ascii_digit() => {
                self.at += 1;
                self.variable(&format!("argument_{c}"), None, &format!("${c}"))
            }
            Some(c @ ('@' | '*' | '#' | '?' | '!')) => {
                // `"50$"` and `$ `, but also `$!` at the end of a text.
                self.at += 1;
                let name = if c == '#' || c == '?' { "number" } else { "arguments" };
                self.variable(name, None, &format!("${c}"))
            }
            Some('$') => {
                self.at += 1;
                self.variable("number", None, "$$")
            }
            _ => "$".to_owned(),
        }
    }

    fn name(&mut self) -> String {
        let is_part = |c: &&char| c.is_ascii_alphanumeric() || **c == '_';
        let name: String = self.chars[self.at..].iter().take_while(is_part).collect();
        self.at += name.len();
        name
    }

    fn variable(&mut self, name: &str, default: Option<String>, shown: &str) -> String {
        self.shell.mark(Unknown::Variable { name: name.to_owned(), default, shown: shown.to_owned() })
    }

    fn value(&mut self, name: &str, default: Option<String>, shown: &str) -> String {
        match self.shell.assigned.get(name) {
            Some(value) if !value.is_empty() || default.is_none() => value.clone(),
            _ => self.variable(name, default, shown),
        }
    }

    /// `${…}`.
    fn braces(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        let name = self.name();
        let after_name = self.at;
        let mut level = 1;
        while self.at - start < LONGEST_EXPANSION
            && let Some(c) = self.next()
        {
            match c {
                '\\' => drop(self.next()),
                '{' => level += 1,
                '}' => level -= 1,
                _ => {}
            }
            if level == 0 {
                break;
            }
        }
        if level > 0 {
            self.at = start;
            return "$".to_owned();
        }
        let inner: String = self.chars[after_name..self.at - 1].iter().collect();
        let shown = format!("${}", self.chars[start..self.at].iter().collect::<String>());
        if inner.is_empty() && is_variable(&name) {
            return self.value(&name, None, &shown);
        }
        let (operator, word) = match inner.strip_prefix(':').unwrap_or(&inner) {
            rest if rest.starts_with(['-', '=', '?']) => rest.split_at(1),
            _ => ("", ""),
        };
        if !is_variable(&name) || operator.is_empty() || self.depth > MOST_DEPTH {
            let name = if is_variable(&name) { name } else { "value".to_owned() };
            return self.variable(&name, None, &shown);
        }
        if operator == "?" {
            return self.value(&name, None, &shown);
        }
        let chars: Vec<char> = word.chars().collect();
        let word = Bash::new(&chars, 0, self.shell, self.depth + 1).double_quoted(None);
        let word = match word.strip_prefix(['"', '\'']).and_then(|w| w.strip_suffix(['"', '\''])) {
            Some(unquoted) => unquoted.to_owned(),
            None => word,
        };
        match self.shell.assigned.get(&name) {
            Some(value) if !value.is_empty() || !inner.starts_with(':') => value.clone(),
            Some(_) => word,
            // A default that is not known either.
            None if word.contains(MARK) => self.variable(&name, None, &shown),
            None => self.variable(&name, Some(word), &shown),
        }
    }

    /// `$(…)`, after the parenthesis.
    fn substitution(&mut self) -> String {
        let start = self.at;
        if self.depth > MOST_DEPTH {
            self.at = self.chars.len();
            return String::new();
        }
        let mut inner = Bash::new(self.chars, self.at, self.shell, self.depth + 1);
        inner.list();
        let end = inner.at;
        let commands = inner.finish();
        self.at = (end + 1).min(self.chars.len());
        let source: String = self.chars[start..end].iter().collect();
        self.output(&commands, &source)
    }

    fn backticks(&mut self) -> String {
        let mut source = String::new();
        while let Some(c) = self.next() {
            match c {
                '`' => break,
                '\\' if matches!(self.peek(0), Some('`' | '\\' | '$')) => source.extend(self.next()),
                c => source.push(c),
            }
        }
        if self.depth > MOST_DEPTH {
            return String::new();
        }
        let commands = bash(&source, self.shell, self.depth + 1);
        self.output(&commands, &source)
    }

    /// What commands print, without newlines at the end, or a mark.
    fn output(&mut self, commands: &[Command], source: &str) -> String {
        let known = match commands {
            // `$(< file)`
            [] => None,
            [command] => printed(command),
            _ => None,
        };
        match known {
            Some(Input::Text(text)) => text.trim_end_matches('\n').to_owned(),
            Some(Input::File(path)) if !path.contains(MARK) => self.trimmed(path),
            _ => match source.trim().strip_prefix('<') {
                Some(path) => self.trimmed(path.trim().to_owned()),
                None => {
                    let source = source.split_whitespace().collect::<Vec<_>>().join(" ");
                    self.shell.mark(Unknown::Output(source))
                }
            },
        }
    }

    fn trimmed(&mut self, path: String) -> String {
        self.shell.mark(Unknown::File { path, part: Reading::Trimmed })
    }

    /// What is not quoted is split into words.
    fn split(&mut self, text: &str) {
        let declares = self.command.words.first().is_none_or(|word| is_declaration(word));
        if declares && self.word.as_ref().is_some_and(|word| word.value_at.is_some()) {
            return self.push(text);
        }
        let mut parts = text.split([' ', '\t', '\n']);
        let first = parts.next().unwrap_or_default();
        if !first.is_empty() {
            self.push(first);
        }
        for part in parts {
            self.end_word();
            if !part.is_empty() {
                self.push(part);
            }
        }
    }

    /// `$'…'`: with the escapes of C.
    fn ansi_quoted(&mut self) -> String {
        let mut inner = String::new();
        while let Some(c) = self.next() {
            match c {
                '\'' => break,
                '\\' => {
                    inner.push(c);
                    inner.extend(self.next());
                }
                c => inner.push(c),
            }
        }
        String::from_utf8(unescaped(&inner)).unwrap_or_else(|error| {
            self.shell.lossy = true;
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        })
    }
}

fn is_declaration(word: &str) -> bool {
    matches!(word, "export" | "declare" | "local" | "readonly" | "typeset")
}

/// Whether it can be the name of a variable.
fn is_variable(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// The bytes that the escapes of C stand for.
fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    let push = |out: &mut Vec<u8>, c: char| out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    while let Some(c) = chars.next() {
        if c != '\\' {
            push(&mut out, c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push(b'\n'),
            Some('r') => out.push(b'\r'),
            Some('t') => out.push(b'\t'),
            Some('a') => out.push(7),
            Some('b') => out.push(8),
            Some('e' | 'E') => out.push(0x1b),
            Some('f') => out.push(0xc),
            Some('v') => out.push(0xb),
            Some('x') => out.push(number(&mut chars, 2, 16) as u8),
            Some('u') => unicode(&mut chars, &mut out),
            Some('U') => {
                char::from_u32(number(&mut chars, 8, 16)).into_iter().for_each(|c| push(&mut out, c))
            }
            Some(c @ '0'..='7') => {
                let first = u32::from(c) - u32::from('0');
                let mut value = first;
                for _ in 0..2 {
                    let Some(c) = chars.next_if(|c| ('0'..='7').contains(c)) else { break };
                    value = value * 8 + u32::from(c) - u32::from('0');
                }
                out.push(value as u8);
            }
            Some(c) => push(&mut out, c),
            None => {}
        }
    }
    out
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

/// `\u` with four hexadecimal digits; browsers write characters beyond 16 bits as two of them.
fn unicode(chars: &mut Chars, out: &mut Vec<u8>) {
    let first = number(chars, 4, 16);
    let mut units = vec![first as u16];
    if (0xd800..0xdc00).contains(&first) {
        let mut ahead = chars.clone();
        if ahead.next() == Some('\\') && ahead.next() == Some('u') {
            units.push(number(&mut ahead, 4, 16) as u16);
            *chars = ahead;
        }
    }
    out.extend_from_slice(String::from_utf16_lossy(&units).as_bytes());
}

/// `cmd` first takes carets away, then the program splits what is left; so each character knows whether it had one.
fn cmd(text: &str) -> Vec<Vec<String>> {
    let mut words = Words::default();
    let mut line: Vec<(char, bool)> = Vec::new();
    let mut quoted = false;
    // Chrome once wrote carets inside of quotes too, where `cmd` leaves them; meant they are all the same.
    let carets_in_quotes = is_old_chrome(text);
    let mut chars = text.chars().filter(|c| *c != '\r').peekable();
    while let Some(c) = chars.next() {
        match c {
            '^' if !quoted || carets_in_quotes => match chars.next() {
                // The line goes on; a line break in the text is a caret and two of them, or stood between quotes.
                Some('\n') => {
                    let second = chars.next_if(|c| *c == '\n').is_some();
                    let between_quotes =
                        line.last().is_some_and(|(c, _)| *c == '"') && chars.peek() == Some(&'"');
                    if second || between_quotes {
                        line.push(('\n', true));
                    }
                }
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
    words.commands
}

/// Whether Chrome copied it before its quotes had carets: arguments between plain quotes, with carets in them.
fn is_old_chrome(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let plain_quote = chars.windows(2).any(|pair| pair[0] == ' ' && pair[1] == '"');
    let browser = text.contains("Mozilla/") || text.contains("sec-");
    let caret = |of: &str| chars.windows(2).any(|pair| pair[0] == '^' && of.contains(pair[1]));
    plain_quote && (text.contains("^\\^\"") || (browser && caret("&%{}[]@!#$<>|^")))
}

/// Collects words into commands.
#[derive(Default)]
struct Words {
    commands: Vec<Vec<String>>,
    command: Vec<String>,
    word: Option<String>,
}

impl Words {
    fn push(&mut self, c: char) {
        self.open().push(c);
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
}

/// Splits a line as programs of Windows do: `\"` is a quote, and so is `""` inside of quotes.
fn split(line: &[(char, bool)], words: &mut Words) {
    let mut quoted = false;
    let mut at = 0;
    while let Some(&(c, caret)) = line.get(at) {
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
            c if c.is_whitespace() && !quoted && !caret => words.end_word(),
            c => words.push(c),
        }
    }
    words.end_command();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands of a text, with variables as they stand there.
    fn read(text: &str) -> Vec<Vec<String>> {
        let shell = Shell::read(text);
        shell
            .commands
            .iter()
            .map(|command| command.words.iter().map(|word| shell.shown(word)).collect())
            .collect()
    }

    #[track_caller]
    fn check(text: &str, expected: &[&[&str]]) {
        assert_eq!(read(text), expected, "{text}");
    }

    #[test]
    fn bash_and_its_quotes() {
        check("curl 'a b' \"c\\\"d\" e\\ f", &[&["curl", "a b", "c\"d", "e f"]]);
        check("curl a \\\n  -H 'x: y' \\\r\n b", &[&["curl", "a", "-H", "x: y", "b"]]);
        check("curl a'b'\"c\"d '' # comment 'x", &[&["curl", "abcd", ""]]);
        check(r"curl $'it\'s\n\u00fc\x41\u0021\101\\'", &[&["curl", "it's\n\u{fc}A!A\\"]]);
        check(r"curl $'\ud83d\ude00 \ud83d' $'\xc3\xbc'", &[&["curl", "\u{1f600} \u{fffd}", "\u{fc}"]]);
        assert!(Shell::read(r"curl $'\xff'").lossy);
        check("curl 'not closed", &[&["curl", "not closed"]]);
        check("curl a?b=1#c a(b)", &[&["curl", "a?b=1#c", "a(b)"]]);
        // Carets in quotes of bash are not those of cmd.
        check("curl -d '{\"op\":\"^\"}' \"^\" x", &[&["curl", "-d", "{\"op\":\"^\"}", "^", "x"]]);
    }

    #[test]
    fn commands_end() {
        check(
            "curl a; curl b && curl c\n\ncurl d ;\ncurl e & curl f",
            &["a", "b", "c", "d", "e", "f"].map(|x| ["curl", x]).each_ref().map(|c| &c[..]),
        );
        check(
            "curl a | jq .x > out 2>&1\ncurl b >/dev/null 2>&1 &> x",
            &[&["curl", "a"], &["jq", ".x"], &["curl", "b"]],
        );
        check("# only\n\n", &[]);
        let after = |text: &str| Shell::read(text).commands.iter().map(|c| c.after).collect::<Vec<_>>();
        assert_eq!(after("a | b || c; d"), [After::Nothing, After::Pipe, After::Failure, After::Nothing]);
        check("(curl a)\nf() { curl b; }\nf", &[&["curl", "a"], &["{", "curl", "b"], &["}"], &["f"]]);
    }

    #[test]
    fn variables_are_marked() {
        check(
            "curl $A \"${B}/c$\" '$D' \\$E $1 ${F:-x}",
            &[&["curl", "$A", "${B}/c$", "$D", "$E", "$1", "${F:-x}"]],
        );
        let shell = Shell::read("curl $A ${F:-x y} ${G:?no} ${H%/}");
        let known: Vec<_> = shell
            .unknown
            .iter()
            .map(|unknown| match unknown {
                Unknown::Variable { name, default, .. } => (name.as_str(), default.as_deref()),
                _ => panic!("{unknown:?}"),
            })
            .collect();
        assert_eq!(known, [("A", None), ("F", Some("x y")), ("G", None), ("H", None)]);
        check("curl \u{e000}x\u{e001} ${a", &[&["curl", "x", "${a"]]);
    }

    #[test]
    fn assigned_variables_are_known() {
        check(
            "BASE=http://a/v1\ncurl $BASE/x \"${BASE}/y\" '$BASE'",
            &[&["curl", "http://a/v1/x", "http://a/v1/y", "$BASE"]],
        );
        check("export A='b c' B=d; E=\"$B/e\"\ncurl $A \"$A\" $E", &[&["curl", "b", "c", "b c", "d/e"]]);
        check("A=1\nA=2\ncurl ${A:-3} ${B:-3} ${A:+x}", &[&["curl", "2", "${B:-3}", "${A:+x}"]]);
        check("A=1 curl $A", &[&["curl", "$A"]]);
        check("OPTS='-s -k'\ncurl $OPTS a $NONE", &[&["curl", "-s", "-k", "a", "$NONE"]]);
    }

    #[test]
    fn what_a_command_reads() {
        let input = |text: &str| Shell::read(text).commands.pop().unwrap().input;
        let text = |text: &str| Some(Input::Text(text.to_owned()));
        assert_eq!(input("curl -d @- a <<EOF\n{\"a\": 'x'}\nEOF\n"), text("{\"a\": 'x'}\n"));
        assert_eq!(input("A=1\ncurl -d @- a <<EOF -s\n$A \\$A\nEOF\n"), text("1 $A\n"));
        assert_eq!(input("curl a <<-'E'\n\t$A\n\tE\n"), text("$A\n"));
        assert_eq!(input("curl a <<< \"b $((1\""), text("b \u{e000}0\u{e001}\n"));
        assert_eq!(input("curl a < f.json"), Some(Input::File("f.json".into())));
        let shell = Shell::read("curl a <<EOF\nb\nEOF\ncurl c <<X\nd\nX");
        let texts: Vec<_> = shell.commands.iter().map(|c| c.input.clone()).collect();
        assert_eq!(texts, [text("b\n"), text("d\n")]);
    }

    #[test]
    fn substitutions() {
        check("curl -d \"$(cat <<'E'\nit's (a)\nE\n)\" x", &[&["curl", "-d", "it's (a)", "x"]]);
        check("curl \"$(echo a 'b')\" `echo c` $(printf '%s' d)", &[&["curl", "a b", "c", "d"]]);
        check("curl \"$(cat f.json)\" \"$(< g.json)\"", &[&["curl", "$(cat f.json)", "$(cat g.json)"]]);
        check("curl \"$(date +%s)-`uuidgen`\"", &[&["curl", "$(date +%s)-$(uuidgen)"]]);
        check("T=$(curl -s a | jq -r .t)\ncurl -H \"x: $T\" b", &[&["curl", "-H", "x: $T", "b"]]);
        let deep = "$(echo ".repeat(1_000);
        Shell::read(&deep);
        Shell::read(&"`\\`".repeat(1_000));
        Shell::read(&"${a:-".repeat(1_000));
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

    #[test]
    fn cmd_as_older_browsers_wrote_it() {
        let copied = "curl \"http://a/?x=1^&y=^%^20\" ^\r\n  -H \"user-agent: Mozilla/5.0\" ^\r\n  --data-raw \"^{^\\^\"a^\\^\":^\\^\"b c^^^\\^\"^}\" ^\r\n  --compressed";
        let words = [
            "curl",
            "http://a/?x=1&y=%20",
            "-H",
            "user-agent: Mozilla/5.0",
            "--data-raw",
            "{\"a\":\"b c^\"}",
            "--compressed",
        ];
        check(copied, &[&words]);
        check(
            "curl \"http://a\" --data-binary \"^{^\\^\"a^\\^\":1^}\"",
            &[&["curl", "http://a", "--data-binary", "{\"a\":1}"]],
        );
        // Before 2019: doubled quotes, and a line break between quotes.
        check(
            "curl \"http://a\" ^\n --data \"{\"\"a\"\":1}\"^\n\"b\"",
            &[&["curl", "http://a", "--data", "{\"a\":1}\nb"]],
        );
    }
}
