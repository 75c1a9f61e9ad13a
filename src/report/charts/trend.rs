//! Charts over many runs of a test, in the order of their time: latency, rate, failures.
//!
//! Runs stand side by side, whatever time lies between them. Where something but the figures changed from one run to
//! the next, lines are broken and a numbered mark stands between the two: unlike runs are never joined.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::labels::label_ends;
use super::plot::{Axis, Drawing, Plot, WIDTH, draw, draw_line, filled, letters, line, plot};
use super::theme::Role;
use super::{Chart, Shape};
use crate::analysis::TrendPoint;
use crate::credentials::masked;
use crate::text::clean_line;
use crate::text::format;

/// Height of a chart that has the page for itself, and of one that is a row of another page.
const HEIGHT: u32 = 300;
const ROW_HEIGHT: u32 = 200;

/// Dates on the axis; more would meet.
const MOST_DATES: usize = 6;

/// Runs that get a dot and, where something changed, a number each; more would meet.
const MOST_DOTS: usize = 60;

type Line = (fn(&TrendPoint) -> Option<f64>, &'static str, Role);

/// Two low charts of the runs of one test, p95 and rate: a row of a run's own report.
pub fn trend_row(points: &[&TrendPoint]) -> Vec<Chart> {
    let p95: [Line; 1] = [(|point| point.latency_ms.map(|all| all[1]), "p95", Role::P95)];
    let rate: [Line; 1] = [(|point| Some(point.rate), "rate", Role::One)];
    let latency = |ms: f64| format::latency((ms * 1e3).round() as u64);
    let place = |id: &str, title: &str, unit| Place {
        id: id.to_owned(),
        title: title.to_owned(),
        unit,
        height: ROW_HEIGHT,
    };
    [
        chart(place("last-p95", "p95 of the last runs", "time, successes"), points, &p95, latency),
        chart(place("last-rate", "Rate of the last runs", "requests/s"), points, &rate, format::rate),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The charts of the runs of one test, those that have data. `prefix` makes their ids unique.
pub fn trend_charts(prefix: &str, name: &str, points: &[&TrendPoint]) -> Vec<Chart> {
    let latency: [Line; 3] = [
        (|point| point.latency_ms.map(|all| all[0]), "p50", Role::P50),
        (|point| point.latency_ms.map(|all| all[1]), "p95", Role::P95),
        (|point| point.latency_ms.map(|all| all[2]), "p99", Role::P99),
    ];
    let rate: [Line; 1] = [(|point| Some(point.rate), "rate", Role::One)];
    let failed: [Line; 1] = [(|point| point.failed_share.map(|share| share * 100.0), "failed", Role::Failed)];
    let of = |what: &str| format!("{what} of {}", masked(&clean_line(name)));
    let place = |what: &str, unit| Place {
        id: format!("{prefix}-{}", what.to_lowercase()),
        title: of(what),
        unit,
        height: HEIGHT,
    };
    [
        chart(place("Latency", "time, successes"), points, &latency, |ms| {
            format::latency((ms * 1e3).round() as u64)
        }),
        chart(place("Rate", "requests/s"), points, &rate, format::rate),
        chart(place("Failed", "% of requests"), points, &failed, |per_cent| {
            format!("{} %", format::percent(per_cent / 100.0))
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a chart is called, and its height.
struct Place {
    id: String,
    title: String,
    unit: &'static str,
    height: u32,
}

fn chart(
    place: Place,
    points: &[&TrendPoint],
    lines: &[Line],
    label: impl Fn(f64) -> String + Copy,
) -> Option<Chart> {
    let values = |line: &Line| points.iter().filter_map(|point| line.0(point)).collect::<Vec<f64>>();
    let most = lines.iter().flat_map(values).max_by(f64::total_cmp)?;
    let x = dates(points);
    let y = Axis::from_zero(most, label);
    let body = draw(place.height, |area| {
        let mut plot = plot(area, &x, &y, |_| Ok(()))?;
        marks(&mut plot, points, &y)?;
        for (value, _, role) in lines {
            for run in alike(points) {
                draw_line(&mut plot, run.map(|index| (index as f64, value(points[index]))), *role)?;
            }
            if points.len() <= MOST_DOTS {
                let dots = points.iter().enumerate().filter_map(|(index, point)| {
                    Some(Circle::new((index as f64, value(point)?), 5, filled(*role)))
                });
                plot.draw_series(dots)?;
            }
        }
        let last = points.len().saturating_sub(1) as f64;
        let end = |value: fn(&TrendPoint) -> Option<f64>| points.last().and_then(|point| value(point));
        let named = if lines.len() > 1 { lines } else { &[] };
        label_ends(
            area,
            &plot,
            named.iter().map(|(value, name, role)| (last, end(*value), *name, *role)).collect(),
        )
    })?;
    let span = |line: &Line| {
        let all = values(line);
        let low = all.iter().copied().min_by(f64::total_cmp)?;
        let high = all.iter().copied().max_by(f64::total_cmp)?;
        Some(format!("{} between {} and {}", line.1, label(low), label(high)))
    };
    let spans: Vec<String> = lines.iter().filter_map(span).collect();
    let runs = if points.len() == 1 { "run".to_owned() } else { format!("{} runs", points.len()) };
    let mut legend: Vec<_> = lines.iter().map(|(_, name, role)| (*role, Shape::Line, *name)).collect();
    if points.iter().skip(1).any(|point| !point.unlike.is_empty()) {
        legend.push((Role::Flag, Shape::Line, "script, load or machine changed"));
    }
    Some(Chart {
        id: place.id,
        title: place.title,
        unit: place.unit,
        description: format!("{runs}: {}.", spans.join("; ")),
        size: (WIDTH, place.height),
        time_axis: None,
        legend,
        limits: Vec::new(),
        body,
    })
}

/// The axis of the runs: a place for each, and the dates of some.
fn dates(points: &[&TrendPoint]) -> Axis {
    let step = points.len().div_ceil(MOST_DATES).max(1);
    let label = |point: &TrendPoint| {
        // `2026-11-23T17:45:04Z` without year and seconds; what is no such text stays.
        let date = clean_line(&point.started_at);
        date.get(5..16).map_or(date.clone(), |short| short.replace('T', " "))
    };
    let ticks = points.iter().enumerate().step_by(step).map(|(index, point)| (index as f64, label(point)));
    Axis { range: -0.5..points.len() as f64 - 0.5, ticks: ticks.collect() }
}

/// Stretches of runs that have script, load and machine in common.
fn alike(points: &[&TrendPoint]) -> Vec<std::ops::Range<usize>> {
    let mut starts: Vec<usize> =
        (0..points.len()).filter(|&i| i == 0 || !points[i].unlike.is_empty()).collect();
    starts.push(points.len());
    starts.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

/// A numbered line before each run that is unlike the one before it.
fn marks(plot: &mut Plot<'_>, points: &[&TrendPoint], y: &Axis) -> Drawing {
    let changed = (1..points.len()).filter(|&index| !points[index].unlike.is_empty());
    let many = points.len() > MOST_DOTS;
    for (number, index) in changed.enumerate() {
        let at = index as f64 - 0.5;
        plot.draw_series([PathElement::new([(at, y.range.start), (at, y.range.end)], line(Role::Flag))])?;
        if !many {
            let style = letters(Role::Text, HPos::Center, VPos::Bottom);
            plot.plotting_area().draw(&Text::new((number + 1).to_string(), (at, y.range.end), style))?;
        }
    }
    Ok(())
}
