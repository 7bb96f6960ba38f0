//! A `toml` block: a lab that `tapswitch check` takes, or what a mark says instead.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::page::{Block, Mark};
use super::shell::HOME;
use crate::world::World;

/// Saves it where a mark says so. What is wrong with it, if anything is.
pub(super) fn fault(world: &World, block: &Block<'_>) -> Option<String> {
    let text = block.text();
    let at = |path: &str| -> PathBuf { Path::new(HOME).join(path) };
    let read = |path: &str| {
        let read = world.run(|| fs::read_to_string(at(path)));
        read.unwrap_or_else(|error| panic!("line {}: {path}: {error}", block.line))
    };
    match block.marks.first() {
        Some(Mark::PartOf(path)) => {
            let [part, whole]: [Table; 2] = [&text, &read(path)].map(|text| text.parse().unwrap());
            let is_part = is_part(&Value::Table(part), &Value::Table(whole));
            (!is_part).then(|| format!("{path} says something else"))
        }
        Some(Mark::With(path)) => check(world, &world.file(read(path) + &text)),
        Some(Mark::File(path) | Mark::Save(path))
            if !block.before.contains(&format!("`{path}`")) =>
        {
            Some(format!("the paragraph above does not say to save it as `{path}`"))
        }
        Some(Mark::Save(path)) => {
            world.run(|| fs::write(at(path), &text)).unwrap();
            None
        }
        Some(Mark::File(path)) => {
            world.run(|| fs::write(at(path), &text)).unwrap();
            check(world, &at(path))
        }
        _ => check(world, &world.file(text)),
    }
}

fn check(world: &World, file: &Path) -> Option<String> {
    let finished = world.tapswitch_on(&["check"], file);
    (!finished.status.success()).then_some(finished.err)
}

/// Whether all that the one says stands in the other as well.
fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Table(part), Value::Table(whole)) => part
            .iter()
            .all(|(key, value)| whole.get(key).is_some_and(|whole| is_part(value, whole))),
        (Value::Array(part), Value::Array(whole)) => {
            part.iter().all(|one| whole.iter().any(|whole| is_part(one, whole)))
        }
        _ => part == whole,
    }
}
