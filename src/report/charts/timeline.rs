//! Charts over time, all with the same x axis and width: load, throughput, latency, requests in
//! flight, target and machine, generator; and the small charts of an endpoint.

use std::time::Duration;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::labels::{label_ends, label_tops};
use super::limit_lines::{Limits, on_endpoint, on_gauge, on_latency, on_rate};
use super::plot::{
    Axis, Drawing, LEFT, LETTERS, Plot, RIGHT, WIDTH, bytes, bytes_per_second, draw, draw_area, draw_line,
    filled, letters, line, percent, plot,
};
use super::theme::Role;
use super::{Chart, Shape};
use crate::credentials::masked;
use crate::metrics::Phase;
use crate::report::model::{Bucket, EndpointView, Model};
use crate::text::clean_line;
use crate::text::format;
use crate::text::format_clock;

/// Height of a chart.
const HEIGHT: u32 = 330;

/// Ratio of the largest p99 to the usual p50 from which a linear axis would flatten all else.
const LOG_FROM: f64 = 10.0;

pub(super) fn charts(model: &Model<'_>) -> Vec<Chart> {
    if model.timeline.buckets.is_empty() {
        return Vec::new();
    }
    let base = latency_is_log(model);
    [
        load(model),
        throughput(model),
        latency(model, base, "latency"),
        latency(model, !base, if base { "latency-linear" } else { "latency-log" }),
        in_flight(model),
        processors(model),
        memory(model),
        network(model),
        generator_cpu(model),
        generator_lag(model),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Judged by what is drawn: a stall of two seconds is one point of the run's p99, yet the highest of the chart.
fn latency_is_log(model: &Model<'_>) -> bool {
    let at = |percentile| {
        let of = move |bucket: &Bucket| Some(bucket.ok.percentile_us(percentile)?.max(1));
        let mut values: Vec<u64> = model.timeline.buckets.iter().filter_map(of).collect();
        values.sort_unstable();
        values
    };
    let (p50, p99) = (at(50.0), at(99.0));
    let usual = p50.get(p50.len() / 2).copied().unwrap_or(1);
    p99.last().is_some_and(|&highest| highest as f64 / usual as f64 > LOG_FROM)
}

/// A chart of the run's time: its plot, its lines, and what is drawn on all of them.
fn over_time(
    model: &Model<'_>,
    (id, title, unit): (&str, &str, &'static str),
    (y, limits): (&Axis, &Limits),
    description: String,
    legend: Vec<(Role, Shape, &'static str)>,
    fill: impl FnOnce(&mut Plot<'_>) -> Drawing,
    ends: Vec<(f64, Option<f64>, &'static str, Role)>,
) -> Option<Chart> {
    let x = Axis::time(model.timeline.length_s);
    let body = draw(HEIGHT, |area| {
        let mut plot = plot(area, &x, y, |plot| phases(plot, model, y))?;
        fill(&mut plot)?;
        limits.draw(area, &mut plot, &x.range)?;
        flags(&mut plot, model, y)?;
        label_ends(area, &plot, ends)
    })?;
    let mut chart = Chart {
        id: id.to_owned(),
        title: title.to_owned(),
        unit,
        description,
        size: (WIDTH, HEIGHT),
        time_axis: Some((LEFT, WIDTH - RIGHT)),
        legend,
        limits: Vec::new(),
        body,
    };
    limits.tell(&mut chart);
    Some(chart)
}

/// The stretches in which the load changes have another ground.
fn phases(plot: &mut Plot<'_>, model: &Model<'_>, y: &Axis) -> Drawing {
    for (phase, from, to) in &model.timeline.phases {
        if matches!(phase, Phase::RampUp | Phase::Paused | Phase::RampDown) {
            let to = to.min(model.timeline.length_s);
            plot.draw_series([Rectangle::new(
                [(*from, y.range.end), (to, y.range.start)],
                filled(Role::Phase),
            )])?;
        }
    }
    Ok(())
}

/// The names of phases and stages at the top of the chart, those that have room.
fn phase_names(plot: &mut Plot<'_>, model: &Model<'_>, y: &Axis) -> Drawing {
    let end = model.timeline.length_s;
    for span in &model.snapshot.spans {
        let name = clean_line(span.stage.as_deref().unwrap_or(span.phase.as_str()));
        let name = masked(&name);
        let (from, to) = (span.from.as_secs_f64(), span.to.map_or(end, |to| to.as_secs_f64()).min(end));
        let x = |at: f64| plot.backend_coord(&(at, y.range.start)).0;
        let width = name.chars().count() as i32 * LETTERS * 3 / 5;
        if from < to && width + LETTERS < x(to) - x(from) {
            let style = letters(Role::Text, HPos::Center, VPos::Top);
            // Below the numbers of what happened, above the lines.
            let height = y.range.end - (y.range.end - y.range.start) * 0.03;
            let place = ((from + to) / 2.0, height);
            plot.plotting_area().draw(&Text::new(name.into_owned(), place, style))?;
        }
    }
    Ok(())
}

/// A numbered line where a finding begins; numbers that would lie over each other stand side by side.
fn flags(plot: &mut Plot<'_>, model: &Model<'_>, y: &Axis) -> Drawing {
    let mut flags = Vec::new();
    for (index, finding) in model.findings.iter().enumerate() {
        let Some(at) = finding.at.map(|at| at.as_secs_f64()).filter(|&at| at <= model.timeline.length_s)
        else {
            continue;
        };
        plot.draw_series([PathElement::new([(at, y.range.start), (at, y.range.end)], line(Role::Flag))])?;
        flags.push((at, (index + 1).to_string()));
    }
    label_tops(plot, y, flags)
}

fn middle(bucket: &Bucket) -> f64 {
    (bucket.from_s + bucket.to_s) / 2.0
}

/// Values as points in the middle of their buckets.
fn points<'m>(
    model: &'m Model<'_>,
    value: impl Fn(&Bucket) -> Option<f64> + 'm,
) -> impl Iterator<Item = (f64, Option<f64>)> + 'm {
    model.timeline.buckets.iter().map(move |bucket| (middle(bucket), value(bucket)))
}

/// The same of the run that this one is compared with, as far as this one's time goes.
fn points_before<'m>(
    model: &'m Model<'_>,
    value: impl Fn(&Bucket) -> Option<f64> + 'm,
) -> impl Iterator<Item = (f64, Option<f64>)> + 'm {
    buckets_before(model).map(move |bucket| (middle(bucket), value(bucket)))
}

fn buckets_before<'m>(model: &'m Model<'_>) -> impl Iterator<Item = &'m Bucket> {
    let end = model.timeline.length_s;
    let all = model.baseline.iter().flat_map(|baseline| &baseline.timeline.buckets);
    all.take_while(move |bucket| middle(bucket) <= end)
}

fn highest_before(model: &Model<'_>, value: impl Fn(&Bucket) -> Option<f64>) -> Option<f64> {
    buckets_before(model).filter_map(value).max_by(f64::total_cmp)
}

fn lowest_before(model: &Model<'_>, value: impl Fn(&Bucket) -> Option<f64>) -> Option<f64> {
    buckets_before(model).filter_map(value).min_by(f64::total_cmp)
}

/// A legend with the baseline's line, when there is one.
fn with_before(
    model: &Model<'_>,
    label: &'static str,
    mut legend: Vec<(Role, Shape, &'static str)>,
) -> Vec<(Role, Shape, &'static str)> {
    if buckets_before(model).next().is_some() {
        legend.push((Role::Before, Shape::Line, label));
    }
    legend
}

fn largest(model: &Model<'_>, value: impl Fn(&Bucket) -> Option<f64>) -> Option<f64> {
    model.timeline.buckets.iter().filter_map(value).max_by(f64::total_cmp)
}

fn last(model: &Model<'_>, value: impl Fn(&Bucket) -> Option<f64>) -> Option<f64> {
    model.timeline.buckets.iter().rev().find_map(value)
}

/// Where the largest value is.
fn peak(model: &Model<'_>, value: impl Fn(&Bucket) -> Option<f64>) -> Option<(String, f64)> {
    let of = |bucket: &Bucket| Some((bucket.from_s, value(bucket)?));
    let all = model.timeline.buckets.iter().filter_map(of);
    let (at, value) = all.max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some((format_clock(Duration::from_secs_f64(at)), value))
}

fn whole(value: f64) -> String {
    if value.fract() == 0.0 { format::count(value as u64) } else { format!("{value:.1}") }
}

fn load(model: &Model<'_>) -> Option<Chart> {
    let users = |bucket: &Bucket| bucket.users.map(|users| users as f64);
    let planned = |bucket: &Bucket| bucket.users_target.map(|users| users as f64);
    let most = largest(model, users)?;
    // With room for the names of phases above the lines.
    let y = Axis::from_zero(most.max(largest(model, planned).unwrap_or(0.0)) * 1.2, whole);
    let description = format!("Up to {} ran concurrently.", format::plural(most as u64, "virtual user"));
    over_time(
        model,
        ("load", "Load", "virtual users"),
        (&y, &Limits::default()),
        description,
        vec![(Role::One, Shape::Line, "running"), (Role::Planned, Shape::Line, "planned")],
        |plot| {
            draw_line(plot, steps(model, planned), Role::Planned)?;
            draw_line(plot, steps(model, users), Role::One)?;
            phase_names(plot, model, &y)
        },
        Vec::new(),
    )
}

/// Values as steps, since users are a number at an instant.
fn steps(model: &Model<'_>, value: impl Fn(&Bucket) -> Option<f64>) -> Vec<(f64, Option<f64>)> {
    let buckets = model.timeline.buckets.iter();
    buckets.flat_map(|bucket| [(bucket.from_s, value(bucket)), (bucket.to_s, value(bucket))]).collect()
}

fn throughput(model: &Model<'_>) -> Option<Chart> {
    let both = |bucket: &Bucket| Some(bucket.ok_rate()? + bucket.failed_rate()?);
    // As in the peak of the figures, a few requests in a last moment are no rate.
    let whole_seconds = |bucket: &Bucket| both(bucket).filter(|_| bucket.length_s() >= 0.5);
    let (at, most) = peak(model, whole_seconds).or_else(|| peak(model, both))?;
    let due = largest(model, Bucket::due_rate);
    let highest =
        [largest(model, both), highest_before(model, both), due].into_iter().flatten().fold(0.0, f64::max);
    let limits = Limits::among(on_rate(model), 0.0, highest, false).on_area();
    let y = Axis::from_zero(limits.reach(0.0, highest).1, whole);
    let failed = model.snapshot.total.failures;
    let mut description = format!(
        "Up to {} responses per second, at {at}; {} in the whole run",
        format::rate(most),
        format::plural(failed, "failed request")
    );
    let mut legend = vec![(Role::Ok, Shape::Area, "succeeded"), (Role::Failed, Shape::Area, "failed")];
    if let Some(due) = due {
        description.push_str(&format!("; up to {} iterations per second were due", format::rate(due)));
        legend.push((Role::Planned, Shape::Line, "iterations due"));
    }
    description.push('.');
    over_time(
        model,
        ("throughput", "Throughput", "responses/s"),
        (&y, &limits),
        description,
        with_before(model, "baseline", legend),
        |plot| {
            let ok = model.timeline.buckets.iter().map(|b| (middle(b), b.ok_rate().map(|rate| (0.0, rate))));
            draw_area(plot, ok.collect::<Vec<_>>(), Role::Ok)?;
            if failed > 0 {
                let stacked = |b: &Bucket| Some((b.ok_rate()?, b.ok_rate()? + b.failed_rate()?));
                let bands = model.timeline.buckets.iter().map(|b| (middle(b), stacked(b)));
                draw_area(plot, bands.collect::<Vec<_>>(), Role::Failed)?;
                draw_line(plot, points(model, both), Role::Failed)?;
            }
            // Behind the filled areas nobody would see it, and on them it needs a ground.
            draw_line(plot, points_before(model, both), Role::Halo)?;
            draw_line(plot, points(model, Bucket::due_rate), Role::Halo)?;
            draw_line(plot, points_before(model, both), Role::Before)?;
            draw_line(plot, points(model, Bucket::due_rate), Role::Planned)
        },
        Vec::new(),
    )
}

fn latency(model: &Model<'_>, is_log: bool, id: &str) -> Option<Chart> {
    let at = |percentile: f64| {
        move |bucket: &Bucket| bucket.ok.percentile_us(percentile).map(|us| us.max(1) as f64)
    };
    let (when, highest) = peak(model, at(95.0))?;
    let lowest = model.timeline.buckets.iter().filter_map(at(95.0)).min_by(f64::total_cmp)?;
    let scale = |value: f64| if is_log { value.log10() } else { value };
    let low = model.timeline.buckets.iter().filter_map(at(50.0)).min_by(f64::total_cmp)?;
    let high = largest(model, at(100.0))?;
    let before = |percentile| highest_before(model, at(percentile)).unwrap_or(high);
    let (low, top) = (low.min(lowest_before(model, at(95.0)).unwrap_or(low)), high.max(before(95.0)));
    let limits = Limits::among(on_latency(model), low, top, is_log);
    let (low, top) = limits.reach(low, top);
    let label = |us: f64| format::latency(us.round() as u64);
    let y = if is_log { Axis::log_us(low * 0.8, top * 1.15) } else { Axis::from_zero(top, label) };
    let scaled = |percentile: f64| move |bucket: &Bucket| at(percentile)(bucket).map(scale);
    let description = format!(
        "p95 between {} and {}, highest at {when}; max {}.",
        label(lowest),
        label(highest),
        label(high)
    );
    let end = |percentile| last(model, scaled(percentile));
    let to = model.timeline.length_s;
    over_time(
        model,
        (id, "Latency", if is_log { "time, log scale" } else { "time" }),
        (&y, &limits),
        description,
        with_before(
            model,
            "p95 of the baseline",
            vec![
                (Role::P50, Shape::Line, "p50"),
                (Role::P95, Shape::Line, "p95"),
                (Role::P99, Shape::Line, "p99"),
                (Role::Max, Shape::Dot, "max"),
            ],
        ),
        |plot| {
            let band = |b: &Bucket| Some((scaled(50.0)(b)?, scaled(95.0)(b)?));
            let bands = model.timeline.buckets.iter().map(|b| (middle(b), band(b)));
            draw_area(plot, bands.collect::<Vec<_>>(), Role::Band)?;
            draw_line(plot, points_before(model, scaled(95.0)), Role::Before)?;
            let dots = points(model, scaled(100.0)).filter_map(|(x, y)| Some((x, y?)));
            plot.draw_series(dots.map(|point| Circle::new(point, 3, filled(Role::Max))))?;
            draw_line(plot, points(model, scaled(99.0)), Role::P99)?;
            draw_line(plot, points(model, scaled(95.0)), Role::P95)?;
            draw_line(plot, points(model, scaled(50.0)), Role::P50)
        },
        vec![
            (to, end(50.0), "p50", Role::P50),
            (to, end(95.0), "p95", Role::P95),
            (to, end(99.0), "p99", Role::P99),
        ],
    )
}

fn in_flight(model: &Model<'_>) -> Option<Chart> {
    let value = |bucket: &Bucket| bucket.in_flight.map(|count| count as f64);
    let (at, most) = peak(model, value)?;
    let y = Axis::from_zero(most, whole);
    let description = format!("Up to {} in flight, at {at}.", whole(most));
    over_time(
        model,
        ("in-flight", "Requests in flight", "requests"),
        (&y, &Limits::default()),
        description,
        vec![(Role::One, Shape::Line, "waiting for a response")],
        |plot| {
            draw_area(plot, points(model, value).map(|(x, y)| (x, y.map(|y| (0.0, y)))), Role::Band)?;
            draw_line(plot, points(model, value), Role::One)
        },
        Vec::new(),
    )
}

/// One of the lines of a chart of resources.
#[derive(Clone, Copy)]
struct Line {
    value: fn(&Bucket) -> Option<f64>,
    name: &'static str,
    role: Role,
    /// What thresholds call it.
    metric: Option<&'static str>,
}

/// A chart of lines with one unit, those that have data.
fn lines(
    model: &Model<'_>,
    names: (&str, &str, &'static str),
    all: &[Line],
    label: impl Fn(f64) -> String + Copy,
) -> Option<Chart> {
    let with_data: Vec<&Line> = all.iter().filter(|line| largest(model, line.value).is_some()).collect();
    let most = with_data.iter().filter_map(|line| largest(model, line.value)).max_by(f64::total_cmp)?;
    let is_alone = with_data.len() == 1;
    let on_line = |line: &&Line| {
        let name = (!is_alone).then_some(line.name);
        line.metric.map(|metric| on_gauge(model, metric, name)).unwrap_or_default()
    };
    let limits = Limits::among(with_data.iter().flat_map(on_line).collect(), 0.0, most, false);
    let y = Axis::from_zero(limits.reach(0.0, most).1, label);
    let parts: Vec<String> = with_data
        .iter()
        .filter_map(|line| {
            let (at, most) = peak(model, line.value)?;
            Some(format!("{} up to {}, at {at}", line.name, label(most)))
        })
        .collect();
    let to = model.timeline.length_s;
    let named = if is_alone { &[] } else { &with_data[..] };
    let ends = named.iter().map(|line| (to, last(model, line.value), line.name, line.role)).collect();
    over_time(
        model,
        names,
        (&y, &limits),
        format!("{}.", parts.join("; ")),
        with_data.iter().map(|line| (line.role, Shape::Line, line.name)).collect(),
        |plot| with_data.iter().try_for_each(|line| draw_line(plot, points(model, line.value), line.role)),
        ends,
    )
}

fn processors(model: &Model<'_>) -> Option<Chart> {
    let all: [Line; 2] = [
        Line {
            value: |bucket| bucket.resources.target_cpu,
            name: "target",
            role: Role::One,
            metric: Some("target_cpu"),
        },
        Line {
            value: |bucket| bucket.resources.system_cpu,
            name: "machine",
            role: Role::Two,
            metric: Some("system_cpu"),
        },
    ];
    let names = ("cpu", "CPU of the target (of one core) and the machine (of all cores)", "%");
    lines(model, names, &all, percent)
}

fn memory(model: &Model<'_>) -> Option<Chart> {
    let all: [Line; 1] = [Line {
        value: |bucket| bucket.resources.target_memory,
        name: "target",
        role: Role::One,
        metric: Some("target_memory"),
    }];
    lines(model, ("memory", "Memory of the target", "resident"), &all, bytes)
}

fn network(model: &Model<'_>) -> Option<Chart> {
    let all: [Line; 2] = [
        Line {
            value: |bucket| bucket.resources.net_received,
            name: "received",
            role: Role::One,
            metric: Some("system_net_received"),
        },
        Line {
            value: |bucket| bucket.resources.net_sent,
            name: "sent",
            role: Role::Two,
            metric: Some("system_net_sent"),
        },
    ];
    lines(model, ("network", "Network of the machine", "bytes/s"), &all, bytes_per_second)
}

fn generator_cpu(model: &Model<'_>) -> Option<Chart> {
    let (name, title) = match model.snapshot.agents.is_empty() {
        true => ("generator", "CPU of the load generator"),
        // The agents make the load.
        false => ("coordinator", "CPU of the coordinator"),
    };
    let all: [Line; 1] = [Line {
        value: |bucket| bucket.resources.generator_cpu,
        name,
        role: Role::One,
        metric: Some("generator_cpu"),
    }];
    lines(model, ("generator-cpu", title, "% of one core"), &all, percent)
}

fn generator_lag(model: &Model<'_>) -> Option<Chart> {
    let all: [Line; 1] = [Line {
        value: |bucket| bucket.lag.percentile_us(99.0).map(|us| us as f64),
        name: "p99",
        role: Role::P99,
        metric: None,
    }];
    let names = ("lag", "Iteration start delay", "p99");
    lines(model, names, &all, |value| format::latency(value.round() as u64))
}

/// Latency over time of one endpoint; failures are dots at the bottom.
pub(crate) fn endpoint_charts(model: &Model<'_>, view: &EndpointView<'_>) -> Option<Chart> {
    let at = |percentile: f64| {
        let value = move |bucket: &crate::metrics::OutcomeTimes| bucket.ok.percentile_us(percentile);
        let width = view.width_s as f64;
        view.buckets.iter().enumerate().map(move |(index, bucket)| {
            ((index as f64 + 0.5) * width, value(bucket).map(|us| us.max(1) as f64))
        })
    };
    let high = at(100.0).filter_map(|(_, us)| us).max_by(f64::total_cmp)?;
    let low = at(50.0).filter_map(|(_, us)| us).min_by(f64::total_cmp)?;
    let is_log = high / low > LOG_FROM;
    let scale = move |us: f64| if is_log { us.log10() } else { us };
    let label = |us: f64| format::latency(us.round() as u64);
    let limits = Limits::among(on_endpoint(model, view.stats), low, high, is_log);
    let (lowest, highest) = limits.reach(low, high);
    let y = if is_log { Axis::log_us(lowest * 0.8, highest * 1.15) } else { Axis::from_zero(highest, label) };
    let x = Axis::time(model.timeline.length_s.max(view.width_s as f64)).with_half_the_labels();
    let end = x.range.end;
    let scaled = |percentile| at(percentile).map(move |(x, us)| (x.min(end), us.map(scale)));
    let body = draw(240, |area| {
        let mut plot = plot(area, &x, &y, |_| Ok(()))?;
        draw_line(&mut plot, scaled(99.0), Role::P99)?;
        draw_line(&mut plot, scaled(95.0), Role::P95)?;
        draw_line(&mut plot, scaled(50.0), Role::P50)?;
        let failing = view.buckets.iter().enumerate().filter(|(_, bucket)| !bucket.failed.is_empty());
        let width = view.width_s as f64;
        let dots = failing.map(|(index, _)| (((index as f64 + 0.5) * width).min(end), y.range.start));
        plot.draw_series(dots.map(|point| Circle::new(point, 3, filled(Role::Failed))))?;
        limits.draw(area, &mut plot, &x.range)?;
        // Names at the ends of the lines instead of a legend, which would be repeated with every endpoint.
        let last = |percentile| scaled(percentile).filter_map(|(_, value)| value).next_back();
        let end = |percentile, name, role| (x.range.end, last(percentile), name, role);
        let ends =
            vec![end(50.0, "p50", Role::P50), end(95.0, "p95", Role::P95), end(99.0, "p99", Role::P99)];
        label_ends(area, &plot, ends)
    })?;
    let stats = view.stats;
    let mut chart = Chart {
        id: format!("endpoint-{}", view.id),
        title: masked(&clean_line(&format!("Latency of {} {}", stats.method, stats.name))).into_owned(),
        unit: if is_log { "time, log scale" } else { "time" },
        description: format!(
            "Between {} and {}; {}.",
            label(low),
            label(high),
            format::plural(stats.failures, "failure")
        ),
        size: (WIDTH, 240),
        time_axis: None,
        legend: match stats.failures {
            0 => Vec::new(),
            _ => vec![(Role::Failed, Shape::Dot, "seconds with failures")],
        },
        limits: Vec::new(),
        body,
    };
    limits.tell(&mut chart);
    Some(chart)
}
