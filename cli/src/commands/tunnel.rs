//! `tapswitch tunnel`

use anyhow::Result;
use clap::{Args, Subcommand};
use labfile::{BoolOrText, NumberOrText, TunnelSpec};

use super::keys::{self, bool_or_text, number_or_text};
use crate::context::Context;
use crate::render::tables;

#[derive(Debug, Subcommand)]
pub(crate) enum Tunnel {
    /// Continue a bridge at another host: `tapswitch tunnel add vx0 --bridge br0 --vni 42 --remote 192.168.10.164`
    ///
    /// Frames go out in UDP datagrams (VXLAN, RFC 7348) to every peer that may have their receiver. The other end may
    /// be another tapswitch, Linux, Open vSwitch or whatever speaks VXLAN, with the same VNI and port.
    Add {
        /// A name that no bridge, port or tunnel has
        name: String,
        #[command(flatten)]
        keys: TunnelKeys,
    },
    /// Delete a tunnel; what was learned behind it is forgotten
    #[command(visible_alias = "delete")]
    Del {
        /// Its name
        name: String,
    },
    /// Change keys of a tunnel: `tapswitch tunnel set vx0 --remote 192.168.10.164 --remote 192.168.10.165`
    ///
    /// Another bridge, port or local address makes the tunnel anew; everything else changes in place.
    Set {
        /// Its name
        name: String,
        #[command(flatten)]
        keys: TunnelKeys,
        /// Take a key away, so that its default holds
        #[arg(long, value_name = "KEY")]
        unset: Vec<String>,
    },
    /// List tunnels with bridge, VNI, port, addresses, MTU and VLAN
    List,
    /// Who sends datagrams that no tunnel wants: by VNI and address
    Strangers,
}

/// The keys of `[tunnel.NAME]`.
#[derive(Debug, Args)]
pub(crate) struct TunnelKeys {
    /// The bridge that is continued
    #[arg(long)]
    bridge: Option<String>,
    /// The number of the segment, 0 to 16777215, the same at every peer [default: 0, as Open vSwitch]
    #[arg(long, value_name = "N")]
    vni: Option<i64>,
    /// A peer's address; more than one may be given
    #[arg(long, visible_alias = "remotes", value_name = "ADDRESS", value_delimiter = ',')]
    remote: Vec<String>,
    /// The own address that datagrams leave from and arrive at [default: as the kernel routes]
    #[arg(long, value_name = "ADDRESS")]
    local: Option<String>,
    /// The UDP port, here and at the peers [default: 4789]
    #[arg(long)]
    port: Option<i64>,
    /// The one VLAN that is carried, without tags inside [default: frames without a VLAN]
    #[arg(long)]
    vlan: Option<i64>,
    /// Carry every VLAN, with its tags inside
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    trunk: Option<bool>,
    /// Largest IPv4 packet inside, in bytes [default: what the path to the peers carries]
    #[arg(long)]
    mtu: Option<i64>,
    /// Time to live of the outer packet, or inherit for that of the packet inside [default: 64]
    #[arg(long, value_name = "N|inherit", value_parser = number_or_text)]
    ttl: Option<NumberOrText>,
    /// DSCP of the outer packet, or inherit for that of the packet inside [default: 0]
    #[arg(long, value_name = "N|inherit", value_parser = number_or_text)]
    dscp: Option<NumberOrText>,
    /// Whether routers on the way may not cut the outer packet [default: true]
    #[arg(long, value_name = "BOOL")]
    df: Option<bool>,
    /// Outer UDP checksum: true or on, false or zero [default: true]
    #[arg(long, value_name = "BOOL", value_parser = bool_or_text)]
    checksum: Option<BoolOrText>,
    /// Drop datagrams that set reserved bits of the VXLAN header, as Open vSwitch does
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    strict_reserved: Option<bool>,
    /// Answer ARP requests for known far stations here
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    arp_suppression: Option<bool>,
    /// Lower the MSS of TCP connections to what fits the tunnel
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    mss_clamp: Option<bool>,
    /// Learn from what arrives which peer has which station [default: true]
    #[arg(long, value_name = "BOOL")]
    learning: Option<bool>,
    /// Out of reach for the bridge's isolated ports
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    isolated: Option<bool>,
}

impl From<TunnelKeys> for TunnelSpec {
    fn from(keys: TunnelKeys) -> Self {
        Self {
            bridge: keys.bridge,
            vni: keys.vni,
            remotes: keys.remote.into_iter().collect(),
            local: keys.local,
            port: keys.port,
            vlan: keys.vlan,
            trunk: keys.trunk,
            mtu: keys.mtu,
            ttl: keys.ttl,
            dscp: keys.dscp,
            df: keys.df,
            checksum: keys.checksum,
            strict_reserved: keys.strict_reserved,
            arp_suppression: keys.arp_suppression,
            mss_clamp: keys.mss_clamp,
            learning: keys.learning,
            isolated: keys.isolated,
        }
    }
}

impl Tunnel {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = &context.client;
        match self {
            Self::Add { name, keys } => {
                context.change(client.add_tunnel(&name, &keys.into())).await
            }
            Self::Del { name } => context.change(client.delete_tunnel(&name)).await,
            Self::Set { name, keys, unset } => {
                let patch = keys::patch(&TunnelSpec::from(keys), &unset)?;
                context.change(client.set_tunnel(&name, &patch)).await
            }
            Self::List => context.list(&client.tunnels().await?, |all| tables::tunnels(all)),
            Self::Strangers => {
                context.list(&client.strangers().await?, |all| tables::strangers(all))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        verb: Tunnel,
    }

    fn spec(line: &str) -> TunnelSpec {
        match Line::parse_from(line.split(' ')).verb {
            Tunnel::Add { keys, .. } | Tunnel::Set { keys, .. } => keys.into(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_are_the_keys_of_the_lab_file() {
        let spec = spec(
            "tunnel add vx0 --bridge br0 --vni 42 --remote 192.0.2.1 --remote 192.0.2.2 --local 192.0.2.9 --port 8472 \
             --vlan 10 --trunk=false --mtu 1400 --ttl 7 --dscp inherit --df false --checksum zero --strict-reserved \
             --arp-suppression --mss-clamp --learning=false --isolated",
        );
        let mut lab = labfile::LabSpec::default();
        lab.tunnel.insert("vx0".into(), spec);
        assert_eq!(
            lab.to_toml().unwrap(),
            "[tunnel.vx0]\nbridge = \"br0\"\nvni = 42\nremotes = [\"192.0.2.1\", \"192.0.2.2\"]\n\
             local = \"192.0.2.9\"\nport = 8472\nvlan = 10\ntrunk = false\nmtu = 1400\nttl = 7\n\
             dscp = \"inherit\"\ndf = false\nchecksum = \"zero\"\nstrict_reserved = true\n\
             arp_suppression = true\nmss_clamp = true\nlearning = false\nisolated = true\n"
        );
    }

    #[test]
    fn only_what_is_given_is_set() {
        let keys = spec("tunnel set vx0 --remotes 192.0.2.1,192.0.2.2 --checksum true");
        let patch = keys::patch(&keys, &["vlan".to_owned(), "arp-suppression".to_owned()]).unwrap();
        let expected = json!({
            "remotes": ["192.0.2.1", "192.0.2.2"],
            "checksum": true,
            "vlan": null,
            "arp_suppression": null,
        });
        assert_eq!(patch, expected);
    }

    #[test]
    fn a_flag_without_a_value_does_not_eat_the_name() {
        assert_eq!(spec("tunnel add --trunk vx0 --bridge br0").trunk, Some(true));
    }
}
