//! Listings for people: columns that fit 80 characters where their content allows, without frames.

use comfy_table::{CellAlignment, Table, presets};
use labfile::printable;

pub(crate) mod compare;
pub(crate) mod counters;
pub(crate) mod explain;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod tables;
pub(crate) mod tree;

/// How a column stands.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(crate) enum Column {
    /// Text, to the left.
    Text(&'static str),
    /// Numbers, to the right.
    Number(&'static str),
}

impl Column {
    const fn title(self) -> &'static str {
        match self {
            Self::Text(title) | Self::Number(title) => title,
        }
    }
}

/// Rows under their titles, two spaces apart, or one where two would not fit the screen.
pub(crate) fn table(columns: &[Column], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(columns.iter().map(|column| column.title()));
    let shown = |cell: String| printable::line(&cell).into_owned();
    table.add_rows(rows.into_iter().map(|row| row.into_iter().map(shown)));
    let wide = spaced(&mut table, columns, 2);
    if wide.lines().all(|line| line.chars().count() <= SCREEN) {
        return wide;
    }
    spaced(&mut table, columns, 1)
}

fn spaced(table: &mut Table, columns: &[Column], gap: u16) -> String {
    for (column, style) in table.column_iter_mut().zip(columns) {
        column.set_padding((0, gap));
        if let Column::Number(_) = style {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// A text behind `head`, in lines that fit a screen and all begin `indent` to the right.
pub(crate) fn folded(head: &str, indent: usize, text: &str) -> String {
    let room = SCREEN.saturating_sub(indent);
    let lines = broken(text, room, room).into_iter().enumerate();
    let lines = lines.map(|(at, line)| {
        let head = if at == 0 { head } else { "" };
        format!("{head:<indent$}{line}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A text broken at its blanks; a word that does not fit a line, also at its commas. The first line
/// has `first` characters at most, the others `other`.
fn broken(text: &str, first: usize, other: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let words = text.split(' ').filter(|word| !word.is_empty());
    for (glue, part) in words.flat_map(|word| {
        word.split_inclusive(',')
            .enumerate()
            .map(|(at, part)| (if at == 0 { " " } else { "" }, part))
    }) {
        let room = if lines.len() == 1 { first } else { other };
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(part),
            Some(line) if line.chars().count() + glue.len() + part.chars().count() <= room => {
                line.push_str(glue);
                line.push_str(part);
            }
            _ => lines.push(part.to_owned()),
        }
    }
    lines
}

/// A hyphen for what is not there.
pub(crate) fn or_none(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Texts between commas; a hyphen for none.
pub(crate) fn list(texts: &[String]) -> String {
    if texts.is_empty() { "-".to_owned() } else { texts.join(",") }
}

/// Characters of a line that fit every screen.
const SCREEN: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_two_spaces_apart() {
        let columns = [Column::Text("port"), Column::Number("frames"), Column::Text("state")];
        let rows = vec![
            vec!["red".into(), "7".into(), "up".into()],
            vec!["longer".into(), "1234567".into(), "lost".into()],
        ];
        assert_eq!(
            table(&columns, rows),
            "port     frames  state\nred           7  up\nlonger  1234567  lost"
        );
    }

    #[test]
    fn a_wide_table_stands_closer() {
        let columns = [Column::Text("a"), Column::Text("b")];
        let rows = vec![vec!["x".repeat(40), "y".repeat(39)]];
        assert_eq!(table(&columns, rows).lines().map(str::len).max(), Some(80));
    }
}
