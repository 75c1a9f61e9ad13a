//! What a table holds: rows of one of three kinds, as compact as their file.

use super::cells::Cells;

/// The rows of a table.
#[derive(Debug)]
pub(super) enum Rows {
    /// Cells with the names of their columns; without names when the file has none.
    Csv { columns: Option<Vec<String>>, cells: Cells },
    /// One cell a row.
    Lines(Cells),
    /// The file's text, and where each element of its array begins and ends.
    Json { text: String, spans: Vec<(u32, u32)> },
}

/// One row, as it stands in the table.
pub(crate) enum Row<'a> {
    /// Cells by the names of their columns.
    Named(&'a [String], Vec<&'a str>),
    /// Cells without names.
    Cells(Vec<&'a str>),
    /// A line of text.
    Line(&'a str),
    /// JSON that has been checked.
    Json(&'a str),
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        match self {
            Rows::Csv { cells, .. } | Rows::Lines(cells) => cells.len(),
            Rows::Json { spans, .. } => spans.len(),
        }
    }

    /// Row number `index`, from 0.
    pub(super) fn get(&self, index: usize) -> Option<Row<'_>> {
        if index >= self.len() {
            return None;
        }
        Some(match self {
            Rows::Csv { columns: Some(columns), cells } => Row::Named(columns, cells.row(index).collect()),
            Rows::Csv { columns: None, cells } => Row::Cells(cells.row(index).collect()),
            Rows::Lines(cells) => Row::Line(cells.row(index).next().unwrap_or_default()),
            Rows::Json { text, spans } => {
                let (start, end) = spans[index];
                Row::Json(&text[start as usize..end as usize])
            }
        })
    }
}
