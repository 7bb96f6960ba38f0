//! Random lives of random towns and of NAT alone, each step as naive tables predict it: the fuzz
//! targets `network` and `nat` without a fuzzer.

use lab::fuzz;
use lab::rng::Rng;

/// Lives in one test; a life has about sixty steps. More of them: `fuzz/run network`.
const LIVES: u64 = 150;

/// The bytes of one life.
pub(crate) fn life(seed: u64) -> Vec<u8> {
    Rng::new(seed).bytes(1500)
}

fn lives(body: impl Fn(&[u8])) {
    for seed in 0..LIVES {
        eprintln!("life {seed}");
        body(&life(seed));
    }
}

/// BR1 to BR5, BR7 to BR12, RT2, RT9, AR1, AR3.
#[test]
fn random_lives_of_random_towns_go_as_predicted() {
    lives(fuzz::network);
}

/// NU1, NU3, NU4, NU5, NU9, NU10, NC1, NC2, NC3, NC4.
#[test]
fn random_lives_of_nat_go_as_predicted() {
    lives(fuzz::nat);
}
