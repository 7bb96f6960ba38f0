//! What is said of packet threads, and of the processors that they stay on.

use std::time::Duration;

use super::lab;
use crate::{Poll, locate_absent};

#[test]
fn threads_stay_on_processors_and_poll_when_asked_to() {
    let settings = lab("[bridge.b]\n").settings;
    assert_eq!((settings.cpus, settings.poll), (vec![], Poll::OFF));
    let settings = lab("[switch]\ncpus = [3, 0]\npoll = \"200us\"").settings;
    assert_eq!(settings.cpus, [3, 0]);
    assert_eq!(settings.poll.limit(), Duration::from_micros(200));
}

#[test]
fn processors_are_looked_for_on_the_machine_and_named_with_their_place() {
    let text = "[switch]\ncpus = [0,\n 7, 1]\n";
    let absent = |present: &[usize]| {
        let checked = locate_absent(text.as_bytes(), "lab.toml", &lab(text), present);
        checked.map_err(|error| error.to_string())
    };
    assert_eq!(absent(&[0, 1, 7]), Ok(()));
    assert_eq!(
        absent(&[0, 1]).unwrap_err(),
        "lab.toml:3:2: switch: processor 7 of `cpus` is not there, or not for this process; \
         this process may use 0-1"
    );
}
