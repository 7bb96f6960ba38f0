//! A `console` block: commands behind prompts, and below each what it prints.

use super::output;
use super::page::Block;

/// A command and what it prints.
pub(super) struct Turn<'p> {
    /// Of its first line in the page.
    pub(super) line: usize,
    pub(super) command: String,
    pub(super) output: Vec<&'p str>,
}

/// The commands of a block. `# ` is the prompt of root, `$ ` that of anybody, `> ` goes on with a
/// command.
pub(super) fn turns<'p>(block: &Block<'p>) -> Vec<Turn<'p>> {
    let mut turns: Vec<Turn<'p>> = Vec::new();
    for (at, text) in block.body.iter().copied().enumerate() {
        let line = block.line + 1 + at;
        let command = text.strip_prefix("# ").or_else(|| text.strip_prefix("$ "));
        match (command, turns.last_mut()) {
            (Some(command), _) => {
                turns.push(Turn { line, command: command.into(), output: Vec::new() });
            }
            (None, Some(turn)) => match text.strip_prefix("> ") {
                Some(more) if turn.output.is_empty() => {
                    turn.command.push('\n');
                    turn.command.push_str(more);
                }
                _ => turn.output.push(text),
            },
            (None, None) => panic!("line {line}: output without a command: {text}"),
        }
    }
    turns
}

impl Turn<'_> {
    /// Whether the shell goes on while it runs.
    pub(super) fn is_in_background(&self) -> bool {
        self.command.ends_with('&')
    }

    /// What is wrong with what it printed, if anything is.
    pub(super) fn fault(&self, block: &Block<'_>, printed: &str) -> Option<String> {
        let printed: Vec<&str> = printed.lines().filter(|line| !is_job_notice(line)).collect();
        let is_as_shown = output::matches(&self.output, &printed, block.varies());
        let shown = self.output.join("\n");
        (!is_as_shown)
            .then(|| format!("the page shows\n{shown}\nit printed\n{}", printed.join("\n")))
    }

    /// Whether what has been printed so far begins as the page shows it.
    pub(super) fn has_begun(&self, block: &Block<'_>, printed: &str) -> bool {
        let begun: Vec<&str> = printed.lines().take(self.output.len()).collect();
        output::matches(&self.output, &begun, block.varies())
    }
}

/// "[1]+  Done ...": what a shell says of its jobs, when it likes.
fn is_job_notice(line: &str) -> bool {
    let rest = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    rest.is_some_and(|(number, _)| number.parse::<u32>().is_ok())
}
