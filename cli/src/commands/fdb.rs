//! `tapswitch fdb`

use anyhow::Result;
use clap::Subcommand;
use control::message::StationSpec;

use crate::context::Context;
use crate::render::tables;

#[derive(Debug, Subcommand)]
pub(crate) enum Fdb {
    /// List stations, by bridge
    List {
        /// Only of this bridge
        #[arg(long)]
        bridge: Option<String>,
    },
    /// Forget what was learned
    Flush {
        /// Only on this bridge
        #[arg(long)]
        bridge: Option<String>,
        /// Only behind this port or tunnel
        #[arg(long)]
        port: Option<String>,
    },
    /// Bind a station to a port: `tapswitch fdb add 02:00:00:00:00:09 --port red`
    ///
    /// Behind a tunnel, to one of its peers: `--port vx0 --remote 192.0.2.1`
    Add {
        /// The station
        mac: String,
        /// The port or tunnel it is behind
        #[arg(long)]
        port: String,
        /// Behind a tunnel, the peer that has it [default: the only one]
        #[arg(long, value_name = "ADDRESS")]
        remote: Option<String>,
        /// The bridge [default: the port's]
        #[arg(long)]
        bridge: Option<String>,
        /// The VLAN [default: the port's own untagged one]
        #[arg(long)]
        vlan: Option<i64>,
    },
    /// Forget one station, learned or bound
    #[command(visible_alias = "delete")]
    Del {
        /// The station
        mac: String,
        /// The bridge
        #[arg(long)]
        bridge: String,
        /// Its VLAN, as the list shows it; 0 for none
        #[arg(long, default_value_t = 0)]
        vlan: u16,
    },
}

impl Fdb {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = &context.client;
        match self {
            Self::List { bridge } => {
                let stations = client.stations(bridge.as_deref()).await?;
                context.list(&stations, |all| tables::stations(all))
            }
            Self::Flush { bridge, port } => {
                context.done(client.flush_stations(bridge.as_deref(), port.as_deref())).await
            }
            Self::Add { mac, port, remote, bridge, vlan } => {
                let station = StationSpec { mac, port, remote, bridge, vlan };
                context.change(client.bind_station(&station)).await
            }
            Self::Del { mac, bridge, vlan } => {
                context.done(client.forget_station(&bridge, vlan, &mac)).await
            }
        }
    }
}
