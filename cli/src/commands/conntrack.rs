//! `tapswitch conntrack`

use anyhow::Result;
use clap::{Args, Subcommand};
use control::message::FlowQuery;
use control::view::FlowEntry;

use crate::context::Context;
use crate::failure::{NothingMatched, Usage};
use crate::output;
use crate::render::tables;

#[derive(Debug, Subcommand)]
pub(crate) enum Conntrack {
    /// List flows in the layout of `conntrack -L`: all, or those that every option fits
    List(Flows),
    /// End the flows that every option fits, and print them: `tapswitch conntrack del -p udp -s
    /// 192.168.0.0/24`
    ///
    /// Packets of those that go on make new ones, if they may. Exit status 1 when there was none.
    #[command(visible_alias = "delete")]
    Del(Flows),
    /// Forget all flows; packets of those that go on make new ones, if they may
    Flush,
}

/// Which flows, in the words of conntrack(8).
#[derive(Debug, Default, Args)]
pub(crate) struct Flows {
    /// Their protocol: tcp, udp, icmp, gre, or a number
    #[arg(short = 'p', long, value_name = "PROTOCOL", alias = "protonum")]
    proto: Option<String>,
    /// Who sent the first packet: an address, or a network as 192.168.0.0/24
    #[arg(short = 's', long, value_name = "ADDRESS", alias = "orig-src")]
    src: Option<String>,
    /// Whom the first packet was sent to, ahead of translation
    #[arg(short = 'd', long, value_name = "ADDRESS", alias = "orig-dst")]
    dst: Option<String>,
    /// The first packet's source port
    #[arg(long, value_name = "PORT", alias = "orig-port-src")]
    sport: Option<String>,
    /// The first packet's destination port
    #[arg(long, value_name = "PORT", alias = "orig-port-dst")]
    dport: Option<String>,
    /// The rule that translates them: a masquerade rule's number, publish:N, or a listener as
    /// 203.0.113.1:8080/tcp
    #[arg(long)]
    rule: Option<String>,
    /// The lab's port or tunnel that one end is behind
    #[arg(long, value_name = "NAME")]
    port: Option<String>,
    /// Whose source is translated: masqueraded ones; to this address or network
    #[arg(short = 'n', long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "true")]
    src_nat: Option<String>,
    /// Whose destination is translated: those to published ports; to this address or network. With
    /// --src-nat, both
    #[arg(short = 'g', long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "true")]
    dst_nat: Option<String>,
    /// Whose source or destination is translated
    #[arg(short = 'j', long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "true")]
    any_nat: Option<String>,
}

impl From<Flows> for FlowQuery {
    fn from(flows: Flows) -> Self {
        let Flows { proto, src, dst, sport, dport, rule, port, src_nat, dst_nat, any_nat } = flows;
        Self { proto, src, dst, sport, dport, rule, port, src_nat, dst_nat, any_nat }
    }
}

impl Conntrack {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = &context.client;
        match self {
            Self::List(flows) => {
                let flows = client.flows(&flows.into()).await?;
                context.list(&flows, |all| tables::flows(all))?;
                tell(context, &flows, "shown");
                Ok(())
            }
            Self::Del(flows) => {
                let asked = described(flows)?;
                let ended = client.end_flows(&asked).await?;
                context.list(&ended, |ended| tables::flows(&ended.flows))?;
                tell(context, &ended.flows, "deleted");
                if ended.ended == 0 { Err(NothingMatched.into()) } else { Ok(()) }
            }
            Self::Flush => {
                let ended = client.end_flows(&FlowQuery::default()).await?;
                if context.json { output::json(&ended) } else { Ok(()) }
            }
        }
    }
}

/// What `del` is to end: one option at least, for `flush` is the one that ends all.
fn described(flows: Flows) -> Result<FlowQuery, Usage> {
    let asked = FlowQuery::from(flows);
    if asked == FlowQuery::default() {
        let sentence = "say which flows: by -p, -s, -d, --sport, --dport, --rule, --port, --src-nat, --dst-nat or \
                        --any-nat; all of them end by `tapswitch conntrack flush`";
        return Err(Usage(sentence.to_owned()));
    }
    Ok(asked)
}

/// What conntrack(8) says at the end, beside the listing.
fn tell(context: &Context, flows: &[FlowEntry], what: &str) {
    if !context.json {
        output::aside(&format!("{} flow entries have been {what}.", flows.len()));
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        verb: Conntrack,
    }

    fn asked(line: &str) -> FlowQuery {
        match Line::parse_from(line.split(' ')).verb {
            Conntrack::List(flows) | Conntrack::Del(flows) => flows.into(),
            Conntrack::Flush => panic!("{line}"),
        }
    }

    #[test]
    fn options_are_those_of_conntrack() {
        let text = |text: &str| Some(text.to_owned());
        let expected = FlowQuery {
            proto: text("tcp"),
            src: text("192.168.0.0/24"),
            dst: text("8.8.8.8"),
            sport: text("1"),
            dport: text("443"),
            ..FlowQuery::default()
        };
        let line = "conntrack del -p tcp -s 192.168.0.0/24 -d 8.8.8.8 --sport 1 --dport 443";
        assert_eq!(asked(line), expected);
        let long = "conntrack list --proto tcp --orig-src 192.168.0.0/24 --orig-dst 8.8.8.8 --orig-port-src 1 \
                    --orig-port-dst 443";
        assert_eq!(asked(long), expected);
    }

    #[test]
    fn translated_may_say_to_which_address() {
        let asked = asked("conntrack list --src-nat -g 192.168.0.2 -j");
        assert_eq!(asked.src_nat.as_deref(), Some("true"));
        assert_eq!(asked.dst_nat.as_deref(), Some("192.168.0.2"));
        assert_eq!(asked.any_nat.as_deref(), Some("true"));
    }

    #[test]
    fn nothing_is_deleted_that_was_not_described() {
        assert!(described(Flows::default()).is_err());
        assert!(described(Flows { src_nat: Some("true".into()), ..Flows::default() }).is_ok());
    }
}
