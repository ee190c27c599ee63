//! Tables of text: columns aligned, two spaces between, no trailing blanks.

/// Rows under a heading.
pub struct Table {
    heading: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(heading: &[&'static str]) -> Table {
        Table { heading: heading.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; cells beyond the heading's are dropped, missing ones are blank.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().take(self.heading.len()).collect());
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, heading first.
    pub fn lines(&self) -> Vec<String> {
        let mut widths: Vec<usize> = self.heading.iter().map(|cell| width(cell)).collect();
        for row in &self.rows {
            for (most, cell) in widths.iter_mut().zip(row) {
                *most = (*most).max(width(cell));
            }
        }
        let heading: Vec<&str> = self.heading.clone();
        let rows = self.rows.iter().map(|row| row.iter().map(String::as_str).collect());
        std::iter::once(heading).chain(rows).map(|row| aligned(&row, &widths)).collect()
    }
}

fn aligned(cells: &[&str], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, most) in cells.iter().zip(widths) {
        line.push_str(cell);
        line.extend(std::iter::repeat_n(' ', most - width(cell) + 2));
    }
    line.truncate(line.trim_end().len());
    line
}

/// Columns a cell takes: one per character, which holds for names, routes and URLs.
fn width(cell: &str) -> usize {
    cell.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["APP", "DEPLOYMENT", "UPDATED"]);
        table.row(["blog".into(), "3f2a".into(), "today".into()]);
        table.row(["größe-app".into(), String::new(), String::new()]);
        assert_eq!(table.lines(), ["APP        DEPLOYMENT  UPDATED", "blog       3f2a        today", "größe-app"],);
    }

    #[test]
    fn a_short_or_a_long_row_does_no_harm() {
        let mut table = Table::new(&["A", "B"]);
        assert!(table.is_empty());
        table.row(["1".into()]);
        table.row(["1".into(), "2".into(), "3".into()]);
        assert_eq!(table.lines(), ["A  B", "1", "1  2"]);
    }
}
