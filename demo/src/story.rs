//! How the demo speaks: lines on standard output, readable without colours, and silence when nobody
//! listens.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

/// Writes a line. A reader that has gone away stops the lines and not the demo.
pub(super) fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// A step of a plan, within 80 columns.
pub(super) fn step(line: &str) {
    let mut folded = String::new();
    let mut column = 0;
    for part in line.split_inclusive(", ") {
        if column > 0 && column + part.trim_end().len() > 80 {
            folded.truncate(folded.trim_end().len());
            folded += "\n    ";
            column = 4;
        }
        folded += part;
        column += part.len();
    }
    say(&folded);
}

/// The lab file's own words on what it is: the comment at its head.
pub(super) fn introduction(lab_file: &str) {
    for line in lab_file.lines().map_while(|line| line.strip_prefix('#')) {
        say(line.strip_prefix(' ').unwrap_or(line));
    }
    say("");
}

pub(super) fn heading(number: usize, title: &str) {
    say(&format!("\n{number}. {title}"));
}

/// What somebody would type, in two lines where one does not fit the screen.
pub(super) fn command(first: &str, rest: &str) {
    let whole = format!("$ {first} {rest}");
    if whole.chars().count() <= SCREEN {
        return say(&whole);
    }
    say(&format!("$ {first} \\\n      {rest}"));
}

/// A listing, as the verb that shows it would print it.
pub(super) fn listing(verb: &str, table: &str) {
    say(&format!("\n$ tapswitch {verb}\n{}", table.trim_end()));
}

/// How to look around, for as long as the lab stays up: the control socket to ask, and what to
/// type.
pub(super) fn farewell(socket: &Path, is_rootless: bool, commands: &[&str]) {
    say("\nThe lab stays up until Ctrl-C. Look around from another terminal:");
    say(&format!("  export TAPSWITCH_SOCKET={}", socket.display()));
    if is_rootless {
        say("  tapswitch enter     # a shell in the namespaces that this lab has to itself");
    }
    commands.iter().for_each(|command| say(&format!("  {command}")));
}

/// A time in the unit that suits it.
pub(super) fn time(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    if milliseconds < 1_000.0 {
        format!("{milliseconds:.1} ms")
    } else {
        format!("{:.1} s", milliseconds / 1e3)
    }
}

/// Characters of a line that fit every screen.
const SCREEN: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_the_unit_that_suits_it() {
        assert_eq!(time(Duration::from_micros(120)), "0.1 ms");
        assert_eq!(time(Duration::from_millis(3_000)), "3.0 s");
    }
}
