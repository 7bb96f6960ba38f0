//! Where a value stands in a lab, and from there to a line and a column.
//!
//! The check knows places only (`port.red.gateway`), so it works alike for a file and for a
//! request. For a file, the tree that TOML was parsed into turns a place into a position
//! afterwards.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Position, Problem};

/// A path from the root of the lab; empty for the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place(Vec<Turn>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Key(String),
    Nth(usize),
}

impl Place {
    pub(super) fn root() -> Self {
        Self::default()
    }

    pub(super) fn key(&self, key: &str) -> Self {
        self.with(Turn::Key(key.to_owned()))
    }

    pub(super) fn nth(&self, index: usize) -> Self {
        self.with(Turn::Nth(index))
    }

    fn with(&self, turn: Turn) -> Self {
        let mut turns = self.0.clone();
        turns.push(turn);
        Self(turns)
    }

    pub(super) fn turns(&self) -> &[Turn] {
        &self.0
    }

    /// The last key on the way here.
    pub(super) fn last_key(&self) -> Option<&str> {
        self.0.iter().rev().find_map(Turn::as_key)
    }
}

impl Turn {
    pub(super) fn as_key(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(key),
            Self::Nth(_) => None,
        }
    }
}

/// Whom a sentence is about: `port "red"`, `bridge "br0" VLAN 10`, `masquerade 2`; empty for the
/// whole.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = super::problem::quoted;
        match self.0.as_slice() {
            [Turn::Key(kind), Turn::Key(name), rest @ ..]
                if matches!(kind.as_str(), "bridge" | "port" | "tunnel") =>
            {
                write!(f, "{kind} {}", quoted(name))?;
                match rest {
                    [Turn::Key(key), Turn::Key(vlan), ..] if key == "vlan" => {
                        write!(f, " VLAN {}", quoted(vlan).trim_matches('"'))
                    }
                    [Turn::Key(key), Turn::Nth(index), ..] if key == "static" => {
                        write!(f, " static entry {}", index + 1)
                    }
                    _ => Ok(()),
                }
            }
            [Turn::Key(kind), Turn::Nth(index), ..] => write!(f, "{} {}", kind, index + 1),
            [Turn::Key(kind), ..] if kind == "switch" => f.write_str(kind),
            _ => Ok(()),
        }
    }
}

/// A parsed file, kept for its positions.
pub(crate) struct Tree<'text> {
    root: Spanned<DeTable<'text>>,
    lines: Lines<'text>,
}

impl<'text> Tree<'text> {
    pub(super) fn new(text: &'text str, root: Spanned<DeTable<'text>>) -> Self {
        Self { root, lines: Lines::new(text) }
    }

    pub(super) fn root(&self) -> &Spanned<DeTable<'text>> {
        &self.root
    }

    /// Gives every problem its position, and sorts by it.
    pub(super) fn locate(&self, problems: Vec<Problem>) -> Vec<Problem> {
        let mut located: Vec<_> = problems
            .into_iter()
            .map(|problem| {
                let span = self.span(&problem.place);
                problem.at(self.lines.position(span.start))
            })
            .collect();
        located.sort_by_key(|problem| problem.position);
        located
    }

    /// Where the part at `place` begins, in bytes.
    pub(super) fn offset(&self, place: &Place) -> usize {
        self.span(place).start
    }

    /// The value at `place`, or its key when it is a table, or as much of the way as was written.
    fn span(&self, place: &Place) -> Range<usize> {
        let mut span = 0..0;
        let Some((first, rest)) = place.0.split_first() else {
            return span;
        };
        let Some((key, mut value)) =
            first.as_key().and_then(|key| self.root.get_ref().get_key_value(key))
        else {
            return span;
        };
        span = outline(Some(key.span()), value);
        for turn in rest {
            let next = match (turn, value.get_ref()) {
                (Turn::Key(key), DeValue::Table(table)) => {
                    table.get_key_value(key.as_str()).map(|(key, value)| (Some(key.span()), value))
                }
                (Turn::Nth(index), DeValue::Array(list)) => {
                    list.get(*index).map(|value| (None, value))
                }
                _ => None,
            };
            let Some((key, inner)) = next else {
                return span;
            };
            span = outline(key, inner);
            value = inner;
        }
        span
    }

    /// The place of the value that is written exactly at `span`.
    pub(super) fn place_of(&self, span: &Range<usize>) -> Option<Place> {
        let mut open: Vec<(Place, &Spanned<DeValue<'_>>)> = self
            .root
            .get_ref()
            .iter()
            .map(|(key, value)| (Place::root().key(key.get_ref()), value))
            .collect();
        while let Some((place, value)) = open.pop() {
            if value.span() == *span {
                return Some(place);
            }
            match value.get_ref() {
                DeValue::Table(table) => {
                    open.extend(table.iter().map(|(key, value)| (place.key(key.get_ref()), value)));
                }
                DeValue::Array(list) => {
                    open.extend(
                        list.iter().enumerate().map(|(index, value)| (place.nth(index), value)),
                    );
                }
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_) => {}
            }
        }
        None
    }

    pub(super) fn position(&self, offset: usize) -> Position {
        self.lines.position(offset)
    }
}

fn outline(key: Option<Range<usize>>, value: &Spanned<DeValue<'_>>) -> Range<usize> {
    match key {
        Some(key) if value.get_ref().is_table() => key,
        _ => value.span(),
    }
}

/// The starts of the lines of a text, so that a position costs a search and not a reading.
pub(crate) struct Lines<'text> {
    text: &'text str,
    starts: Vec<usize>,
}

impl<'text> Lines<'text> {
    pub(super) fn new(text: &'text str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    pub(super) fn position(&self, offset: usize) -> Position {
        let offset = offset.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count()) + 1;
        Position { line, column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let lines = Lines::new("a\né = 1\n");
        assert_eq!(lines.position(0), Position { line: 1, column: 1 });
        assert_eq!(lines.position(5), Position { line: 2, column: 3 });
        assert_eq!(lines.position(99), Position { line: 3, column: 1 });
    }

    #[test]
    fn a_place_finds_its_value_and_a_table_its_name() {
        let text = "[port.red]\nmtu = 9\n[[route]]\nto = \"x\"\n[[route]]\nto = \"y\"\n";
        let tree = Tree::new(text, DeTable::parse(text).unwrap());
        let at = |place: Place| tree.position(tree.span(&place).start);
        let port = Place::root().key("port").key("red");
        assert_eq!(at(port.key("mtu")), Position { line: 2, column: 7 });
        assert_eq!(at(port.clone()), Position { line: 1, column: 7 });
        assert_eq!(at(port.key("absent")), Position { line: 1, column: 7 });
        assert_eq!(
            at(Place::root().key("route").nth(1).key("to")),
            Position { line: 6, column: 6 }
        );
    }

    #[test]
    fn a_span_finds_its_place() {
        let text = "[port.red]\nmtu = 9\n";
        let tree = Tree::new(text, DeTable::parse(text).unwrap());
        assert_eq!(tree.place_of(&(17..18)), Some(Place::root().key("port").key("red").key("mtu")));
        assert_eq!(tree.place_of(&(900..901)), None);
    }
}
