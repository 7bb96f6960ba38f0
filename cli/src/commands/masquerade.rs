//! `tapswitch masquerade`

use anyhow::Result;
use clap::Subcommand;
use labfile::MasqueradeSpec;

use super::keys;
use crate::context::Context;
use crate::failure::Usage;
use crate::render::tables;

#[derive(Debug, Subcommand)]
pub(crate) enum Masquerade {
    /// Add a rule: `tapswitch masquerade add --source 192.168.0.0/24 --out wan --except 10.0.0.0/8`
    Add {
        #[command(flatten)]
        keys: MasqueradeSpec,
        /// The place it takes, counted from 1; first match wins [default: the end]
        #[arg(long, value_name = "N")]
        at: Option<usize>,
    },
    /// Delete a rule by its number in the list, or by what it matches
    #[command(visible_alias = "delete")]
    Del {
        /// Its number, counted from 1
        #[arg(required_unless_present_any = ["source", "out"], conflicts_with_all = ["source", "out"])]
        number: Option<usize>,
        /// The inside network
        #[arg(long, value_name = "NETWORK")]
        source: Option<String>,
        /// The interface
        #[arg(long, value_name = "INTERFACE")]
        out: Option<String>,
    },
    /// Change keys of a rule; flows that it would translate otherwise end, unless they are
    /// established or it keeps them
    Set {
        /// Its number in the list, counted from 1
        number: usize,
        #[command(flatten)]
        keys: MasqueradeSpec,
        /// Take a key away, so that its default holds
        #[arg(long, value_name = "KEY")]
        unset: Vec<String>,
    },
    /// List rules in the order of their trial
    List,
}

impl Masquerade {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = &context.client;
        match self {
            Self::Add { keys, at } => {
                if keys.source.is_empty() || keys.out.is_empty() {
                    let sentence = "a rule needs --source NETWORK and --out INTERFACE";
                    return Err(Usage(sentence.to_owned()).into());
                }
                context.change(client.add_masquerade(at, &keys)).await
            }
            Self::Del { number, source, out } => {
                let deleted = client.delete_masquerade(number, source.as_deref(), out.as_deref());
                context.change(deleted).await
            }
            Self::Set { number, keys, unset } => {
                let rules = client.masquerade().await?;
                let rule = number.checked_sub(1).and_then(|at| rules.into_iter().nth(at));
                // The daemon says that there is no such rule, whatever the keys are.
                let unset = if rule.is_some() { unset } else { Vec::new() };
                let rule = keys::edited(rule.unwrap_or_default(), &keys, &unset)?;
                context.change(client.set_masquerade(number, &rule)).await
            }
            Self::List => context.list(&client.masquerade().await?, |all| tables::masquerade(all)),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        verb: Masquerade,
    }

    #[test]
    fn keys_that_are_not_given_stay() {
        let rule = MasqueradeSpec {
            source: "192.168.0.0/24".into(),
            out: "wan".into(),
            except: vec!["10.0.0.0/8".into()],
            ..MasqueradeSpec::default()
        };
        let line = Line::parse_from(["masquerade", "set", "1", "--ports", "2000-3000"]);
        let Masquerade::Set { keys, .. } = line.verb else { panic!("set") };
        let expected = MasqueradeSpec { ports: Some("2000-3000".into()), ..rule.clone() };
        assert_eq!(keys::edited(rule, &keys, &[]).unwrap(), expected);
    }

    #[test]
    fn a_rule_is_deleted_by_number_or_by_match() {
        assert!(Line::try_parse_from(["masquerade", "del"]).is_err());
        assert!(Line::try_parse_from(["masquerade", "del", "1", "--out", "wan"]).is_err());
        assert!(Line::try_parse_from(["masquerade", "del", "--out", "wan"]).is_ok());
    }
}
