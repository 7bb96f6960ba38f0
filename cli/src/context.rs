//! What every verb needs: the daemon to ask, and how the answer is to be written.

use std::future::Future;

use anyhow::{Result, anyhow};
use client::{Client, ClientError};
use control::message::Changes;
use serde::Serialize;

use crate::output;

/// A daemon, and the choice between tables and JSON.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) json: bool,
}

impl Context {
    /// Prints a listing.
    pub(crate) fn list<T: Serialize>(
        &self,
        values: &T,
        table: impl FnOnce(&T) -> String,
    ) -> Result<()> {
        if self.json { output::json(values) } else { output::text(&table(values)) }
    }

    /// Waits for a change of the lab and prints its steps.
    pub(crate) async fn change(
        &self,
        answer: impl Future<Output = Result<Changes, ClientError>>,
    ) -> Result<()> {
        self.list(&answer.await?, output::changes)
    }

    /// Waits for something that is done and has no steps to tell.
    pub(crate) async fn done(
        &self,
        answer: impl Future<Output = Result<Changes, ClientError>>,
    ) -> Result<()> {
        let changes = answer.await?;
        if self.json { output::json(&changes) } else { output::text(&changes.changes.join("\n")) }
    }
}

/// Runs a verb that talks to the daemon.
pub(crate) fn block_on<T>(verb: impl Future<Output = Result<T>>) -> Result<T> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build();
    let runtime = runtime.map_err(|error| anyhow!("this process cannot be set up: {error}"))?;
    runtime.block_on(verb)
}
