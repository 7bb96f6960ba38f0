//! `tapswitch publish`

use anyhow::Result;
use clap::Subcommand;
use labfile::PublishSpec;

use super::keys;
use crate::context::Context;
use crate::failure::Usage;
use crate::render::tables;

#[derive(Debug, Subcommand)]
pub(crate) enum Publish {
    /// Publish a service: `tapswitch publish add 203.0.113.1:8080/tcp --to 192.168.0.2:80`
    Add(PublishSpec),
    /// End a published service
    #[command(visible_alias = "delete")]
    Del {
        /// Where it is reached: 203.0.113.1:8080/tcp or wan:8080
        listen: String,
    },
    /// Publish a service, in place of the one at the same listener; keys that are not given stay
    Set {
        #[command(flatten)]
        keys: PublishSpec,
        /// Take a key away, so that its default holds
        #[arg(long, value_name = "KEY")]
        unset: Vec<String>,
    },
    /// List published services
    List,
}

impl Publish {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = &context.client;
        match self {
            Self::Add(keys) if keys.to.is_empty() => {
                Err(Usage("a published service needs --to ADDRESS[:PORT]".to_owned()).into())
            }
            Self::Add(keys) => context.change(client.add_publish(&keys)).await,
            Self::Del { listen } => context.change(client.delete_publish(&listen)).await,
            Self::Set { keys, unset } => {
                let rules = client.publish().await?;
                let rule = rules.into_iter().find(|rule| same(&rule.listen, &keys.listen));
                if rule.is_none() && keys.to.is_empty() {
                    let sentence = format!(
                        "nothing is published at {:?}: say --to ADDRESS:PORT, too",
                        keys.listen
                    );
                    return Err(Usage(sentence).into());
                }
                // A rule that is there is spelled as it was.
                let listen = rule.as_ref().map_or(keys.listen, |rule| rule.listen.clone());
                let given = PublishSpec { listen, ..keys };
                let rule = keys::edited(rule.unwrap_or_default(), &given, &unset)?;
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
