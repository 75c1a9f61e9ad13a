//! The demo application's linked pages: a small manual to browse.
//!
//! Owns its pages. Leaves latency and routing to `routes`. Invariant: every link leads to a page that is there.

use super::routes::Refusal;
use axum::http::StatusCode;
use axum::response::Html;

/// The pages: what they are called in their URL, and their titles.
const PAGES: [(&str, &str); 5] = [
    ("install", "Installing"),
    ("first-test", "The first test"),
    ("scripts", "Scripts"),
    ("results", "Results"),
    ("faq", "Questions"),
];

/// The table of contents.
pub(super) fn contents() -> Html<String> {
    let items: String = PAGES
        .iter()
        .map(|(name, title)| format!("    <li><a class=\"internal\" href=\"{name}\">{title}</a></li>\n"))
        .collect();
    Html(format!("{}  <ul class=\"toc\">\n{items}  </ul>\n", head("Manual")))
}

/// A page of it, with links to the contents and to its neighbours.
pub(super) fn page(name: &str) -> Result<Html<String>, Refusal> {
    let Some(at) = PAGES.iter().position(|(known, _)| *known == name) else {
        return Err(Refusal::new(StatusCode::NOT_FOUND, format!("the manual has no page `{name}`")));
    };
    let link = |at: usize| {
        let (name, title) = PAGES[at % PAGES.len()];
        format!("  <p><a class=\"internal\" href=\"{name}\">{title}</a></p>\n")
    };
    let (before, after) = (link(at + PAGES.len() - 1), link(at + 1));
    Ok(Html(format!(
        "{}  <p><a class=\"internal\" href=\"./\">Contents</a></p>\n{before}{after}",
        head(PAGES[at].1)
    )))
}

fn head(title: &str) -> String {
    format!("<!doctype html>\n<title>{title}</title>\n  <h1>{title}</h1>\n")
}
