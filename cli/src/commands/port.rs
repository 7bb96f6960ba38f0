//! `tapswitch port`

use anyhow::Result;
use clap::{Args, Subcommand};
use labfile::{BoolOrText, PortSpec};

use super::keys::{self, bool_or_text};
use crate::context::Context;
use crate::render::tables;

#[derive(Debug, Subcommand)]
pub(crate) enum Port {
    /// Plug a namespace in: `tapswitch port add red --bridge br0 --netns red --address 192.168.0.2/24`
    ///
    /// The device is made inside the namespace, which is made too when there is none of that name; --interface takes an
    /// existing device of this namespace instead, as it is. With --router in place of --bridge the port is a segment
    /// of its own.
    Add {
        /// A name that no bridge, port or tunnel has
        name: String,
        #[command(flatten)]
        keys: PortKeys,
    },
    /// Unplug a port, and remove its device
    #[command(visible_alias = "delete")]
    Del {
        /// Its name
        name: String,
    },
    /// Change keys of a port: `tapswitch port set red --mtu 9000`
    ///
    /// Addresses, gateway, MAC address, MTU, bridge and VLANs change in place; another namespace, device, link or
    /// offload makes the device anew.
    Set {
        /// Its name
        name: String,
        #[command(flatten)]
        keys: PortKeys,
        /// Take a key away, so that its default holds
        #[arg(long, value_name = "KEY")]
        unset: Vec<String>,
    },
    /// List ports with namespace, device, ifindex, nsid, MAC and address
    List,
}

/// The keys of `[port.NAME]`.
#[derive(Debug, Args)]
pub(crate) struct PortKeys {
    /// The bridge it is plugged into; or else --router
    #[arg(long)]
    bridge: Option<String>,
    /// The switch's own address on a routed port; or else --bridge
    #[arg(long, value_name = "ADDRESS/LEN", value_delimiter = ',')]
    router: Vec<String>,
    /// The switch's own Ethernet address on a routed port
    #[arg(long, value_name = "MAC")]
    router_mac: Option<String>,
    /// From whom the router takes packets on a routed port: strict, loose or off [default: loose]
    #[arg(long, value_name = "MODE")]
    rp_filter: Option<String>,
    /// The namespace of the far end: a name (made when absent), or a path
    #[arg(long, value_name = "NAME|PATH")]
    netns: Option<String>,
    /// A process whose namespace is the far end's, such as a container's
    #[arg(long)]
    pid: Option<i64>,
    /// The far end is in the daemon's own namespace
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    host: Option<bool>,
    /// An existing device of the daemon's own namespace, which becomes the port as it is
    #[arg(long, value_name = "DEVICE")]
    interface: Option<String>,
    /// What joins a namespace: tap, or veth for a real pair [default: tap]
    #[arg(long, value_name = "KIND")]
    link: Option<String>,
    /// With --host: the Linux bridge that the device is enslaved to
    #[arg(long, value_name = "BRIDGE")]
    master: Option<String>,
    /// Name of the far end's device
    #[arg(long)]
    device: Option<String>,
    /// Ethernet address of the far end's device
    #[arg(long)]
    mac: Option<String>,
    /// Largest IPv4 packet, in bytes [default: the bridge's, or that of its smallest tunnel, or 1500]
    #[arg(long)]
    mtu: Option<i64>,
    /// The far end's address, with its prefix length; more than one may be given
    #[arg(long, value_name = "ADDRESS/LEN", value_delimiter = ',')]
    address: Vec<String>,
    /// The far end's default gateway, or none [default: the bridge's router address]
    #[arg(long, value_name = "ADDRESS|none", value_parser = bool_or_text)]
    gateway: Option<BoolOrText>,
    /// Let unfinished checksums and super-frames pass [default: true]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    offload: Option<bool>,
    /// Out of reach for the other isolated ports of the bridge
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    isolated: Option<bool>,
    /// Let only the port's own MAC address and addresses speak on it
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    guard: Option<bool>,
    /// The one VLAN of an access port
    #[arg(long)]
    vlan: Option<i64>,
    /// The tagged VLANs of a trunk
    #[arg(long, value_name = "VLAN", value_delimiter = ',')]
    trunks: Vec<i64>,
    /// The VLAN of untagged frames on a trunk
    #[arg(long, value_name = "VLAN")]
    native: Option<i64>,
    /// access, trunk, native-tagged, native-untagged or dot1q-tunnel
    #[arg(long, value_name = "MODE")]
    vlan_mode: Option<String>,
    /// Of a dot1q-tunnel port: the customers' VLANs that pass, 0 for frames without a tag
    #[arg(long, value_name = "VLAN", value_delimiter = ',')]
    cvlans: Vec<i64>,
    /// Of a dot1q-tunnel port: the outer tag on trunks, 802.1ad or 802.1q
    #[arg(long, value_name = "KIND")]
    qinq_ethertype: Option<String>,
    /// false, if-nonzero or always
    #[arg(long, value_name = "WHEN", value_parser = bool_or_text)]
    priority_tags: Option<BoolOrText>,
}

