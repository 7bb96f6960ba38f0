//! `tapswitch bridge`

use anyhow::Result;
use clap::{Args, Subcommand};
use control::message::RenumberSpec;
use labfile::{BridgeSpec, VlanSpec};

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
    /// In one change: the router's address; addresses and gateways of the ports there; sources and exceptions of
    /// masquerade, listeners and targets of publish, and routes, where they are in the old subnet; neighbours that were
    /// bound. Host parts are kept. What is wider than the subnet stays, and so do the bridge's other addresses: each
    /// VLAN is moved by itself, with --vlan.
    Renumber {
        /// Its name
        name: String,
        /// The router's address in the new subnet
        #[arg(value_name = "ADDRESS/LEN")]
        to: String,
        /// The router's address in the old subnet, where there are several or it has left already [default: the only one]
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
    /// The switch's own address here, with its prefix length; more than one may be given
    #[arg(long, value_name = "ADDRESS/LEN", value_delimiter = ',')]
    router: Vec<String>,
    /// The switch's own address in a VLAN: `10=192.168.10.1/24`
    #[arg(long, value_name = "VLAN=ADDRESS/LEN", value_parser = vlan_router)]
    vlan_router: Vec<(String, String)>,
    /// The switch's own Ethernet address here
    #[arg(long)]
    mac: Option<String>,
    /// Largest IPv4 packet, in bytes
    #[arg(long)]
    mtu: Option<i64>,
    /// Seconds after which a silent station is forgotten
    #[arg(long, value_name = "SECONDS")]
    ageing: Option<i64>,
    /// How many stations are remembered
    #[arg(long, value_name = "N")]
    fdb_size: Option<i64>,
    /// Reserved protocols that pass: stp, lacp, lldp, ptp, ..., an address, or all
    #[arg(long, value_name = "PROTOCOL", value_delimiter = ',')]
    forward: Vec<String>,
    /// Learn nothing and flood everything
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    hub: Option<bool>,
    /// Keep its ports out of each other's reach, as Docker's icc=false; a port may say otherwise
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    isolated: Option<bool>,
    /// Let only each port's own MAC address and addresses speak on it
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    guard: Option<bool>,
    /// From whom the router takes packets here: strict, loose or off [default: loose]
    #[arg(long, value_name = "MODE")]
    rp_filter: Option<String>,
}

impl From<BridgeKeys> for BridgeSpec {
    fn from(keys: BridgeKeys) -> Self {
        let mut spec = Self {
            router: keys.router.into_iter().collect(),
            mac: keys.mac,
            mtu: keys.mtu,
            ageing: keys.ageing,
            fdb_size: keys.fdb_size,
            forward: keys.forward.into_iter().collect(),
            hub: keys.hub,
            isolated: keys.isolated,
            guard: keys.guard,
            rp_filter: keys.rp_filter,
            ..Self::default()
        };
        for (vlan, address) in keys.vlan_router {
            let written: &mut VlanSpec = spec.vlan.entry(vlan).or_default();
            written.router.0.push(address);
        }
        spec
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
