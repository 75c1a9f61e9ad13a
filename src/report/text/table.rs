//! A table in a terminal: a name on the left that takes the remaining width, numbers on the right.

use super::look::{Look, Mark, Tone};
use crate::text::{cut_middle, width};

/// A name is not cut below this many columns; a terminal so narrow gets longer lines.
const SHORTEST_NAME: usize = 12;

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
        let header = self.line(look, &layout, None, &self.headers[0], &self.headers[1..]);
        let mut lines = vec![look.paint(Tone::Strong, &header)];
        for row in &self.rows {
            lines.push(self.line(look, &layout, Some(row.mark), &row.name, &row.cells));
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
        let longest = self.rows.iter().map(|row| width(&row.name)).fold(width(&self.headers[0]), usize::max);
        let room = |gap: usize| {
            let taken = mark + 2 + cells.iter().map(|cell| cell + gap).sum::<usize>();
            look.width.saturating_sub(taken)
        };
        let gap = if room(2) >= longest { 2 } else { 1 };
        Layout { mark, gap, name: longest.min(room(gap).max(SHORTEST_NAME)), cells }
    }

    fn line(&self, look: Look, layout: &Layout, mark: Option<Mark>, name: &str, cells: &[String]) -> String {
        let mark = mark.unwrap_or(Mark::Blank);
        let sign = look.mark(mark);
        let tone = if mark == Mark::Pass { Tone::Good } else { Tone::Bad };
        let name = cut_middle(name, layout.name, look.ellipsis());
        let mut line = format!(
            " {}{} {name}{}",
            look.paint(tone, sign),
            " ".repeat(layout.mark - width(sign)),
            " ".repeat(layout.name.saturating_sub(width(&name)))
        );
        for (cell, &columns) in cells.iter().zip(&layout.cells) {
            line.push_str(&" ".repeat(layout.gap + columns.saturating_sub(width(cell))));
            line.push_str(cell);
        }
        line
    }
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
    fn names_get_the_room_and_lose_their_middle_without_it() {
        let name = "GET /api/v2/customers/17/orders";
        let wide = table(name).render(Look { width: 80, unicode: true, color: false });
        assert_eq!(wide[1], " ✗ GET /api/v2/customers/17/orders       1");
        let narrow = table(name).render(Look { width: 30, unicode: true, color: false });
        assert_eq!(narrow[1], " ✗ GET /api/v…17/orders      1");
        assert!(narrow.iter().all(|line| width(line) == 30), "{narrow:#?}");
    }
}
