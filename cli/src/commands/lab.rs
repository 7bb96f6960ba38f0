//! Verbs about a whole lab file.

use std::fs;
use std::path::Path;

use anyhow::Result;
use control::message::{HowToApply, LabBody};
use daemon::run::RunError;
use labfile::printable;
use labfile::{self, ConfigError, Lab, LabSpec};

use crate::context::Context;
use crate::failure::PortsLost;
use crate::output;

/// `tapswitch check FILE`
pub(crate) fn check(file: &Path) -> Result<()> {
    let (_, lab) = read(file, labfile::parse_spec)?;
    output::text(&format!("{}: ok: {}", printable::path(file), lab.summary()))
}

/// `tapswitch apply FILE`: the file's problems are found here, where its name is known.
pub(crate) async fn apply(context: &Context, file: Option<&Path>, how: HowToApply) -> Result<()> {
    let parse = if how.empty { labfile::parse_or_empty } else { labfile::parse_spec };
    let text = file.map(|file| read(file, parse)).transpose()?;
    let body = LabBody::Toml(text.map(|(text, _)| text).unwrap_or_default());
    let changes = context.client.apply(body, how).await?;
    context.list(&changes, output::changes)?;
    if changes.lost.is_empty() { Ok(()) } else { Err(PortsLost(changes.lost).into()) }
}

type Parse = fn(&[u8], &str) -> Result<(LabSpec, Lab), ConfigError>;

fn read(file: &Path, parse: Parse) -> Result<(Vec<u8>, Lab)> {
    let unreadable = |error| RunError::Read { path: file.to_owned(), error };
    let text = fs::read(file).map_err(unreadable)?;
    let (_, lab) = parse(&text, &file.display().to_string())?;
    Ok((text, lab))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_a_wrong_lab() {
        let error = check(Path::new("/nonexistent/lab.toml")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "/nonexistent/lab.toml: No such file or directory (os error 2)"
        );
    }
}
