//! Command lines as shells read them: words, where a command ends, and what it reads.
//!
//! Owns the grammar of bash as far as curl commands need it (quoting, variables, here-documents, pipes) and of Windows'
//! `cmd` (`^`, `"…"`), as browsers write it when they copy a request. Leaves what a command means to its reader.
//! Invariants: any text gives words, and what is not closed at its end is taken as closed there; what only a shell can
//! know stands between [`MARK`]s in a word, as a number in [`Shell::unknown`].

mod bash;
mod cmd;
mod escapes;

use std::collections::HashMap;

use crate::convert::curl::shell::bash::bash;
use crate::convert::curl::shell::cmd::{cmd, is_cmd};
use crate::convert::request::{MARK, MARK_END};

/// How deep substitutions may nest.
const MOST_DEPTH: usize = 20;

/// Characters of a `${…}`.
const LONGEST_EXPANSION: usize = 4_096;

/// What a text says to a shell.
#[derive(Default)]
pub(in crate::convert) struct Shell {
    pub(in crate::convert) commands: Vec<Command>,
    /// What stands for the marks in words.
    pub(in crate::convert) unknown: Vec<Unknown>,
    /// Variables that are the output of a command: their names, and the command.
    pub(in crate::convert) computed: Vec<(String, String)>,
    /// Whether bytes that are no UTF-8 were replaced.
    pub(in crate::convert) lossy: bool,
    assigned: HashMap<String, String>,
}

/// One command.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::convert) struct Command {
    pub(in crate::convert) words: Vec<String>,
    pub(in crate::convert) input: Option<Input>,
    /// What stands before it, if that matters.
    pub(in crate::convert) after: After,
}

/// Where the standard input of a command comes from.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::convert) enum Input {
    Text(String),
    File(String),
    /// A here-document whose text comes later.
    Later(usize),
}

/// How a command depends on the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::convert) enum After {
    #[default]
    Nothing,
    /// It reads what that prints.
    Pipe,
    /// It only runs when that fails.
    Failure,
}

/// What only a shell knows.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::convert) enum Unknown {
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
pub(in crate::convert) enum Reading {
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
    pub(in crate::convert) fn shown(&self) -> String {
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
    pub(in crate::convert) fn read(text: &str) -> Shell {
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
    pub(in crate::convert) fn mark(&mut self, unknown: Unknown) -> String {
        let number = self.unknown.iter().position(|known| *known == unknown).unwrap_or_else(|| {
            self.unknown.push(unknown);
            self.unknown.len() - 1
        });
        format!("{MARK}{number}{MARK_END}")
    }

    /// Text as it stands in the command.
    pub(in crate::convert) fn shown(&self, text: &str) -> String {
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
pub(in crate::convert) fn printed(command: &Command) -> Option<Input> {
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
