//! A summary of the pure path: nanoseconds a frame for each kind of work, beside its target, in
//! under a minute.
//!
//! `pure` measures every kind, `pure WORD...` those whose name holds one of the words. Work is
//! measured in many turns of a millisecond, most of which nothing interrupts. The median says what
//! to expect on this machine as it is; the best turn says what the code costs when nobody else
//! wants the processor.

use std::env;
use std::time::Duration;

use bench::turns::{self, Turns};
use bench::{Rig, Traffic, work};

fn main() {
    let summary = Summary { words: env::args().skip(1).collect() };
    println!("{:<28}{:>10}{:>10}{:>10}", "ns a frame", "median", "best", "target");
    summary.row("bridged, 1,000 stations", Some(60.0), || work::bridged(1_000));
    summary.row("bridged, 100,000 stations", Some(60.0), || work::bridged(100_000));
    summary.row("flooded to 16 ports", None, work::flooded);
    summary.row("routed, 200 routes", Some(150.0), work::routed);
    summary.row("translated, 1,000 flows", Some(150.0), || work::translated(1_000));
    let many = summary.row("translated, 64,000 flows", Some(150.0), || work::translated(64_000));
    let twice = many.map(|many| 2.0 * many);
    summary.row("translated, 1,000,000 flows", twice, || work::translated(1_000_000));
    if let Some(opening) = summary.row("first frame of a flow", None, work::opening) {
        println!("new flows per second: {:.2} million", 1e3 / opening);
    }
}

struct Summary {
    words: Vec<String>,
}

impl Summary {
    /// Sets up one kind of work, measures it and prints it, if it is wanted; its median.
    fn row<T: Traffic>(
        &self,
        name: &str,
        target: Option<f64>,
        set_up: impl FnOnce() -> Rig<T>,
    ) -> Option<f64> {
        if !self.words.is_empty() && !self.words.iter().any(|word| name.contains(word.as_str())) {
            return None;
        }
        let Turns { median, best } = turns::measure(set_up(), LENGTH);
        print!("{name:<28}{median:>10.1}{best:>10.1}");
        match target {
            Some(target) if median <= target => println!("{target:>10.0}  met"),
            Some(target) => println!("{target:>10.0}  missed"),
            None => println!("{:>10}", "-"),
        }
        Some(median)
    }
}

/// For each kind of work, besides its set-up.
const LENGTH: Duration = Duration::from_secs(3);
