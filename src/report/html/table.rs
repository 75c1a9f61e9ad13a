//! Tables of a page: captions, headers that name their column, figures at the right, a box that scrolls.

use super::escape;

/// A column: its header, and whether it holds figures.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) is_figure: bool,
}

/// Rows from which a table is laid out when it comes into view: 500 of them take longer than all else of a page.
const MANY: usize = 100;

/// A column of figures.
pub(super) const fn figures(name: &'static str) -> Column {
    Column { name, is_figure: true }
}

/// A column of text.
pub(super) const fn text(name: &'static str) -> Column {
    Column { name, is_figure: false }
}

/// A row: its cells as HTML, the first of them names it, and how it is marked.
pub(super) struct Row {
    pub(super) cells: Vec<String>,
    /// Something in it failed.
    pub(super) is_bad: bool,
    /// What the columns are sorted by, where that is not what they show.
    pub(super) keys: Vec<Option<f64>>,
}

impl Row {
    pub(super) fn new(cells: Vec<String>) -> Row {
        Row { cells, is_bad: false, keys: Vec::new() }
    }
}

/// The table in its box. End tags that HTML does not need are left out: tables are most of a report.
pub(super) fn table(
    id: &str,
    caption: &str,
    columns: &[Column],
    rows: &[Row],
    total: Option<&Row>,
) -> String {
    let mut html = format!(
        "<div class=\"scroll{many}\" tabindex=\"0\" role=\"region\" aria-label=\"Table: {caption}\"><table id=\"{id}\"><caption>{caption}\
         </caption><thead><tr>",
        caption = escape(caption),
        many = if rows.len() > MANY { " many" } else { "" }
    );
    for column in columns {
        let class = if column.is_figure { " class=\"n\"" } else { "" };
        html.push_str(&format!("<th scope=\"col\"{class}>{}", escape(column.name)));
    }
    html.push_str("</thead><tbody>");
    rows.iter().for_each(|row| push_row(&mut html, columns, row));
    html.push_str("</tbody>");
    if let Some(total) = total {
        html.push_str("<tfoot>");
        push_row(&mut html, columns, total);
        html.push_str("</tfoot>");
    }
    html.push_str("</table></div>\n");
    html
}

fn push_row(html: &mut String, columns: &[Column], row: &Row) {
    html.push_str(if row.is_bad { "<tr class=\"bad\">" } else { "<tr>" });
    for (index, (cell, column)) in row.cells.iter().zip(columns).enumerate() {
        let key = row.keys.get(index).copied().flatten();
        let key = key.map(|key| format!(" data-k=\"{key}\"")).unwrap_or_default();
        match (index, column.is_figure) {
            (0, _) => html.push_str(&format!("<th scope=\"row\">{cell}")),
            // Most cells are figures, and a report is mostly cells: they need no class.
            (_, true) => html.push_str(&format!("<td{key}>{cell}")),
            (_, false) => html.push_str(&format!("<td class=\"w\"{key}>{cell}")),
        }
    }
}
