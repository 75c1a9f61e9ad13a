//! HTML tables: captions, column headers, right-aligned figures, a scrolling box.

use maud::{Markup, Render, html};

/// Rows from which a table is laid out when it comes into view: 500 of them take longer than all else of a page.
const MANY: usize = 100;

/// What stands in a cell, and what its column is sorted by where that is not what it shows.
pub(super) struct Cell {
    shown: Markup,
    key: Option<f64>,
}

impl<T: Render> From<T> for Cell {
    fn from(shown: T) -> Cell {
        keyed(shown, None)
    }
}

/// A cell whose column is sorted by `key`.
pub(super) fn keyed(shown: impl Render, key: impl Into<Option<f64>>) -> Cell {
    Cell { shown: shown.render(), key: key.into() }
}

/// What is known, or a dash.
pub(super) fn or_dash<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

/// What a row is about, and its cells.
struct Row<T> {
    of: T,
    cells: Vec<Cell>,
    is_bad: bool,
}

impl<T> Row<T> {
    fn new(of: T) -> Row<T> {
        Row { of, cells: Vec::new(), is_bad: false }
    }
}

/// A table, made column by column. The first column names the row.
pub(super) struct Table<'a, T> {
    id: &'a str,
    caption: &'a str,
    is_named_above: bool,
    /// Headers, and whether figures stand below them.
    columns: Vec<(&'a str, bool)>,
    rows: Vec<Row<T>>,
    total: Option<Row<T>>,
}

impl<'a, T> Table<'a, T> {
    pub(super) fn new(id: &'a str, caption: &'a str, rows: impl IntoIterator<Item = T>) -> Table<'a, T> {
        let rows = rows.into_iter().map(Row::new).collect();
        Table { id, caption, is_named_above: false, columns: Vec::new(), rows, total: None }
    }

    /// The heading of its section is its caption, which is left to those who do not see that.
    pub(super) fn named_above(self) -> Table<'a, T> {
        Table { is_named_above: true, ..self }
    }

    /// The last row, which stays where it is. Before the first column.
    pub(super) fn total(self, of: T) -> Table<'a, T> {
        Table { total: Some(Row::new(of)), ..self }
    }

    /// Marks the rows in which something failed.
    pub(super) fn bad_if(mut self, is_bad: impl Fn(&T) -> bool) -> Table<'a, T> {
        self.rows.iter_mut().for_each(|row| row.is_bad = is_bad(&row.of));
        self
    }

    /// A column of text.
    pub(super) fn text<C: Into<Cell>>(self, name: &'a str, cell: impl FnMut(&T) -> C) -> Table<'a, T> {
        self.column(name, false, cell)
    }

    /// A column of figures.
    pub(super) fn figures<C: Into<Cell>>(self, name: &'a str, cell: impl FnMut(&T) -> C) -> Table<'a, T> {
        self.column(name, true, cell)
    }

    fn column<C: Into<Cell>>(
        mut self,
        name: &'a str,
        is_figure: bool,
        mut cell: impl FnMut(&T) -> C,
    ) -> Table<'a, T> {
        self.columns.push((name, is_figure));
        self.rows.iter_mut().for_each(|row| row.cells.push(cell(&row.of).into()));
        self.total.iter_mut().for_each(|row| row.cells.push(Cell { key: None, ..cell(&row.of).into() }));
        self
    }

    /// Most cells are figures, and a report is mostly cells: they need no class.
    fn row(&self, row: &Row<T>) -> Markup {
        html! {
            tr class=[row.is_bad.then_some("bad")];
            @for (index, (cell, (_, is_figure))) in row.cells.iter().zip(&self.columns).enumerate() {
                @if index == 0 {
                    th scope="row"; (cell.shown)
                } @else {
                    td class=[(!is_figure).then_some("w")] data-k=[cell.key]; (cell.shown)
                }
            }
        }
    }
}

/// The table in its box. End tags that HTML does not need are left out: tables are most of a report.
impl<T> Render for Table<'_, T> {
    fn render(&self) -> Markup {
        html! {
            div.scroll.many[self.rows.len() > MANY]
                tabindex="0" role="region" aria-label={ "Table: " (self.caption) } {
                table #(self.id) {
                    caption class=[self.is_named_above.then_some("unseen")] { (self.caption) }
                    thead {
                        tr;
                        @for (name, is_figure) in &self.columns {
                            th scope="col" class=[(!is_figure).then_some("w")]; (name)
                        }
                    }
                    tbody { @for row in &self.rows { (self.row(row)) } }
                    @if let Some(total) = &self.total { tfoot { (self.row(total)) } }
                }
            }
        }
    }
}
