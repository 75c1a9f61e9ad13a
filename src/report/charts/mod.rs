//! The charts of a report as SVG, drawn with plotters.
//!
//! Owns what each chart shows and how. Leaves the figures to `model` and the page to `html`. The only folder
//! that knows plotters. Invariants: pure; a value without a sample is a gap; no chart refers to anything
//! outside of its page; each says in one true sentence what it shows.

mod canvas;
mod curves;
mod heat;
mod plot;
mod resources;
mod sparkline;
mod svg_file;
mod theme;
mod timeline;
mod trend;

#[cfg(test)]
mod tests;

use super::markup::escape;
pub use resources::resources_svg;
pub(crate) use sparkline::sparkline;
pub(crate) use theme::{CHART_CSS, HATCH, Role, class_css, variables};
pub(crate) use timeline::endpoint_charts;
pub use trend::{trend_charts, trend_row};

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
