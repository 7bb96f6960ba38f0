//! The steps of a demo: each has a title, what somebody would type, and a proof that is told and
//! counted.

use std::sync::Arc;
use std::time::Instant;

use super::DemoError;
use super::probe::ProbeError;
use super::story::{self, say};

/// One proof on the scene `S`.
pub(super) struct Step<S> {
    pub(super) title: &'static str,
    /// What somebody would type to see the same.
    pub(super) commands: &'static [&'static str],
    /// Lines that tell what was seen.
    pub(super) proof: fn(&S) -> Result<Vec<String>, ProbeError>,
}

/// How many steps there were so far, and how many of them failed.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Score {
    pub(super) steps: usize,
    pub(super) failed: usize,
}

impl Score {
    /// Success only if every step succeeded.
    pub(super) const fn verdict(self) -> Result<(), DemoError> {
        match self {
            Self { failed: 0, .. } => Ok(()),
            Self { failed, steps } => Err(DemoError::Failed { failed, steps }),
        }
    }

    /// Counts a step, and says its title.
    pub(super) fn begin(&mut self, title: &str) {
        self.steps += 1;
        story::heading(self.steps, title);
    }

    /// Makes every step, also after one that failed.
    pub(super) async fn prove<S: Send + Sync + 'static>(
        &mut self,
        scene: &Arc<S>,
        steps: &'static [Step<S>],
    ) {
        for step in steps {
            self.begin(step.title);
            for command in step.commands {
                say(&format!("$ {command}"));
            }
            let started = Instant::now();
            let scene = Arc::clone(scene);
            let proof = tokio::task::spawn_blocking(move || (step.proof)(&scene)).await;
            let took = story::time(started.elapsed());
            let failure = match proof {
                Ok(Ok(lines)) => {
                    lines.iter().for_each(|line| say(line));
                    say(&format!("ok ({took})"));
                    continue;
                }
                Ok(Err(error)) => error.to_string(),
                Err(panicked) => panicked.to_string(),
            };
            self.failed += 1;
            say(&format!("FAILED after {took}: {failure}"));
        }
    }
}
