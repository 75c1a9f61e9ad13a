//! `rhaid completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Cli;
use super::exit::Exit;
use super::output;

/// Prints a shell's completion script.
pub(super) fn completions(shell: Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "rhaid", &mut script);
    output::out(&String::from_utf8_lossy(&script));
    Exit::Passed
}
