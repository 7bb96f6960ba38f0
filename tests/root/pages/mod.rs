//! README.md and the pages in docs/ are true: what they show is run, and what they point at is
//! there.
//!
//! A page is Markdown. Each part of it below a heading of the second level is played by a shell of
//! its own, as root, in a world of its own, in a folder that has `examples/`, with `tapswitch` in
//! the path. A reader can begin at any of them.
//!
//! | block | what the test does with it |
//! |---|---|
//! | `console` | runs what stands behind the prompts `# ` and `$ ` (`> ` goes on with it); each command must succeed and print what is shown below it, on either stream, up to what [`output`] takes for alike. Of a command in the background (`&`) what is shown is the beginning of its standard output |
//! | `sh` | runs it as a script, no command of which may fail; prints what it likes |
//! | `toml` | a lab that `tapswitch check` takes |
//! | `http` | sends a request to the control API, and compares its answer: [`api`] |
//! | `text` | nothing: a picture |
//!
//! Comments ahead of a block say more: `<!-- not run: REASON -->` (the reasons and their number are
//! in [`NOT_RUN`]), `<!-- varies: numbers -->` or `fractions`, and of labs `<!-- file: PATH -->`
//! (saved there, as the text above tells the reader; `save` where it is no lab), `<!-- part of:
//! PATH -->` (says nothing that the file does not say) and `<!-- with: PATH -->` (a lab behind that
//! file). `<!-- place: lan -->` below a heading has it played on a host with a network:
//! [`internet::lan`].

mod additions;
mod api;
mod console;
mod labs;
mod links;
mod output;
mod page;
mod shell;
mod tables;

use std::iter;

use page::{Block, Page, Section};
use shell::{Outcome, Shell};

use crate::internet::{self, Lan};
use crate::process::locate;
use crate::world::{World, skip, world};

