//! `tapswitch tunnel`

use anyhow::Result;
use clap::Subcommand;
use labfile::TunnelSpec;

use super::keys;
use crate::context::Context;
use crate::render::tables;

#[derive(Debug, Subcommand)]
pub(crate) enum Tunnel {
    /// Continue a bridge at another host: `tapswitch tunnel add vx0 --bridge br0 --vni 42 --remote
    /// 192.168.10.164`
    ///
    /// Frames go out in UDP datagrams (VXLAN, RFC 7348) to every peer that may have their receiver.
    /// The other end may be another tapswitch, Linux, Open vSwitch or whatever speaks VXLAN,
    /// with the same VNI and port.
    Add {
        /// A name that no bridge, port or tunnel has
        name: String,
        #[command(flatten)]
        keys: TunnelSpec,
    },
    /// Delete a tunnel; what was learned behind it is forgotten
    #[command(visible_alias = "delete")]
    Del {
        /// Its name
        name: String,
    },
    /// Change keys of a tunnel: `tapswitch tunnel set vx0 --remote 192.168.10.164 --remote
    /// 192.168.10.165`
    ///
    /// Another bridge, port or local address makes the tunnel anew; everything else changes in
    /// place.
    Set {
        /// Its name
        name: String,
        #[command(flatten)]
        keys: TunnelSpec,
        /// Take a key away, so that its default holds
        #[arg(long, value_name = "KEY")]
        unset: Vec<String>,
    },
    /// List tunnels with bridge, VNI, port, addresses, MTU and VLAN
    List,
    /// Who sends datagrams that no tunnel wants: by VNI and address
    Unknown,
}

impl Tunnel {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = &context.client;
        match self {
            Self::Add { name, keys } => context.change(client.add_tunnel(&name, &keys)).await,
            Self::Del { name } => context.change(client.delete_tunnel(&name)).await,
            Self::Set { name, keys, unset } => {
                let patch = keys::patch(&keys, &unset)?;
                context.change(client.set_tunnel(&name, &patch)).await
            }
            Self::List => context.list(&client.tunnels().await?, |all| tables::tunnels(all)),
            Self::Unknown => {
                context.list(&client.unknown_vteps().await?, |all| tables::unknown_vteps(all))
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
            Tunnel::Add { keys, .. } | Tunnel::Set { keys, .. } => keys,
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
