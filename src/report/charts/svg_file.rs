//! Standalone SVG files: one chart, or several stacked.
//!
//! Owns what a page would otherwise provide: colours for light and dark backgrounds, title and legend.
//! Invariant: nothing in a file refers to anything outside of it.

use std::fmt::Write;

use super::Chart;
use super::plot::WIDTH;
use super::theme::{CHART_CSS, HATCH, class_css, variables};
use crate::report::markup::escape;

/// Room above a chart for its title.
const ABOVE: u32 = 50;

/// Room below it for its legend.
const BELOW: u32 = 50;

/// Room above the first of several charts: the title of all, and a line about them.
const HEAD: u32 = 110;

/// Room between two of them.
const BETWEEN: u32 = 24;

impl Chart {
    /// The SVG as a file of its own, with its colours in it.
    pub fn svg_file(&self) -> String {
        let content = self.with_title_and_legend();
        let title = format!("{}, {}", self.title, self.unit);
        document(&title, &self.description, self.size.0, ABOVE, self.size.1 + BELOW, &content)
    }

    /// The drawing with what a page says around it; its top is that of the drawing, its title above that.
    fn with_title_and_legend(&self) -> String {
        let title = escape(&format!("{}, {}", self.title, self.unit));
        format!("<text class=\"t title\" x=\"20\" y=\"-14\">{title}</text>{}{}", self.body, self.legend())
    }

    fn legend(&self) -> String {
        let height = self.size.1;
        let mut legend = String::new();
        let mut x = 20;
        for (role, shape, label) in self.explained() {
            let mark = shape.sample(role, x, height + 22);
            // Writing to a String does not fail.
            let _ = write!(
                legend,
                "{mark}<text class=\"t\" x=\"{}\" y=\"{}\">{}</text>",
                x + 60,
                height + 30,
                escape(label)
            );
            x += 100 + label.chars().count() as u32 * 14;
        }
        legend
    }
}

/// Several charts below one another in one file, under a title and a line about all of them.
pub(super) fn stacked(title: &str, about: &str, charts: &[Chart]) -> String {
    let mut content = format!(
        "<text class=\"t title\" x=\"20\" y=\"42\">{}</text><text class=\"t\" x=\"20\" y=\"82\">{}</text>",
        escape(title),
        escape(about)
    );
    let mut top = HEAD;
    for chart in charts {
        let (place, inner) = (top + ABOVE, chart.with_title_and_legend());
        let _ = write!(content, "<g transform=\"translate(0 {place})\">{inner}</g>");
        top += ABOVE + chart.size.1 + BELOW + BETWEEN;
    }
    let each: Vec<String> =
        charts.iter().map(|chart| format!("{}: {}", chart.title, chart.description)).collect();
    document(title, &format!("{about}. {}", each.join(" ")), WIDTH, 0, top, &content)
}

/// A whole file, from `above` over the origin to `below` under it.
fn document(title: &str, description: &str, width: u32, above: u32, below: u32, content: &str) -> String {
    let height = above + below;
    let (top, shown_width, shown_height) = (-i64::from(above), width / 2, height / 2);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 {top} {width} {height}\" width=\"{shown_width}\" height=\"{shown_height}\">\
         <title>{}</title><desc>{}</desc><style>svg{{background:var(--c-ground);{}}}@media(prefers-color-scheme:dark){{svg{{{}}}}}{}{CHART_CSS}\
         .ground{{fill:var(--c-ground)}}.title{{font-weight:600;font-size:28px}}</style><defs>{HATCH}</defs>\
         <rect class=\"ground\" y=\"{top}\" width=\"{width}\" height=\"{height}\"/>{content}</svg>\n",
        escape(title),
        escape(description),
        variables(false),
        variables(true),
        class_css(),
    )
}
