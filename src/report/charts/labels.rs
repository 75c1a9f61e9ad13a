//! Overlapping labels: moved apart right of a plot, joined above it, side by side on lines across it.

use std::ops::Range;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::plot::{Area, Axis, Drawing, LEFT, LETTERS, Plot, RIGHT, WIDTH, letters};
use super::theme::Role;

/// Names lines at their right ends; labels that would meet move apart.
pub(super) fn label_ends(
    area: &Area,
    plot: &Plot<'_>,
    ends: Vec<(f64, Option<f64>, &'static str, Role)>,
) -> Drawing {
    let mut placed: Vec<(i32, &'static str, Role)> = ends
        .into_iter()
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
        area.draw(&Text::new(text, (x - left, top - above), style))?;
    }
    Ok(())
}

/// Names lines across a plot at their left ends, above them, or below where there is no room; a name without any
/// room is left out.
pub(super) fn label_lines<'t>(
    area: &Area,
    plot: &Plot<'_>,
    lines: impl IntoIterator<Item = (f64, &'t str)>,
) -> Drawing {
    let (x, y) = plot.plotting_area().get_pixel_range();
    let mut lines: Vec<(i32, &str)> =
        lines.into_iter().map(|(value, text)| (plot.backend_coord(&(0.0, value)).1, text)).collect();
    lines.sort_by_key(|(y, _)| *y);
    let mut taken: Vec<Room> = Vec::new();
    for (line, text) in lines {
        let width = text.chars().count() as i32 * LETTERS * 3 / 5;
        let Some(room) = room_at(line, width, (x.clone(), y.clone()), &taken) else { continue };
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

/// Room for letters beside a line across a plot that nothing else has taken.
fn room_at(line: i32, width: i32, (across, down): Room, taken: &[Room]) -> Option<Room> {
    const GAP: i32 = 2;
    let height = LETTERS + BELOW_LETTERS / 2;
    let above = line - GAP - height..line - GAP;
    let below = line + GAP..line + GAP + height;
    let meet = |a: &Range<i32>, b: &Range<i32>| a.start < b.end && b.start < a.end;
    [above, below].into_iter().filter(|rows| rows.start >= down.start && rows.end <= down.end).find_map(
        |rows| {
            let mut left = across.start + LETTERS / 2;
            let mut beside: Vec<&Room> = taken.iter().filter(|other| meet(&other.1, &rows)).collect();
            beside.sort_by_key(|other| other.0.start);
            for other in beside {
                if meet(&other.0, &(left..left + width + LETTERS)) {
                    left = other.0.end + LETTERS;
                }
            }
            (left + width <= across.end).then(|| (left..left + width, rows))
        },
    )
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
    use super::{LEFT, move_apart, room_at, side_by_side};

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
    fn names_of_lines_stand_beside_each_other_or_below_or_not_at_all() {
        let plot = (120..1_400, 34..254);
        let taken = [room_at(100, 200, plot.clone(), &[]).unwrap()];
        assert_eq!(taken, [(132..332, 71..98)]);
        // A line near it: right of its name. One far below it: at the left.
        assert_eq!(room_at(110, 200, plot.clone(), &taken).unwrap(), (356..556, 81..108));
        assert_eq!(room_at(200, 200, plot.clone(), &taken).unwrap(), (132..332, 171..198));
        // At the top of the plot there is room below the line only.
        assert_eq!(room_at(40, 200, plot.clone(), &[]).unwrap(), (132..332, 42..69));
        assert_eq!(room_at(100, 1_300, plot.clone(), &[]), None);
        assert_eq!(room_at(100, 1_100, plot.clone(), &taken).unwrap(), (132..1_232, 102..129));
    }

    #[test]
    fn numbers_of_one_second_stand_side_by_side() {
        let placed = |flags: &[(i32, &str)]| -> Vec<(i32, String)> {
            side_by_side(flags.iter().map(|&(x, text)| (x, text.to_owned())).collect())
        };
        let owned = |x, text: &str| (x, text.to_owned());
        assert_eq!(placed(&[(900, "1"), (120, "2")]), [owned(127, "2"), owned(900, "1")]);
        assert_eq!(placed(&[(500, "1"), (500, "2"), (501, "4")]), [owned(500, "1, 2, 4")]);
        // The first two need so much room that the third meets them.
        assert_eq!(placed(&[(500, "1"), (510, "2"), (535, "3")]), [owned(517, "1, 2, 3")]);
        let all: Vec<(i32, &str)> = ["1", "2", "3", "4", "5", "6", "7"].map(|text| (100, text)).into();
        let (x, text) = &placed(&all)[0];
        assert!(x - text.len() as i32 * 7 >= LEFT as i32, "it begins right of the axis: {x} {text}");
    }
}
