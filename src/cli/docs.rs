//! `rhaid docs`: the script API in the terminal.

use std::io::IsTerminal;

use super::args::DocsArgs;
use super::docs_text::{contents, entry, part};
use super::exit::Exit;
use super::output;
use super::progress::ColorChoice;
use crate::metrics::builtin::{self, Builtin};
use crate::report::Look;
use crate::script_reference::{Found, find, markdown, meant};

/// Columns of prose where there is no terminal.
const PROSE_WIDTH: usize = 80;

/// Prints the list of modules, a module, or a function.
pub(super) fn docs(args: &DocsArgs) -> Exit {
    if args.markdown {
        output::out(&markdown());
        return Exit::Passed;
    }
    let is_terminal = std::io::stdout().is_terminal();
    let look = Look::detect(ColorChoice::Auto, is_terminal);
    // Prose is read in a file too, where names may be as wide as they are.
    let look = if is_terminal { look } else { Look { width: look.width.min(PROSE_WIDTH), ..look } };
    let asked = args.name.join(" ");
    if asked.trim().is_empty() {
        output::out(&contents(look));
        return Exit::Passed;
    }
    match text_of(asked.trim(), look) {
        Some(text) => output::out(&text),
        None => {
            output::error(&unknown(&asked));
            return Exit::Usage;
        }
    }
    Exit::Passed
}

/// What the reference says on a name; `None` when it does not know it.
pub(super) fn text_of(asked: &str, look: Look) -> Option<String> {
    if let Some(metric) = builtin::named(asked) {
        return Some(about(metric));
    }
    Some(match find(asked)? {
        Found::Part(found) => part(look, &found),
        Found::Entries(found) => {
            found.iter().map(|(part, found)| entry(look, part, found)).collect::<Vec<_>>().join("\n")
        }
    })
}

/// A metric of the engine.
fn about(metric: &Builtin) -> String {
    let unit = match metric.quantity().unit() {
        "" => String::new(),
        unit => format!(", in {unit}"),
    };
    format!(
        "{} — {}{unit}\n  {}.\n  Thresholds can use its {}; see docs/metrics.md.\n",
        metric.name,
        metric.kind(),
        metric.description.replace('`', ""),
        metric.aggregations().join(", ")
    )
}

fn unknown(asked: &str) -> String {
    let hint = match meant(asked) {
        Some((name, true)) => format!(" — here it is called {name}: rhaid docs {name}"),
        Some((name, false)) => format!(" — did you mean '{name}'?"),
        None => String::new(),
    };
    format!("the script API has no '{asked}'{hint}\n`rhaid docs` lists everything")
}
