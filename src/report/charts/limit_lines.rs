//! Thresholds in charts: which ones a chart shows, how far its axis extends for them, and their lines.
//!
//! Owns which threshold belongs to which chart. Leaves evaluation to `metrics` and the table of thresholds to `html`.
//! Invariants: an axis is never stretched so far that the data is flattened; a threshold that is not
//! drawn for that reason is described in text.

use std::ops::Range;

use plotters::prelude::*;

use super::Chart;
use super::labels::{Upright, label_lines};
use super::plot::{Area, Axis, Drawing, Plot, line};
use super::theme::Role;
use crate::analysis::thresholds;
use crate::credentials::masked;
use crate::metrics::{Aggregation, Operator, Threshold};
use crate::metrics::{EndpointStats, Snapshot};
use crate::report::model::Model;
use crate::text::{clean_line, cut_middle};

/// How many times the largest value a limit may be to be drawn.
const REACH: f64 = 2.0;

/// The same on a logarithmic axis, also below the smallest value.
const LOG_REACH: f64 = 10.0;

/// Most columns of a name; only names of stages are long.
const MOST_COLUMNS: usize = 40;

/// A limit that is about what a chart draws.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Limit {
    /// In the unit of the chart.
    value: f64,
    /// `p95 < 200ms`.
    name: String,
    /// When it counts, seconds; all of the run for most.
    spans: Vec<(f64, f64)>,
}

impl Limit {
    fn new(threshold: &Threshold, snapshot: &Snapshot, figure: &str, factor: f64) -> Limit {
        let mut name = format!("{figure}{}", thresholds::demanded(threshold));
        if let Some(window) = threshold.window {
            name.push_str(&format!(" over {}", crate::text::format_duration(window)));
        }
        if let Some(phase) = &threshold.phase {
            name.push_str(&format!(" in {}", masked(&clean_line(phase))));
        }
        Limit {
            value: threshold.limit * factor,
            name: cut_middle(&name, MOST_COLUMNS, "…"),
            spans: spans(threshold, snapshot),
        }
    }
}

/// When a limit counts.
fn spans(threshold: &Threshold, snapshot: &Snapshot) -> Vec<(f64, f64)> {
    let end = snapshot.elapsed.as_secs_f64();
    let Some(wanted) = threshold.phase.as_deref() else { return vec![(0.0, end)] };
    let mut spans: Vec<(f64, f64)> = Vec::new();
    for span in &snapshot.spans {
        if span.phase.as_str() != wanted && span.stage.as_deref() != Some(wanted) {
            continue;
        }
        let (from, to) = (span.from.as_secs_f64(), span.to.map_or(end, |to| to.as_secs_f64()).min(end));
        match spans.last_mut() {
            Some((_, last)) if *last == from => *last = to,
            _ => spans.push((from, to)),
        }
    }
    spans.retain(|(from, to)| from < to);
    spans
}

/// Thresholds that demand a value above or below some number.
fn sided(snapshot: &Snapshot) -> impl Iterator<Item = &Threshold> {
    snapshot.thresholds.iter().map(|stats| &*stats.threshold).filter(|threshold| {
        !matches!(threshold.comparison, Operator::Equal | Operator::NotEqual) && threshold.limit.is_finite()
    })
}

/// Whether a threshold is about the times of successes, besides the tags that select some of them.
fn is_latency(threshold: &Threshold) -> bool {
    threshold.metric == "http_req_duration"
}

/// Tags but for the one that says what `http_req_duration` means without it.
fn tags(threshold: &Threshold) -> impl Iterator<Item = (&str, &str)> {
    let all = threshold.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    all.filter(|tag| *tag != ("expected_response", "true"))
}

/// The percentiles that are lines.
fn is_drawn_percentile(aggregation: Aggregation) -> bool {
    match aggregation {
        Aggregation::Med => true,
        Aggregation::Percentile(percentile) => [50.0, 95.0, 99.0].contains(&percentile),
        _ => false,
    }
}

fn latency_limit(threshold: &Threshold, snapshot: &Snapshot) -> Limit {
    let figure = format!("{} ", thresholds::figure(threshold.aggregation));
    Limit::new(threshold, snapshot, &figure, 1e3)
}

/// Limits on the latency of all requests that the chart over time has a figure for; microseconds.
pub(super) fn on_latency(model: &Model<'_>) -> Vec<Limit> {
    sided(model.snapshot)
        .filter(|threshold| is_latency(threshold) && tags(threshold).next().is_none())
        .filter(|threshold| {
            is_drawn_percentile(threshold.aggregation) || threshold.aggregation == Aggregation::Max
        })
        .map(|threshold| latency_limit(threshold, model.snapshot))
        .collect()
}

/// Limits on the latency of all requests of the whole run, whatever figure of it; microseconds.
pub(super) fn on_distribution(model: &Model<'_>) -> Vec<Limit> {
    sided(model.snapshot)
        .filter(|threshold| is_latency(threshold) && tags(threshold).next().is_none())
        .filter(|threshold| threshold.window.is_none() && threshold.phase.is_none())
        .filter(|threshold| {
            !matches!(threshold.aggregation, Aggregation::Count | Aggregation::Rate | Aggregation::Sum)
        })
        .map(|threshold| latency_limit(threshold, model.snapshot))
        .collect()
}

