//! Latency distribution: a histogram, the percentile curve, and latency vs. throughput.

use plotters::prelude::*;

use super::labels::{label_uprights, room_for, rows_of};
use super::limit_lines::{Limits, on_distribution};
use super::plot::{Axis, TOP, WIDTH, draw, draw_line, filled, line, plot, plot_below};
use super::theme::Role;
use super::{Chart, Shape};
use crate::metrics::{Phase, Sparse};
use crate::report::model::Model;
use crate::text::format;

/// Edges of the bars within a power of ten; 1, 2 and 5 are among them.
const EDGES: [f64; 10] = [1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0];

const HEIGHT: u32 = 340;

fn latency(us: f64) -> String {
    format::latency(us.round() as u64)
}

fn edges() -> impl Iterator<Item = f64> {
    (0..11).flat_map(|power| EDGES.map(|edge| edge * 10_f64.powi(power)))
}

/// Counts between two edges.
fn bars(values: &Sparse, edges: &[f64]) -> Vec<u64> {
    let mut bars = vec![0; edges.len().saturating_sub(1)];
    for (value, n) in values.values() {
        let index = edges.partition_point(|&edge| edge <= value as f64).saturating_sub(1);
        if let Some(bar) = bars.get_mut(index) {
            *bar += n;
        }
    }
    bars
}

/// Successes and failures by latency, with the percentiles as lines.
pub(super) fn histogram(model: &Model<'_>) -> Option<Chart> {
    let both = || model.ok.values().chain(model.failed.values());
    let low = both().map(|(us, _)| us).min()?.max(1) as f64;
    let high = both().map(|(us, _)| us).max()?.max(2) as f64;
    let first = edges().take_while(|&edge| edge <= low).last()?;
    let edges: Vec<f64> = edges().filter(|&edge| edge >= first && edge <= high * 1.5).collect();
    let (ok, failed) = (bars(&model.ok, &edges), bars(&model.failed, &edges));
    let most = ok.iter().zip(&failed).map(|(a, b)| a + b).max()?;
    let limits = Limits::among(on_distribution(model), low, high, true).on_area();
    let reach = limits.reach(edges[0], *edges.last()?);
    // A line at the very edge would look like one of the axis.
    let beyond = |edge: f64, reach: f64, factor: f64| if edge == reach { edge } else { reach * factor };
    let x = Axis::log_us(beyond(edges[0], reach.0, 0.9), beyond(*edges.last()?, reach.1, 1.1));
    let y = Axis::from_zero(most as f64, |value| format::count(value.round() as u64));
    let percentiles: Vec<(f64, Role, String)> = [(50.0, Role::P50), (95.0, Role::P95), (99.0, Role::P99)]
        .into_iter()
        .filter_map(|(percentile, role)| {
            let us = model.ok.percentile_us(percentile)?.max(1) as f64;
            Some((us.log10(), role, format!("p{percentile} {}", latency(us))))
        })
        .collect();
    let mut names = percentiles.iter().map(|(at, role, name)| (*at, name.clone(), *role)).collect::<Vec<_>>();
    names.extend(limits.uprights());
    let rows = rows_of(&x, &mut names);
    let top = room_for(&rows).max(TOP);
    let height = HEIGHT + (top - TOP) as u32;
    let body = draw(height, |area| {
        let mut plot = plot_below(area, top, &x, &y, |_| Ok(()))?;
        for (counts, below, role) in [(&ok, None, Role::Ok), (&failed, Some(&ok), Role::Failed)] {
            let bars = counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(index, count)| {
                let floor = below.map_or(0, |below| below[index]) as f64;
                let (left, right) = (edges[index].log10(), edges[index + 1].log10());
                Rectangle::new([(left, floor + *count as f64), (right, floor)], filled(role))
            });
            plot.draw_series(bars)?;
        }
        limits.draw_upright(&mut plot, &y)?;
        for (at, role, _) in &percentiles {
            // On the bars, most of which have the colour of one of them.
            for role in [Role::Halo, *role] {
                plot.draw_series([PathElement::new([(*at, 0.0), (*at, y.range.end)], line(role))])?;
            }
        }
        label_uprights(area, &plot, &y, &names, &rows)
    })?;
    let at = |percentile| {
        model.ok.percentile_us(percentile).map_or_else(|| "-".to_owned(), |us| latency(us as f64))
    };
    let mut chart = Chart {
        id: "distribution".to_owned(),
        title: "Latency distribution".to_owned(),
        unit: "requests",
        description: format!(
            "Half of the successes within {}, 95 % within {}, 99 % within {}.",
            at(50.0),
            at(95.0),
            at(99.0)
        ),
        size: (WIDTH, height),
        time_axis: None,
        legend: vec![(Role::Ok, Shape::Area, "succeeded"), (Role::Failed, Shape::Area, "failed")],
        limits: Vec::new(),
        body,
    };
    limits.tell(&mut chart);
    Some(chart)
}

/// Places of a percentile curve: nines, and the logarithm of microseconds; and how many nines it has.
fn curve(ok: &Sparse) -> (Vec<(f64, f64)>, f64) {
    // A percentile beyond the last request is a guess.
    let end = (ok.count().max(1) as f64).log10().clamp(1.0, 5.0);
    let steps = (0..=(end * 30.0) as u32).map(|step| f64::from(step) / 30.0);
    let points = steps.filter_map(|nines| {
        let percentile = 100.0 - 100.0 / 10_f64.powf(nines);
        Some((nines, (ok.percentile_us(percentile)?.max(1) as f64).log10()))
    });
    (points.collect(), end)
}

