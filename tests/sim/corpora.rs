//! The corpora of the fuzz targets, replayed without a fuzzer: every finding stays found.

use std::fs;
use std::path::{Path, PathBuf};

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
}

fn inputs(target: &str) -> Vec<PathBuf> {
    let folder = corpus(target);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 10, "only {} inputs in {}", files.len(), folder.display());
    files
}

fn replay(target: &str, body: impl Fn(&[u8])) {
    for input in inputs(target) {
        eprintln!("{}", input.display());
        body(&fs::read(input).unwrap());
    }
}

#[test]
fn the_corpora_hold_the_seeds() {
    for (target, name, bytes) in lab::fuzz::seeds() {
        assert!(fs::read(corpus(target).join(name)).unwrap() == bytes, "{target}/{name}");
    }
}

#[test]
fn the_corpus_of_datagrams_holds() {
    replay("datagram", lab::fuzz::datagram);
}

#[test]
fn the_corpus_of_frames_holds() {
    replay("frame", lab::fuzz::frame);
}

#[test]
fn the_corpus_of_networks_holds() {
    replay("network", lab::fuzz::network);
}

#[test]
fn the_corpus_of_nat_holds() {
    replay("nat", lab::fuzz::nat);
}

#[test]
fn the_corpus_of_virtio_headers_holds() {
    replay("virtio", lab::fuzz::virtio);
}
