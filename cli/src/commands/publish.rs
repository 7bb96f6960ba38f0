//! `tapswitch publish`

use anyhow::Result;
use clap::{Args, Subcommand};
use labfile::PublishSpec;

use super::keys;
use crate::context::Context;
use crate::failure::Usage;
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
    /// Publish a service, in place of the one at the same listener; keys that are not given stay
    Set {
        /// Where it is reached, as it was published
        listen: String,
        /// Whom it belongs to from now on
        #[arg(long, value_name = "ADDRESS[:PORT]")]
        to: Option<String>,
        /// Let its connections and flows go on when it changes or goes
        #[arg(long)]
        keep: bool,
        /// Take a key away, so that its default holds
        #[arg(long, value_name = "KEY")]
        unset: Vec<String>,
    },
    /// List published services
    List,
}

/// The keys of `[[publish]]`.
#[derive(Debug, Args)]
pub(crate) struct PublishKeys {
    /// Where it is reached: 203.0.113.1:8080/tcp, 0.0.0.0:53/udp (every own address) or wan:8080; a range as
    /// wan:9000-9010
    listen: String,
    /// Whom it belongs to: 192.168.0.2:80, or 192.168.0.2 for the same ports
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    to: String,
    /// Let its connections and flows go on when it changes or goes
    #[arg(long)]
    keep: bool,
}

impl From<PublishKeys> for PublishSpec {
    fn from(keys: PublishKeys) -> Self {
        Self { listen: keys.listen, to: keys.to, keep: keys.keep.then_some(true) }
    }
}

impl Publish {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = &context.client;
        match self {
            Self::Add(keys) => context.change(client.add_publish(&keys.into())).await,
            Self::Del { listen } => context.change(client.delete_publish(&listen)).await,
            Self::Set { listen, to, keep, unset } => {
                let rules = client.publish().await?;
                let rule = rules.into_iter().find(|rule| same(&rule.listen, &listen));
                let keep = keep.then_some(true);
                let given = PublishSpec {
                    to: to.clone().unwrap_or_default(),
                    keep,
                    ..PublishSpec::default()
                };
                let rule = match (rule, to) {
                    (Some(rule), to) => {
                        let (to, keep) =
                            (to.unwrap_or_else(|| rule.to.clone()), keep.or(rule.keep));
                        PublishSpec { to, keep, ..rule }
                    }
                    (None, Some(to)) => PublishSpec { listen, to, keep },
                    (None, None) => {
                        let sentence = format!(
                            "nothing is published at {listen:?}: say --to ADDRESS:PORT, too"
                        );
                        return Err(Usage(sentence).into());
                    }
                };
                let rule = keys::without(rule, &given, &unset)?;
                context.change(client.set_publish(&rule)).await
            }
            Self::List => context.list(&client.publish().await?, |all| tables::publish(all)),
        }
    }
}

/// Whether two texts mean the same listener: TCP unless it says otherwise.
fn same(one: &str, other: &str) -> bool {
    one.strip_suffix("/tcp").unwrap_or(one) == other.strip_suffix("/tcp").unwrap_or(other)
}
