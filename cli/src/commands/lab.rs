//! Verbs about a whole lab file.

use std::fs;
use std::path::Path;

use anyhow::Result;
use daemon::api::message::LabBody;
use daemon::config::{self, Lab};
use daemon::run::RunError;

use crate::context::Context;
use crate::output;

/// `tapswitch check FILE`
pub(crate) fn check(file: &Path) -> Result<()> {
    let (_, lab) = read(file)?;
    output::text(&format!("{}: ok: {}", file.display(), summary(&lab)))
}

/// `tapswitch apply FILE`: the file's problems are found here, where its name is known.
pub(crate) async fn apply(context: &Context, file: &Path, dry_run: bool) -> Result<()> {
    let (text, _) = read(file)?;
    context.change(context.client.apply(LabBody::Toml(text), dry_run)).await
}

fn read(file: &Path) -> Result<(Vec<u8>, Lab)> {
    let unreadable = |error| RunError::Read { path: file.to_owned(), error };
    let text = fs::read(file).map_err(unreadable)?;
    let lab = config::parse(&text, &file.display().to_string())?;
    Ok((text, lab))
}

/// "1 bridge, 3 ports, 1 route"; what there is none of is not mentioned.
fn summary(lab: &Lab) -> String {
    let counts = [
        (lab.bridges.len(), "bridge", "bridges"),
        (lab.ports.len(), "port", "ports"),
        (lab.tunnels.len(), "tunnel", "tunnels"),
        (lab.statics.len(), "static entry", "static entries"),
        (lab.routes.len(), "route", "routes"),
        (lab.masquerade.len(), "masquerade rule", "masquerade rules"),
        (lab.publish.len(), "published port", "published ports"),
    ];
    let words = counts.iter().filter_map(|(count, one, many)| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {many}")),
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() { "an empty lab".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_is_summed_up_in_words() {
        let lab = config::parse(config::demo().as_bytes(), "demo.toml").unwrap();
        assert_eq!(
            summary(&lab),
            "1 bridge, 3 ports, 1 route, 1 masquerade rule, 1 published port"
        );
        assert_eq!(summary(&Lab::default()), "an empty lab");
    }

    #[test]
    fn a_missing_file_is_a_wrong_lab() {
        let error = check(Path::new("/nonexistent/lab.toml")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "/nonexistent/lab.toml: No such file or directory (os error 2)"
        );
    }
}
