//! `tapswitch neigh`

use std::net::Ipv4Addr;

use anyhow::Result;
use clap::Subcommand;
use control::message::NeighborSpec;

use crate::context::Context;
use crate::render::tables;

#[derive(Debug, Subcommand)]
pub(crate) enum Neigh {
    /// List neighbours, by interface
    List,
    /// Forget those that were learned
    Flush,
    /// Bind a neighbour to a MAC address: `tapswitch neigh add 192.168.0.9 --mac 02:00:00:00:00:09`
    ///
    /// It is no part of the lab: it lasts until it is deleted, or its interface is.
    Add {
        /// Its address
        address: Ipv4Addr,
        /// Its Ethernet address
        #[arg(long)]
        mac: String,
        /// The interface [default: the one whose subnet the address is in]
        #[arg(long)]
        interface: Option<String>,
    },
    /// Forget one neighbour, learned or bound
    #[command(visible_alias = "delete")]
    Del {
        /// Its address
        address: Ipv4Addr,
        /// The interface [default: the one whose subnet the address is in]
        #[arg(long)]
        interface: Option<String>,
    },
}

impl Neigh {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = &context.client;
        match self {
            Self::List => context.list(&client.neighbors().await?, |all| tables::neighbors(all)),
            Self::Flush => context.done(client.flush_neighbors()).await,
            Self::Add { address, mac, interface } => {
                let neighbor = NeighborSpec { address, mac, interface };
                context.done(client.bind_neighbor(&neighbor)).await
            }
            Self::Del { address, interface } => {
                context.done(client.forget_neighbor(address, interface.as_deref())).await
            }
        }
    }
}
