//! Are the processors of `[switch] cpus` on this machine?
//!
//! A lab file is right or wrong wherever it is read, so the check does not ask; whoever starts
//! threads by it does.

use super::lab::Lab;
use super::place::Place;
use super::problem::{ConfigError, Fault, Problem};
use super::text;

/// Refuses processors that are not among `present`, each at its line and column of the file that
/// `lab` was read from.
///
/// # Errors
/// A problem for each; those of the file itself when it is another one.
pub fn locate_absent(
    text: &[u8],
    file_name: &str,
    lab: &Lab,
    present: &[usize],
) -> Result<(), ConfigError> {
    let place = Place::root().key("switch").key("cpus");
    let numbered = lab.settings.cpus.iter().enumerate();
    let absent = numbered.filter(|(_, cpu)| !present.contains(&usize::from(**cpu)));
    let problems: Vec<Problem> = absent
        .map(|(index, cpu)| {
            let wrong = format!("processor {cpu} of `cpus` is not there, or not for this process");
            let remedy = format!("this process may use {}", ranges(present));
            Problem::new(place.nth(index), Fault::new(wrong, remedy))
        })
        .collect();
    if problems.is_empty() {
        return Ok(());
    }
    let (_, tree) = text::read(text).map_err(|problem| ConfigError::of(file_name, problem))?;
    Err(ConfigError::of(file_name, tree.locate(problems)))
}

/// "0-3, 8": processors in order, as people write them.
pub fn ranges(processors: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &processor in processors {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == processor => *last = processor,
            _ => runs.push((processor, processor)),
        }
    }
    let runs = runs.into_iter().map(|(first, last)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    });
    runs.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_processors_are_a_range() {
        assert_eq!(ranges(&[0]), "0");
        assert_eq!(ranges(&[0, 1]), "0-1");
        assert_eq!(ranges(&[0, 1, 2, 8, 10, 11]), "0-2, 8, 10-11");
    }
}
