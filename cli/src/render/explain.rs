//! `tapswitch explain`: the life of a frame, a step a paragraph.

use control::explain::{CopyView, SentView, StepView, Story};

use super::folded;

/// All of them, an empty line apart.
pub(crate) fn stories(stories: &[Story]) -> String {
    let count = stories.len();
    let told = stories.iter().map(|told| story(told, count));
    told.collect::<Vec<_>>().join("\n\n")
}

fn story(story: &Story, count: usize) -> String {
    let number =
        if count > 1 { format!("frame {} of {count}: ", story.frame) } else { String::new() };
    let mut lines = vec![format!("{number}{} bytes on {}", story.bytes, story.input)];
    lines.extend(story.headers.iter().map(|line| folded("", 2, line)));
    lines.push(String::new());
    lines.extend(steps(&story.steps, story.verdict.step));
    if !story.sent.is_empty() {
        lines.push(String::new());
        lines.extend(story.sent.iter().flat_map(sent));
    }
    lines.push(String::new());
    lines.extend(story.notices.iter().map(|notice| labelled("notice", notice)));
    lines.push(labelled("verdict", &story.verdict.text));
    lines.extend(story.advice.iter().map(|advice| labelled("advice", advice)));
    lines.join("\n")
}

/// The steps, each with its number and name; those that were not reached are one line.
fn steps(steps: &[StepView], last: u8) -> Vec<String> {
    let mut lines = Vec::new();
    for step in steps.iter().filter(|step| step.number <= last || !step.facts.is_empty()) {
        let head = format!("{} {:<13}", step.number, step.name);
        let mut facts = step.facts.iter().map(|fact| fact.text.as_str());
        let first = facts.next().unwrap_or("-");
        lines.push(folded(&head, INDENT, first));
        lines.extend(facts.map(|fact| folded("", INDENT, fact)));
    }
    let rest: Vec<u8> = steps
        .iter()
        .filter(|step| step.number > last && step.facts.is_empty())
        .map(|step| step.number)
        .collect();
    match rest.as_slice() {
        [] => {}
        [only] => lines.push(format!("{only:<15} not reached")),
        [first, .., end] => lines.push(format!("{:<15} not reached", format!("{first}-{end}"))),
    }
    lines
}

/// Who gets a frame, and what it is then.
fn sent(sent: &SentView) -> Vec<String> {
    let to: Vec<String> = sent.to.iter().map(copy).collect();
    let (verb, whose) = match sent.part.as_str() {
        "spoken" => ("says", " (the switch's own)"),
        "released" => ("releases", " (it had waited)"),
        _ => ("sends", ""),
    };
    let mut lines = vec![labelled(verb, &format!("to {}{whose}", to.join(", ")))];
    match whose.is_empty() {
        true => lines.extend(sent.headers.iter().map(|line| folded("", INDENT, line))),
        false => lines.push(folded("", INDENT, &sent.words)),
    }
    lines
}

fn copy(copy: &CopyView) -> String {
    copy.vlan
        .map_or_else(|| copy.port.clone(), |vlan| format!("{} (tagged VLAN {vlan})", copy.port))
}

fn labelled(label: &str, text: &str) -> String {
    folded(&format!("{label:<15}"), INDENT, text)
}

/// Where words begin.
const INDENT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn view(number: u8, name: &str) -> StepView {
        StepView { number, name: name.into(), facts: Vec::new() }
    }

    #[test]
    fn steps_that_were_not_reached_are_one_line() {
        let all = [view(1, "parse"), view(2, "learn"), view(3, "arp"), view(4, "decide")];
        assert_eq!(steps(&all, 1), ["1 parse         -", "2-4             not reached"]);
        assert_eq!(steps(&all, 3)[3], "4               not reached");
    }

    #[test]
    fn long_words_are_folded_under_their_beginning() {
        let text = labelled("advice", &"word ".repeat(30));
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with(&" ".repeat(INDENT))), "{text}");
    }
}