/// Latency by percentile; each step to the right is a ten times rarer request.
pub(super) fn percentiles(model: &Model<'_>) -> Option<Chart> {
    let count = model.ok.count();
    let low = model.ok.percentile_us(0.0)?.max(1) as f64;
    let high = model.ok.percentile_us(100.0)?.max(2) as f64;
    let (points, end) = curve(&model.ok);
    let before = model.baseline.as_ref().map(|baseline| &baseline.ok).filter(|ok| ok.count() > 0);
    let (mut before_points, _) = before.map(curve).unwrap_or_default();
    before_points.retain(|(nines, _)| *nines <= end);
    let bounds = |percentile| before.and_then(|ok| ok.percentile_us(percentile)).map(|us| us.max(1) as f64);
    let low = bounds(0.0).map_or(low, |before| before.min(low));
    let highest_before = before_points.last().map(|(_, us)| 10_f64.powf(*us));
    let top = highest_before.map_or(high, |before| before.max(high));
    let named = [
        (0.0, "0"),
        (std::f64::consts::LOG10_2, "50 %"),
        (1.0, "90 %"),
        (2.0, "99 %"),
        (3.0, "99.9 %"),
        (4.0, "99.99 %"),
        (5.0, "99.999 %"),
    ];
    let ticks =
        named.iter().filter(|(at, _)| *at <= end && *at > 0.0).map(|(at, name)| (*at, (*name).to_owned()));
    let x = Axis { range: 0.0..end, ticks: ticks.collect() };
    let y = Axis::log_us(low * 0.8, top * 1.15);
    let mut legend = vec![(Role::One, Shape::Line, "successes")];
    if !before_points.is_empty() {
        legend.push((Role::Before, Shape::Line, "baseline"));
    }
    let body = draw(HEIGHT, |area| {
        let mut plot = plot(area, &x, &y, |_| Ok(()))?;
        draw_line(&mut plot, before_points.iter().map(|&(x, y)| (x, Some(y))), Role::Before)?;
        draw_line(&mut plot, points.iter().map(|&(x, y)| (x, Some(y))), Role::One)?;
        Ok(())
    })?;
    Some(Chart {
        id: "percentiles".to_owned(),
        title: "Latency by percentile".to_owned(),
        unit: "time, log scale",
        description: format!(
            "From {} for the fastest to {} for the slowest of {} successes.",
            latency(low),
            latency(high),
            format::count(count)
        ),
        size: (WIDTH, HEIGHT),
        time_axis: None,
        legend,
        limits: Vec::new(),
        body,
    })
}

/// A dot for each bucket: p95 at the throughput it was measured at. The knee is where dots leave the floor.
pub(super) fn scatter(model: &Model<'_>) -> Option<Chart> {
    let buckets: Vec<(f64, f64, bool)> = model
        .timeline
        .buckets
        .iter()
        .filter(|bucket| bucket.length_s() > 0.5 * model.timeline.width_s as f64)
        .filter_map(|bucket| {
            let p95 = bucket.ok.percentile_us(95.0)?.max(1) as f64;
            let rate = bucket.ok_rate()? + bucket.failed_rate()?;
            Some((rate, p95, bucket.phase == Some(Phase::Steady)))
        })
        .collect();
    if buckets.len() < 3 {
        return None;
    }
    let largest = |value: fn(&(f64, f64, bool)) -> f64| buckets.iter().map(value).max_by(f64::total_cmp);
    let (most, high) = (largest(|bucket| bucket.0)?, largest(|bucket| bucket.1)?);
    let low = buckets.iter().map(|bucket| bucket.1).min_by(f64::total_cmp)?;
    let x = Axis::from_zero(most, format::rate);
    let y = Axis::log_us(low * 0.8, high * 1.25);
    let body = draw(HEIGHT, |area| {
        let mut plot = plot(area, &x, &y, |_| Ok(()))?;
        for (steady, role) in [(false, Role::Two), (true, Role::One)] {
            let of_phase = buckets.iter().filter(|bucket| bucket.2 == steady);
            plot.draw_series(
                of_phase.map(|&(rate, p95, _)| Circle::new((rate, p95.log10()), 3, filled(role))),
            )?;
        }
        plot.draw_series([PathElement::new(
            [(most, y.range.start), (most, y.range.end)],
            line(Role::Planned),
        )])?;
        Ok(())
    })?;
    Some(Chart {
        id: "knee".to_owned(),
        title: "Latency vs. throughput".to_owned(),
        unit: "p95, log scale; x axis: responses/s",
        description: format!(
            "p95 between {} and {} at up to {} responses per second, the peak.",
            latency(low),
            latency(high),
            format::rate(most)
        ),
        size: (WIDTH, HEIGHT),
        time_axis: None,
        legend: vec![
            (Role::One, Shape::Dot, "steady load"),
            (Role::Two, Shape::Dot, "ramp-up or ramp-down"),
            (Role::Planned, Shape::Line, "peak"),
        ],
        limits: Vec::new(),
        body,
    })
}
