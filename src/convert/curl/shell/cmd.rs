//! The grammar of Windows' `cmd` (`^`, `"…"`), as browsers write it when they copy a request.

/// Whether it was written for `cmd`: a caret before a quote or at the end of a line, where bash would see no quotes.
pub(in crate::convert) fn is_cmd(text: &str) -> bool {
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

/// `cmd` first takes carets away, then the program splits what is left; so each character knows whether it had one.
pub(in crate::convert) fn cmd(text: &str) -> Vec<Vec<String>> {
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
