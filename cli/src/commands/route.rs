//! `tapswitch route`

use anyhow::Result;
use clap::Subcommand;
use labfile::RouteSpec;

use crate::context::Context;
use crate::render::tables;

#[derive(Debug, Subcommand)]
pub(crate) enum Route {
    /// Add a route: `tapswitch route add 0.0.0.0/0 --via 203.0.113.254`
    Add(RouteSpec),
    /// Delete the route to a destination
    #[command(visible_alias = "delete")]
    Del {
        /// The destination: 10.0.0.0/8, 10.1.2.3 or default
        to: String,
    },
    /// Add a route, or lead an existing one elsewhere
    Set(RouteSpec),
    /// List routes, connected ones too
    List,
}

impl Route {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = &context.client;
        match self {
            Self::Add(keys) => context.change(client.add_route(&keys)).await,
            Self::Del { to } => context.change(client.delete_route(&to)).await,
            Self::Set(keys) => context.change(client.set_route(&keys)).await,
            Self::List => context.list(&client.routes().await?, |all| tables::routes(all)),
        }
    }
}
