//! `curl …` as a script: one request for each command and URL.
//!
//! Owns what becomes of a request, and of what only a shell knows. Leaves the flags to `flags`, quoting to `shell`,
//! bodies to `body`. Invariant: the script sends what curl sends, or it is noted what it does not.

mod flags;
mod glob;
mod reader;
mod shell;
mod writer;

use url::Url;

use crate::convert::curl::reader::{Given, Reader};
use crate::convert::curl::shell::{After, Shell, printed};
use crate::convert::curl::writer::{Files, Writer};
use crate::convert::literal::Value;
use crate::convert::problem::Problem;
use crate::convert::request::{MARK, origin};
use crate::convert::script::{Converted, Notes, Parts, count};

/// A script of the curl commands in a text.
///
/// # Errors
/// When there is no curl command in it, one has no URL, or what it sends cannot be known.
pub(crate) fn convert_curl(text: &str) -> Result<Converted, Problem> {
    let mut parts = Parts::default();
    let mut shell = Shell::read(text);
    if shell.lossy {
        return Err(
            "a $'…' in the text has bytes that are not UTF-8; put them into a file for --data-binary".into(),
        );
    }
    let steps = steps(&mut shell, text, &mut parts.notes)?;
    for (name, command) in &shell.computed {
        parts.notes.add(format!("${name} is the output of `{command}`, which is not run"));
    }
    let requests: Vec<&Given> = steps.iter().filter_map(|step| step.as_ref().ok()).collect();
    if requests.is_empty() {
        return Err(
            "no curl command found; it must start with `curl`, as from a browser's \"Copy as cURL\"".into()
        );
    }
    let urls: Vec<Url> = requests.iter().map(|request| url(request, &shell)).collect::<Result<_, _>>()?;
    let host = origin(&urls[0]);
    settings(&requests, &mut parts);
    // Browsers follow redirects; what they copied is together.
    let copied = requests.iter().any(|request| is_browser(request));
    let follow: Vec<bool> = requests.iter().map(|request| request.location || copied).collect();
    if !follow.contains(&true) {
        parts.http.push(("max_redirects".to_owned(), Value::int(0)));
    }
    let number = requests.len();
    parts.title = format!("{} of curl", count(number, "request"));
    let mut writer = Writer { host: &host, shell: &mut shell, parts: &mut parts, files: Files::default() };
    let mut lines = Vec::new();
    let mut coming = urls.iter().zip(&follow);
    for step in steps {
        match (step, &mut coming) {
            (Err(pause), _) => lines.push(pause),
            (Ok(mut request), coming) => {
                let Some((url, follows)) = coming.next() else { break };
                if !follows && follow.contains(&true) {
                    request.params.push(("redirects", Value::Bool(false)));
                }
                lines.push(writer.statement(request, url)?);
            }
        }
    }
    let Writer { files, .. } = writer;
    parts.constants.push_str(&files.constants);
    parts.host = Some(host);
    parts.declarations.insert_str(0, "wait(between(1, 3)); // seconds between two iterations of a user\n");
    parts.functions.push(format!("fn iteration() {{\n{}\n}}", lines.join("\n")));
    parts.functions.extend(files.functions());
    Ok(parts.assemble())
}

/// The requests of all commands, and pauses between them as statements.
fn steps(shell: &mut Shell, text: &str, notes: &mut Notes) -> Result<Vec<Result<Given, String>>, String> {
    let commands = shell.commands.clone();
    let mut steps = Vec::new();
    let mut number = 0;
    for (at, command) in commands.iter().enumerate() {
        let words = command_words(&command.words, notes);
        let Some((program, arguments)) = words.split_first() else { continue };
        let file = program.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
        if file != "curl" && file != "curl.exe" {
            other_program(program, text)?;
            let feeds_curl = commands.get(at + 1).is_some_and(|next| {
                next.after == After::Pipe
                    && command_words(&next.words, notes).first().is_some_and(|word| word == "curl")
            });
            match (file.as_str(), arguments) {
                ("sleep", [time]) if time.parse::<f64>().is_ok_and(|time| (0.0..1e6).contains(&time)) => {
                    steps.push(Err(format!("    sleep({time});")));
                }
                ("echo" | "printf" | "cat", _) if feeds_curl => {}
                ("done" | "fi" | "esac" | "}" | "true" | ":", _) => {}
                _ => notes.add(format!("left out: the command '{}'", shell.shown(program))),
            }
            continue;
        }
        number += 1;
        let input = match (&command.input, command.after) {
            (Some(input), _) => Ok(input.clone()),
            (None, After::Pipe) => {
                let before = &commands[at.saturating_sub(1)];
                printed(before).ok_or_else(|| {
                    let shown: Vec<String> = before.words.iter().map(|word| shell.shown(word)).collect();
                    format!(
                        "curl command {number} sends the output of '{}', which is not known; put it into a file",
                        shown.join(" ")
                    )
                })
            }
            _ => Err(format!(
                "curl command {number} sends its standard input, which is not known; name a file"
            )),
        };
        if command.after == After::Failure {
            notes.add(
                "a command after || is converted too, although it only runs when the one before it fails",
            );
        }
        let of_command = Reader { shell, notes, input }.requests(arguments)?;
        if of_command.is_empty() {
            return Err(format!(
                "curl command {number} has no URL; add one, as in curl http://127.0.0.1:8000/"
            ));
        }
        steps.extend(of_command.into_iter().map(Ok));
    }
    Ok(steps)
}

