//! Corpora, replayed without a fuzzer: every finding stays found.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of a target's inputs.
pub fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
}

/// Runs a target's body on each of its inputs.
pub fn replay(target: &str, body: impl Fn(&[u8])) {
    let folder = corpus(target);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 10, "only {} inputs in {}", files.len(), folder.display());
    for file in files {
        eprintln!("{}", file.display());
        body(&fs::read(file).unwrap());
    }
}
