//! `tapswitch port`

use anyhow::Result;
use clap::Subcommand;
use labfile::PortSpec;

use super::keys;
use crate::context::Context;
use crate::render::tables;

#[derive(Debug, Subcommand)]
pub(crate) enum Port {
    /// Plug a namespace in: `tapswitch port add red --bridge br0 --netns red --address
    /// 192.168.0.2/24`
    ///
    /// The device is made inside the namespace, which is made too when there is none of that name;
    /// --interface takes an existing device of this namespace instead, as it is. With --router
    /// in place of --bridge the port is a segment of its own.
    Add {
        /// A name that no bridge, port or tunnel has
        name: String,
        #[command(flatten)]
        keys: PortSpec,
    },
    /// Unplug a port, and remove its device
    #[command(visible_alias = "delete")]
    Del {
        /// Its name
        name: String,
    },
    /// Change keys of a port: `tapswitch port set red --mtu 9000`
    ///
    /// Addresses, gateway, MAC address, MTU, bridge and VLANs change in place; another namespace,
    /// device, link or offload makes the device anew.
    Set {
        /// Its name
        name: String,
        #[command(flatten)]
        keys: PortSpec,
        /// Take a key away, so that its default holds
        #[arg(long, value_name = "KEY")]
        unset: Vec<String>,
    },
    /// List ports with namespace, device, ifindex, nsid, MAC and address
    List,
}

impl Port {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = &context.client;
        match self {
            Self::Add { name, keys } => context.change(client.add_port(&name, &keys)).await,
            Self::Del { name } => context.change(client.delete_port(&name)).await,
            Self::Set { name, keys, unset } => {
                let patch = keys::patch(&keys, &unset)?;
                context.change(client.set_port(&name, &patch)).await
            }
            Self::List => context.list(&client.ports().await?, |all| tables::ports(all)),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use labfile::BoolOrText;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        verb: Port,
    }

    fn spec(line: &str) -> PortSpec {
        match Line::parse_from(line.split(' ')).verb {
            Port::Add { keys, .. } | Port::Set { keys, .. } => keys,
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
            address: vec!["192.168.0.2/24".into()],
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
