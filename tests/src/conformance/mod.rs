//! The conformance page: every requirement of the checklist, whether it holds, and the tests that
//! say so.
//!
//! # Theory of operation
//! The [`catalogue`] is written by hand: an ID, the requirement in a sentence, and a verdict. The
//! tests are found by reading the sources: a test belongs to every ID that its doc line names.
//! [`page`] joins the two into `docs/conformance.md`, and a test compares that file with what would
//! be written now, so page, catalogue and tests cannot drift apart. A requirement that holds, or
//! differs on purpose, without a test to show it is a fault.

pub mod catalogue;
mod scan;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use catalogue::{SECTIONS, Verdict};

/// The tests of each requirement: `crate::file::name`, in order.
pub type Tests = BTreeMap<String, Vec<String>>;

/// Reads the tests out of the workspace at `root`.
///
/// # Panics
/// When a source file cannot be read.
pub fn tests(root: &Path) -> Tests {
    scan::tests(root)
}

/// What is wrong with catalogue and tests together, a sentence each.
pub fn faults(tests: &Tests) -> Vec<String> {
    let mut faults = Vec::new();
    let rows = || SECTIONS.iter().flat_map(|section| section.rows);
    for row in rows() {
        let shown = tests.contains_key(row.id);
        match row.verdict {
            Verdict::Holds | Verdict::Differs(_) if !shown => {
                faults.push(format!("{} is said to be settled, and no test names it", row.id));
            }
            Verdict::Holds | Verdict::Differs(_) | Verdict::Without(_) | Verdict::NotYet(_) => {}
        }
    }
    for id in tests.keys().filter(|id| !rows().any(|row| row.id == id.as_str())) {
        faults.push(format!("tests name {id}, which is in no section"));
    }
    faults
}

/// The page.
pub fn page(tests: &Tests) -> String {
    let mut page = String::from(HEAD);
    let rows = || SECTIONS.iter().flat_map(|section| section.rows);
    let count = |is: fn(&Verdict) -> bool| rows().filter(|row| is(&row.verdict)).count();
    let _ = writeln!(
        page,
        "{} requirements: {} hold, {} differ on purpose, {} are about what does not exist here, {} are not there yet.",
        rows().count(),
        count(|verdict| matches!(verdict, Verdict::Holds)),
        count(|verdict| matches!(verdict, Verdict::Differs(_))),
        count(|verdict| matches!(verdict, Verdict::Without(_))),
        count(|verdict| matches!(verdict, Verdict::NotYet(_))),
    );
    for section in SECTIONS {
        let _ = write!(
            page,
            "\n## {}\n\n| ID | requirement | | tests |\n|---|---|---|---|\n",
            section.title
        );
        for row in section.rows {
            let verdict = match row.verdict {
                Verdict::Holds => "holds".to_owned(),
                Verdict::Differs(why) => format!("differs on purpose: {why}"),
                Verdict::Without(why) => format!("differs on purpose: {why}"),
                Verdict::NotYet(why) => format!("not yet: {why}"),
            };
            let names = tests.get(row.id).map_or(&[][..], Vec::as_slice);
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            let _ = writeln!(
                page,
                "| {} | {} | {verdict} | {} |",
                row.id,
                row.requirement,
                names.join("<br>")
            );
        }
    }
    page
}

const HEAD: &str = "# Conformance

Made by `cargo run -p tapswitch-tests --bin conformance`; a test fails when this page and the tests disagree. The IDs
stand in the tests' doc lines. NU, NT and NI are NAT for UDP, TCP and ICMP, NC its manners, VX VXLAN, RT the router, AR
ARP, BR the bridge and MS multicast snooping.

";
