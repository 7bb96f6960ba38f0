//! Bytes from outside: whatever they are, the answer is a lab or a sentence.

use std::ops::Range;

use proptest::prelude::*;

use super::examples::EXAMPLES;
use crate::fuzz::judge;
use crate::{Lab, LabSpec};

/// A file that uses every key, so that a mutation can hit any of them.
const EVERY_KEY: &str = include_str!("every_key.toml");

#[test]
fn the_file_with_every_key_is_a_lab() {
    let lab = super::lab(EVERY_KEY);
    assert_eq!(lab.interfaces().len(), 3);
}

proptest! {
    #[test]
    fn random_bytes_are_refused_in_words(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        judge(&bytes);
    }

    #[test]
    fn random_words_of_a_lab_file_are_judged(text in "([\\[\\]=\"., 0-9/a\n-]|port|tunnel|vni|remotes|bridge|br0|netns|router|route|to|via|true|10\\.0\\.0\\.1/24){0,60}") {
        judge(text.as_bytes());
    }

    #[test]
    fn a_mutated_file_is_judged(
        which in 0..EXAMPLES.len() + 1,
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, replacement()), 1..5),
    ) {
        let text = EXAMPLES.get(which).map_or(EVERY_KEY, |(_, text)| text);
        let mut bytes = text.as_bytes().to_vec();
        for (at, length, new) in cuts {
            let start = at.index(bytes.len() + 1);
            let end = (start + length).min(bytes.len());
            bytes.splice(Range { start, end }, new);
        }
        judge(&bytes);
    }

    #[test]
    fn a_file_with_lines_missing_or_moved_is_judged(
        which in 0..EXAMPLES.len() + 1,
        moves in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>()), 1..6),
    ) {
        let text = EXAMPLES.get(which).map_or(EVERY_KEY, |(_, text)| text);
        let mut lines: Vec<&str> = text.lines().collect();
        for (from, to, keep) in moves {
            let line = lines.remove(from.index(lines.len()));
            if keep {
                lines.insert(to.index(lines.len() + 1), line);
            }
            lines.push("");
        }
        judge(lines.join("\n").as_bytes());
    }

    #[test]
    fn a_random_request_is_judged(text in "\\{(\"(port|bridge|tunnel|route|switch)\":(\\{\"a\":\\{\\}\\}|\\[\\{\\}\\]|\\{\\}|7),?)*\\}") {
        if let Ok(spec) = serde_json::from_str::<LabSpec>(&text)
            && let Err(error) = Lab::try_from(&spec)
        {
            assert!(!error.to_string().starts_with("lab.toml"));
        }
    }
}

fn replacement() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(WORDS).prop_map(|word| word.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ]
}

const WORDS: &[&str] =
    &["", "\"", "[", "]]", "0", "4095", "-1", "99999999999999999999", "/0", "/33", "\n", "=", "é"];
