//! The lab file that a daemon was started with: read at the start, and applied anew when SIGHUP
//! asks for it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::spawn_blocking;

use super::RunError;
use crate::engine::Engine;
use control::message::{Changes, HowToApply};
use labfile::{self, ConfigError, Lab, LabSpec};

/// A lab file, read once: it may be a pipe.
pub(super) struct LabFile {
    pub(super) name: String,
    pub(super) text: Vec<u8>,
}

impl LabFile {
    pub(super) fn read(path: &Path) -> Result<Self, RunError> {
        let text = fs::read(path);
        let text = text.map_err(|error| RunError::Read { path: path.to_owned(), error })?;
        Ok(Self { name: path.display().to_string(), text })
    }

    pub(super) fn parse(&self) -> Result<(LabSpec, Lab), ConfigError> {
        labfile::parse_spec(&self.text, &self.name)
    }
}

/// Applies the file anew each time that `asked` says so. A change that has begun is made to its
/// end, also when this is dropped; what stands in its way is logged, and the lab stays as it was.
pub(super) async fn follow(
    engine: &Arc<Engine>,
    path: Option<&Path>,
    how: HowToApply,
    asked: &Notify,
) {
    loop {
        asked.notified().await;
        let Some(path) = path else {
            tracing::warn!("SIGHUP: no lab file was given at the start, so there is none to apply");
            continue;
        };
        let (engine, path) = (Arc::clone(engine), path.to_owned());
        // Fails when it has panicked, which is told.
        let _ = tokio::spawn(async move { apply(&engine, &path, how).await }).await;
    }
}

async fn apply(engine: &Engine, path: &Path, how: HowToApply) {
    let shown = path.display();
    let refuse = |why: String| {
        tracing::error!("SIGHUP: {shown} is not applied, and the lab stays as it was");
        // One a problem.
        why.lines().for_each(|line| tracing::error!("{line}"));
    };
    let owned = path.to_owned();
    let read = spawn_blocking(move || read_again(&owned)).await;
    let spec = match read {
        Ok(Ok(spec)) => spec,
        Ok(Err(why)) => return refuse(why),
        // It has panicked, which is told.
        Err(_) => return,
    };
    match engine.apply(spec, how).await {
        Ok(Changes { changes, .. }) => {
            tracing::info!("SIGHUP: {shown} is applied anew, in {} steps", changes.len());
            // As `apply` would print them.
            changes.iter().for_each(|change| tracing::info!("{change}"));
        }
        Err(error) => refuse(error.to_string()),
    }
}

fn read_again(path: &Path) -> Result<LabSpec, String> {
    let found = fs::metadata(path).map_err(|error| error.to_string())?;
    if !found.is_file() {
        return Err("it is no regular file, and can be read only once".to_owned());
    }
    let file = LabFile::read(path).map_err(|error| error.to_string())?;
    file.parse().map(|(spec, _)| spec).map_err(|error| error.to_string())
}
