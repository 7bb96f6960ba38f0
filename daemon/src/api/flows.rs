//! Flows that NAT tracks: which are meant, in the words of conntrack(8), and what may be done to them.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use packet::{Ipv4Net, Protocol};
use serde::{Deserialize, Serialize};
use switch::change::FlowFilter;

use super::error::ApiError;
use super::message::Ended;
use super::query::Asked;
use crate::engine::views::FlowEntry;
use crate::engine::{Engine, FlowNames};

/// Which flows are meant: all keys that are there must fit; none means every flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowQuery {
    /// `tcp`, `udp`, `icmp`, `gre`, or a number.
    pub proto: Option<String>,
    /// Source address or network in the original direction.
    pub src: Option<String>,
    /// Destination address or network in the original direction.
    pub dst: Option<String>,
    /// Source port in the original direction.
    pub sport: Option<String>,
    /// Destination port in the original direction.
    pub dport: Option<String>,
    /// A masquerade rule's number, `publish:N`, or where something is published.
    pub rule: Option<String>,
    /// A port or tunnel that one end is behind.
    pub port: Option<String>,
    /// `true`, or the address or network that the source is translated to.
    pub src_nat: Option<String>,
    /// `true`, or the address or network that the destination is translated to.
    pub dst_nat: Option<String>,
    /// `true`, or the address or network that either is translated to.
    pub any_nat: Option<String>,
}

impl FlowQuery {
    /// The keys with their values, as a query has them.
    pub(crate) fn keys(&self) -> [(&'static str, Option<&str>); 10] {
        [
            ("proto", self.proto.as_deref()),
            ("src", self.src.as_deref()),
            ("dst", self.dst.as_deref()),
            ("sport", self.sport.as_deref()),
            ("dport", self.dport.as_deref()),
            ("rule", self.rule.as_deref()),
            ("port", self.port.as_deref()),
            ("src_nat", self.src_nat.as_deref()),
            ("dst_nat", self.dst_nat.as_deref()),
            ("any_nat", self.any_nat.as_deref()),
        ]
    }

    fn filter(&self) -> Result<FlowFilter, ApiError> {
        let within =
            |key, text: &Option<String>| text.as_deref().map(|text| network(key, text)).transpose();
        let translated = |key, text: &Option<String>| match text.as_deref() {
            Some("false") => Ok(None),
            Some("true") => Ok(Some(Ipv4Net::default())),
            _ => within(key, text),
        };
        let filter = FlowFilter {
            protocol: self.proto.as_deref().map(protocol).transpose()?,
            source: within("src", &self.src)?,
            destination: within("dst", &self.dst)?,
            source_port: self.sport.as_deref().map(|text| port("sport", text)).transpose()?,
            destination_port: self.dport.as_deref().map(|text| port("dport", text)).transpose()?,
            src_nat: translated("src_nat", &self.src_nat)?,
            dst_nat: translated("dst_nat", &self.dst_nat)?,
            any_nat: translated("any_nat", &self.any_nat)?,
            rule: None,
            behind: None,
        };
        let has_port = filter.source_port.is_some() || filter.destination_port.is_some();
        match filter.protocol {
            None | Some(Protocol::TCP | Protocol::UDP) => Ok(filter),
            Some(_) if !has_port => Ok(filter),
            Some(_) => Err(ApiError::wrong(
                "sport and dport are of TCP and UDP alone: leave them out, or write proto=tcp or proto=udp",
            )),
        }
    }

    fn names(self) -> FlowNames {
        FlowNames { rule: self.rule, port: self.port }
    }
}

/// `GET /v1/conntrack`
pub(super) async fn list(
    State(engine): State<Arc<Engine>>,
    Asked(asked): Asked<FlowQuery>,
) -> Result<Json<Vec<FlowEntry>>, ApiError> {
    let filter = asked.filter()?;
    Ok(Json(engine.flows(filter, &asked.names()).await?))
}

/// `DELETE /v1/conntrack`
pub(super) async fn end(
    State(engine): State<Arc<Engine>>,
    Asked(asked): Asked<FlowQuery>,
) -> Result<Json<Ended>, ApiError> {
    let filter = asked.filter()?;
    let is_flush = asked == FlowQuery::default();
    let flows = engine.end_flows(filter, &asked.names()).await?;
    let ended = flows.len();
    Ok(Json(Ended { ended, flows: if is_flush { Vec::new() } else { flows } }))
}

/// As conntrack(8) names protocols.
fn protocol(text: &str) -> Result<Protocol, ApiError> {
    let wrong = || {
        let sentence = format!("proto {text:?}: write tcp, udp, icmp, gre, or a number up to 255");
        ApiError::wrong(sentence)
    };
    match text.to_ascii_lowercase().as_str() {
        "tcp" => Ok(Protocol::TCP),
        "udp" => Ok(Protocol::UDP),
        "icmp" => Ok(Protocol::ICMP),
        "gre" => Ok(Protocol(47)),
        number => number.parse().map(Protocol).map_err(|_| wrong()),
    }
}

/// An address, or a network whose host bits do not matter.
fn network(key: &str, text: &str) -> Result<Ipv4Net, ApiError> {
    let address = text.parse::<Ipv4Addr>().ok().map(Ipv4Net::from);
    address.or_else(|| text.parse().ok()).ok_or_else(|| {
        let sentence = format!(
            "{key} {text:?}: write an IPv4 address, 192.168.0.2, or a network, 192.168.0.0/24"
        );
        ApiError::wrong(sentence)
    })
}

fn port(key: &str, text: &str) -> Result<u16, ApiError> {
    let wrong = |_| ApiError::wrong(format!("{key} {text:?}: write a port, a number up to 65535"));
    text.parse().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_network_of_one() {
        for (text, expected) in [
            ("192.168.0.2", "192.168.0.2/32"),
            ("192.168.0.2/24", "192.168.0.2/24"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            assert_eq!(network("src", text).unwrap().to_string(), expected);
        }
        for wrong in ["", "192.168.0", "192.168.0.2/33", "192.168.0.2/", "::1", "red"] {
            assert!(network("src", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_protocol_is_a_name_or_a_number() {
        for (text, number) in [("tcp", 6), ("UDP", 17), ("icmp", 1), ("gre", 47), ("132", 132)] {
            assert_eq!(protocol(text).unwrap(), Protocol(number));
        }
        assert!(protocol("tpc").is_err() && protocol("256").is_err() && protocol("-1").is_err());
    }

    #[test]
    fn ports_are_of_tcp_and_udp_alone() {
        let asked = |proto: Option<&str>| FlowQuery {
            proto: proto.map(str::to_owned),
            dport: Some("53".into()),
            ..FlowQuery::default()
        };
        assert!(asked(None).filter().is_ok() && asked(Some("udp")).filter().is_ok());
        assert!(asked(Some("icmp")).filter().is_err());
        let silly = FlowQuery { sport: Some("65536".into()), ..FlowQuery::default() };
        assert!(silly.filter().is_err());
    }

    #[test]
    fn translated_is_any_or_to_an_address() {
        let to = |text: &str| {
            let asked = FlowQuery { src_nat: Some(text.into()), ..FlowQuery::default() };
            asked.filter().map(|filter| filter.src_nat)
        };
        assert_eq!(to("true").unwrap(), Some(Ipv4Net::default()));
        assert_eq!(to("false").unwrap(), None);
        assert_eq!(to("203.0.113.1").unwrap(), Some("203.0.113.1/32".parse().unwrap()));
        assert!(to("yes").is_err());
    }
}
