//! Where plotters draws: compact SVG whose colours are classes.
//!
//! Owns the text of elements. Each role is drawn in its own colour, which represents a class, so one
//! picture serves light, dark and print. Elements of one class that follow one another share a path: a heat
//! map of two thousand cells is six paths. Invariant: text is escaped; nothing refers to anything outside.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt::Write;
use std::ops::Range;
use std::rc::Rc;

use plotters::style::RGBColor;
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};

use super::theme::Role;
use crate::report::markup::escape;

type Result = std::result::Result<(), DrawingErrorKind<Infallible>>;

/// The SVG elements that were drawn.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    text: String,
    /// Class and data of the path that is still open.
    path: Option<(String, String)>,
    /// Where that path's pen is.
    pen: BackendCoord,
    /// Labels. They come last: over what is drawn, and so that lines between which they are written stay one path.
    letters: String,
    /// Lines and dots of data, from where to where: labels keep off them.
    data: Vec<(BackendCoord, BackendCoord)>,
}

/// See the module's description.
pub(super) struct Canvas {
    size: (u32, u32),
    drawn: Rc<RefCell<Drawn>>,
}

impl Canvas {
    pub(super) fn new(size: (u32, u32), drawn: Rc<RefCell<Drawn>>) -> Canvas {
        Canvas { size, drawn }
    }

    /// Appends to the open path of this class, or begins one.
    fn path(&self, class: String, append: impl FnOnce(&mut String, &mut BackendCoord)) {
        let drawn = &mut *self.drawn.borrow_mut();
        if drawn.path.as_ref().is_none_or(|(open, _)| *open != class) {
            drawn.close();
            drawn.path = Some((class, String::new()));
        }
        if let Some((_, data)) = &mut drawn.path {
            append(data, &mut drawn.pen);
        }
    }
}

impl Drawn {
    fn close(&mut self) {
        if let Some((class, data)) = self.path.take() {
            // Writing to a String does not fail.
            let _ = write!(self.text, "<path class=\"{class}\" d=\"{data}\"/>");
        }
    }

    /// All that was drawn.
    pub(super) fn finish(&mut self) -> String {
        self.close();
        let letters = std::mem::take(&mut self.letters);
        std::mem::take(&mut self.text) + letters.as_str()
    }

    fn note(&mut self, points: &[BackendCoord], color: BackendColor) {
        let (r, g, b) = color.rgb;
        if Role::of(RGBColor(r, g, b)).is_data() {
            self.data.extend(points.windows(2).map(|pair| (pair[0], pair[1])));
        }
    }

    /// Whether a line or dot of the data lies in a rectangle.
    pub(super) fn has_data_in(&self, across: &Range<i32>, down: &Range<i32>) -> bool {
        self.data.iter().any(|&(from, to)| meets(from, to, across, down))
    }
}

/// Whether a straight line has a point in a rectangle.
fn meets(from: BackendCoord, to: BackendCoord, across: &Range<i32>, down: &Range<i32>) -> bool {
    // The part of the line, from 0 to 1, that is within both pairs of edges.
    let (mut enters, mut leaves) = (0.0_f64, 1.0_f64);
    for (at, end, edges) in [(from.0, to.0, across), (from.1, to.1, down)] {
        let (at, way) = (f64::from(at), f64::from(end - at));
        let (low, high) = (f64::from(edges.start), f64::from(edges.end));
        if way == 0.0 {
            if at < low || at > high {
                return false;
            }
            continue;
        }
        let (a, b) = ((low - at) / way, (high - at) / way);
        enters = enters.max(a.min(b));
        leaves = leaves.min(a.max(b));
    }
    enters <= leaves
}

fn class(kind: &str, color: BackendColor) -> String {
    let (r, g, b) = color.rgb;
    format!("{kind} {}", Role::of(RGBColor(r, g, b)).class())
}