impl From<PortKeys> for PortSpec {
    fn from(keys: PortKeys) -> Self {
        Self {
            bridge: keys.bridge,
            router: keys.router.into_iter().collect(),
            router_mac: keys.router_mac,
            rp_filter: keys.rp_filter,
            netns: keys.netns,
            pid: keys.pid,
            host: keys.host,
            interface: keys.interface,
            link: keys.link,
            master: keys.master,
            device: keys.device,
            mac: keys.mac,
            mtu: keys.mtu,
            address: keys.address.into_iter().collect(),
            gateway: keys.gateway,
            offload: keys.offload,
            isolated: keys.isolated,
            guard: keys.guard,
            vlan: keys.vlan,
            trunks: keys.trunks,
            native: keys.native,
            vlan_mode: keys.vlan_mode,
            cvlans: keys.cvlans,
            qinq_ethertype: keys.qinq_ethertype,
            priority_tags: keys.priority_tags,
        }
    }
}

impl Port {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = &context.client;
        match self {
            Self::Add { name, keys } => context.change(client.add_port(&name, &keys.into())).await,
            Self::Del { name } => context.change(client.delete_port(&name)).await,
            Self::Set { name, keys, unset } => {
                let patch = keys::patch(&PortSpec::from(keys), &unset)?;
                context.change(client.set_port(&name, &patch)).await
            }
            Self::List => context.list(&client.ports().await?, |all| tables::ports(all)),
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
        verb: Port,
    }

    fn spec(line: &str) -> PortSpec {
        match Line::parse_from(line.split(' ')).verb {
            Port::Add { keys, .. } | Port::Set { keys, .. } => keys.into(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_are_the_keys_of_the_lab_file() {
        let spec = spec(
            "port add red --bridge br0 --netns red --address 192.168.0.2/24 --gateway none --offload=false --isolated \
             --trunks 10,20 --native 10 --priority-tags true --cvlans 0,5 --qinq-ethertype 802.1q",
        );
        let expected = PortSpec {
            bridge: Some("br0".into()),
            netns: Some("red".into()),
            address: "192.168.0.2/24".into(),
            gateway: Some(BoolOrText::Text("none".into())),
            offload: Some(false),
            isolated: Some(true),
            trunks: vec![10, 20],
            native: Some(10),
            priority_tags: Some(BoolOrText::Bool(true)),
            cvlans: vec![0, 5],
            qinq_ethertype: Some("802.1q".into()),
            ..PortSpec::default()
        };
        assert_eq!(spec, expected);
    }

    #[test]
    fn a_far_end_may_be_a_found_device_or_a_pair() {
        let found = spec("port add up --router 10.0.0.1/24 --interface eth1");
        assert_eq!((found.interface.as_deref(), found.link), (Some("eth1"), None));
        let pair = spec("port add red --bridge br0 --netns red --link veth");
        assert_eq!((pair.interface, pair.link.as_deref()), (None, Some("veth")));
    }

    #[test]
    fn a_flag_without_a_value_does_not_eat_the_name() {
        assert_eq!(spec("port add --host lab0 --bridge br0").host, Some(true));
    }
}
