//! `tapswitch bridge`

use anyhow::Result;
use clap::{Args, Subcommand};
use control::message::RenumberSpec;
use labfile::BridgeSpec;

use super::keys;
use crate::context::Context;
use crate::render::tables;

#[derive(Debug, Subcommand)]
pub(crate) enum Bridge {
    /// Add a bridge: `tapswitch bridge add br0 --router 192.168.0.1/24`
    Add {
        /// A name that no bridge, port or tunnel has
        name: String,
        #[command(flatten)]
        keys: BridgeKeys,
    },
    /// Delete a bridge that has no ports and no tunnels
    #[command(visible_alias = "delete")]
    Del {
        /// Its name
        name: String,
        /// Delete its ports and tunnels, too
        #[arg(long)]
        ports: bool,
    },
    /// Change keys of a bridge; its ports stay plugged in
    Set {
        /// Its name
        name: String,
        #[command(flatten)]
        keys: BridgeKeys,
        /// Take a key away, so that its default holds
        #[arg(long, value_name = "KEY")]
        unset: Vec<String>,
    },
    /// Move a bridge to another subnet: `tapswitch bridge renumber docker0 192.168.225.1/24`
    ///
    /// In one change: the router's address; addresses and gateways of the ports there; sources and
    /// exceptions of masquerade, listeners and targets of publish, and routes, where they are
    /// in the old subnet; neighbours that were bound. Host parts are kept. What is wider than
    /// the subnet stays, and so do the bridge's other addresses: each VLAN is moved by itself,
    /// with --vlan.
    Renumber {
        /// Its name
        name: String,
        /// The router's address in the new subnet
        #[arg(value_name = "ADDRESS/LEN")]
        to: String,
        /// The router's address in the old subnet, where there are several or it has left already
        /// [default: the only one]
        #[arg(long, value_name = "ADDRESS/LEN")]
        from: Option<String>,
        /// The VLAN whose subnet moves [default: that of frames without one]
        #[arg(long)]
        vlan: Option<u16>,
        /// Only print what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// List bridges
    List,
}

/// The keys of `[bridge.NAME]`.
#[derive(Debug, Args)]
pub(crate) struct BridgeKeys {
    #[command(flatten)]
    keys: BridgeSpec,
    /// The switch's own address in a VLAN: `10=192.168.10.1/24`
    #[arg(long, value_name = "VLAN=ADDRESS/LEN", value_parser = vlan_router)]
    vlan_router: Vec<(String, String)>,
}

impl From<BridgeKeys> for BridgeSpec {
    fn from(BridgeKeys { mut keys, vlan_router }: BridgeKeys) -> Self {
        for (vlan, address) in vlan_router {
            keys.vlan.entry(vlan).or_default().router.push(address);
        }
        keys
    }
}

impl Bridge {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = &context.client;
        match self {
            Self::Add { name, keys } => {
                context.change(client.add_bridge(&name, &keys.into())).await
            }
            Self::Del { name, ports: false } => context.change(client.delete_bridge(&name)).await,
            Self::Del { name, ports: true } => {
                context.change(client.delete_bridge_and_ports(&name)).await
            }
            Self::Set { name, keys, unset } => {
                let patch = keys::patch(&BridgeSpec::from(keys), &unset)?;
                context.change(client.set_bridge(&name, &patch)).await
            }
            Self::Renumber { name, to, from, vlan, dry_run } => {
                let wanted = RenumberSpec { to, from, vlan };
                context.change(client.renumber_bridge(&name, &wanted, dry_run)).await
            }
            Self::List => context.list(&client.bridges().await?, |all| tables::bridges(all)),
        }
    }
}

fn vlan_router(text: &str) -> Result<(String, String), String> {
    let (vlan, address) = text.split_once('=').ok_or("write VLAN=ADDRESS/LEN")?;
    Ok((vlan.to_owned(), address.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        verb: Bridge,
    }

    fn spec(line: &str) -> BridgeSpec {
        match Line::parse_from(line.split(' ')).verb {
            Bridge::Add { keys, .. } | Bridge::Set { keys, .. } => keys.into(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_are_the_keys_of_the_lab_file() {
        let spec = spec(
            "bridge add br0 --router 192.168.0.1/24 --router 10.0.0.1/8 --vlan-router 10=10.0.10.1/24 --ageing 60 \
             --fdb-size 100 --forward lldp,lacp --hub --guard --rp-filter strict",
        );
        let text = spec_text(spec);
        assert_eq!(
            text,
            "[bridge.br0]\nrouter = [\"192.168.0.1/24\", \"10.0.0.1/8\"]\nageing = 60\nfdb_size = 100\n\
             forward = [\"lldp\", \"lacp\"]\nhub = true\nguard = true\nrp_filter = \"strict\"\n\n\
             [bridge.br0.vlan.10]\nrouter = \"10.0.10.1/24\"\n"
        );
    }

    fn spec_text(spec: BridgeSpec) -> String {
        let mut lab = labfile::LabSpec::default();
        lab.bridge.insert("br0".into(), spec);
        lab.to_toml().unwrap()
    }

    #[test]
    fn a_truth_may_be_denied() {
        assert_eq!(spec("bridge set br0 --hub=false").hub, Some(false));
        assert_eq!(spec("bridge set br0 --mtu 9000").hub, None);
    }
}
