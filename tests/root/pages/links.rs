//! Every link leads to a file and a heading that are there, every page is led to, and no page
//! repeats another.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::page::{Page, root};

/// Texts beside README.md and docs/ that have links.
const OTHERS: [&str; 4] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "bench/README.md"];

#[test]
fn every_link_leads_somewhere() {
    let mut faults = Vec::new();
    for page in Page::all().into_iter().chain(OTHERS.map(Page::read)) {
        for (line, target) in links(&page) {
            if let Err(fault) = resolve(&page.path, &target) {
                faults.push(format!("{}:{line}: {target}: {fault}", page.path));
            }
        }
    }
    assert_eq!(faults, [""; 0]);
}

#[test]
fn the_readme_leads_to_every_page() {
    let readme = Page::read("README.md");
    let led: BTreeSet<PathBuf> =
        links(&readme).filter_map(|(_, target)| resolve("README.md", &target).ok()).collect();
    for page in Page::all().iter().skip(1) {
        assert!(led.contains(Path::new(&page.path)), "no link to {}", page.path);
    }
}

#[test]
fn no_page_repeats_another() {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut faults = Vec::new();
    for page in Page::all() {
        let blocks = page.blocks().filter(|block| block.body.len() > 3);
        let blocks = blocks.map(|block| (block.line, block.text()));
        for (line, text) in blocks.chain(paragraphs(&page)) {
            let place = format!("{}:{line}", page.path);
            if let Some(before) = seen.insert(text, place.clone()) {
                faults.push(format!("{place} says what {before} says"));
            }
        }
    }
    assert_eq!(faults, [""; 0]);
}

/// Text moves with the code that it names: `tests/sim/seeds.rs`, `-p tapswitch-daemon`.
#[test]
fn every_path_and_package_that_is_named_is_there() {
    let mut faults = Vec::new();
    for page in Page::all().into_iter().chain(OTHERS[..2].iter().copied().map(Page::read)) {
        for (line, text) in page.text.lines().enumerate() {
            let spans = text.split('`').skip(1).step_by(2);
            let paths =
                spans.filter(|span| is_path(span)).filter(|path| !root().join(path).exists());
            let packages = text.split("-p tapswitch-").skip(1).map(|rest| {
                let end = rest.find(|one: char| !one.is_ascii_alphanumeric() && one != '-');
                &rest[..end.unwrap_or(rest.len())]
            });
            let packages = packages.filter(|name| !root().join(name).join("Cargo.toml").exists());
            let missing: Vec<&str> = paths.chain(packages).collect();
            let told = |name: &&str| format!("{}:{}: {name}", page.path, line + 1);
            faults.extend(missing.iter().map(told));
        }
    }
    assert_eq!(faults, [""; 0]);
}

/// Whether a word is a path below one of the project's folders, without a NAME to be filled in.
fn is_path(word: &str) -> bool {
    let Some((folder, rest)) = word.split_once('/') else { return false };
    let is_plain =
        |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || "/_-.".contains(one);
    rest.chars().all(is_plain) && !folder.is_empty() && root().join(folder).is_dir()
}

/// Paragraphs and table rows that are long enough to be no accident.
fn paragraphs(page: &Page) -> impl Iterator<Item = (usize, String)> {
    page.prose().filter(|(_, line)| line.len() > 80).map(|(at, line)| (at, line.to_owned()))
}

/// `[text](target)` outside of blocks, with the number of the line.
fn links(page: &Page) -> impl Iterator<Item = (usize, String)> {
    page.prose().flat_map(|(at, line)| {
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        targets.map(|(target, _)| (at, target.to_owned())).collect::<Vec<_>>()
    })
}

/// The file that a link on a page leads to.
fn resolve(from: &str, target: &str) -> Result<PathBuf, &'static str> {
    if target.contains("://") {
        return Ok(target.into());
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let folder = Path::new(from).parent().unwrap();
    let path = if path.is_empty() { from.into() } else { plain(&folder.join(path)) };
    if !root().join(&path).exists() {
        return Err("there is no such file");
    }
    let text = || fs::read_to_string(root().join(&path)).unwrap_or_default();
    if !anchor.is_empty() && !anchors(&text()).any(|one| one == anchor) {
        return Err("it has no such heading");
    }
    Ok(path)
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            out.pop();
        } else {
            out.push(part);
        }
    }
    out
}

/// Headings as GitHub names them in links.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    let mut is_inside = false;
    let headings = text.lines().filter(move |line| {
        is_inside ^= line.starts_with("```");
        !is_inside && line.starts_with('#')
    });
    headings.map(|line| {
        let kept = line.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|one| one.is_alphanumeric() || " -_".contains(*one));
        kept.map(|one| if one == ' ' { '-' } else { one }).collect()
    })
}
