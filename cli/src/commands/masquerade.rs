//! `tapswitch masquerade`

use anyhow::Result;
use clap::{Args, Subcommand};
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
        keys: MasqueradeKeys,
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
    /// Change keys of a rule; flows that it would translate otherwise end, unless they are established or it keeps them
    Set {
        /// Its number in the list, counted from 1
        number: usize,
        #[command(flatten)]
        keys: MasqueradeKeys,
        /// Take a key away, so that its default holds
        #[arg(long, value_name = "KEY")]
        unset: Vec<String>,
    },
    /// List rules in the order of their trial
    List,
}

/// The keys of `[[masquerade]]`.
#[derive(Clone, Debug, Args)]
pub(crate) struct MasqueradeKeys {
    /// The inside network
    #[arg(long, value_name = "NETWORK")]
    source: Option<String>,
    /// The interface they leave by: wan, br0 or br0.10
    #[arg(long, value_name = "INTERFACE")]
    out: Option<String>,
    /// Destinations that are left as they are
    #[arg(long, value_name = "NETWORK", value_delimiter = ',')]
    except: Vec<String>,
    /// endpoint-independent or address-and-port-dependent
    #[arg(long)]
    mapping: Option<String>,
    /// endpoint-independent, address-dependent or address-and-port-dependent
    #[arg(long)]
    filtering: Option<String>,
    /// Outside ports to choose from: 1024-65535
    #[arg(long, value_name = "FIRST-LAST")]
    ports: Option<String>,
    /// Keep even ports even and odd ones odd [default: true]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    parity: Option<bool>,
    /// Let who is outside reach the hosts inside at their own addresses, too [default: false]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    inside_reachable: Option<bool>,
    /// Let its flows go on when it changes or goes [default: false]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    keep: Option<bool>,
}

impl MasqueradeKeys {
    /// The rule with the keys that were given in place of its own.
    fn over(self, rule: MasqueradeSpec) -> MasqueradeSpec {
        let except =
            if self.except.is_empty() { rule.except } else { self.except.into_iter().collect() };
        MasqueradeSpec {
            source: self.source.unwrap_or(rule.source),
            out: self.out.unwrap_or(rule.out),
            except,
            mapping: self.mapping.or(rule.mapping),
            filtering: self.filtering.or(rule.filtering),
            ports: self.ports.or(rule.ports),
            parity: self.parity.or(rule.parity),
            inside_reachable: self.inside_reachable.or(rule.inside_reachable),
            keep: self.keep.or(rule.keep),
        }
    }
}

impl Masquerade {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = &context.client;
        match self {
            Self::Add { keys, at } => {
                if keys.source.is_none() || keys.out.is_none() {
                    let sentence = "a rule needs --source NETWORK and --out INTERFACE";
                    return Err(Usage(sentence.to_owned()).into());
                }
                let rule = keys.over(MasqueradeSpec::default());
                context.change(client.add_masquerade(at, &rule)).await
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
                let given = keys.clone().over(MasqueradeSpec::default());
                let rule = keys::without(keys.over(rule.unwrap_or_default()), &given, &unset)?;
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
            except: "10.0.0.0/8".into(),
            ..MasqueradeSpec::default()
        };
        let line = Line::parse_from(["masquerade", "set", "1", "--ports", "2000-3000"]);
        let Masquerade::Set { keys, .. } = line.verb else { panic!("set") };
        let expected = MasqueradeSpec { ports: Some("2000-3000".into()), ..rule.clone() };
        assert_eq!(keys.over(rule), expected);
    }

    #[test]
    fn a_rule_is_deleted_by_number_or_by_match() {
        assert!(Line::try_parse_from(["masquerade", "del"]).is_err());
        assert!(Line::try_parse_from(["masquerade", "del", "1", "--out", "wan"]).is_err());
        assert!(Line::try_parse_from(["masquerade", "del", "--out", "wan"]).is_ok());
    }
}
