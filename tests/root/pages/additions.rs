//! "How to add" of ARCHITECTURE.md: a list is right when its files are those that name its example.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::page::{Page, root};

/// A heading, the example that the text below it gives, and the crates in which the list is whole.
const LISTS: [(&str, &str, &[&str]); 4] = [
    ("A key of a port", "guard", &["labfile", "control", "client", "daemon", "cli", "demo"]),
    ("A drop reason", "TaggedOnAccess", &PRODUCT),
    ("A port kind", "Veth", &["labfile", "control", "client", "offline", "daemon", "cli", "demo"]),
    ("A verb", "flush_stations", &PRODUCT),
];

const PRODUCT: [&str; 13] = [
    "packet", "nat", "vxlan", "switch", "os", "labfile", "control", "client", "offline", "compare",
    "daemon", "demo", "cli",
];

#[test]
fn the_files_to_touch_are_those_that_name_the_example() {
    let page = Page::read("ARCHITECTURE.md");
    for (heading, example, crates) in LISTS {
        let (listed, text) = list(&page, heading);
        assert!(text.contains(&format!("`{example}`")), "{heading}: no example `{example}`");
        let mut naming = BTreeSet::new();
        for name in crates {
            find(&root().join(name).join("src"), example, &mut naming);
        }
        assert_eq!(listed, naming, "{heading}: ARCHITECTURE.md, and the files that name {example}");
    }
}

#[test]
fn a_word_counts_in_code_alone() {
    let text = "let guards = 1; // guard\nlet a = \"guard\";\n#[cfg(test)]\nmod tests { guard }";
    assert!(!names(text, "guard"));
    assert!(names("let a = b.guard; // \"", "guard"));
}

/// The files of the list below a heading, and all text there.
fn list(page: &Page, heading: &str) -> (BTreeSet<String>, String) {
    let below = page.text.split_once(&format!("\n### {heading}\n"));
    let (_, below) = below.unwrap_or_else(|| panic!("ARCHITECTURE.md has no {heading:?}"));
    let text = below.split("\n#").next().unwrap_or_default().to_owned();
    let items = text.lines().filter_map(|line| line.strip_prefix("- `")?.split('`').next());
    (items.map(str::to_owned).collect(), text)
}

/// Adds the files below `folder` whose code names `word`, tests apart.
fn find(folder: &Path, word: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_stem().is_some_and(|name| name == "tests") {
            continue;
        }
        if path.is_dir() {
            find(&path, word, found);
        } else if names(&fs::read_to_string(&path).unwrap_or_default(), word) {
            found.insert(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    }
}

/// Whether a file's code has `word`, outside of comments, texts and the tests at its end.
fn names(text: &str, word: &str) -> bool {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().filter_map(|line| line.split("//").next());
    let is_part = |one: char| one.is_alphanumeric() || one == '_';
    let mut bare = lines.flat_map(|line| line.split('"').step_by(2));
    bare.any(|part| part.split(|one| !is_part(one)).any(|name| name == word))
}
