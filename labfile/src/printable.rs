//! Text from outside as people are shown it: names of namespaces, devices and files, and whatever a
//! request said.
//!
//! Whoever prints such a text passes it through here, and only here is decided what is escaped: all
//! that a terminal would obey (control characters), that would change how the rest reads (U+202E
//! and its kind), or that nobody would see (zero width, other blanks). It is what Rust's
//! `str::escape_debug` escapes, less the quotes. Programs are told the same text as it is, in
//! JSON's and TOML's own escapes.

use std::borrow::Cow;
use std::path::Path;

use serde::Serialize;
use toml::Value;

/// The text on one line: as a cell, a name or a log line.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden, |c, out| out.extend(c.escape_default()))
}

/// The text with its own line breaks: as a whole listing, or several sentences.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && is_hidden(c), |c, out| out.extend(c.escape_default()))
}

/// A file's name on one line.
pub fn path(path: &Path) -> String {
    line(&path.to_string_lossy()).into_owned()
}

/// The same JSON, where what is escaped outside of JSON is escaped in JSON's way.
pub fn json(text: &str) -> Cow<'_, str> {
    let escape = |c: char, out: &mut String| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            *out += &format!("\\u{unit:04x}");
        }
    };
    // Between values there may be line breaks; in a text they are escaped already.
    escaped(text, |c| c != '\n' && is_hidden(c), escape)
}

/// A value as TOML, where what is escaped outside of TOML is escaped in TOML's way.
pub fn toml(value: &impl Serialize) -> Result<String, toml::ser::Error> {
    let text = toml::to_string(value)?;
    if let Cow::Borrowed(_) = lines(&text) {
        return Ok(text);
    }
    let marked = toml::to_string(&marked(Value::try_from(value)?))?;
    let mut parts = marked.split("\\u0001");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, rest) = part.split_once(';').unwrap_or((part, ""));
        text += &format!("\\U{number:0>8}{rest}");
    }
    Ok(text)
}

/// The same value with every hidden character as a [`mark`].
fn marked(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(mark(&text).into_owned()),
        Value::Array(list) => Value::Array(list.into_iter().map(marked).collect()),
        Value::Table(table) => {
            let entry = |(key, value): (String, Value)| (mark(&key).into_owned(), marked(value));
            Value::Table(table.into_iter().map(entry).collect())
        }
        other @ (Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_)) => {
            other
        }
    }
}

/// Characters as U+0001, their number and a semicolon: a control character has TOML's writer quote
/// the text so that escapes hold in it.
fn mark(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden, |c, out| *out += &format!("\u{1}{:X};", u32::from(c)))
}

fn escaped(
    text: &str,
    is_bad: impl Fn(char) -> bool,
    escape: impl Fn(char, &mut String),
) -> Cow<'_, str> {
    if !text.contains(&is_bad) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_bad(c) { escape(c, &mut shown) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// Whether a character is obeyed, or not seen.
fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    // Combining characters are escaped at the start of a text only: there is nothing ahead of them
    // to stand on.
    let mut bytes = [0; 5];
    bytes[0] = b'a';
    let length = c.encode_utf8(&mut bytes[1..]).len();
    let text = std::str::from_utf8(&bytes[..=length]).unwrap_or_default();
    text.escape_debug().count() != 2
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What no terminal is to be given, by kind.
    const HIDDEN: [char; 16] = [
        '\u{7}',
        '\u{8}',
        '\r',
        '\t',
        '\u{1b}',
        '\u{7f}',
        '\u{9b}',
        '\u{ad}',
        '\u{200b}',
        '\u{200e}',
        '\u{202e}',
        '\u{2028}',
        '\u{2066}',
        '\u{feff}',
        '\u{a0}',
        '\u{e0001}',
    ];

    #[test]
    fn what_a_terminal_obeys_or_hides_is_escaped() {
        for c in HIDDEN {
            let text = format!("a{c}b");
            for shown in [line(&text), lines(&text)] {
                assert_eq!(shown, format!("a{}b", c.escape_default()));
            }
        }
        assert_eq!(line("a\nb\u{1b}[2J"), "a\\nb\\u{1b}[2J");
        assert_eq!(lines("a\nb\u{1b}[2J"), "a\nb\\u{1b}[2J");
        assert_eq!(path(Path::new("/tmp/a\nb\u{202e}")), "/tmp/a\\nb\\u{202e}");
    }

    #[test]
    fn what_can_be_read_stays_as_it_is() {
        for text in ["", "red", "naïve \"quoted\" \\ 'x'", "é e\u{301}", "日本語", "हिन्दी", "🦀"]
        {
            assert!(matches!(line(text), Cow::Borrowed(same) if same == text), "{text}");
            assert!(matches!(json(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn json_stays_the_same_json() {
        for c in HIDDEN {
            let value = serde_json::json!({ "a": [format!("x{c}y")] });
            let text = serde_json::to_string_pretty(&value).unwrap();
            let shown = json(&text);
            assert!(shown.chars().all(|c| c == '\n' || !is_hidden(c)), "{shown}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
    }

    #[test]
    fn toml_stays_the_same_toml() {
        for c in HIDDEN.into_iter().chain(['\u{1}', '\n', ';', 'x']) {
            for text in [format!("a{c}b"), format!("{c}"), format!("\"{c}'\\\n'''\"\"\"")] {
                let table = toml::Table::from_iter([(text.clone(), Value::String(text))]);
                let value = Value::Table(table);
                let shown = toml(&value).unwrap();
                assert!(shown.chars().all(|c| c == '\n' || !is_hidden(c)), "{shown}");
                let again: toml::Table = shown.parse().unwrap();
                assert_eq!(Value::Table(again), value, "{shown}");
            }
        }
    }
}
