//! Overlapping labels: moved apart right of a plot, joined above it, side by side on lines across it.

use std::ops::Range;

use plotters::coord::ranged1d::Ranged;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::plot::{ABOVE_LINE, Area, Axis, Drawing, LEFT, LETTERS, Plot, RIGHT, WIDTH, letters, line};
use super::theme::Role;

/// Names lines at their right ends; labels that would meet move apart.
pub(super) fn label_ends(
    area: &Area,
    plot: &Plot<'_>,
    ends: Vec<(f64, Option<f64>, &'static str, Role)>,
) -> Drawing {
    // From the last to the first: of percentiles that are equal, the higher one stands above, as everywhere else.
    let mut placed: Vec<(i32, &'static str, Role)> = ends
        .into_iter()
        .rev()
        .filter_map(|(x, y, text, role)| Some((plot.backend_coord(&(x, y?)).1, text, role)))
        .collect();
    placed.sort_by_key(|(y, ..)| *y);
    let bottom = plot.plotting_area().get_pixel_range().1.end - LETTERS / 2;
    let mut places: Vec<i32> = placed.iter().map(|(y, ..)| *y).collect();
    move_apart(&mut places, bottom);
    placed.iter_mut().zip(places).for_each(|(label, y)| label.0 = y);
    let x = (WIDTH - RIGHT) as i32 + 10;
    for (y, text, role) in placed {
        area.draw(&Text::new(text, (x, y), letters(role, HPos::Left, VPos::Center)))?;
    }
    Ok(())
}

/// Names places of the x axis above the plot.
pub(super) fn label_tops(
    plot: &Plot<'_>,
    y: &Axis,
    tops: impl IntoIterator<Item = (f64, String)>,
) -> Drawing {
    let top = plot.backend_coord(&(0.0, y.range.end)).1;
    let tops = tops.into_iter().map(|(x, text)| (plot.backend_coord(&(x, y.range.start)).0, text));
    let area = plot.plotting_area().strip_coord_spec();
    let (left, above) = area.get_base_pixel();
    for (x, text) in side_by_side(tops.collect()) {
        let style = letters(Role::Text, HPos::Center, VPos::Bottom);
        area.draw(&Text::new(text, (x - left, top - above - ABOVE_LINE), style))?;
    }
    Ok(())
}

/// Names lines across a plot, above or below them, where no data is drawn; a name without such a place is left out:
/// the legend has all of them. A line has its value, the part of the x axis that it covers, and its name.
pub(super) fn label_lines<'t>(
    area: &Area,
    plot: &Plot<'_>,
    lines: impl IntoIterator<Item = (f64, Range<f64>, &'t str)>,
) -> Drawing {
    let (x, y) = plot.plotting_area().get_pixel_range();
    let mut lines: Vec<(i32, Range<i32>, &str)> = lines
        .into_iter()
        .map(|(value, part, text)| {
            let (from, height) = plot.backend_coord(&(part.start, value));
            (height, from..plot.backend_coord(&(part.end, value)).0, text)
        })
        .collect();
    lines.sort_by_key(|(y, ..)| *y);
    let levels: Vec<i32> = lines.iter().map(|(y, ..)| *y).collect();
    let mut taken: Vec<Room> = Vec::new();
    for (line, part, text) in lines {
        let width = width_of(text);
        let is_free = |(across, down): &Room| {
            let meet = |a: &Range<i32>, b: &Range<i32>| a.start < b.end && b.start < a.end;
            let wider = across.start - LETTERS / 2..across.end + LETTERS / 2;
            !taken.iter().any(|other| meet(&other.0, &wider) && meet(&other.1, down))
                && !levels.iter().any(|level| down.contains(level))
                && !area.has_data_in(across, down)
        };
        // A part that is shorter than the name is told by the name.
        let across = if part.len() as i32 > width + LETTERS { part } else { x.clone() };
        let Some(room) = room_at(line, width, (across, y.clone()), is_free) else { continue };
        let place = (room.0.start, room.1.end - BELOW_LETTERS);
        area.draw(&Text::new(text.to_owned(), place, letters(Role::Limit, HPos::Left, VPos::Bottom)))?;
        taken.push(room);
    }
    Ok(())
}

/// A rectangle of a drawing, across and down.
type Room = (Range<i32>, Range<i32>);

/// What letters reach below the line they stand on.
const BELOW_LETTERS: i32 = 6;

/// The width that a text is given.
fn width_of(text: &str) -> i32 {
    text.chars().count() as i32 * LETTERS * 3 / 5
}

/// Room for letters beside a line across a plot, as far to the left as there is some: above it, or below.
fn room_at(line: i32, width: i32, (across, down): Room, is_free: impl Fn(&Room) -> bool) -> Option<Room> {
    const GAP: i32 = 2;
    let height = LETTERS + BELOW_LETTERS / 2;
    let beside = [line - GAP - height..line - GAP, line + GAP..line + GAP + height];
    let inside = beside.into_iter().filter(|rows| rows.start >= down.start && rows.end <= down.end);
    let rows: Vec<Range<i32>> = inside.collect();
    (across.start + LETTERS / 2..=across.end - width)
        .step_by(LETTERS as usize / 2)
        .flat_map(|left| rows.iter().map(move |rows| (left..left + width, rows.clone())))
        .find(is_free)
}

/// A line up a plot: its place on the x axis, its name, and how it looks.
pub(super) type Upright = (f64, String, Role);

/// The rows in which the names of such lines stand above a plot, each right of its line, the lowest row first: a
/// name that would reach the next line stands above that one's name.
pub(super) fn rows_of(x: &Axis, lines: &mut [Upright]) -> Vec<i32> {
    lines.sort_by(|a, b| a.0.total_cmp(&b.0));
    let plot = (LEFT as i32, (WIDTH - RIGHT) as i32);
    let at: Vec<i32> = lines.iter().map(|line| x.map(&line.0, plot)).collect();
    let mut rows = vec![0; lines.len()];
    for index in (0..lines.len()).rev() {
        let end = name_at(at[index], &lines[index].1).end + LETTERS / 2;
        let reached = (index + 1..lines.len()).filter(|&other| at[other] < end);
        rows[index] = reached.map(|other| rows[other] + 1).max().unwrap_or(0);
    }
    rows
}

/// Room above a plot for so many rows of names.
pub(super) fn room_for(rows: &[i32]) -> i32 {
    rows.iter().max().map_or(0, |highest| (highest + 1) * ROW) + BELOW_LETTERS
}

/// Height of a row of names.
const ROW: i32 = LETTERS + BELOW_LETTERS;

/// Where a name stands beside its line, in the drawing.
fn name_at(line: i32, text: &str) -> Range<i32> {
    let left = (line + BELOW_LETTERS).min(WIDTH as i32 - width_of(text));
    left..left + width_of(text)
}

/// Names lines up a plot, in the rows of [`rows_of`].
pub(super) fn label_uprights(
    area: &Area,
    plot: &Plot<'_>,
    y: &Axis,
    lines: &[Upright],
    rows: &[i32],
) -> Drawing {
    for ((x, text, role), row) in lines.iter().zip(rows) {
        let (x, top) = plot.backend_coord(&(*x, y.range.end));
        let foot = top - row * ROW - BELOW_LETTERS;
        area.draw(&PathElement::new([(x, top), (x, foot - LETTERS / 2)], line(*role)))?;
        let place = (name_at(x, text).start, foot);
        area.draw(&Text::new(text.clone(), place, letters(Role::Text, HPos::Left, VPos::Bottom)))?;
    }
    Ok(())
}

/// Moves places that are sorted apart, so that letters fit between them, none of them below `bottom`.
fn move_apart(places: &mut [i32], bottom: i32) {
    const GAP: i32 = LETTERS + 2;
    for index in 1..places.len() {
        places[index] = places[index].max(places[index - 1] + GAP);
    }
    let mut lowest = bottom;
    for place in places.iter_mut().rev() {
        *place = (*place).min(lowest);
        lowest = *place - GAP;
    }
}

/// Texts centred at their places, joined where they would meet; the places from left to right.
fn side_by_side(mut flags: Vec<(i32, String)>) -> Vec<(i32, String)> {
    // Half of a text's width, and the gap to the next.
    let half = |text: &str| (text.chars().count() as i32 * LETTERS * 3 / 5) / 2;
    flags.sort_by_key(|(x, _)| *x);
    let mut placed: Vec<(i32, i32, String)> = Vec::new();
    for (x, text) in flags {
        placed.push((x, x, text));
        while let [.., (from, to, left), (next, end, right)] = &mut placed[..] {
            let (a, b) = ((*from + *to) / 2, (*next + *end) / 2);
            if b - half(right) >= a + half(left) + LETTERS / 3 {
                break;
            }
            *to = *end;
            left.push_str(&format!(", {right}"));
            placed.pop();
        }
    }
    // Those at the left edge do not lie over the highest label of the y axis.
    let least = |text: &str| LEFT as i32 + half(text);
    let most = |text: &str| (WIDTH as i32 - half(text)).max(least(text));
    let within = |x: i32, text: &str| x.clamp(least(text), most(text));
    placed.into_iter().map(|(from, to, text)| (within((from + to) / 2, &text), text)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Axis, LEFT, Role, move_apart, room_at, rows_of, side_by_side};

    #[test]
    fn labels_that_would_meet_move_apart_and_stay_in_the_drawing() {
        let moved = |mut places: Vec<i32>| {
            move_apart(&mut places, 250);
            places
        };
        assert_eq!(moved(vec![40, 100, 200]), [40, 100, 200]);
        assert_eq!(moved(vec![100, 100, 110]), [100, 126, 152]);
        assert_eq!(moved(vec![245, 250, 250]), [198, 224, 250]);
        assert_eq!(moved(Vec::new()), Vec::<i32>::new());
    }

    #[test]
    fn the_name_of_a_line_stands_where_nothing_else_is() {
        let plot = (120..1_000, 34..254);
        let all_free = |_: &super::Room| true;
        assert_eq!(room_at(100, 200, plot.clone(), all_free).unwrap(), (132..332, 71..98));
        // At the top of the plot there is room below the line only.
        assert_eq!(room_at(40, 200, plot.clone(), all_free).unwrap(), (132..332, 42..69));
        // Something above it, then something on both sides up to a place.
        let below_only = |room: &super::Room| room.1.start >= 100;
        assert_eq!(room_at(100, 200, plot.clone(), below_only).unwrap(), (132..332, 102..129));
        let right_only = |room: &super::Room| room.0.start >= 500;
        assert_eq!(room_at(100, 200, plot.clone(), right_only).unwrap(), (504..704, 71..98));
        assert_eq!(room_at(100, 200, plot.clone(), |_| false), None);
        assert_eq!(room_at(100, 1_000, plot, all_free), None);
    }

    #[test]
    fn names_of_upright_lines_that_would_meet_stand_in_rows() {
        let x = Axis { range: 0.0..808.0, ticks: Vec::new() };
        let rows = |lines: &[(f64, &str)]| {
            let mut lines: Vec<_> = lines.iter().map(|&(x, text)| (x, text.to_owned(), Role::Text)).collect();
            rows_of(&x, &mut lines)
        };
        assert_eq!(rows(&[(100.0, "p50 2ms"), (400.0, "p95 9ms"), (700.0, "p99 1s")]), [0, 0, 0]);
        assert_eq!(rows(&[(400.0, "p95 9ms"), (100.0, "p50 2ms"), (420.0, "p99 1s")]), [0, 1, 0]);
        // One reaches over all that follow it.
        assert_eq!(rows(&[(100.0, "p50 2ms"), (110.0, "p95 < 200ms"), (120.0, "p99 1s")]), [2, 1, 0]);
        assert_eq!(rows(&[]), [0; 0]);
    }

    #[test]
    fn numbers_of_one_second_stand_side_by_side() {
        let placed = |flags: &[(i32, &str)]| -> Vec<(i32, String)> {
            side_by_side(flags.iter().map(|&(x, text)| (x, text.to_owned())).collect())
        };
        let owned = |x, text: &str| (x, text.to_owned());
        assert_eq!(placed(&[(900, "1"), (120, "2")]), [owned(120, "2"), owned(900, "1")]);
        assert_eq!(placed(&[(500, "1"), (500, "2"), (501, "4")]), [owned(500, "1, 2, 4")]);
        // The first two need so much room that the third meets them.
        assert_eq!(placed(&[(500, "1"), (510, "2"), (535, "3")]), [owned(517, "1, 2, 3")]);
        let all: Vec<(i32, &str)> = ["1", "2", "3", "4", "5", "6", "7"].map(|text| (100, text)).into();
        let (x, text) = &placed(&all)[0];
        assert!(x - text.len() as i32 * 7 >= LEFT as i32, "it begins right of the axis: {x} {text}");
    }
}
