//! Rows of text cells, stored as one string and the places where cells and rows end.
//!
//! Invariant: a cell costs its text and four bytes; no cell and no row is an allocation of its own.

/// Most bytes of text, so that places fit into 32 bits.
pub(super) const LARGEST_TEXT: u64 = u32::MAX as u64;

/// See the module's description.
#[derive(Debug, Default)]
pub(super) struct Cells {
    text: String,
    /// Where each cell ends in the text.
    cell_ends: Vec<u32>,
    /// Where each row ends in the cells.
    row_ends: Vec<u32>,
}

impl Cells {
    /// Room for the cells of a file of this size.
    pub(super) fn for_file(bytes: usize) -> Cells {
        Cells { text: String::with_capacity(bytes), ..Cells::default() }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When there is more text, or there are more cells, than 32 bits can count.
    pub(super) fn push<'a>(&mut self, cells: impl Iterator<Item = &'a str>) -> Result<(), String> {
        let too_large = |_| "contains more than 4 GB of text or 4,294,967,295 cells".to_owned();
        for cell in cells {
            self.text.push_str(cell);
            self.cell_ends.push(u32::try_from(self.text.len()).map_err(too_large)?);
        }
        self.row_ends.push(u32::try_from(self.cell_ends.len()).map_err(too_large)?);
        Ok(())
    }

    /// Gives back the memory that was reserved in vain.
    pub(super) fn finish(mut self) -> Cells {
        self.text.shrink_to_fit();
        self.cell_ends.shrink_to_fit();
        self.row_ends.shrink_to_fit();
        self
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.row_ends.len()
    }

    /// The cells of a row; none when there is no such row.
    pub(super) fn row(&self, index: usize) -> impl Iterator<Item = &str> {
        let end = self.row_ends.get(index).map_or(0, |&end| end as usize);
        let start =
            index.checked_sub(1).and_then(|before| self.row_ends.get(before)).map_or(0, |&e| e as usize);
        (start.min(end)..end).map(|cell| {
            let start = cell.checked_sub(1).map_or(0, |before| self.cell_ends[before] as usize);
            &self.text[start..self.cell_ends[cell] as usize]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_were_put_in() {
        let rows: [&[&str]; 4] = [&["a", "", "ccc"], &[], &["ü"], &["", ""]];
        let mut cells = Cells::for_file(0);
        for row in rows {
            cells.push(row.iter().copied()).unwrap();
        }
        let cells = cells.finish();
        assert_eq!(cells.len(), 4);
        for (index, row) in rows.iter().enumerate() {
            assert_eq!(cells.row(index).collect::<Vec<_>>(), *row);
        }
        assert_eq!(cells.row(4).count(), 0);
    }
}
