//! From bytes to what was written: UTF-8, TOML, known keys, the right types, each with its own
//! sentence.

use std::ops::Range;

use serde::Deserialize;
use toml::de::DeTable;

use super::keys;
use super::place::{Lines, Place, Tree};
use super::problem::{Fault, Position, Problem, quoted};
use super::spec::LabSpec;

/// What the file says, and where. Stops at the first kind of fault, which may be several unknown
/// keys.
pub(super) fn read(bytes: &[u8]) -> Result<(LabSpec, Tree<'_>), Vec<Problem>> {
    if bytes.len() > MAX_BYTES {
        let fault = Fault::new(
            format!("the file has {} bytes and the limit is {MAX_BYTES}", bytes.len()),
            "split the lab over several switches",
        );
        return Err(vec![start_of_file(fault)]);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| vec![not_utf8(bytes, error)])?;
    let root = DeTable::parse(text).map_err(|error| vec![not_toml(text, &error)])?;
    let tree = Tree::new(text, root);
    let unknown = keys::unknown(&tree);
    if !unknown.is_empty() {
        return Err(unknown);
    }
    match LabSpec::deserialize(toml::de::Deserializer::from(tree.root().clone())) {
        Ok(spec) => Ok((spec, tree)),
        Err(error) => Err(vec![wrong_type(&tree, &error)]),
    }
}

/// Nothing but blanks, comments and empty tables.
pub(super) fn nothing() -> Problem {
    let fault =
        Fault::new(NOTHING, "write what the lab has, or `empty = true` if it shall have nothing");
    start_of_file(fault)
}

fn start_of_file(fault: Fault) -> Problem {
    Problem::new(Place::root(), fault).at(Position { line: 1, column: 1 })
}

fn not_utf8(bytes: &[u8], error: std::str::Utf8Error) -> Problem {
    let good = error.valid_up_to();
    let before = bytes.get(..good).unwrap_or_default();
    let position = match std::str::from_utf8(before) {
        Ok(text) => Lines::new(text).position(good),
        Err(_) => Position { line: 1, column: 1 },
    };
    let byte = bytes.get(good).copied().unwrap_or_default();
    let fault =
        Fault::new(format!("byte 0x{byte:02x} is not UTF-8"), "save the file as UTF-8 text");
    Problem::new(Place::root(), fault).at(position)
}

fn not_toml(text: &str, error: &toml::de::Error) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let fault = syntax_fault(text, error.message(), span.clone());
    Problem::new(Place::root(), fault).at(Lines::new(text).position(span.start))
}

fn syntax_fault(text: &str, message: &str, span: Range<usize>) -> Fault {
    let found = quoted(text.get(span).unwrap_or_default().trim());
    match message {
        "duplicate key" => Fault::new(
            format!("{found} is written twice"),
            "keep one of the two, or give it another name",
        ),
        _ if message.starts_with("string values must be quoted") => Fault::new(
            format!("{found} is a text without quotes"),
            format!("write \"{}\"", found.trim_matches('"')),
        ),
        _ => Fault::new(
            format!("this is not TOML: {message}"),
            r#"write `key = "text"`, `key = 7`, `key = true` or `[table]`, one a line"#,
        ),
    }
}

/// Turns serde's words, `invalid type: string "x", expected i64`, into a sentence about the key.
fn wrong_type(tree: &Tree<'_>, error: &toml::de::Error) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let place = tree.place_of(&span).unwrap_or_default();
    let fault = match error.message().split_once(", expected ") {
        Some((found, expected)) => {
            let found = found.trim_start_matches("invalid type: ");
            let found = found.trim_start_matches("invalid value: ");
            let key = place.last_key().unwrap_or("the value");
            Fault::new(format!("`{key}` is {}", found_in_words(found)), remedy(key, expected))
        }
        None => Fault::new(
            format!("this value cannot be read: {}", quoted(error.message())),
            "compare it with the examples",
        ),
    };
    Problem::new(place, fault).at(tree.position(span.start))
}

fn found_in_words(found: &str) -> String {
    let short: String = found.chars().take(80).collect();
    match short.as_str() {
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        other if other.starts_with("integer") => format!("an {other}"),
        other => format!("a {other}"),
    }
}

