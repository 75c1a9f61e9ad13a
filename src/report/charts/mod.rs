//! The charts of a report as SVG, drawn with plotters.
//!
//! Owns what each chart shows and how. Leaves the figures to `model` and the page to `html`. The only folder
//! that knows plotters. Invariants: pure; a value without a sample is a gap; no chart refers to anything
//! outside of its page; each says in one true sentence what it shows.

mod canvas;
mod curves;
mod heat;
mod plot;
mod sparkline;
mod theme;
mod timeline;
mod trend;

#[cfg(test)]
mod tests;

use super::markup::escape;
pub(crate) use sparkline::sparkline;
pub(crate) use theme::{CHART_CSS, HATCH, Role, class_css, variables};
pub(crate) use timeline::endpoint_charts;
pub use trend::trend_charts;

use super::model::Model;

/// A chart, to be shown in a page or written to a file.
#[derive(Clone, Debug)]
pub struct Chart {
    /// A word for file names and anchors, unique in a report.
    pub id: String,
    /// What it is, in a few words.
    pub title: String,
    /// What its y axis counts.
    pub unit: &'static str,
    /// What it shows, in one sentence.
    pub description: String,
    /// Size of its drawing.
    pub size: (u32, u32),
    /// Left and right edge of the plot in the drawing, for charts whose x axis is the run's time.
    pub time_axis: Option<(u32, u32)>,
    /// What lines and areas mean.
    pub(crate) legend: Vec<(Role, Shape, &'static str)>,
    /// The elements of the drawing.
    body: String,
}

/// How something of the legend looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A line.
    Line,
    /// An area.
    Area,
    /// Dots.
    Dot,
}

impl Chart {
    /// The SVG for a page that has [`CHART_CSS`], colours and hatch.
    pub(crate) fn inline_svg(&self) -> String {
        let (width, height) = self.size;
        let title = escape(&format!("{}, {}", self.title, self.unit));
        let (id, description) = (&self.id, escape(&self.description));
        format!(
            "<svg role=\"img\" viewBox=\"0 0 {width} {height}\" aria-labelledby=\"{id}-t {id}-d\">\
             <title id=\"{id}-t\">{title}</title><desc id=\"{id}-d\">{description}</desc>{}</svg>",
            self.body
        )
    }

    /// The SVG as a file of its own, with its colours in it.
    pub fn svg_file(&self) -> String {
        let (width, height) = self.size;
        let mut legend = String::new();
        let mut x = 20;
        for (role, shape, label) in &self.legend {
            let mark = match shape {
                Shape::Line => format!("<path class=\"l {}\" d=\"M{x} {}h50\"/>", role.class(), height + 22),
                Shape::Area => {
                    format!("<path class=\"f {}\" d=\"M{x} {}h50v18h-50z\"/>", role.class(), height + 13)
                }
                Shape::Dot => {
                    format!("<path class=\"d {}\" d=\"M{} {}h0\"/>", role.class(), x + 25, height + 22)
                }
            };
            legend.push_str(&format!(
                "{mark}<text class=\"t\" x=\"{}\" y=\"{}\">{}</text>",
                x + 60,
                height + 30,
                escape(label)
            ));
            x += 100 + label.chars().count() as u32 * 14;
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 -50 {width} {}\" width=\"{}\">\
             <title>{title}</title><desc>{}</desc><style>svg{{{}}}@media(prefers-color-scheme:dark){{svg{{{}}}}}{}{CHART_CSS}\
             .ground{{fill:var(--c-ground)}}.title{{font-weight:600;font-size:28px}}</style><defs>{HATCH}</defs>\
             <rect class=\"ground\" y=\"-50\" width=\"{width}\" height=\"{}\"/>\
             <text class=\"t title\" x=\"20\" y=\"-14\">{title}</text>{}{legend}</svg>\n",
            height + 100,
            width / 2,
            escape(&self.description),
            variables(false),
            variables(true),
            class_css(),
            height + 100,
            self.body,
            title = escape(&format!("{}, {}", self.title, self.unit)),
        )
    }
}

/// The six charts over the run's time, those that have data: load, throughput, latency, requests in flight,
/// target and machine, generator.
pub fn timeline_charts(model: &Model<'_>) -> Vec<Chart> {
    timeline::charts(model)
}

/// Distribution, percentile curve, heat map, and latency against throughput, those that have data.
pub fn distribution_charts(model: &Model<'_>) -> Vec<Chart> {
    [curves::histogram(model), curves::percentiles(model), heat::heat_map(model), curves::scatter(model)]
        .into_iter()
        .flatten()
        .collect()
}
