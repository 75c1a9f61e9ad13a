//! A capacity search: the actual value at each rate, and the threshold.
//!
//! Steps that held, that breached the threshold and whose rate was not reached each have their own shape. A step
//! without a value appears in the table only.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::plot::{
    Area, Axis, Drawing, Plot, RIGHT, WIDTH, bytes, bytes_per_second, draw, draw_line, filled, letters, line,
    percent, plot,
};
use super::theme::Role;
use super::{Chart, Shape};
use crate::analysis::capacity::measured;
use crate::analysis::thresholds;
use crate::credentials::masked;
use crate::metrics::Quantity;
use crate::metrics::{CapacityStats, CapacityStep, NotHeld};
use crate::text::format;
use crate::text::{clean_line, cut_middle};

const HEIGHT: u32 = 340;

/// Ratio of the largest value to the smallest from which a linear axis would flatten all else.
const LOG_FROM: f64 = 20.0;

/// Columns of the limit in a title, which has to fit above the drawing.
const TITLE_COLUMNS: usize = 56;

/// Columns that fit right of the plot.
const LABEL_COLUMNS: usize = 8;

/// How a step is drawn.
fn mark(step: &CapacityStep) -> (Role, Shape, &'static str) {
    let (role, shape) = match step.why_not {
        None => (Role::Ok, Shape::Disc),
        Some(NotHeld::LimitBroken) => (Role::Failed, Shape::Cross),
        // Those of the third reason have no value.
        Some(NotHeld::RateNotReached | NotHeld::NothingMeasured | NotHeld::IterationsFailed) => {
            (Role::Failed, Shape::Square)
        }
    };
    (role, shape, step.why_not.map_or("held", NotHeld::in_short))
}

pub(super) fn chart(stats: &CapacityStats) -> Option<Chart> {
    let quantity = stats.quantity?;
    let steps: Vec<(&CapacityStep, f64)> = stats
        .by_rate()
        .into_iter()
        .filter_map(|step| Some((step, step.measured.filter(|value| value.is_finite())?)))
        .collect();
    let values = || steps.iter().map(|(_, value)| *value).chain(stats.limit_value);
    let (low, high) = (values().min_by(f64::total_cmp)?, values().max_by(f64::total_cmp)?);
    let is_log = low > 0.0 && high / low > LOG_FROM;
    let scale = |value: f64| if is_log { value.log10() } else { value };
    let label = |value| tick(value, quantity);
    let y = if is_log { Axis::log(low * 0.8, high * 1.25, label) } else { Axis::over(low, high, label) };
    let x = rates(steps.last()?.0.rate);
    let body = draw(HEIGHT, |area| {
        let mut plot = plot(area, &x, &y, |_| Ok(()))?;
        if let Some(best) = stats.best {
            best_rate(&mut plot, best, &y)?;
        }
        if let Some(limit) = stats.limit_value {
            limit_line(area, &mut plot, (limit, scale(limit)), &x, quantity)?;
        }
        draw_line(&mut plot, steps.iter().map(|(step, value)| (step.rate, Some(scale(*value)))), Role::One)?;
        for (step, value) in &steps {
            draw_mark(&mut plot, (step.rate, scale(*value)), step)?;
        }
        Ok(())
    })?;
    let mut legend = Vec::new();
    for entry in steps.iter().map(|(step, _)| mark(step)) {
        if !legend.contains(&entry) {
            legend.push(entry);
        }
    }
    if stats.limit_value.is_some() {
        legend.push((Role::Limit, Shape::Line, "threshold"));
    }
    if stats.best.is_some() {
        legend.push((Role::Planned, Shape::Line, "highest rate that held"));
    }
    Some(Chart {
        id: "capacity-curve".to_owned(),
        title: cut_middle(&masked(&clean_line(&stats.limit)), TITLE_COLUMNS, "…"),
        unit: if is_log { "actual, log scale; x axis: iterations/s" } else { "actual; x axis: iterations/s" },
        description: description(stats, &steps),
        size: (WIDTH, HEIGHT),
        time_axis: None,
        legend,
        limits: Vec::new(),
        body,
    })
}