/// The words from the program on: without what documentation shows before a command, and what the shell itself reads.
fn command_words<'w>(words: &'w [String], notes: &mut Notes) -> &'w [String] {
    const CHOICES: &[&str] = &["if", "elif", "while", "until", "for", "case", "select"];
    const BEFORE: &[&str] =
        &["$", "%", ">", "{", "!", "do", "then", "else", "time", "sudo", "command", "exec", "nohup", "env"];
    let mut words = words;
    while let Some((first, rest)) = words.split_first() {
        if first == "function" {
            words = rest.get(1..).unwrap_or_default();
            continue;
        }
        if CHOICES.contains(&first.as_str()) {
            notes.add("left out: if, for and the like of the shell: each command in them is there once");
            if matches!(first.as_str(), "for" | "case" | "select") {
                return &[];
            }
        } else if !BEFORE.contains(&first.as_str()) {
            return words;
        }
        words = rest;
    }
    words
}

/// Other forms that browsers copy a request in, and lines that were torn off.
fn other_program(program: &str, text: &str) -> Result<(), String> {
    let powershell = text.contains("Invoke-WebRequest") || text.contains("Invoke-RestMethod");
    if powershell || program.starts_with("fetch(") {
        let what = if powershell { "a PowerShell command" } else { "a call of fetch" };
        return Err(format!("this is {what}; choose \"Copy as cURL\" in the browser"));
    }
    if program.starts_with('-') {
        return Err(format!(
            "a line begins with {program}: the line before it must end with a backslash and nothing after that"
        ));
    }
    Ok(())
}

/// Whether a browser made the command.
pub(in crate::convert) fn is_browser(request: &Given) -> bool {
    request.headers.iter().any(|(name, value)| {
        name.starts_with("sec-") || (name == "user-agent" && value.starts_with("Mozilla/"))
    })
}

/// The URL with what the flags add to its query.
fn url(request: &Given, shell: &Shell) -> Result<Url, String> {
    let text = request.url.as_str();
    // curl guesses the scheme too.
    let mut whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let rest = whole.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let shown = shell.shown(text);
    if authority.contains(MARK) {
        return Err(format!(
            "the host of {shown} is not known; write out the URL, or set its variable above the command: BASE=http://…"
        ));
    }
    if !request.query.is_empty() {
        whole.truncate(whole.find('#').unwrap_or(whole.len()));
        whole.push(if whole.contains('?') { '&' } else { '?' });
        whole.push_str(&request.query.join("&"));
    }
    let url = Url::parse(&whole).map_err(|error| format!("invalid URL {shown}: {error}"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(format!("the URL {shown} has the scheme {other}; only http and https are supported")),
    }
}

/// Settings of the whole run, and what is to be known about them.
fn settings(requests: &[&Given], parts: &mut Parts) {
    let Parts { notes, http, .. } = parts;
    for (name, value) in requests.iter().flat_map(|request| &request.http) {
        match http.iter_mut().find(|(known, _)| known == name) {
            None => http.push((name.clone(), value.clone())),
            Some((_, Value::Map(known))) if matches!(value, Value::Map(_)) => {
                if let Value::Map(more) = value {
                    known.extend(
                        more.iter().filter(|pair| !known.contains(pair)).cloned().collect::<Vec<_>>(),
                    );
                }
            }
            Some((_, known)) if known == value => {}
            Some(_) => notes.add(format!("left out: another value of {name}, which holds for the whole run")),
        }
    }
    for (name, _) in http.iter().filter(|(name, _)| name != "resolve") {
        if !requests.iter().all(|request| request.http.iter().any(|(known, _)| known == name)) {
            notes.add(format!("{name} holds for the whole run, not only for the command that asks for it"));
        }
    }
    let by_itself = |request: &&Given| !request.keeps_cookies && !is_browser(request);
    if requests.len() > 1 && requests.iter().all(by_itself) {
        notes
            .add("cookies that responses set are sent with later requests; curl does so with -b and -c only");
    }
}