fn remedy(key: &str, expected: &str) -> String {
    match expected {
        "i64" => format!("write {key} = NUMBER, a whole number without quotes"),
        "a boolean" => format!("write {key} = true or {key} = false"),
        "a string" => format!("write {key} = \"...\", a text between quotes"),
        "a sequence" if LISTS_OF_TABLES.contains(&key) => format!("write [[{key}]]"),
        "a sequence" => format!("write {key} = [...], a list"),
        "a map" => format!("write [{key}.NAME], a table for each"),
        _ if expected.starts_with("struct ") => format!("write [{key}], a table"),
        other => format!("write {other}"),
    }
}

/// What is wrong with a lab that says nothing.
const NOTHING: &str = "nothing is written here, and that is not taken for the empty lab";

const LISTS_OF_TABLES: [&str; 4] = ["route", "masquerade", "publish", "static"];

/// Largest lab file: 4,096 ports with every key written take half of it; parsing costs about ten
/// times its size.
pub const MAX_BYTES: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(text: &[u8]) -> String {
        let problems = read(text).err().expect("the text should be refused");
        let lines: Vec<String> = problems
            .iter()
            .map(|problem| {
                let at = problem.position.expect("a file has positions");
                format!("{}:{}: {problem}", at.line, at.column)
            })
            .collect();
        lines.join("\n")
    }

    #[test]
    fn bytes_that_are_not_utf8_are_named() {
        assert_eq!(
            sentence(b"# caf\xc3\xa9\n# \xff\n"),
            "2:3: byte 0xff is not UTF-8; save the file as UTF-8 text"
        );
    }

    #[test]
    fn a_file_of_many_megabytes_is_refused() {
        assert_eq!(
            sentence(&vec![b'\n'; MAX_BYTES + 1]),
            "1:1: the file has 4194305 bytes and the limit is 4194304; split the lab over several \
             switches"
        );
    }

    #[test]
    fn a_name_written_twice_is_named() {
        assert_eq!(
            sentence(b"[port.red]\nmtu = 1\n[port.red]\n"),
            "3:7: \"red\" is written twice; keep one of the two, or give it another name"
        );
        assert_eq!(
            sentence(b"[port.red]\nmtu = 1\nmtu = 2\n"),
            "3:1: \"mtu\" is written twice; keep one of the two, or give it another name"
        );
    }

    #[test]
    fn text_without_quotes_is_named() {
        assert_eq!(
            sentence(b"[port.red]\nbridge = br0\n"),
            "2:10: \"br0\" is a text without quotes; write \"br0\""
        );
    }

    #[test]
    fn what_is_not_toml_is_said_with_the_parser_s_words() {
        let text = sentence(b"[port.red\nmtu = 1\n");
        assert!(text.starts_with("1:10: this is not TOML: unclosed table"), "{text}");
    }

    #[test]
    fn wrong_types_say_what_to_write() {
        let cases: [(&str, &str); 9] = [
            (
                "[port.red]\nmtu = \"big\"",
                "2:7: port \"red\": `mtu` is a string \"big\"; write mtu = NUMBER, a whole number \
                 without quotes",
            ),
            (
                "[port.red]\nmtu = 1.5",
                "2:7: port \"red\": `mtu` is a floating point `1.5`; write mtu = NUMBER, a whole \
                 number without quotes",
            ),
            (
                "[port.red]\nhost = \"yes\"",
                "2:8: port \"red\": `host` is a string \"yes\"; write host = true or host = false",
            ),
            (
                "[port.red]\nnetns = 7",
                "2:9: port \"red\": `netns` is an integer `7`; write netns = \"...\", a text \
                 between quotes",
            ),
            (
                "[port.red]\naddress = 7",
                "2:11: port \"red\": `address` is an integer `7`; write a string or a list of \
                 strings",
            ),
            (
                "[port.red]\ngateway = 7",
                "2:11: port \"red\": `gateway` is an integer `7`; write a string, true or false",
            ),
            ("[route]\nto = \"default\"", "1:1: `route` is a table; write [[route]]"),
            ("port = 7", "1:8: `port` is an integer `7`; write [port.NAME], a table for each"),
            (
                "switch = true",
                "1:10: switch: `switch` is a boolean `true`; write [switch], a table",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(sentence(text.as_bytes()), expected);
        }
    }
}