/// From 0 to a little beyond the highest rate, so that the last steps stand as far apart as they can.
fn rates(highest: f64) -> Axis {
    let mut axis = Axis::from_zero(highest, format::rate);
    axis.range.end = axis.range.end.min(highest * 1.04);
    axis.ticks.retain(|(rate, _)| *rate <= axis.range.end);
    axis
}

/// A round value as short as it can be, which has to fit left of the plot.
fn tick(value: f64, quantity: Quantity) -> String {
    match quantity {
        Quantity::Bytes => bytes(value),
        Quantity::BytesPerSecond => bytes_per_second(value),
        Quantity::Percent => percent(value),
        Quantity::Time | Quantity::Share => thresholds::amount(value, quantity),
        // `1,000,000` and `0.0005000` do not fit.
        Quantity::PerSecond | Quantity::Number if value != 0.0 && !(1e-2..1e6).contains(&value.abs()) => {
            format!("{value:.0e}")
        }
        Quantity::PerSecond | Quantity::Number => format::number(value),
    }
}

/// The line of the best rate; its name stands left of it, since the place at the right is the limit's.
fn best_rate(plot: &mut Plot<'_>, best: f64, y: &Axis) -> Drawing {
    plot.draw_series([PathElement::new([(best, y.range.start), (best, y.range.end)], line(Role::Planned))])?;
    let name = format!("{}/s held", format::rate(best));
    let style = letters(Role::Text, HPos::Right, VPos::Bottom);
    let name = EmptyElement::at((best, y.range.end)) + Text::new(name, (-8, 0), style);
    plot.plotting_area().draw(&name)?;
    Ok(())
}

/// The limit, from edge to edge, with its value right of the plot.
fn limit_line(
    area: &Area,
    plot: &mut Plot<'_>,
    (limit, place): (f64, f64),
    x: &Axis,
    quantity: Quantity,
) -> Drawing {
    plot.draw_series([PathElement::new([(x.range.start, place), (x.range.end, place)], line(Role::Limit))])?;
    let value = thresholds::set(limit, quantity);
    let name = if value.chars().count() <= LABEL_COLUMNS { value } else { "threshold".to_owned() };
    let at = ((WIDTH - RIGHT) as i32 + 10, plot.backend_coord(&(x.range.end, place)).1);
    area.draw(&Text::new(name, at, letters(Role::Limit, HPos::Left, VPos::Center)))?;
    Ok(())
}

fn draw_mark(plot: &mut Plot<'_>, at: (f64, f64), step: &CapacityStep) -> Drawing {
    let (role, shape, _) = mark(step);
    let outline = shape.outline();
    let plotted = plot.plotting_area();
    match shape {
        Shape::Disc => plotted.draw(&(EmptyElement::at(at) + Polygon::new(outline, filled(role))))?,
        Shape::Square => {
            // The line between the steps does not go through it.
            let ground = Polygon::new(outline.clone(), filled(Role::Halo));
            plotted.draw(&(EmptyElement::at(at) + ground + PathElement::new(outline, line(role))))?;
        }
        _ => plotted.draw(&(EmptyElement::at(at) + PathElement::new(outline, line(role))))?,
    }
    Ok(())
}

