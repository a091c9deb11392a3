//! Plain tables, and medians.

use std::fmt;

/// Columns of right-aligned cells under their heads.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(heads: &[&str]) -> Self {
        Self { rows: vec![heads.iter().map(|&head| head.to_owned()).collect()] }
    }

    pub(super) fn add(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
        let width = |column| self.rows.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (number, row) in self.rows.iter().enumerate() {
            let cells: Vec<String> = widths
                .iter()
                .enumerate()
                .map(|(column, &width)| match column {
                    0 => format!("{:<width$}", cell(row, column)),
                    _ => format!("{:>width$}", cell(row, column)),
                })
                .collect();
            writeln!(formatter, "| {} |", cells.join(" | "))?;
            if number == 0 {
                let rules: Vec<String> = widths
                    .iter()
                    .enumerate()
                    .map(|(column, &width)| match column {
                        0 => "-".repeat(width + 2),
                        _ => format!("{}:", "-".repeat(width + 1)),
                    })
                    .collect();
                writeln!(formatter, "|{}|", rules.join("|"))?;
            }
        }
        Ok(())
    }
}

/// The middle value; of an even number, the upper of the two. 0 of none.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_one_of_markdown_too() {
        let mut table = Table::new(&["case", "ns"]);
        table.add(vec!["a".to_owned(), "1234".to_owned()]);
        assert_eq!(table.to_string(), "| case |   ns |\n|------|-----:|\n| a    | 1234 |\n");
    }

    #[test]
    fn the_median_does_not_depend_on_the_order() {
        assert!((median(vec![9.0, 1.0, 5.0]) - 5.0).abs() < f64::EPSILON);
        assert!(median(Vec::new()).abs() < f64::EPSILON);
    }
}