/// A test for each page, and one that no page is without.
macro_rules! pages {
    ($($name:ident $path:literal)*) => {
        $(#[test] fn $name() { play($path); })*

        #[test]
        fn every_page_is_played() {
            let paths: Vec<String> = Page::all().into_iter().map(|page| page.path).collect();
            let mut played = [$($path),*];
            played.sort_by_key(|path| (path.starts_with("docs/"), *path));
            assert_eq!(paths, played);
        }
    };
}

pages! {
    readme "README.md"
    api "docs/api.md"
    beside_the_kernel "docs/beside-the-kernel.md"
    command_line "docs/command-line.md"
    comparing "docs/comparing.md"
    conformance "docs/conformance.md"
    explain "docs/explain.md"
    fuzzing "docs/fuzzing.md"
    reaching_the_internet "docs/internet.md"
    lab_file "docs/lab-file.md"
    limits "docs/limits.md"
    performance "docs/performance.md"
    replay "docs/replay.md"
    tutorials "docs/tutorials.md"
}

/// What is not run, by page: how many blocks, and why. Whoever adds one adds it here.
const NOT_RUN: &[(&str, usize, &str)] = &[
    ("README.md", 1, "a build, which takes minutes"),
    ("README.md", 1, "it installs"),
    ("docs/command-line.md", 1, "it needs an ordinary user"),
    ("docs/fuzzing.md", 1, "it takes minutes, and a C++ compiler"),
    ("docs/fuzzing.md", 1, "it needs a finding"),
    ("docs/fuzzing.md", 1, "it needs a run's corpus"),
    ("docs/fuzzing.md", 1, "it needs AFL++"),
    ("docs/tutorials.md", 1, "it needs Docker"),
];

#[test]
fn what_is_not_run_is_known() {
    let mut found: Vec<(String, usize, String)> = Vec::new();
    for page in Page::all() {
        for reason in page.blocks().filter_map(|block| block.not_run()) {
            match found.iter_mut().find(|row| row.0 == page.path && row.2 == reason) {
                Some(row) => row.1 += 1,
                None => found.push((page.path.clone(), 1, reason.to_owned())),
            }
        }
    }
    for (page, count, reason) in &found {
        println!("not run: {page}: {count} blocks: {reason}");
    }
    let known = NOT_RUN
        .iter()
        .map(|(page, count, reason)| ((*page).to_owned(), *count, (*reason).to_owned()));
    assert_eq!(found, known.collect::<Vec<_>>());
}

#[test]
fn the_readme_is_short() {
    assert!(Page::read("README.md").text.lines().count() <= 200);
}

/// Plays every section of a page, one after the other.
fn play(path: &str) {
    let page = Page::read(path);
    let sections = page.sections();
    let mut blocks = sections.iter().flat_map(|section| &section.blocks);
    if blocks.all(|block| block.language == "text" || block.not_run().is_some()) {
        return;
    }
    for section in &sections {
        match section.place {
            Some("lan") => {
                let Some(Lan { world, .. }) = &internet::lan() else { return };
                play_section(&page, section, world);
            }
            Some(other) => panic!("{path}: no place `{other}`"),
            None => {
                let Some(world) = world() else { return };
                play_section(&page, section, &world);
            }
        }
    }
}

/// Plays the blocks of a section, up to the first that is not as the page says.
fn play_section(page: &Page, section: &Section<'_>, world: &World) {
    if let Some(program) = missing(section) {
        return skip(&format!("{}, {}: there is no `{program}`", page.path, section.title));
    }
    let mut shell = Shell::start(world);
    for block in section.blocks.iter().filter(|block| block.not_run().is_none()) {
        let fault = match block.language {
            "console" => talk(&mut shell, block),
            "sh" => script(&mut shell, block),
            "toml" => labs::fault(world, block),
            "http" => api::fault(world, block),
            "text" => picture(block),
            other => Some(format!("nobody plays a block of {other}")),
        };
        if let Some(fault) = fault {
            panic!("{}:{}, {}: {fault}", page.path, block.line, section.title);
        }
    }
}

/// Has the commands of a block run, one after the other.
fn talk(shell: &mut Shell<'_>, block: &Block<'_>) -> Option<String> {
    console::turns(block).iter().find_map(|turn| {
        let fault = if turn.is_in_background() {
            shell.begin(&turn.command, |printed| turn.has_begun(block, printed)).err()
        } else {
            let Outcome { status, printed } = shell.run(&turn.command);
            let failed = (status != 0).then(|| format!("exit status {status}:\n{printed}"));
            failed.or_else(|| turn.fault(block, &printed))
        };
        fault.map(|fault| format!("line {}: `{}`: {fault}", turn.line, turn.command))
    })
}

/// What is printed is no picture: it stands below its command.
fn picture(block: &Block<'_>) -> Option<String> {
    let is_command = |line: &&str| line.starts_with("# ") || line.starts_with("$ ");
    block.body.iter().copied().find(is_command).map(|line| format!("nobody runs `{line}`"))
}

fn script(shell: &mut Shell<'_>, block: &Block<'_>) -> Option<String> {
    let Outcome { status, printed } = shell.script(&block.text());
    (status != 0).then(|| format!("it failed in {printed}"))
}

/// A program that a section needs and this machine has not.
fn missing(section: &Section<'_>) -> Option<&'static str> {
    let blocks = section.blocks.iter().filter(|block| block.not_run().is_none());
    let text: String = blocks.map(Block::text).collect();
    let words = || text.split_whitespace();
    // `tapswitch conntrack` is none of them.
    let pairs = || iter::once("").chain(words()).zip(words());
    let is_named = |name| pairs().any(|(ahead, word)| word == name && ahead != "tapswitch");
    let named = PROGRAMS.into_iter().filter(|(word, _)| is_named(*word));
    named.map(|(_, program)| program).find(|program| locate(program).is_none())
}

/// Words by which pages use programs that not every machine has, and these.
const PROGRAMS: [(&str, &str); 14] = [
    ("ip", "ip"),
    ("ss", "ss"),
    ("bridge", "bridge"),
    ("ping", "ping"),
    ("curl", "curl"),
    ("python3", "python3"),
    ("tcpdump", "tcpdump"),
    ("conntrack", "conntrack"),
    ("brctl", "brctl"),
    ("nft", "nft"),
    ("ethtool", "ethtool"),
    ("sysctl", "sysctl"),
    ("editcap", "editcap"),
    ("ovs", "ovs-vswitchd"),
];
