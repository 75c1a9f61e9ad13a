//! A table: a name on the left that takes the remaining width, numbers on the right.
//!
//! Names are whole where lines may have any length, as in a file. In a terminal a name is cut when its line is full: a path
//! in its middle. A host is not cut; its row takes two lines.

use super::look::{Look, Mark, Tone};
use crate::text::{cut_middle, cut_path, width};

/// A name is not cut below this many columns; a terminal so narrow gets longer lines.
const SHORTEST_NAME: usize = 12;

/// Where lines may have any length, a name longer than this does not push the figures of all others away.
const LONGEST_COLUMN: usize = 60;

/// What is left of a path tells nothing below this many columns.
const SHORTEST_PATH: usize = 7;

/// A table that knows its cells, not yet its columns.
#[derive(Debug)]
pub(crate) struct Table {
    headers: Vec<String>,
    rows: Vec<Row>,
}

/// One row of a table.
#[derive(Debug)]
pub(crate) struct Row {
    /// The sign before it.
    pub(crate) mark: Mark,
    /// What it is about, cleaned.
    pub(crate) name: String,
    /// Its figures, one for each further column.
    pub(crate) cells: Vec<String>,
    /// Whole lines below it, cleaned.
    pub(crate) notes: Vec<String>,
}

impl Table {
    /// A table whose first header stands over the names.
    pub(crate) fn new(headers: &[&str], rows: Vec<Row>) -> Self {
        Table { headers: headers.iter().map(|&header| header.to_owned()).collect(), rows }
    }

    /// The table's lines, header first.
    pub(crate) fn render(&self, look: Look) -> Vec<String> {
        let layout = self.layout(look);
        let header = self.line(look, &layout, Mark::Blank, &self.headers[0], &self.headers[1..]);
        let mut lines = vec![look.paint(Tone::Strong, &header)];
        for row in &self.rows {
            match beside_figures(&row.name, layout.name, look) {
                Some(name) => lines.push(self.line(look, &layout, row.mark, &name, &row.cells)),
                None => {
                    let name = on_its_own(&row.name, look.width.saturating_sub(layout.mark + 2), look);
                    lines.push(self.line(look, &layout, row.mark, &name, &[]));
                    lines.push(self.line(look, &layout, Mark::Blank, "", &row.cells));
                }
            }
            let indent = " ".repeat(layout.mark + 5);
            lines.extend(row.notes.iter().map(|note| format!("{indent}{}", look.paint(Tone::Faint, note))));
        }
        lines
    }

    fn layout(&self, look: Look) -> Layout {
        let mark = self.rows.iter().map(|row| width(look.mark(row.mark))).max().unwrap_or(0).max(1);
        let cells: Vec<usize> = (1..self.headers.len())
            .map(|column| {
                let cells =
                    self.rows.iter().map(|row| row.cells.get(column - 1).map_or(0, |cell| width(cell)));
                cells.fold(width(&self.headers[column]), usize::max)
            })
            .collect();
        let names = || self.rows.iter().map(|row| width(&row.name));
        let longest =
            |names: &mut dyn Iterator<Item = usize>| names.fold(width(&self.headers[0]), usize::max);
        if look.is_whole() {
            let name = longest(&mut names().filter(|&name| name <= LONGEST_COLUMN));
            return Layout { mark, gap: 2, name, cells };
        }
        let longest = longest(&mut names());
        let room = |gap: usize| {
            let taken = mark + 2 + cells.iter().map(|cell| cell + gap).sum::<usize>();
            look.width.saturating_sub(taken)
        };
        let gap = if room(2) >= longest { 2 } else { 1 };
        Layout { mark, gap, name: longest.min(room(gap).max(SHORTEST_NAME)), cells }
    }

    fn line(&self, look: Look, layout: &Layout, mark: Mark, name: &str, cells: &[String]) -> String {
        let sign = look.mark(mark);
        let tone = if mark == Mark::Pass { Tone::Good } else { Tone::Bad };
        let mut line = format!(
            " {}{} {name}{}",
            look.paint(tone, sign),
            " ".repeat(layout.mark - width(sign)),
            " ".repeat(layout.name.saturating_sub(width(name)))
        );
        for (cell, &columns) in cells.iter().zip(&layout.cells) {
            line.push_str(&" ".repeat(layout.gap + columns.saturating_sub(width(cell))));
            line.push_str(cell);
        }
        line
    }
}

/// A name as it stands before its figures, in at most so many columns; `None` if it takes a line of its own.
pub(super) fn beside_figures(name: &str, columns: usize, look: Look) -> Option<String> {
    if look.is_whole() {
        return Some(name.to_owned());
    }
    cut_path(name, columns, SHORTEST_PATH, look.ellipsis())
        // Half a host is none.
        .or_else(|| (!name.contains("://")).then(|| cut_middle(name, columns, look.ellipsis())))
}

/// The same for a line that it has to itself.
pub(super) fn on_its_own(name: &str, columns: usize, look: Look) -> String {
    cut_path(name, columns, SHORTEST_PATH, look.ellipsis())
        .unwrap_or_else(|| cut_middle(name, columns, look.ellipsis()))
}

/// The columns of a table, without the gaps.
struct Layout {
    mark: usize,
    gap: usize,
    name: usize,
    cells: Vec<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> Table {
        let row = |name: &str, cell: &str| Row {
            mark: Mark::Failing,
            name: name.into(),
            cells: vec![cell.into()],
            notes: Vec::new(),
        };
        Table::new(&["endpoint", "reqs"], vec![row(name, "1"), row("GET /b", "12,345")])
    }

    #[test]
    fn a_file_has_whole_names_and_one_long_name_moves_no_other_figures() {
        let name = format!("GET /{}", "segment/".repeat(20));
        let lines = table(&name).render(Look { width: Look::WHOLE, unicode: true, color: false });
        assert_eq!(lines[1], format!(" ✗ {name}       1"));
        assert_eq!(lines[2], " ✗ GET /b    12,345");
    }

    #[test]
    fn a_host_is_not_cut_and_takes_a_line_of_its_own_where_it_has_to() {
        let name = "GET http://localhost:8080/api/v1/items/17/detail";
        let look = Look { width: 50, unicode: true, color: false };
        assert_eq!(table(name).render(look)[1], " ✗ GET http://localhost:8080/api/…/detail        1");
        let narrow = table(name).render(Look { width: 40, ..look });
        assert_eq!(narrow[1], " ✗ GET http://localhost:8080/api/v…etail");
        assert_eq!(narrow[2].trim(), "1");
        assert!(narrow.iter().all(|line| width(line) <= 40), "{narrow:#?}");
    }

    #[test]
    fn names_get_the_room_and_lose_their_middle_without_it() {
        let name = "GET /api/v2/customers/17/orders";
        let wide = table(name).render(Look { width: 80, unicode: true, color: false });
        assert_eq!(wide[1], " ✗ GET /api/v2/customers/17/orders       1");
        let narrow = table(name).render(Look { width: 30, unicode: true, color: false });
        assert_eq!(narrow[1], " ✗ GET /api/v2/…/orders      1");
        assert!(narrow.iter().all(|line| width(line) == 30), "{narrow:#?}");
    }
}
