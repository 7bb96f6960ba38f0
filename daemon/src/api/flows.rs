//! Flows that NAT tracks: which are meant, in the words of conntrack(8), and what may be done to
//! them.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use packet::{Ipv4Net, Protocol};
use switch::change::FlowFilter;

use super::error::ApiError;
use super::query::Asked;
use crate::engine::{Engine, FlowNames};
use control::message::{Ended, FlowQuery};
use control::view::FlowEntry;

fn filter(query: &FlowQuery) -> Result<FlowFilter, ApiError> {
    let within =
        |key, text: &Option<String>| text.as_deref().map(|text| network(key, text)).transpose();
    let translated = |key, text: &Option<String>| match text.as_deref() {
        Some("false") => Ok(None),
        Some("true") => Ok(Some(Ipv4Net::default())),
        _ => within(key, text),
    };
    let filter = FlowFilter {
        protocol: query.proto.as_deref().map(protocol).transpose()?,
        source: within("src", &query.src)?,
        destination: within("dst", &query.dst)?,
        source_port: query.sport.as_deref().map(|text| port("sport", text)).transpose()?,
        destination_port: query.dport.as_deref().map(|text| port("dport", text)).transpose()?,
        src_nat: translated("src_nat", &query.src_nat)?,
        dst_nat: translated("dst_nat", &query.dst_nat)?,
        any_nat: translated("any_nat", &query.any_nat)?,
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

fn names(query: FlowQuery) -> FlowNames {
    FlowNames { rule: query.rule, port: query.port }
}

/// `GET /v1/conntrack`
pub(super) async fn list(
    State(engine): State<Arc<Engine>>,
    Asked(asked): Asked<FlowQuery>,
) -> Result<Json<Vec<FlowEntry>>, ApiError> {
    let filter = filter(&asked)?;
    Ok(Json(engine.flows(filter, &names(asked)).await?))
}

/// `DELETE /v1/conntrack`
pub(super) async fn end(
    State(engine): State<Arc<Engine>>,
    Asked(asked): Asked<FlowQuery>,
) -> Result<Json<Ended>, ApiError> {
    let filter = filter(&asked)?;
    let is_flush = asked == FlowQuery::default();
    let flows = engine.end_flows(filter, &names(asked)).await?;
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
        assert!(filter(&asked(None)).is_ok() && filter(&asked(Some("udp"))).is_ok());
        assert!(filter(&asked(Some("icmp"))).is_err());
        let silly = FlowQuery { sport: Some("65536".into()), ..FlowQuery::default() };
        assert!(filter(&silly).is_err());
    }

    #[test]
    fn translated_is_any_or_to_an_address() {
        let to = |text: &str| {
            let asked = FlowQuery { src_nat: Some(text.into()), ..FlowQuery::default() };
            filter(&asked).map(|filter| filter.src_nat)
        };
        assert_eq!(to("true").unwrap(), Some(Ipv4Net::default()));
        assert_eq!(to("false").unwrap(), None);
        assert_eq!(to("203.0.113.1").unwrap(), Some("203.0.113.1/32".parse().unwrap()));
        assert!(to("yes").is_err());
    }
}
