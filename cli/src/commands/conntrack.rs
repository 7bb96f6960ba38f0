//! `tapswitch conntrack`

use anyhow::Result;
use clap::Subcommand;

use crate::context::Context;
use crate::render::tables;

#[derive(Debug, Subcommand)]
pub(crate) enum Conntrack {
    /// List flows in the layout of `conntrack -L`
    List {
        /// Only flows whose source is translated: masqueraded ones
        #[arg(long)]
        src_nat: bool,
        /// Only flows whose destination is translated: those to published ports; with --src-nat, either
        #[arg(long)]
        dst_nat: bool,
    },
    /// Forget all flows; packets of those that go on make new ones, if they may
    Flush,
}

impl Conntrack {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = &context.client;
        match self {
            Self::List { src_nat, dst_nat } => {
                let flows = client.flows(src_nat, dst_nat).await?;
                context.list(&flows, |all| tables::flows(all))?;
                if !context.json {
                    eprintln!("{} flow entries have been shown.", flows.len());
                }
                Ok(())
            }
            Self::Flush => context.done(client.flush_flows()).await,
        }
    }
}
