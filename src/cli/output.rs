//! Printing that survives a closed terminal: nobody reading is no reason to lose a run.

use std::io::Write;

/// Text on standard output, as it is.
pub(super) fn out(text: &str) {
    // A closed standard output (`| head`) has no reader to tell.
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Text on standard error, as it is.
pub(super) fn err(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// An error that ends the command.
pub(super) fn error(message: &str) {
    err(&format!("error: {message}\n"));
}
