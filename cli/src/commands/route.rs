//! `tapswitch route`

use anyhow::Result;
use clap::{Args, Subcommand};
use labfile::RouteSpec;

use crate::context::Context;
use crate::render::tables;

#[derive(Debug, Subcommand)]
pub(crate) enum Route {
    /// Add a route: `tapswitch route add 0.0.0.0/0 --via 203.0.113.254`
    Add(RouteKeys),
    /// Delete the route to a destination
    #[command(visible_alias = "delete")]
    Del {
        /// The destination: 10.0.0.0/8, 10.1.2.3 or default
        to: String,
    },
    /// Add a route, or lead an existing one elsewhere
    Set(RouteKeys),
    /// List routes, connected ones too
    List,
}

/// The keys of `[[route]]`.
#[derive(Debug, Args)]
pub(crate) struct RouteKeys {
    /// The destination: 10.0.0.0/8, 10.1.2.3 or default
    to: String,
    /// The next router, in a subnet of the switch
    #[arg(long, value_name = "ADDRESS", required_unless_present_any = ["out", "reject"])]
    via: Option<String>,
    /// The interface: wan, br0 or br0.10
    #[arg(long, value_name = "INTERFACE")]
    out: Option<String>,
    /// Refuse the packets: unreachable, prohibit or, without a word, blackhole
    #[arg(long, value_name = "HOW", conflicts_with_all = ["via", "out"])]
    reject: Option<String>,
}

impl From<RouteKeys> for RouteSpec {
    fn from(keys: RouteKeys) -> Self {
        Self { to: keys.to, via: keys.via, out: keys.out, reject: keys.reject }
    }
}

impl Route {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = &context.client;
        match self {
            Self::Add(keys) => context.change(client.add_route(&keys.into())).await,
            Self::Del { to } => context.change(client.delete_route(&to)).await,
            Self::Set(keys) => context.change(client.set_route(&keys.into())).await,
            Self::List => context.list(&client.routes().await?, |all| tables::routes(all)),
        }
    }
}
