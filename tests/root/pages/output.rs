//! Whether a command has printed what its page shows, less what differs from run to run.
//!
//! Always alike are times (`time=1.03 ms`, `12s`), ports that the kernel chooses (32768 to 60999)
//! and the width of blanks. `...` on a line of its own stands for any lines, `…` within a line for
//! any text. What else is alike is said ahead of the block: [`Varies`].

/// What of a block's words stands for any other of its kind, where it is a word of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Varies {
    /// Nothing.
    Nothing,
    /// Numbers with a point, `0.018`.
    Fractions,
    /// Numbers.
    Numbers,
}

/// Whether these lines are as shown.
pub(super) fn matches(shown: &[&str], printed: &[&str], varies: Varies) -> bool {
    let Some((first, shown)) = shown.split_first() else { return printed.is_empty() };
    if *first == "..." {
        return (0..=printed.len()).any(|skipped| matches(shown, &printed[skipped..], varies));
    }
    let Some((line, printed)) = printed.split_first() else { return false };
    is_line(&canonical(first, varies), &canonical(line, varies)) && matches(shown, printed, varies)
}

fn is_line(shown: &str, printed: &str) -> bool {
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

/// A line with its varying parts taken out.
fn canonical(line: &str, varies: Varies) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let word = |(at, word): (usize, &&str)| {
        let unit = words.get(at + 1).filter(|next| UNITS.contains(&bare(next)));
        time(word, unit.is_some()).unwrap_or_else(|| {
            let number = bare(word);
            let is_number = is_number(number)
                && match varies {
                    Varies::Nothing => false,
                    Varies::Fractions => number.contains('.'),
                    Varies::Numbers => true,
                };
            if is_number { word.replace(bare(word), "<number>") } else { without_ports(word) }
        })
    };
    words.iter().enumerate().map(word).collect::<Vec<_>>().join(" ")
}

const UNITS: [&str; 5] = ["s", "ms", "us", "µs", "ns"];

/// A time of which only the unit stays: `1.03` ahead of a unit, `time=1.03` too, `12s`, `(12s)`.
fn time(word: &str, has_unit_behind: bool) -> Option<String> {
    let (head, value) = word.rsplit_once(['=', '(']).unwrap_or(("", word));
    let value = bare(value);
    let unit = UNITS.into_iter().rev().find(|unit| value.ends_with(unit));
    let digits = unit.map_or(value, |unit| value.trim_end_matches(unit));
    let is_time = is_number(digits) && (unit.is_some() || has_unit_behind);
    is_time.then(|| format!("{head}<time>{}", unit.unwrap_or_default()))
}

/// A word without the punctuation around it.
fn bare(word: &str) -> &str {
    word.trim_matches(['(', ')', ',', ';', ':', '.'])
}

/// Not an address, which has more points.
fn is_number(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
        && text.chars().all(|one| one.is_ascii_digit() || one == '.' || one == ',')
        && text.matches('.').count() < 2
}

/// The word, without ports that a kernel chooses.
fn without_ports(word: &str) -> String {
    let mut out = String::new();
    let mut digits = String::new();
    for one in word.chars().chain(['\0']) {
        if one.is_ascii_digit() {
            digits.push(one);
            continue;
        }
        let is_chosen = digits.parse().is_ok_and(|port| CHOSEN.contains(&port));
        out.push_str(if is_chosen { "<port>" } else { &digits });
        digits.clear();
        out.extend((one != '\0').then_some(one));
    }
    out
}

/// `net.ipv4.ip_local_port_range` as it comes.
const CHOSEN: std::ops::RangeInclusive<u32> = 32768..=60999;

#[test]
fn what_varies_is_alike_and_nothing_else_is() {
    let alike = |shown: &str, printed: &str| {
        let [shown, printed] = [shown, printed].map(|text| text.lines().collect::<Vec<_>>());
        matches(&shown, &printed, Varies::Nothing)
    };
    for (shown, printed) in [
        ("64 bytes: ttl=63 time=2.37 ms", "64 bytes: ttl=63 time=0.1 ms"),
        ("ran for 12s, 1.1 s", "ran for 3s, 20.5 s"),
        ("('10.1.0.2', 44882)", "('10.1.0.2', 50000)"),
        ("sport=40000 dport=80", "sport=41111 dport=80"),
        ("a  b", "a b  "),
        ("a\n...\nz", "a\nb\nc\nz"),
        ("a\n...", "a"),
        ("lost: … 10946", "lost: there is no process 10946"),
        ("pid …", "pid 17"),
    ] {
        assert!(alike(shown, printed), "{shown} and {printed}");
    }
    for (shown, printed) in [
        ("64 bytes: ttl=63 time=2.37 ms", "64 bytes: ttl=64 time=2.37 ms"),
        ("time=2.37 ms", "time=2.37 s"),
        ("dport=80", "dport=81"),
        ("a\n...\nz", "a\nb"),
        ("a", "a\nb"),
        ("a … c", "a b d"),
        ("age 1", "age 2"),
    ] {
        assert!(!alike(shown, printed), "{shown} and {printed}");
    }
    assert!(matches(&["red 12 0"], &["red 7 33"], Varies::Numbers));
    assert!(matches(&["0.1 red 12"], &["1.7 red 12"], Varies::Fractions));
    assert!(!matches(&["0.1 red 12"], &["0.1 red 13"], Varies::Fractions));
    assert!(!matches(&["red 10.0.0.1"], &["red 10.0.0.2"], Varies::Numbers));
    assert!(!matches(&["red 12 ttl=3"], &["red 7 ttl=4"], Varies::Numbers));
}
