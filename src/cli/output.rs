//! Printing that survives a closed terminal (a run must not be lost because nobody reads), and writing whole files.
//!
//! Invariant: what is not ours to colour has no control characters when it is printed on standard error.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::sync::OnceLock;

use super::args::OutputArgs;
use super::progress::ColorChoice;
use crate::report::Look;
use crate::system::{self, replace_file};
use crate::text::clean_text;

/// Why something is missing from standard output. A process has one.
static PROBLEM: OnceLock<String> = OnceLock::new();

/// Text on standard output, as it is.
pub(super) fn out(text: &str) {
    printed(std::io::stdout().lock().write_all(text.as_bytes()));
}

/// Notes whether what was written to standard output got there.
pub(super) fn printed(written: std::io::Result<()>) {
    if let Err(error) = written.and_then(|()| std::io::stdout().flush())
        // A closed standard output (`| head`) has no reader to tell.
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = PROBLEM.set(format!("cannot write to standard output: {error}"));
    }
}

/// Why something is missing from standard output, if it is: the command did not do what it was asked for.
pub(super) fn problem() -> Option<String> {
    PROBLEM.get().cloned()
}

/// Text on standard error. Control characters are replaced: it may quote a script or a response.
pub(super) fn err(text: &str) {
    err_as_it_is(&clean_text(text));
}

/// Text on standard error with our own colours; what it quotes has been cleaned.
pub(super) fn err_as_it_is(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// An error that ends the command.
pub(super) fn error(message: &str) {
    err(&format!("error: {message}\n"));
}

/// What the terminal that the summary goes to can show.
pub(super) fn look_of(output: &OutputArgs) -> Look {
    look_on(output, std::io::stdout().is_terminal())
}

/// What a stream can show, which is a terminal or not.
pub(super) fn look_on(output: &OutputArgs, is_terminal: bool) -> Look {
    let choice = if output.no_color { ColorChoice::Never } else { output.color.unwrap_or_default() };
    Look::detect(choice, is_terminal)
}

/// A page as it is named on standard error: in a terminal an address, which many of them open on a click.
pub(super) fn page(path: &Path) -> String {
    let absolute = if std::io::stderr().is_terminal() { path.canonicalize().ok() } else { None };
    match absolute.as_deref().and_then(Path::to_str) {
        Some(absolute) if absolute.starts_with('/') => file_address(absolute),
        _ => path.display().to_string(),
    }
}

fn file_address(path: &str) -> String {
    let mut address = "file://".to_owned();
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => address.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => address.push(char::from(byte)),
            byte => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address
}

/// Writes a file whole, with the folders it needs; until then, the old one is there.
pub(super) fn write_file(path: &Path, content: &[u8]) -> Result<(), String> {
    replace_file(path, content).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Whether a file can be written, without touching what is there, or leaving anything.
pub(super) fn check_file(path: &Path) -> Result<(), String> {
    system::check_file(path).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_no_character_that_ends_it() {
        assert_eq!(file_address("/home/ann b/ä#1?.html"), "file:///home/ann%20b/%C3%A4%231%3F.html");
    }

    #[test]
    fn elsewhere_than_in_a_terminal_a_page_is_a_path() {
        // The tests' standard error may be one; a path that is not there has no address either way.
        assert_eq!(page(Path::new("no/such.html")), "no/such.html");
    }
}
