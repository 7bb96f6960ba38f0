//! The corpora of the fuzz targets, replayed without a fuzzer: every finding stays found.

use std::fs;

use lab::fuzz::{corpus, replay};

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
