//! The grammar of bash, as far as curl commands need it: quoting, variables, here-documents, pipes, substitutions.
//!
//! Invariant: any text gives commands, and what is not closed at its end is taken as closed there.

use crate::convert::curl::shell::escapes::unescaped;
use crate::convert::curl::shell::{
    After, Command, Input, LONGEST_EXPANSION, MOST_DEPTH, Reading, Shell, Unknown, printed,
};
use crate::convert::request::{MARK, MARK_END};

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

pub(in crate::convert) fn bash(text: &str, shell: &mut Shell, depth: usize) -> Vec<Command> {
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
