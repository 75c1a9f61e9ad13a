//! The charts of a report as SVG, drawn with plotters.
//!
//! Owns what each chart shows and how. Leaves the figures to `model` and the page to `html`. The only folder
//! that knows plotters. Invariants: pure; a value without a sample is a gap; no chart refers to anything
//! outside of its page; each describes its content in one sentence.

mod canvas;
mod capacity;
mod curves;
mod heat;
mod labels;
mod limit_lines;
mod plot;
mod resources;
mod sparkline;
mod svg_file;
mod theme;
mod timeline;
mod trend;

#[cfg(test)]
mod tests;

use maud::{Markup, PreEscaped, html};

pub use resources::resources_svg;
pub(crate) use sparkline::sparkline;
pub(crate) use theme::{CHART_CSS, HATCH, Role, class_css, variables};
pub(crate) use timeline::endpoint_charts;
pub use trend::{trend_charts, trend_row};

use super::model::Model;

/// A chart, to be shown in a page or written to a file.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Identifier for file names and anchors, unique within a report.
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
    /// The thresholds that are lines of it: `threshold p95 < 200ms`.
    pub(crate) limits: Vec<String>,
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
    /// Large dots.
    Disc,
    /// Crosses.
    Cross,
    /// Squares without a filling.
    Square,
}

/// Half the width of marks that differ by shape.
const MARK: i32 = 8;

impl Shape {
    /// The outline of a mark around its place; the others have none.
    fn outline(self) -> Vec<(i32, i32)> {
        const R: i32 = MARK;
        match self {
            Shape::Line | Shape::Area | Shape::Dot => Vec::new(),
            // Eight corners are a dot at this size.
            Shape::Disc => {
                vec![(-R, -3), (-3, -R), (3, -R), (R, -3), (R, 3), (3, R), (-3, R), (-R, 3)]
            }
            Shape::Cross => vec![(-R, -R), (R, R), (0, 0), (R, -R), (-R, R)],
            Shape::Square => vec![(-R, -R), (R, -R), (R, R), (-R, R), (-R, -R)],
        }
    }

    /// How a legend shows it, 50 wide from `left`, around the height `middle`.
    pub(crate) fn sample(self, role: Role, left: u32, middle: u32) -> String {
        let (kind, path) = match self {
            Shape::Line => ("l", format!("M{left} {middle}h50")),
            Shape::Area => ("f", format!("M{left} {}h50v18h-50z", middle.saturating_sub(9))),
            Shape::Dot => ("d", format!("M{} {middle}h0", left + 25)),
            Shape::Disc | Shape::Cross | Shape::Square => {
                let kind = if self == Shape::Disc { "f" } else { "l" };
                let places = self.outline().into_iter();
                let places: Vec<String> = places
                    .map(|(x, y)| {
                        format!(
                            "{} {}",
                            i64::from(left) + 25 + i64::from(x),
                            i64::from(middle) + i64::from(y)
                        )
                    })
                    .collect();
                (kind, format!("M{}", places.join("L")))
            }
        };
        format!("<path class=\"{kind} {}\" d=\"{path}\"/>", role.class())
    }
}

impl Chart {
    /// All of the legend: what lines and areas mean, and the thresholds.
    pub(crate) fn explained(&self) -> impl Iterator<Item = (Role, Shape, &str)> {
        let limits = self.limits.iter().map(|limit| (Role::Limit, Shape::Line, limit.as_str()));
        self.legend.iter().map(|(role, shape, label)| (*role, *shape, *label)).chain(limits)
    }

    /// The SVG for a page that has [`CHART_CSS`], colours and hatch.
    pub(crate) fn inline_svg(&self) -> Markup {
        let (width, height) = self.size;
        html! {
            svg role="img" viewBox=(format_args!("0 0 {width} {height}"))
                aria-labelledby=(format_args!("{id}-t {id}-d", id = self.id)) {
                title #{ (self.id) "-t" } { (self.title) ", " (self.unit) }
                desc #{ (self.id) "-d" } { (self.description) }
                (PreEscaped(&self.body))
            }
        }
    }
}

/// The six charts over the run's time, those that have data: load, throughput, latency, requests in flight,
/// target and machine, generator.
pub fn timeline_charts(model: &Model<'_>) -> Vec<Chart> {
    timeline::charts(model)
}

/// What was measured at each rate of a search for the capacity; `None` when the run is none, or nothing was measured.
pub fn capacity_chart(model: &Model<'_>) -> Option<Chart> {
    capacity::chart(model.snapshot.capacity.as_deref()?)
}

/// Distribution, percentile curve, heat map, and latency against throughput, those that have data.
pub fn distribution_charts(model: &Model<'_>) -> Vec<Chart> {
    [curves::histogram(model), curves::percentiles(model), heat::heat_map(model), curves::scatter(model)]
        .into_iter()
        .flatten()
        .collect()
}
