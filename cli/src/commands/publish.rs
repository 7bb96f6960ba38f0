//! `tapswitch publish`

use anyhow::Result;
use clap::{Args, Subcommand};
use daemon::config::PublishSpec;

use crate::context::Context;
use crate::render::tables;

#[derive(Debug, Subcommand)]
pub(crate) enum Publish {
    /// Publish a service: `tapswitch publish add 203.0.113.1:8080/tcp --to 192.168.0.2:80`
    Add(PublishKeys),
    /// End a published service
    #[command(visible_alias = "delete")]
    Del {
        /// Where it is reached: 203.0.113.1:8080/tcp or wan:8080
        listen: String,
    },
    /// Publish a service, in place of the one at the same listener
    Set(PublishKeys),
    /// List published services
    List,
}

/// The keys of `[[publish]]`.
#[derive(Debug, Args)]
pub(crate) struct PublishKeys {
    /// Where it is reached: 203.0.113.1:8080/tcp, 0.0.0.0:53/udp (every own address) or wan:8080
    listen: String,
    /// Whom it belongs to: 192.168.0.2:80, or 192.168.0.2 for the same port
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    to: String,
}

impl From<PublishKeys> for PublishSpec {
    fn from(keys: PublishKeys) -> Self {
        Self { listen: keys.listen, to: keys.to }
    }
}

impl Publish {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = &context.client;
        match self {
            Self::Add(keys) => context.change(client.add_publish(&keys.into())).await,
            Self::Del { listen } => context.change(client.delete_publish(&listen)).await,
            Self::Set(keys) => context.change(client.set_publish(&keys.into())).await,
            Self::List => context.list(&client.publish().await?, |all| tables::publish(all)),
        }
    }
}
