//! The comparison finds what is planted: a difference is never missed because nobody looked.

use super::cases;
use super::script::{Case, case};
use super::side::{Plant, Setting, Side, arena};
use super::verdict::{faults, judge};

/// Plays cases with a fault on the kernel's side; what the comparison says.
fn planted(plant: Plant, setting: Setting, names: &[&str]) -> Option<Vec<String>> {
    let world = arena()?;
    let cases: Vec<Case> = cases::all().filter(|case| names.contains(&case.name)).collect();
    assert_eq!(cases.len(), names.len());
    let [ours, kernel] = Side::both(&world, setting, plant);
    Some(faults(&ours, &kernel, &cases))
}

#[test]
fn a_missing_exception_is_found() {
    let names = ["udp out and back", "an excepted destination"];
    let Some(faults) = planted(Plant::NoException, Setting::Translating, &names) else { return };
    let [asked, flows] = faults.as_slice() else { panic!("{}", faults.join("\n")) };
    assert!(asked.starts_with("an excepted destination: what leaves on wan differs"), "{asked}");
    assert!(asked.contains("! from                 192.168.7.2:6006"), "{asked}");
    assert!(flows.contains("the flows at the end differ"), "{flows}");
}

#[test]
fn another_ttl_is_found() {
    let names = ["ping to the router", "ttl 1", "udp is forwarded and answered"];
    let Some(faults) = planted(Plant::OtherTtl, Setting::Routing, &names) else { return };
    assert!(faults.iter().any(|fault| fault.starts_with("ttl 1: ")), "{}", faults.join("\n"));
    for fault in &faults {
        let differing: Vec<&str> = fault.lines().filter(|line| line.starts_with("  !")).collect();
        assert!(!fault.starts_with("udp") && differing.len() == 1, "{fault}");
        assert!(differing[0].starts_with("  ! ttl "), "{fault}");
    }
}

#[test]
fn another_lifetime_is_found() {
    let names = ["several at once"];
    let Some(faults) = planted(Plant::OtherLifetime, Setting::Translating, &names) else { return };
    let [flows] = faults.as_slice() else { panic!("{}", faults.join("\n")) };
    assert!(flows.contains("! seconds"), "{flows}");
}

#[test]
fn a_difference_that_no_longer_shows_is_a_fault() {
    let faults = judge(&case("no udp checksum", []), &[]);
    assert_eq!(faults, [""; 0], "nothing is expected there");
    let faults = judge(&case("a timestamp request", []), &[]);
    assert!(faults.len() == 1 && faults[0].contains("no-timestamps"), "{faults:?}");
}
