//! Tables that say what the product says of itself: keys of the lab file, verbs of the command
//! line, paths of the API.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::console::{self, Turn};
use super::page::Page;
use crate::binary;
use crate::daemon::Daemon;
use crate::http;
use crate::world::world;

/// Headings of docs/lab-file.md, and a file in which a table of that name has a key that nobody
/// knows.
const TABLES: [(&str, &str); 11] = [
    ("The file itself", ""),
    ("`[bridge.NAME]`", "[bridge.x]\n"),
    ("`[bridge.NAME.vlan.N]`", "[bridge.x.vlan.7]\n"),
    ("`[[bridge.NAME.static]]`", "[[bridge.x.static]]\n"),
    ("`[port.NAME]`", "[port.x]\n"),
    ("`[tunnel.NAME]`", "[tunnel.x]\n"),
    ("`[[route]]`", "[[route]]\n"),
    ("`[[masquerade]]`", "[[masquerade]]\n"),
    ("`[[publish]]`", "[[publish]]\n"),
    ("`[switch]`", "[switch]\n"),
    ("`[switch.timeouts]`", "[switch.timeouts]\n"),
];

#[test]
fn the_tables_of_keys_are_those_of_the_lab_file() {
    let page = Page::read("docs/lab-file.md");
    let mut listed = page.tables();
    for (heading, table) in TABLES {
        let found = listed.remove(heading).unwrap_or_default();
        assert_eq!(found, known_keys(table), "{heading}");
    }
    let rest: Vec<&str> = listed.into_keys().collect();
    assert_eq!(rest, [""; 0], "tables of keys that nobody reads");
}

/// What `tapswitch check` offers in place of a key that it does not know.
fn known_keys(table: &str) -> BTreeSet<String> {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("keys.toml");
    fs::write(&file, format!("{table}qqqqqqqqqqqqqqqqqqqq = 1\n")).unwrap();
    let checked = Command::new(binary::path()).arg("check").arg(&file).output().unwrap();
    let said = String::from_utf8(checked.stderr).unwrap();
    let offered = said.split_once("write one of ").unwrap_or_else(|| panic!("{said}"));
    offered.1.trim().split(", ").map(str::to_owned).collect()
}

#[test]
fn the_table_of_steps_is_that_of_scenario_files() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("step.toml");
    fs::write(&file, "[[step]]\nqqqq = 1\n").unwrap();
    let mut command = Command::new(binary::path());
    let compared = command.args(["compare", "ovs", "--scenario"]).arg(&file).output().unwrap();
    let said = String::from_utf8(compared.stderr).unwrap();
    let offered = said.split_once("expected one of ").unwrap_or_else(|| panic!("{said}")).1;
    let offered = offered.split('`').skip(1).step_by(2).map(str::to_owned);
    let page = Page::read("docs/comparing.md");
    assert_eq!(page.tables()["Comparing with Open vSwitch"], offered.collect());
}

#[test]
fn the_page_of_the_command_line_names_every_verb() {
    let page = Page::read("docs/command-line.md");
    for verb in verbs(&[]) {
        let row = format!("`{verb}");
        assert!(
            page.prose().any(|(_, line)| line.starts_with("| `") && line.contains(&row)),
            "{verb}"
        );
        for below in verbs(&[&verb]) {
            let word = format!("`{below}`");
            let named = |line: &str| line.contains(&row) && line.contains(&word);
            assert!(page.prose().any(|(_, line)| named(line)), "{verb} {below}");
        }
    }
}

/// What `--help` lists below "Commands:".
fn verbs(path: &[&str]) -> Vec<String> {
    let help = Command::new(binary::path()).args(path).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let Some((_, listed)) = help.split_once("Commands:\n") else { return Vec::new() };
    let lines = listed.lines().take_while(|line| !line.is_empty());
    let entries =
        lines.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let verbs = entries.filter_map(|line| line.split(' ').next()).filter(|verb| *verb != "help");
    verbs.map(str::to_owned).collect()
}

#[test]
fn the_page_of_the_api_names_every_path() {
    let Some(world) = world() else { return };
    let _daemon = Daemon::with(&world, "empty = true\n");
    let (status, said) = http::request(&world, "GET /v1/nothing", b"");
    assert_eq!(status, 404);
    let paths = said.split_once("the paths are /v1/").unwrap_or_else(|| panic!("{said}")).1;
    let paths = paths.trim_end_matches(['"', '}']).replace(" and ", ", ");
    let page = Page::read("docs/api.md");
    for path in paths.split(", ") {
        let word = format!("`{path}`");
        let mut rows =
            page.prose().filter_map(|(_, line)| line.strip_prefix("| ")?.split(" |").next());
        assert!(rows.any(|first| first.contains(&word)), "{path}");
    }
}

/// Of the paths of one row any may be the one that is shown.
#[test]
fn every_method_of_the_api_is_shown() {
    let page = Page::read("docs/api.md");
    let blocks: Vec<_> = page.blocks().collect();
    let of = |language| blocks.iter().filter(move |block| block.language == language);
    let heads: Vec<&str> = of("http").flat_map(|block| block.body.iter().copied()).collect();
    let by_curl: Vec<_> = of("console").flat_map(console::turns).collect();
    let rows = page.prose().filter_map(|(_, line)| line.strip_prefix("| `")?.split_once("` | "));
    let mut shown = 0;
    for (paths, methods) in rows {
        for method in METHODS.into_iter().filter(|method| methods.contains(method)) {
            let is_shown = paths.split("`, `").any(|path| {
                let path = format!("/v1/{}", path.split("/NAME").next().unwrap_or(path));
                let (head, option) = (format!("{method} {path}"), format!("-X {method} "));
                let is_sent = |turn: &Turn<'_>| {
                    turn.command.contains(&option) && turn.command.contains(&path)
                };
                heads.iter().any(|line| line.starts_with(&head)) || by_curl.iter().any(is_sent)
            });
            assert!(is_shown, "{method} of {paths}");
            shown += 1;
        }
    }
    assert!(shown >= 30, "{shown}");
}

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
