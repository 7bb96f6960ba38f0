//! `docs/beside-the-kernel.md`: what is compared, and what differs on purpose, for people.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::cases::{self, GROUPS};
use super::catalogue::CATALOGUE;

/// The page as it should be.
fn page() -> String {
    let mut page = HEAD.to_owned();
    let count: usize = cases::all().count();
    let _ = writeln!(page, "## What is compared\n\n{count} cases:\n");
    for (title, _, cases) in GROUPS {
        let names: Vec<String> = cases().iter().map(|case| case.name.to_owned()).collect();
        let _ = writeln!(page, "- **{title}**: {}", names.join("; "));
    }
    let _ = writeln!(
        page,
        "\n## What differs on purpose\n\n| | this switch | the kernel | why | where |\n|---|---|---|---|---|"
    );
    for entry in CATALOGUE {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            entry.name,
            entry.ours,
            entry.kernel,
            entry.why,
            entry.cases.join("; ")
        );
    }
    page
}

#[test]
fn the_page_says_what_the_catalogue_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/beside-the-kernel.md");
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("beside-the-kernel.md");
    fs::write(&made, page()).unwrap();
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page(),
        "{} is not as it should be: copy {}",
        path.display(),
        made.display()
    );
}

#[test]
fn every_entry_has_a_name_of_its_own_and_shows_in_cases_that_there_are() {
    for (at, entry) in CATALOGUE.iter().enumerate() {
        assert!(CATALOGUE[at + 1..].iter().all(|other| other.name != entry.name), "{}", entry.name);
        assert!(!entry.cases.is_empty(), "{}", entry.name);
        for name in entry.cases {
            let found = cases::all().filter(|case| case.name == *name).count();
            assert_eq!(found, 1, "{}: {name}", entry.name);
        }
    }
}

#[test]
fn every_case_has_a_name_of_its_own() {
    let mut names: Vec<&str> = cases::all().map(|case| case.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

const HEAD: &str = "# Beside the kernel

The same packets, byte by byte, go through this switch and through a network namespace that routes and translates with
`ip_forward` and nftables: two inside hosts on a bridge, two outsides (one with an MTU of 600), the same addresses on every
layer, `timers = \"linux\"` and `mapping = \"address-and-port-dependent\"`. Every packet that leaves on any wire is compared
in every field, with its order, the verdict on each checksum, and what ICMP errors quote; behind each case so are the
translated flows, with their states and times. Not compared are ARP, the identification of ICMP messages that a router
makes itself, and which port is chosen where it cannot be kept (only its class, below 1024 or not; the kernel also keeps
those under 512 together). Redirects, the reverse-path filter and the kernel's limit on ICMP errors are off.

`cargo test -p tapswitch-tests --test root beside_kernel` plays it, as root and with nftables and iproute2; a difference
that is not below fails it and is printed field by field, and so does one below that no longer shows. The same tests hold
this page in agreement with `tests/root/beside_kernel`.

";