/// Steps from point to point, relative, which is shorter than places.
fn lines(points: impl IntoIterator<Item = BackendCoord>, data: &mut String, pen: &mut BackendCoord) {
    let mut points = points.into_iter();
    let Some(first) = points.next() else { return };
    let _ = write!(data, "M{} {}", first.0, first.1);
    *pen = first;
    let mut command = 'l';
    for point in points {
        let (dx, dy) = (point.0 - pen.0, point.1 - pen.1);
        if (dx, dy) == (0, 0) {
            continue;
        }
        // One letter begins a row of steps; a minus needs no space before it.
        if command == 'l' {
            data.push('l');
        } else if dx >= 0 {
            data.push(' ');
        }
        command = ' ';
        let _ = write!(data, "{dx}{}{dy}", if dy < 0 { "" } else { " " });
        *pen = point;
    }
}

impl DrawingBackend for Canvas {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Result {
        Ok(())
    }

    fn present(&mut self) -> Result {
        Ok(())
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Result {
        self.path(class("f", color), |data, _| {
            let _ = write!(data, "M{} {}h1v1h-1z", point.0, point.1);
        });
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Result {
        self.drawn.borrow_mut().note(&[from, to], style.color());
        self.path(class("l", style.color()), |data, pen| lines([from, to], data, pen));
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Result {
        let path: Vec<BackendCoord> = path.into_iter().collect();
        self.drawn.borrow_mut().note(&path, style.color());
        self.path(class("l", style.color()), |data, pen| lines(path, data, pen));
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Result {
        let (width, height) = (bottom_right.0 - upper_left.0, bottom_right.1 - upper_left.1);
        self.path(class(if fill { "f" } else { "l" }, style.color()), |data, _| {
            let _ = write!(data, "M{} {}h{width}v{height}h{}z", upper_left.0, upper_left.1, -width);
        });
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        _radius: u32,
        style: &S,
        _fill: bool,
    ) -> Result {
        self.drawn.borrow_mut().note(&[center, center], style.color());
        // A line without length and with round ends is a dot; its size is the class'.
        self.path(class("d", style.color()), |data, _| {
            let _ = write!(data, "M{} {}h0", center.0, center.1);
        });
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vert: I,
        style: &S,
    ) -> Result {
        self.path(class("f", style.color()), |data, pen| {
            lines(vert, data, pen);
            data.push('z');
        });
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, pos: BackendCoord) -> Result {
        let mut drawn = self.drawn.borrow_mut();
        let anchor = match style.anchor().h_pos {
            HPos::Left => "",
            HPos::Center => " m",
            HPos::Right => " e",
        };
        // Letters stand on a line; that is about a third of their size below their middle.
        let down = match style.anchor().v_pos {
            VPos::Top => style.size() * 0.8,
            VPos::Center => style.size() * 0.35,
            VPos::Bottom => 0.0,
        };
        let class = class("t", style.color());
        let (x, y) = (pos.0, pos.1 + down.round() as i32);
        let _ = write!(
            drawn.letters,
            "<text class=\"{class}{anchor}\" x=\"{x}\" y=\"{y}\">{}</text>",
            escape(text)
        );
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> std::result::Result<(u32, u32), DrawingErrorKind<Infallible>> {
        // No font is at hand; digits and letters of a sans-serif are a little over half as wide as high.
        let width = text.chars().count() as f64 * style.size() * 0.56;
        Ok((width.ceil() as u32, style.size().ceil() as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::meets;

    #[test]
    fn a_line_meets_a_rectangle_that_it_passes_through() {
        let meets = |from, to| meets(from, to, &(100..200), &(50..80));
        assert!(meets((0, 0), (400, 160)), "through both");
        assert!(meets((150, 60), (150, 60)), "a dot in it");
        assert!(meets((150, 0), (150, 300)) && meets((0, 60), (300, 60)), "straight up, straight across");
        assert!(!meets((0, 40), (300, 40)) && !meets((90, 0), (90, 300)), "beside it");
        assert!(!meets((0, 0), (90, 60)) && !meets((0, 70), (90, 60)), "ends before it");
        assert!(!meets((80, 70), (110, 100)), "around its corner");
    }
}
