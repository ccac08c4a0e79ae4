//! Tables for a terminal.

use std::fmt::Write as _;

/// Lays rows out in columns under their heads. What a terminal would act on is left out.
pub(super) fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let plain = |cell: &str| cell.replace(char::is_control, " ");
    let head: Vec<String> = head.iter().map(|cell| plain(cell)).collect();
    let rows: Vec<Vec<String>> =
        std::iter::once(head).chain(rows.map(|row| row.iter().map(|cell| plain(cell)).collect())).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let wide = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(wide).collect();
    rows.iter().fold(String::new(), |mut text, row| {
        let line = row.iter().zip(&widths).fold(String::new(), |mut line, (cell, width)| {
            let _ = write!(line, "{cell:width$}  ");
            line
        });
        let _ = writeln!(text, "{}", line.trim_end());
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_nothing_reaches_the_terminal() {
        let rows = [vec!["email".to_owned(), "é\u{1b}[31m".to_owned()], vec!["a".to_owned(), String::new()]];
        assert_eq!(table(&["queue", "b"], rows.into_iter()), "queue  b\nemail  é [31m\na\n");
    }
}
