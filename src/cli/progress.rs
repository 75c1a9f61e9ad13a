//! Progress during a run: a live block on a terminal, a line every ten seconds elsewhere.
//!
//! Owns standard error during a run, and finding out what a terminal can show. Leaves wording and
//! layout to `report`. Invariant: a closed standard error never stops a run, and nothing here reads
//! or writes standard output.

use std::io::Write;
use std::time::Duration;

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::metrics::Snapshot;
use crate::plan::RunInfo;
use crate::report::{Look, Tone, generator_warning, live, plain_line};
use crate::text::clean_lines;

/// Redraws of the live block per second at most; its figures change once a second.
const REDRAWS_PER_S: u8 = 4;

/// Time between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Columns of a terminal that does not say how many it has.
const DEFAULT_WIDTH: usize = 80;

/// Lines of a terminal that does not say how many it has.
const DEFAULT_HEIGHT: usize = 24;

/// How a run is shown while it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProgressKind {
    /// A block that is redrawn in place; needs a terminal.
    Live,
    /// A line every ten seconds, for logs.
    Plain,
    /// No progress (`--quiet`, `--only-summary`); messages are still shown.
    Off,
}

/// When colours are used (`--color`, `--no-color`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set or the terminal cannot.
    #[default]
    Auto,
    /// Always, whatever the environment says.
    Always,
    /// Never.
    Never,
}

impl ColorChoice {
    /// The words of the flag, and what they mean.
    pub(super) const CHOICES: [(&'static str, ColorChoice); 3] =
        [("auto", ColorChoice::Auto), ("always", ColorChoice::Always), ("never", ColorChoice::Never)];
}

/// The display of a run on standard error.
#[derive(Debug)]
pub(super) struct Progress {
    look: Look,
    display: Display,
    /// A line under the live block.
    hint: Option<&'static str>,
}

#[derive(Debug)]
enum Display {
    Live(ProgressBar),
    Plain { next_line: Duration },
    Off,
}

impl Progress {
    /// A display that has not shown anything yet.
    pub(super) fn new(kind: ProgressKind, look: Look) -> Self {
        let display = match kind {
            ProgressKind::Live => Display::Live(live_block()),
            ProgressKind::Plain => Display::Plain { next_line: LINE_EVERY },
            ProgressKind::Off => Display::Off,
        };
        Progress { look, display, hint: None }
    }

    /// Says this under the live block from now on.
    pub(super) fn hint(&mut self, hint: &'static str) {
        self.hint = Some(hint);
    }

    /// Shows a snapshot; to be called with each new one. `planned` is the time the load is to last.
    pub(super) fn update(&mut self, info: &RunInfo, snapshot: &Snapshot, planned: Option<Duration>) {
        let look = self.look;
        self.show(
            snapshot.elapsed,
            |look, rows| live(info, snapshot, planned, look, rows),
            || match generator_warning(snapshot, look) {
                Some(warning) => format!("{}\nwarning: {warning}", plain_line(snapshot, planned)),
                None => plain_line(snapshot, planned),
            },
        );
    }

    /// Shows what stands at `elapsed`: lines on a terminal, elsewhere one line each ten seconds.
    pub(super) fn show(
        &mut self,
        elapsed: Duration,
        block_lines: impl FnOnce(Look, usize) -> Vec<String>,
        line: impl FnOnce() -> String,
    ) {
        match &mut self.display {
            Display::Live(block) => {
                // The window may have been resized since the last second.
                let size = Term::stderr().size_checked();
                let width = terminal_width(&Term::stderr()).unwrap_or(self.look.width);
                let look = Look { width, ..self.look };
                let rows = size.map(|(rows, _)| usize::from(rows)).filter(|&rows| rows > 0);
                // One is for the hint, and one for the cursor below.
                let rows = rows.unwrap_or(DEFAULT_HEIGHT).saturating_sub(2);
                let mut lines = block_lines(look, rows);
                lines.extend(self.hint.map(|hint| look.paint(Tone::Faint, &format!(" {hint}"))));
                block.set_message(lines.join("\n"));
            }
            Display::Plain { next_line } => {
                if line_is_due(next_line, elapsed) {
                    print_line(&line());
                }
            }
            Display::Off => {}
        }
    }

    /// Prints text above the live block, or as lines of their own. Control characters are replaced:
    /// what a script prints may come from a response.
    pub(super) fn message(&self, text: &str) {
        let lines = clean_lines(text);
        let print = || lines.iter().for_each(|line| print_line(line));
        match &self.display {
            Display::Live(block) => block.suspend(print),
            Display::Plain { .. } | Display::Off => print(),
        }
    }

    /// Takes the live block away, so that the summary stands alone.
    pub(super) fn finish(self) {
        if let Display::Live(block) = &self.display {
            block.finish_and_clear();
        }
    }
}

fn live_block() -> ProgressBar {
    let block = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_S));
    match ProgressStyle::with_template("{msg}") {
        Ok(style) => block.with_style(style),
        // The template is a constant; the crate's own style would still show the message.
        Err(_) => block,
    }
}

/// Whether ten seconds are over; a yes sets the next time, on the tens whatever was missed.
fn line_is_due(next_line: &mut Duration, elapsed: Duration) -> bool {
    let due = elapsed >= *next_line;
    if due {
        *next_line = LINE_EVERY * (elapsed.as_secs() / LINE_EVERY.as_secs() + 1) as u32;
    }
    due
}

