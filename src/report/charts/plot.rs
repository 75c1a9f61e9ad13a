//! Axes, and the way from data to the canvas: what all charts have in common.

use std::cell::RefCell;
use std::error::Error;
use std::ops::{Deref, Range};
use std::rc::Rc;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{Canvas, Drawn};
use super::theme::Role;
use crate::text::format;

/// Width of every drawing: twice that at which it is about as large as the text around it.
pub(super) const WIDTH: u32 = 1_040;

/// Room left of the plot for the labels of the y axis. Lines of the grid reach through it to both edges of the drawing,
/// so that these are in line with the text around it.
pub(super) const LEFT: u32 = 112;

/// Room right of it for the labels of lines.
pub(super) const RIGHT: u32 = 120;

/// Room above it for the highest label and for the numbers of what happened.
pub(super) const TOP: i32 = 34;

/// Room below it for the labels of the x axis.
const BOTTOM: u32 = 46;

/// Length of a mark at the x axis.
const X_MARK: i32 = 9;

/// Height of letters.
pub(super) const LETTERS: i32 = 24;

/// Between a line of the grid and what is written above it.
pub(super) const ABOVE_LINE: i32 = 5;

/// Width of a letter in the narrowest drawing, where letters are largest.
const WIDEST_LETTER: f64 = 16.5;

/// What charts are drawn on.
pub(super) struct Area {
    sheet: DrawingArea<Canvas, Shift>,
    drawn: Rc<RefCell<Drawn>>,
}

impl Area {
    /// Whether a line or dot of the data that was drawn so far lies in a rectangle.
    pub(super) fn has_data_in(&self, across: &Range<i32>, down: &Range<i32>) -> bool {
        self.drawn.borrow().has_data_in(across, down)
    }
}

impl Deref for Area {
    type Target = DrawingArea<Canvas, Shift>;

    fn deref(&self) -> &Self::Target {
        &self.sheet
    }
}

pub(super) type Plot<'a> = ChartContext<'a, Canvas, Cartesian2d<Axis, Axis>>;
pub(super) type Drawing = Result<(), Box<dyn Error>>;

