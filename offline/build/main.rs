//! Derives the number of the record's format from the types that are written into one, so that
//! nobody has to raise it.

use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};

mod form;

/// Where all types of a record are declared.
const SOURCES: [&str; 9] = [
    "../packet/src",
    "../nat/src",
    "../vxlan/src",
    "../switch/src",
    "src/record",
    "src/listing/counts.rs",
    "src/listing/rows.rs",
    "../labfile/src/ids.rs",
    "../labfile/src/lab/name.rs",
];

fn main() -> Result<()> {
    let mut items = Vec::new();
    for source in SOURCES {
        println!("cargo:rerun-if-changed={source}");
        for file in files(Path::new(source))? {
            items.extend(form::items(&fs::read_to_string(file)?));
        }
    }
    println!("cargo:rustc-env=RECORD_FORMAT={}", form::number(items));
    Ok(())
}

/// The Rust files at or below a path.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?.path();
        if entry.is_dir() || entry.extension().is_some_and(|ending| ending == "rs") {
            found.extend(files(&entry)?);
        }
    }
    Ok(found)
}
