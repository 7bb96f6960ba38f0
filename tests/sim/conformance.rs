//! The conformance page and the tests say the same.

use std::fs;
use std::path::Path;

use lab::conformance::{faults, page, tests};

#[test]
fn every_settled_requirement_has_a_test_and_the_page_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let tests = tests(root);
    assert_eq!(faults(&tests), [""; 0]);
    let written = fs::read_to_string(root.join("docs/conformance.md")).unwrap();
    assert!(
        written == page(&tests),
        "docs/conformance.md is out of date: cargo run -p tapswitch-tests --bin conformance"
    );
}