/// An axis: its range, and where it has which label.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) range: Range<f64>,
    pub(super) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Time of the run from 0, as minutes and seconds.
    pub(super) fn time(length_s: f64) -> Axis {
        const STEPS: [u64; 15] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400];
        let label = |s: u64| crate::text::format_clock(std::time::Duration::from_secs(s));
        let width = (label(length_s as u64).chars().count() + 1) as f64 * WIDEST_LETTER;
        let most = (f64::from(WIDTH - LEFT - RIGHT) / width).floor();
        let step = STEPS.into_iter().find(|&step| length_s / step as f64 <= most).unwrap_or(86_400);
        let ticks = (0..).map(|n| n * step).take_while(|&s| s as f64 <= length_s);
        Axis { range: 0.0..length_s.max(0.001), ticks: ticks.map(|s| (s as f64, label(s))).collect() }
    }

    /// For one of many small charts.
    pub(super) fn with_half_the_labels(mut self) -> Axis {
        self.ticks = self.ticks.into_iter().step_by(2).collect();
        self
    }

    /// From 0 to above the largest value, with about four round steps.
    pub(super) fn from_zero(largest: f64, label: impl Fn(f64) -> String) -> Axis {
        // Of zeros alone: steps of one, which labels in whole numbers tell apart.
        let largest = if largest > 0.0 { largest } else { 4.0 };
        let rough = largest / 4.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|&s| s >= rough).unwrap_or(rough);
        let count = (largest / step * 1.02).ceil().max(1.0) as u32;
        let ticks = (0..=count).map(|n| f64::from(n) * step).map(|value| (value, label(value))).collect();
        Axis { range: 0.0..step * f64::from(count), ticks }
    }

    /// From 0 to all there is, in quarters.
    pub(super) fn to_whole(whole: f64, label: impl Fn(f64) -> String) -> Axis {
        let ticks = [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| (share * whole, label(share * whole)));
        Axis { range: 0.0..whole, ticks: ticks.into() }
    }

    /// From the smallest value, or 0 when none is below, to above the largest, with about four round steps.
    pub(super) fn over(smallest: f64, largest: f64, label: impl Fn(f64) -> String) -> Axis {
        if smallest >= 0.0 {
            return Axis::from_zero(largest, label);
        }
        let step = Axis::from_zero(largest.max(0.0) - smallest, |_| String::new()).ticks[1].0;
        let (first, last) = ((smallest / step).floor() as i64, (largest.max(0.0) / step).ceil() as i64);
        let ticks = (first..=last).map(|n| n as f64 * step).map(|value| (value, label(value))).collect();
        Axis { range: first as f64 * step..last as f64 * step, ticks }
    }

    /// The logarithm of a range of microseconds, labelled at 1, 2 and 5 times powers of ten.
    pub(super) fn log_us(low: f64, high: f64) -> Axis {
        let low = low.max(1.0);
        Axis::log(low, high.max(low * 1.5), |us| format::latency(us.round() as u64))
    }

    /// The same of any range above 0.
    pub(super) fn log(low: f64, high: f64, label: impl Fn(f64) -> String) -> Axis {
        let powers = low.log10().floor() as i32..=high.log10().floor() as i32;
        let within = |factors: &'static [f64]| -> Vec<f64> {
            let steps = powers.clone().flat_map(|power| factors.iter().map(move |m| m * 10_f64.powi(power)));
            steps.filter(|&value| value >= low * 0.999 && value <= high * 1.001).collect()
        };
        let mut ticks = within(&[1.0, 2.0, 5.0]);
        if ticks.len() > 7 {
            ticks = within(&[1.0]);
        } else if ticks.len() < 3 {
            ticks = within(&[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]);
        }
        Axis {
            range: low.log10()..high.log10(),
            ticks: ticks.into_iter().map(|value| (value.log10(), label(value))).collect(),
        }
    }

    fn label(&self, value: f64) -> String {
        let near = self.ticks.iter().min_by(|a, b| (a.0 - value).abs().total_cmp(&(b.0 - value).abs()));
        near.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        // Far outside of the plot is at its edge for whoever looks at it, and does not overflow.
        from + (share.clamp(-1.0, 2.0) * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            Vec::new()
        } else {
            self.ticks.iter().map(|(value, _)| *value).collect()
        }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

/// Percent, with a tenth where there is one.
pub(super) fn percent(value: f64) -> String {
    let tenths = (value * 10.0).round() / 10.0;
    if tenths.fract() == 0.0 {
        format!("{} %", format::count(tenths as u64))
    } else {
        format!("{tenths:.1} %")
    }
}

/// An amount as short as it can be: `150 kB` and not `150.0 kB`, which does not fit left of a plot.
pub(super) fn bytes(value: f64) -> String {
    format::bytes(value.max(0.0).round() as u64).replace(".0 ", " ")
}

/// The same for each second.
pub(super) fn bytes_per_second(value: f64) -> String {
    format!("{}/s", bytes(value))
}

/// Draws on a canvas of this height; `None` when plotters refuses, which it does for ranges without extent.
pub(super) fn draw(height: u32, draw: impl FnOnce(&Area) -> Drawing) -> Option<String> {
    let drawn = Rc::new(RefCell::new(Drawn::default()));
    let sheet = Canvas::new((WIDTH, height), drawn.clone()).into_drawing_area();
    let area = Area { sheet, drawn: drawn.clone() };
    draw(&area).ok()?;
    drop(area);
    let text = drawn.borrow_mut().finish();
    Some(text)
}

/// A style of lines and areas.
pub(super) fn line(role: Role) -> ShapeStyle {
    role.color().stroke_width(2)
}

/// A style of filled things.
pub(super) fn filled(role: Role) -> ShapeStyle {
    role.color().filled()
}

/// A style of letters.
pub(super) fn letters(role: Role, h: HPos, v: VPos) -> TextStyle<'static> {
    let style = TextStyle::from(("sans-serif", LETTERS));
    TextStyle { color: role.color().to_backend_color(), pos: Pos::new(h, v), ..style }
}

/// A plot with its axes; `below` draws under the grid.
pub(super) fn plot<'a>(
    area: &'a Area,
    x: &Axis,
    y: &Axis,
    below: impl FnOnce(&mut Plot<'a>) -> Drawing,
) -> Result<Plot<'a>, Box<dyn Error>> {
    plot_below(area, TOP, x, y, below)
}

