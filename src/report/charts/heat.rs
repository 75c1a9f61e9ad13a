//! Time × latency as a map whose colour is the number of requests.

use plotters::prelude::*;

use super::plot::{Axis, LEFT, RIGHT, WIDTH, draw, filled, plot};
use super::theme::Role;
use super::{Chart, Shape};
use crate::report::format;
use crate::report::model::Model;

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
            let cells = map.columns.iter().enumerate().flat_map(|(column, rows)| {
                let (from, to) =
                    (column as f64 * map.width_s as f64, (column + 1) as f64 * map.width_s as f64);
                let of_level = rows.iter().enumerate().filter(move |(_, count)| map.level(**count) == level);
                of_level.map(move |(row, _)| {
                    let (low, high) = (map.row_us(row).log10(), map.row_us(row + 1).log10());
                    Rectangle::new([(from, high), (to.min(length_s), low)], filled(Role::Heat(level)))
                })
            });
            plot.draw_series(cells)?;
        }
        Ok(())
    })?;
    Some(Chart {
        id: "heat".to_owned(),
        title: "Latencies over time".to_owned(),
        unit: "time, log scale",
        description: format!(
            "Each cell counts the requests of {} s with one latency, up to {}.",
            map.width_s,
            format::count(map.most)
        ),
        size: (WIDTH, HEIGHT),
        time_axis: Some((LEFT, WIDTH - RIGHT)),
        legend: vec![(Role::Heat(1), Shape::Area, "few requests"), (Role::Heat(6), Shape::Area, "many")],
        body,
    })
}
