//! Tests of the tests: a planted fault is found by those who are there to find it, and is what they
//! find. A wrong rule of learning is planted in `daemon/tests/compare.rs`.

use lab::fault::{Fault, finds};
use lab::fuzz;

use crate::network::life;

/// The first life in which the fuzz target `network` finds a fault; without the fault it must find
/// nothing.
fn first_life(fault: Fault) -> u64 {
    let found = (0..200).find(|seed| finds(fault, || fuzz::network(&life(*seed))));
    let seed = found.unwrap_or_else(|| panic!("{fault:?} is not found in 200 lives"));
    fuzz::network(&life(seed));
    seed
}

#[test]
fn a_wrong_checksum_is_found_by_the_fuzz_target() {
    first_life(Fault::WrongChecksum);
}

#[test]
fn a_hop_that_is_not_counted_is_found_by_the_fuzz_target() {
    first_life(Fault::KeptTtl);
}

#[test]
fn a_skipped_exception_is_found_by_the_test_of_its_requirement() {
    let test = crate::masquerade::excepted_destinations_see_the_inside_address;
    assert!(finds(Fault::NoExceptions, test));
    test();
}

#[test]
fn a_skipped_exception_is_found_by_the_fuzz_target() {
    first_life(Fault::NoExceptions);
}