/// Limits on the latency of one endpoint that its chart has a line for; microseconds.
pub(super) fn on_endpoint(model: &Model<'_>, stats: &EndpointStats) -> Vec<Limit> {
    let selects = |threshold: &Threshold| {
        let is_its = |(key, value): (&str, &str)| match key {
            "name" => value == &*stats.name,
            "method" => value == &*stats.method,
            _ => false,
        };
        tags(threshold).all(is_its) && tags(threshold).any(|(key, _)| key == "name")
    };
    sided(model.snapshot)
        .filter(|threshold| is_latency(threshold) && is_drawn_percentile(threshold.aggregation))
        .filter(|threshold| selects(threshold))
        .map(|threshold| latency_limit(threshold, model.snapshot))
        .collect()
}

/// Limits on the rate of all requests.
pub(super) fn on_rate(model: &Model<'_>) -> Vec<Limit> {
    sided(model.snapshot)
        .filter(|threshold| threshold.metric == "http_reqs" && threshold.tags.is_empty())
        .filter(|threshold| threshold.aggregation == Aggregation::Rate)
        .map(|threshold| Limit::new(threshold, model.snapshot, "rate ", 1.0))
        .collect()
}

/// Limits on a gauge, whatever figure of it; `name` tells it from the other lines of the chart.
pub(super) fn on_gauge(model: &Model<'_>, metric: &str, name: Option<&str>) -> Vec<Limit> {
    let name = name.map_or_else(String::new, |name| format!("{name} "));
    sided(model.snapshot)
        .filter(|threshold| threshold.metric == metric)
        .map(|threshold| {
            let figure = format!("{name}{} ", thresholds::figure(threshold.aggregation));
            Limit::new(threshold, model.snapshot, &figure, 1.0)
        })
        .collect()
}

/// The limits of a chart: those that are drawn, and those that are too far away.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Limits {
    drawn: Vec<Limit>,
    far: Vec<String>,
    is_log: bool,
    on_area: bool,
}

impl Limits {
    /// Those of a chart whose values lie between these.
    pub(super) fn among(all: Vec<Limit>, lowest: f64, highest: f64, is_log: bool) -> Limits {
        let mut limits = Limits { is_log, ..Limits::default() };
        let within = if is_log { lowest / LOG_REACH..=highest * LOG_REACH } else { 0.0..=highest * REACH };
        for limit in all {
            // One that never counted, since its phase never came, is no line.
            if limit.spans.is_empty() {
                continue;
            }
            if within.contains(&limit.value) {
                limits.drawn.push(limit);
            } else {
                let side = if limit.value > highest { "above" } else { "below" };
                limits.far.push(format!("threshold {} is far {side}", limit.name));
            }
        }
        limits
    }

    /// The same for lines on a filled area: they need a ground, which would hide other lines.
    #[must_use]
    pub(super) fn on_area(self) -> Limits {
        Limits { on_area: true, ..self }
    }

    /// What a line is drawn in, one after the other.
    fn roles(&self) -> &'static [Role] {
        if self.on_area { &[Role::Halo, Role::Limit] } else { &[Role::Limit] }
    }

    /// The smallest and the largest of the values of a chart and of its limits.
    pub(super) fn reach(&self, lowest: f64, highest: f64) -> (f64, f64) {
        let values = || self.drawn.iter().map(|limit| limit.value);
        (values().fold(lowest, f64::min), values().fold(highest, f64::max))
    }

    /// Adds legend and description to a chart.
    pub(super) fn tell(&self, chart: &mut Chart) {
        chart.limits.extend(self.drawn.iter().map(|limit| format!("threshold {}", limit.name)));
        for far in &self.far {
            let sentence = chart.description.trim_end_matches('.');
            chart.description = format!("{sentence}; {far}.");
        }
    }

    fn place(&self, limit: &Limit) -> f64 {
        if self.is_log { limit.value.log10() } else { limit.value }
    }

    /// Lines across a plot, with their names on them.
    pub(super) fn draw(&self, area: &Area, plot: &mut Plot<'_>, x: &Range<f64>) -> Drawing {
        for &role in self.roles() {
            for limit in &self.drawn {
                let y = self.place(limit);
                for &(from, to) in &limit.spans {
                    plot.draw_series([PathElement::new([(from, y), (to.min(x.end), y)], line(role))])?;
                }
            }
        }
        let lines = self.drawn.iter().map(|limit| {
            let from = limit.spans.first().map_or(x.start, |(from, _)| *from);
            let to = limit.spans.last().map_or(x.end, |(_, to)| to.min(x.end));
            (self.place(limit), from..to, limit.name.as_str())
        });
        label_lines(area, plot, lines)
    }

    /// Lines up a plot whose x axis has the values.
    pub(super) fn draw_upright(&self, plot: &mut Plot<'_>, y: &Axis) -> Drawing {
        for &role in self.roles() {
            for limit in &self.drawn {
                let x = self.place(limit);
                plot.draw_series([PathElement::new([(x, y.range.start), (x, y.range.end)], line(role))])?;
            }
        }
        Ok(())
    }

    /// Their places and names.
    pub(super) fn uprights(&self) -> impl Iterator<Item = Upright> {
        self.drawn.iter().map(|limit| (self.place(limit), limit.name.clone(), Role::Limit))
    }
}