/// The same with this much room above it.
pub(super) fn plot_below<'a>(
    area: &'a Area,
    top: i32,
    x: &Axis,
    y: &Axis,
    below: impl FnOnce(&mut Plot<'a>) -> Drawing,
) -> Result<Plot<'a>, Box<dyn Error>> {
    let mut plot = ChartBuilder::on(&area.sheet)
        .margin_top(top)
        .margin_left(LEFT as i32)
        .margin_right(RIGHT as i32)
        .set_label_area_size(LabelAreaPosition::Bottom, BOTTOM)
        .build_cartesian_2d(x.clone(), y.clone())?;
    below(&mut plot)?;
    plot.configure_mesh()
        .disable_mesh()
        .disable_y_axis()
        .axis_style(line(Role::Grid))
        .label_style(letters(Role::Text, HPos::Left, VPos::Top))
        .set_tick_mark_size(LabelAreaPosition::Bottom, X_MARK)
        .x_label_formatter(&|value| x.label(*value))
        .draw()?;
    let mut last = i32::MAX;
    for (value, label) in &y.ticks {
        let height = plot.backend_coord(&(x.range.start, *value)).1;
        area.draw(&PathElement::new([(0, height), (WIDTH as i32, height)], line(Role::Grid)))?;
        // Labels stand on their lines, those that have room.
        if last - height > LETTERS {
            let style = letters(Role::Text, HPos::Left, VPos::Bottom);
            area.draw(&Text::new(label.clone(), (0, height - ABOVE_LINE), style))?;
            last = height;
        }
    }
    Ok(plot)
}

/// Lines through values, broken where there is none.
pub(super) fn draw_line(
    plot: &mut Plot<'_>,
    points: impl IntoIterator<Item = (f64, Option<f64>)>,
    role: Role,
) -> Drawing {
    for run in runs(points) {
        if run.len() == 1 {
            plot.draw_series([Circle::new(run[0], 3, filled(role))])?;
        } else {
            plot.draw_series(LineSeries::new(run, line(role)))?;
        }
    }
    Ok(())
}

/// The area between two values, broken where one is missing.
pub(super) fn draw_area(
    plot: &mut Plot<'_>,
    points: impl IntoIterator<Item = (f64, Option<(f64, f64)>)>,
    role: Role,
) -> Drawing {
    for run in runs(points) {
        let upper = run.iter().map(|&(x, (_, high))| (x, high));
        let lower = run.iter().rev().map(|&(x, (low, _))| (x, low));
        plot.draw_series([Polygon::new(upper.chain(lower).collect::<Vec<_>>(), filled(role))])?;
    }
    Ok(())
}

/// Stretches without a missing value.
fn runs<V: Copy>(points: impl IntoIterator<Item = (f64, Option<V>)>) -> Vec<Vec<(f64, V)>> {
    let mut runs = vec![Vec::new()];
    for (x, value) in points {
        match value {
            Some(value) => runs.last_mut().into_iter().for_each(|run| run.push((x, value))),
            None if runs.last().is_some_and(|run| !run.is_empty()) => runs.push(Vec::new()),
            None => {}
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

#[cfg(test)]
mod tests {
    use super::{Axis, LEFT, LETTERS, bytes_per_second};

    #[test]
    fn an_axis_of_zeros_has_no_label_twice() {
        let axis = Axis::from_zero(0.0, bytes_per_second);
        let labels: Vec<&str> = axis.ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, ["0 B/s", "1 B/s", "2 B/s", "3 B/s", "4 B/s", "5 B/s"]);
    }

    #[test]
    fn amounts_fit_left_of_the_plot() {
        for (value, text) in
            [(0.0, "0 B/s"), (150_000.0, "150 kB/s"), (1.5e9, "1.5 GB/s"), (500.0e6, "500 MB/s")]
        {
            let shown = bytes_per_second(value);
            assert_eq!(shown, text);
            assert!(shown.len() as f64 * f64::from(LETTERS) * 0.56 < f64::from(LEFT), "{shown}");
        }
    }
}