fn description(stats: &CapacityStats, steps: &[(&CapacityStep, f64)]) -> String {
    let by_value = |(_, a): &&(&CapacityStep, f64), (_, b): &&(&CapacityStep, f64)| a.total_cmp(b);
    let written = |step: Option<&(&CapacityStep, f64)>| {
        step.map_or_else(String::new, |(step, _)| measured(stats, step))
    };
    let (low, high) = (written(steps.iter().min_by(by_value)), written(steps.iter().max_by(by_value)));
    let rate = |step: Option<&(&CapacityStep, f64)>| {
        step.map_or_else(String::new, |(step, _)| format::rate(step.rate))
    };
    let held = steps.iter().filter(|(step, _)| step.why_not.is_none()).count();
    let mut text = match steps.len() {
        1 => format!(
            "One rate was measured, {}/s: {low}; it {}",
            rate(steps.first()),
            if held == 1 { "held" } else { "did not hold" }
        ),
        count => format!(
            "{count} rates from {}/s to {}/s, measured between {low} and {high}; {held} held, {} did not",
            rate(steps.first()),
            rate(steps.last()),
            count - held
        ),
    };
    if let Some(best) = stats.best {
        text.push_str(&format!("; {}/s is the highest that held", format::rate(best)));
    }
    text + "."
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{assert_golden, capacity, capacity_step};

    fn texts(chart: &Chart) -> Vec<&str> {
        chart.body.split("<text ").skip(1).filter_map(|text| text.split(['>', '<']).nth(1)).collect()
    }

    #[test]
    fn each_outcome_has_its_form_and_the_limit_its_value() {
        let chart = chart(&capacity()).unwrap();
        assert_golden("capacity.svg", &chart.svg_file());
        assert!(chart.unit.contains("log scale"), "9.5 to 810");
        assert_eq!(
            chart.description,
            "4 rates from 80.0/s to 160.0/s, measured between 9.5ms and 810ms; 2 held, 2 did not; 120.0/s is the highest \
             that held."
        );
        let legend: Vec<&str> = chart.legend.iter().map(|(.., label)| *label).collect();
        assert_eq!(
            legend,
            ["held", "rate not reached", "threshold breached", "threshold", "highest rate that held"]
        );
        let texts = texts(&chart);
        assert!(texts.contains(&"120.0/s held") && texts.contains(&"200ms"), "{texts:?}");
        for (class, marks) in [("f ok", 2), ("f halo", 1), ("l limit", 1), ("l planned", 1)] {
            let drawn =
                chart.body.split("<path ").filter(|path| path.starts_with(&format!("class=\"{class}\"")));
            assert_eq!(
                drawn.map(|path| path.matches('M').count()).sum::<usize>(),
                marks,
                "{class}: {}",
                chart.body
            );
        }
    }

    #[test]
    fn values_that_are_near_or_not_above_zero_have_a_linear_axis() {
        let of = |quantity, limit, values: &[f64]| {
            let step = |(n, value): (usize, &f64)| capacity_step(10.0 * (n + 1) as f64, Some(*value), None);
            let steps = values.iter().enumerate().map(step).collect();
            let (quantity, limit_value) = (Some(quantity), Some(limit));
            chart(&CapacityStats { steps, quantity, limit_value, best: Some(10.0), ..capacity() }).unwrap()
        };
        for (quantity, limit, values, ticks) in [
            (Quantity::Share, 0.01, &[0.0, 0.5][..], &["0.0 %", "20.0 %", "40.0 %"][..]),
            (Quantity::Time, 200.0, &[100.0, 110.0], &["0", "50ms", "200ms"]),
            (Quantity::Number, -5.0, &[-10.0, 30.0], &["-10", "0", "30"]),
            (Quantity::PerSecond, 2e6, &[3e6], &["0", "1e6", "3e6"]),
            (Quantity::Bytes, 0.0, &[0.0], &["0 B", "4 B"]),
        ] {
            let chart = of(quantity, limit, values);
            let texts = texts(&chart);
            assert!(!chart.unit.contains("log"), "{}", chart.unit);
            assert!(ticks.iter().all(|tick| texts.contains(tick)), "{ticks:?} in {texts:?}");
        }
    }

    #[test]
    fn one_rate_is_a_sentence_and_none_is_no_chart() {
        let broken = capacity_step(10.0, Some(900.0), Some(NotHeld::LimitBroken));
        let one = CapacityStats { steps: vec![broken.clone()], best: None, ..capacity() };
        let chart = super::chart(&one).unwrap();
        assert_eq!(chart.description, "One rate was measured, 10.0/s: 900ms; it did not hold.");
        assert!(!chart.body.contains("planned"), "no rate held");
        let unmeasured = CapacityStep { measured: None, ..broken };
        assert!(super::chart(&CapacityStats { steps: vec![unmeasured], ..one }).is_none());
    }
}
