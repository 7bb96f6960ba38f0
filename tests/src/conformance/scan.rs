//! Finding tests and the requirements that they name: doc lines with IDs, then `#[test]`, then the
//! function.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::Tests;

/// Folders of the workspace that have tests.
const CRATES: [&str; 14] = [
    "packet", "nat", "vxlan", "switch", "os", "labfile", "control", "client", "offline", "compare",
    "daemon", "demo", "cli", "tests",
];
/// How an ID begins, ahead of its number.
const KINDS: [&str; 10] = ["NU", "NT", "NI", "NC", "VX", "RT", "AR", "BR", "OF", "MS"];

pub(super) fn tests(root: &Path) -> Tests {
    let mut tests = Tests::new();
    for folder in CRATES {
        let mut files = Vec::new();
        rust_files(&root.join(folder), &mut files);
        files.sort();
        for file in files {
            let text = fs::read_to_string(&file)
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let place = place(root, &file);
            for (id, name) in in_text(&text) {
                tests.entry(id).or_default().push(format!("{place}::{name}"));
            }
        }
    }
    tests
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// `sim::tunnels` for tests/sim/tunnels.rs, `nat::tcp` for nat/src/tcp.rs.
fn place(root: &Path, file: &Path) -> String {
    let inside = file.strip_prefix(root).unwrap_or(file).with_extension("");
    let parts = inside.iter().map(|part| part.to_string_lossy().into_owned());
    let parts: Vec<String> = parts
        .filter(|part| !["src", "tests", "mod", "main", "lib"].contains(&part.as_str()))
        .collect();
    parts.join("::")
}

/// Every ID with the test that names it, in the order of the text.
fn in_text(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut ids: BTreeSet<String> = BTreeSet::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        if let Some(doc) = line.strip_prefix("///") {
            ids.extend(ids_of(doc));
        } else if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        } else if let Some(name) = function(line) {
            if is_test {
                found.extend(ids.iter().map(|id| (id.clone(), name.to_owned())));
            }
            ids.clear();
            is_test = false;
        } else if !line.is_empty() && !line.starts_with("//") {
            ids.clear();
            is_test = false;
        }
    }
    found
}

fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    let (name, _) = line.strip_prefix("fn ")?.split_once(['(', '<'])?;
    Some(name)
}

fn ids_of(doc: &str) -> impl Iterator<Item = String> + '_ {
    doc.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| is_id(word)).map(str::to_owned)
}

fn is_id(word: &str) -> bool {
    let number =
        |kind: &&str| word.strip_prefix(kind).is_some_and(|rest| rest.parse::<u8>().is_ok());
    KINDS.iter().any(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_belongs_to_every_id_of_its_doc_line() {
        let text = "/// NU1, VX12: why.\n#[test]\nfn first() {}\n\n/// NU2\nfn helper() {}\n\n\
                    /// AR1.\n    #[tokio::test(flavor = \"x\")]\n    async fn second() {}\n/// BR1\nconst X: u8 = 1;\n#[test]\nfn third() {}\n";
        let found = in_text(text);
        let found: Vec<(&str, &str)> =
            found.iter().map(|(id, name)| (&id[..], &name[..])).collect();
        assert_eq!(found, [("NU1", "first"), ("VX12", "first"), ("AR1", "second")]);
    }

    #[test]
    fn words_that_only_look_like_ids_are_none() {
        for word in ["VXLAN", "RT", "NU", "BR0x", "AR999", "MTU1"] {
            assert!(!is_id(word), "{word}");
        }
        assert!(is_id("NU15"));
    }
}
