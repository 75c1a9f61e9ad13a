//! CSV files and files of lines become rows. Pure: text in, rows out.

use csv::{ReaderBuilder, StringRecord};

use super::cells::Cells;
use super::rows::Rows;
use crate::text::did_you_mean;

/// How a CSV file is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CsvOptions {
    /// Separator between cells; ASCII.
    pub(crate) delimiter: u8,
    /// Whether the first row holds the names of the columns.
    pub(crate) header: bool,
    /// With a header, the columns to keep; without one, the column names.
    pub(crate) columns: Option<Vec<String>>,
    /// Whether rows may have fewer or more cells than there are columns.
    pub(crate) ragged: bool,
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions { delimiter: b',', header: true, columns: None, ragged: false }
    }
}

/// The rows of a CSV file; empty lines are left out.
///
/// # Errors
/// When rows do not fit together, with the line.
pub(super) fn csv(text: &str, options: &CsvOptions) -> Result<Rows, String> {
    let mut reader = ReaderBuilder::new()
        .delimiter(options.delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut record = StringRecord::new();
    let mut next = |record: &mut StringRecord| reader.read_record(record).map_err(|error| error.to_string());
    let mut cells = Cells::for_file(text.len());
    let (mut names, mut kept, mut width) = (options.columns.clone(), None, None);
    if options.header {
        if !next(&mut record)? {
            return Err("is empty; its first line must name the columns (or pass header: false)".to_owned());
        }
        width = Some(record.len());
        let header = header(&record)?;
        match &options.columns {
            Some(columns) => kept = Some(pick(&header, columns)?),
            None => names = Some(header),
        }
    } else if let Some(columns) = &options.columns {
        width = Some(columns.len());
    }
    let mut last_row = None;
    while next(&mut record)? {
        let place = record.position().map_or((0, 0), |position| (position.line(), position.byte()));
        let expected = *width.get_or_insert(record.len());
        if record.len() != expected && !options.ragged {
            return Err(ragged(text, place, record.len(), expected, options));
        }
        match &kept {
            Some(kept) => cells.push(kept.iter().map(|&cell| record.get(cell).unwrap_or_default()))?,
            // What is missing is empty, what is too much has no name to be found by.
            None if names.is_some() => {
                cells.push((0..expected).map(|cell| record.get(cell).unwrap_or_default()))?
            }
            None => cells.push(record.iter())?,
        }
        last_row = Some(place);
    }
    if let Some(place) = last_row {
        check_quotes(text, place)?;
    }
    Ok(Rows::Csv { columns: names, cells: cells.finish() })
}

/// The rows of a file of lines; empty lines are left out.
///
/// # Errors
/// When there is too much.
pub(super) fn lines(text: &str) -> Result<Rows, String> {
    let mut cells = Cells::for_file(text.len());
    for line in text.lines().filter(|line| !line.is_empty()) {
        cells.push(std::iter::once(line))?;
    }
    Ok(Rows::Lines(cells.finish()))
}

fn header(record: &StringRecord) -> Result<Vec<String>, String> {
    let header: Vec<String> = record.iter().map(|name| name.trim().to_owned()).collect();
    for (index, name) in header.iter().enumerate() {
        if header[..index].contains(name) {
            return Err(format!("has two columns named '{name}'; column names must be unique"));
        }
    }
    Ok(header)
}

fn pick(header: &[String], columns: &[String]) -> Result<Vec<usize>, String> {
    let place = |column: &String| {
        header.iter().position(|name| name == column).ok_or_else(|| {
            let hint = did_you_mean(column, header.iter().map(String::as_str));
            format!("has no column '{column}'{hint} (it has: {})", header.join(", "))
        })
    };
    columns.iter().map(place).collect()
}

fn ragged(text: &str, place: (u64, u64), cells: usize, expected: usize, options: &CsvOptions) -> String {
    if let Err(problem) = check_quotes(text, place) {
        return problem;
    }
    let line = line_of(text, place.1);
    let wrong_delimiter = [b',', b';', b'\t', b'|'].into_iter().find(|&other| {
        let first = text.lines().next().unwrap_or_default();
        other != options.delimiter && expected == 1 && first.as_bytes().contains(&other)
    });
    let hint = match wrong_delimiter {
        Some(other) => format!("; is the delimiter {:?}?", char::from(other)),
        None => "; pass ragged: true to read such rows".to_owned(),
    };
    let plural = if cells == 1 { "cell" } else { "cells" };
    format!("has {cells} {plural} in line {line}, but {expected} are expected{hint}")
}

/// A quote that is never closed swallows the rest of the file without an error of the parser.
fn check_quotes(text: &str, (_, byte): (u64, u64)) -> Result<(), String> {
    let rest = usize::try_from(byte).ok().and_then(|byte| text.get(byte..)).unwrap_or_default();
    let rest = rest.trim_start_matches(['\r', '\n']);
    let quotes = rest.bytes().filter(|&byte| byte == b'"').count();
    if quotes % 2 == 1 && rest.trim_end_matches(['\r', '\n']).contains('\n') {
        let line = line_of(text, (text.len() - rest.len()) as u64);
        return Err(format!("has an unclosed quote in line {line}"));
    }
    Ok(())
}

/// The line in which the row that is found at `byte` begins; empty lines before it do not count as its own.
fn line_of(text: &str, byte: u64) -> usize {
    let byte = usize::try_from(byte).unwrap_or(text.len()).min(text.len());
    let skipped = text.as_bytes()[byte..].iter().take_while(|&&b| b == b'\r' || b == b'\n').count();
    text.as_bytes()[..byte + skipped].iter().filter(|&&b| b == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::super::rows::Row;
    use super::*;

    fn rows(text: &str, options: &CsvOptions) -> Result<Vec<Vec<String>>, String> {
        let rows = csv(text, options)?;
        let row = |index| match rows.get(index) {
            Some(Row::Named(names, cells)) => {
                names.iter().zip(cells).map(|(name, cell)| format!("{name}={cell}")).collect()
            }
            Some(Row::Cells(cells)) => cells.into_iter().map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        Ok((0..rows.len()).map(row).collect())
    }

    fn check(text: &str, options: &CsvOptions, expected: &[&[&str]]) {
        assert_eq!(rows(text, options).unwrap(), expected, "{text:?}");
    }

    #[test]
    fn files_as_they_come() {
        let plain = CsvOptions::default();
        check("a,b\n1,2\n3,4", &plain, &[&["a=1", "b=2"], &["a=3", "b=4"]]);
        check("a,b\r\n1,2\r\n\r\n", &plain, &[&["a=1", "b=2"]]);
        check("a, b\n\"x,\"\"y\"\"\",\"two\nlines\"\n", &plain, &[&["a=x,\"y\"", "b=two\nlines"]]);
        check("a,b\n,\n", &plain, &[&["a=", "b="]]);
        check("a\n", &plain, &[]);
        check("size\n5\" disk\n", &plain, &[&["size=5\" disk"]]);
    }

    #[test]
    fn options_say_how_it_is_read() {
        let options = |columns: Option<&[&str]>, header, ragged| CsvOptions {
            delimiter: b';',
            header,
            columns: columns.map(|names| names.iter().map(|&name| name.to_owned()).collect()),
            ragged,
        };
        check("a;b\n1;2", &options(None, false, false), &[&["a", "b"], &["1", "2"]]);
        check("1;2", &options(Some(&["x", "y"]), false, false), &[&["x=1", "y=2"]]);
        check("a;b;c\n1;2;3", &options(Some(&["c", "a"]), true, false), &[&["c=3", "a=1"]]);
        check("a;b\n1\n1;2;3", &options(None, true, true), &[&["a=1", "b="], &["a=1", "b=2"]]);
    }

    #[test]
    fn what_cannot_be_read_names_its_line() {
        let fails = |text: &str, part: &str| {
            let error = rows(text, &CsvOptions::default()).unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        };
        fails("", "is empty");
        fails("a,b,a\n1,2,3", "two columns named 'a'");
        fails("a,b\n1,2\n\n\n3\n", "has 1 cell in line 5, but 2 are expected; pass ragged: true");
        fails("a,b\n\"x\ny\",2\n3,4,5\n", "has 3 cells in line 4");
        fails("a;b\n1,2\n", "is the delimiter ';'?");
        fails("a,b\n1,2\n\"x,4\n5,6\n7,8\n", "has an unclosed quote in line 3");
        fails("a\n1\n\"x\n5\n7\n", "has an unclosed quote in line 3");
        let columns = CsvOptions { columns: Some(vec!["usre".into()]), ..CsvOptions::default() };
        let error = rows("user,password\n", &columns).unwrap_err();
        assert!(error.contains("did you mean 'user'? (it has: user, password)"), "{error}");
    }

    #[test]
    fn lines_have_no_line_ends() {
        let Rows::Lines(cells) = lines("a\r\n\n b \nc").unwrap() else { panic!("lines are lines") };
        let all: Vec<&str> = (0..cells.len()).flat_map(|row| cells.row(row)).collect();
        assert_eq!(all, ["a", " b ", "c"]);
    }
}