/// One line on standard error. Not `eprintln!`, which panics when nobody reads any more: a run whose
/// log was closed goes on, and there is nowhere left to say so.
fn print_line(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

impl Look {
    /// What the terminal of this process can show. `is_terminal` says whether the stream that the text
    /// goes to is one.
    pub(super) fn detect(choice: ColorChoice, is_terminal: bool) -> Self {
        let width = if is_terminal {
            terminal_width(&Term::stderr()).or_else(|| terminal_width(&Term::stdout()))
        } else {
            None
        };
        look_of(choice, is_terminal, width, |name| std::env::var(name).ok())
    }
}

fn terminal_width(terminal: &Term) -> Option<usize> {
    terminal.size_checked().map(|(_rows, columns)| usize::from(columns)).filter(|&columns| columns > 0)
}

fn look_of(
    choice: ColorChoice,
    is_terminal: bool,
    width: Option<usize>,
    variable: impl Fn(&str) -> Option<String>,
) -> Look {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let dumb = set("TERM").is_some_and(|term| term == "dumb");
    let color = match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => is_terminal && !dumb && set("NO_COLOR").is_none(),
    };
    // The first of them that is set decides, as POSIX says; none of them is the C locale.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| set(name)).unwrap_or_default();
    let locale = locale.to_ascii_lowercase().replace('-', "");
    // Windows has no such variables, and its consoles take Unicode.
    let unicode = !dumb && (cfg!(windows) || locale.contains("utf8"));
    let asked = || set("COLUMNS")?.trim().parse().ok().filter(|&columns: &usize| columns > 0);
    // A terminal knows better than a variable, which may be from before it was resized.
    let unknown = if is_terminal { DEFAULT_WIDTH } else { Look::WHOLE };
    Look { width: width.or_else(asked).unwrap_or(unknown), unicode, color }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(choice: ColorChoice, is_terminal: bool, variables: &[(&str, &str)]) -> Look {
        look_of(choice, is_terminal, None, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn colours_follow_choice_environment_and_terminal() {
        let color = |choice, is_terminal, variables: &[_]| look(choice, is_terminal, variables).color;
        assert!(color(ColorChoice::Auto, true, &[]));
        assert!(!color(ColorChoice::Auto, false, &[]));
        assert!(!color(ColorChoice::Auto, true, &[("NO_COLOR", "1")]));
        assert!(color(ColorChoice::Auto, true, &[("NO_COLOR", "")]), "an empty NO_COLOR is none");
        assert!(!color(ColorChoice::Auto, true, &[("TERM", "dumb")]));
        assert!(color(ColorChoice::Always, false, &[("NO_COLOR", "1")]));
        assert!(!color(ColorChoice::Never, true, &[]));
    }

    #[cfg(not(windows))]
    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        let unicode = |variables: &[_]| look(ColorChoice::Auto, true, variables).unicode;
        assert!(unicode(&[("LANG", "de_DE.UTF-8")]));
        assert!(unicode(&[("LC_ALL", ""), ("LC_CTYPE", "C.utf8"), ("LANG", "C")]));
        assert!(!unicode(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]));
        assert!(!unicode(&[("LANG", "en_US.ISO-8859-1")]));
        assert!(!unicode(&[]));
        assert!(!unicode(&[("TERM", "dumb"), ("LANG", "C.UTF-8")]));
    }

    #[test]
    fn a_file_has_no_width_unless_columns_are_asked_for() {
        let width = |is_terminal, width, columns: Option<&str>| {
            let variable = |name: &str| columns.filter(|_| name == "COLUMNS").map(str::to_owned);
            look_of(ColorChoice::Auto, is_terminal, width, variable).width
        };
        assert_eq!(width(false, None, None), Look::WHOLE);
        assert_eq!(width(false, None, Some("100")), 100);
        for nonsense in ["", "0", "-3", "wide", "99999999999999999999999"] {
            assert_eq!(width(false, None, Some(nonsense)), Look::WHOLE, "{nonsense}");
        }
        assert_eq!(width(true, Some(132), Some("100")), 132, "the terminal itself knows");
        assert_eq!(width(true, None, Some("100")), 100);
        assert_eq!(width(true, None, None), 80);
    }

    #[test]
    fn one_line_each_ten_seconds_even_when_snapshots_are_late() {
        let mut next = LINE_EVERY;
        let due: Vec<u64> = [1, 9, 10, 11, 19, 25, 29, 30, 31, 40]
            .into_iter()
            .filter(|&second| line_is_due(&mut next, Duration::from_secs(second)))
            .collect();
        assert_eq!(due, [10, 25, 30, 40]);
    }

    #[test]
    fn nothing_fails_where_there_is_no_terminal() {
        let look = look(ColorChoice::Auto, false, &[]);
        for kind in [ProgressKind::Live, ProgressKind::Plain, ProgressKind::Off] {
            let mut progress = Progress::new(kind, look);
            for snapshot in crate::fixture::snapshots() {
                progress.update(&crate::fixture::info(), &snapshot, None);
            }
            progress.message("printed by\na script");
            progress.finish();
        }
    }
}
