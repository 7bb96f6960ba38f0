//! The corpora of `labfile`, `api` and `capture`, replayed without a fuzzer: every finding stays found.

use std::fs;
use std::path::{Path, PathBuf};

use super::seeds::requests;
use super::{api, capture, labfile};

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
}

fn replay(target: &str, body: impl Fn(&[u8])) {
    let folder = corpus(target);
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 10, "only {} inputs in {}", files.len(), folder.display());
    for file in files {
        eprintln!("{}", file.display());
        body(&fs::read(file).unwrap());
    }
}

#[test]
fn the_corpus_of_lab_files_holds() {
    replay("labfile", labfile);
}

#[test]
fn the_corpus_of_requests_holds() {
    replay("api", api);
}

#[test]
fn the_corpus_of_captures_holds() {
    replay("capture", capture);
}

#[test]
fn the_requests_are_in_the_corpus() {
    for (name, bytes) in requests() {
        assert!(fs::read(corpus("api").join(&name)).unwrap() == bytes, "{name}");
    }
}
