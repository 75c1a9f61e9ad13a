//! A heat map of time × latency, coloured by the number of requests.

use std::ops::Range;

use plotters::prelude::*;

use super::plot::{Axis, LEFT, RIGHT, WIDTH, draw, filled, plot};
use super::theme::Role;
use super::{Chart, Shape};
use crate::report::model::{HeatMap, Model};
use crate::text::format;

const HEIGHT: u32 = 420;

pub(super) fn heat_map(model: &Model<'_>) -> Option<Chart> {
    let map = model.heat.as_ref()?;
    let length_s = model.timeline.length_s;
    let x = Axis::time(length_s);
    let y = Axis::log_us(map.low_us, map.high_us);
    let body = draw(HEIGHT, |area| {
        let mut plot = plot(area, &x, &y, |_| Ok(()))?;
        // By level, so that the cells of one colour follow one another and become one path.
        for level in 1..=6 {
            let cells = stretches(map, level).into_iter().map(|(row, columns)| {
                let time = |column: usize| (column as f64 * map.width_s as f64).min(length_s);
                let (low, high) = (map.row_us(row).log10(), map.row_us(row + 1).log10());
                let corners = [(time(columns.start), high), (time(columns.end), low)];
                Rectangle::new(corners, filled(Role::Heat(level)))
            });
            plot.draw_series(cells)?;
        }
        Ok(())
    })?;
    Some(Chart {
        id: "heat".to_owned(),
        title: "Latency heat map".to_owned(),
        unit: "time, log scale",
        description: format!(
            "Each cell counts the requests of {} s with one latency, up to {}.",
            map.width_s,
            format::count(map.most)
        ),
        size: (WIDTH, HEIGHT),
        time_axis: Some((LEFT, WIDTH - RIGHT)),
        legend: vec![(Role::Heat(1), Shape::Area, "few requests"), (Role::Heat(6), Shape::Area, "many")],
        limits: Vec::new(),
        body,
    })
}

/// Neighbours of one level in a row, as one cell: row and columns.
fn stretches(map: &HeatMap, level: u8) -> Vec<(usize, Range<usize>)> {
    let rows = map.columns.first().map_or(0, |column| column.len());
    let mut found: Vec<(usize, Range<usize>)> = Vec::new();
    for row in 0..rows {
        for column in 0..map.columns.len() {
            if map.level(map.columns[column][row]) != level {
                continue;
            }
            match found.last_mut() {
                Some((last, columns)) if *last == row && columns.end == column => columns.end += 1,
                _ => found.push((row, column..column + 1)),
            }
        }
    }
    found
}
