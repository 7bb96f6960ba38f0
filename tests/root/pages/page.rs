//! A page as its source has it: sections, and in them the fenced blocks with the marks ahead of
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::output::Varies;

/// The project's top folder.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A page by its path below the top folder, as "docs/api.md".
pub(super) struct Page {
    pub(super) path: String,
    pub(super) text: String,
}

/// What stands between two headings of the second level. Played by one shell.
pub(super) struct Section<'p> {
    pub(super) title: &'p str,
    /// `<!-- place: NAME -->` below the heading: where it is played.
    pub(super) place: Option<&'p str>,
    pub(super) blocks: Vec<Block<'p>>,
}

/// A fenced block.
#[derive(Clone, Debug)]
pub(super) struct Block<'p> {
    /// Of the fence, counted from 1.
    pub(super) line: usize,
    pub(super) language: &'p str,
    pub(super) body: Vec<&'p str>,
    pub(super) marks: Vec<Mark<'p>>,
    /// The paragraph ahead of it.
    pub(super) before: String,
}

/// What a comment ahead of a block says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark<'p> {
    /// `not run: REASON`
    NotRun(&'p str),
    /// `varies: numbers` or `varies: fractions`.
    Varies(Varies),
    /// `file: PATH`: the reader saves the block under this name.
    File(&'p str),
    /// `save: PATH`: the same, and no lab; a command further down judges it.
    Save(&'p str),
    /// `part of: PATH`: what the block says, the file says too.
    PartOf(&'p str),
    /// `with: PATH`: a lab when it stands behind the file.
    With(&'p str),
}

impl Page {
    pub(super) fn read(path: &str) -> Self {
        let text = fs::read_to_string(root().join(path));
        Self { path: path.into(), text: text.unwrap_or_else(|error| panic!("{path}: {error}")) }
    }

    /// README.md and everything in docs/, by path.
    pub(super) fn all() -> Vec<Self> {
        let mut paths = vec!["README.md".to_owned()];
        let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
        let mut docs: Vec<PathBuf> = docs.filter(|path| path.extension().is_some()).collect();
        docs.sort();
        let below = |path: &PathBuf| path.strip_prefix(root()).unwrap().display().to_string();
        paths.extend(docs.iter().map(below));
        paths.iter().map(|path| Self::read(path)).collect()
    }

    /// Its sections; what is ahead of the first heading of the second level is one, too.
    pub(super) fn sections(&self) -> Vec<Section<'_>> {
        let mut sections = vec![Section { title: "", place: None, blocks: Vec::new() }];
        let mut marks = Vec::new();
        let (mut before, mut paragraph) = (String::new(), String::new());
        let mut lines = self.text.lines().enumerate();
        while let Some((at, line)) = lines.next() {
            let section = sections.last_mut().unwrap();
            if let Some(title) = line.strip_prefix("## ") {
                sections.push(Section { title, place: None, blocks: Vec::new() });
            } else if let Some(language) = line.strip_prefix("```") {
                let body = lines.by_ref().map(|(_, line)| line);
                let body = body.take_while(|line| *line != "```").collect();
                let before = std::mem::take(&mut before);
                let marks = std::mem::take(&mut marks);
                section.blocks.push(Block { line: at + 1, language, body, marks, before });
            } else if let Some(comment) = comment(line) {
                match comment.split_once(": ") {
                    Some(("place", name)) => section.place = Some(name),
                    _ => marks.push(self.mark(at + 1, comment)),
                }
            } else if line.is_empty() {
                if !paragraph.is_empty() {
                    before = std::mem::take(&mut paragraph);
                }
            } else {
                assert!(marks.is_empty(), "{}:{}: a mark without a block", self.path, at + 1);
                let is_inner = line.trim_start().starts_with("```");
                assert!(!is_inner, "{}:{}: an indented fence", self.path, at + 1);
                paragraph.push_str(line);
                paragraph.push('\n');
            }
        }
        sections
    }

    /// Its blocks, whatever section they are in.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        self.sections().into_iter().flat_map(|section| section.blocks)
    }

    /// Its lines outside of blocks and comments, with their numbers.
    pub(super) fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut is_inside = false;
        self.text.lines().enumerate().filter_map(move |(at, line)| {
            let is_fence = line.starts_with("```");
            is_inside ^= is_fence;
            (!is_inside && !is_fence && comment(line).is_none()).then_some((at + 1, line))
        })
    }

    /// What its tables of keys list, by heading: the words in backquotes of first columns.
    pub(super) fn tables(&self) -> BTreeMap<&str, BTreeSet<String>> {
        let mut tables: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let (mut heading, mut is_keys) = ("", false);
        for (_, line) in self.prose() {
            match line.strip_prefix("| ").and_then(|line| line.split_once(" |")) {
                Some(("key", _)) => is_keys = true,
                Some((first, _)) if is_keys => {
                    let words = first.split('`').skip(1).step_by(2).map(str::to_owned);
                    tables.entry(heading).or_default().extend(words);
                }
                _ if line.starts_with('#') => heading = line.trim_start_matches(['#', ' ']),
                _ => is_keys &= line.starts_with('|'),
            }
        }
        tables
    }

    fn mark<'p>(&self, line: usize, comment: &'p str) -> Mark<'p> {
        match comment.split_once(": ") {
            Some(("not run", reason)) => Mark::NotRun(reason),
            Some(("varies", "numbers")) => Mark::Varies(Varies::Numbers),
            Some(("varies", "fractions")) => Mark::Varies(Varies::Fractions),
            Some(("file", path)) => Mark::File(path),
            Some(("save", path)) => Mark::Save(path),
            Some(("part of", path)) => Mark::PartOf(path),
            Some(("with", path)) => Mark::With(path),
            _ => panic!("{}:{line}: unknown mark `{comment}`", self.path),
        }
    }
}

impl<'p> Block<'p> {
    /// Why it is not run, if it is not.
    pub(super) fn not_run(&self) -> Option<&'p str> {
        self.marks
            .iter()
            .find_map(|mark| if let Mark::NotRun(reason) = mark { Some(*reason) } else { None })
    }

    /// What of it may be otherwise.
    pub(super) fn varies(&self) -> Varies {
        let marks = self.marks.iter();
        let varies =
            |mark: &Mark<'_>| if let Mark::Varies(what) = mark { Some(*what) } else { None };
        marks.filter_map(varies).next().unwrap_or(Varies::Nothing)
    }

    pub(super) fn text(&self) -> String {
        self.body.iter().map(|line| format!("{line}\n")).collect()
    }
}

fn comment(line: &str) -> Option<&str> {
    line.strip_prefix("<!-- ")?.strip_suffix(" -->")
}
