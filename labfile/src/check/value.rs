//! Single values: addresses, subnets, numbers, words. Each function knows one sentence a fault.

use std::fmt::Display;
use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::time::Duration;

use nat::PortRange;
use packet::{Ipv4Net, Mac, VlanId};

use crate::nearest::nearest;
use crate::problem::{Fault, quoted};

/// A number within `range`.
pub(super) fn number<T: TryFrom<i64>>(
    key: &str,
    value: i64,
    range: RangeInclusive<i64>,
) -> Result<T, Fault> {
    let fault = || {
        let (least, most) = range.clone().into_inner();
        Fault::new(format!("`{key}` is {value}"), format!("write a number from {least} to {most}"))
    };
    if !range.contains(&value) {
        return Err(fault());
    }
    T::try_from(value).map_err(|_| fault())
}

/// A time in seconds.
pub(super) fn seconds(
    key: &str,
    value: i64,
    range: RangeInclusive<i64>,
) -> Result<Duration, Fault> {
    number(key, value, range)
        .map(Duration::from_secs)
        .map_err(|fault| Fault::new(fault.wrong, format!("{} seconds", fault.remedy)))
}

/// A VLAN that frames can be tagged with.
pub(super) fn vlan(key: &str, value: i64) -> Result<VlanId, Fault> {
    let range = 1..=i64::from(VlanId::MAX.number());
    let number: u16 = number(key, value, range.clone())?;
    VlanId::new(number).ok_or_else(|| Fault::new(format!("`{key}` is {value}"), vlan_remedy()))
}

/// A VLAN as the key of a table.
pub(super) fn vlan_key(text: &str) -> Result<VlanId, Fault> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let number = if plain { text.parse().ok() } else { None };
    number
        .and_then(VlanId::new)
        .ok_or_else(|| Fault::new(format!("{} is not a VLAN", quoted(text)), vlan_remedy()))
}

fn vlan_remedy() -> String {
    format!("write a number from 1 to {}", VlanId::MAX)
}

/// An IPv4 packet's size: RFC 791's least to what a 64 KiB frame holds.
pub(super) fn mtu(value: i64) -> Result<u16, Fault> {
    number("mtu", value, 68..=65_521)
}

/// The Ethernet address of one station.
pub(super) fn station(key: &str, text: &str) -> Result<Mac, Fault> {
    let remedy = "write one such as \"02:00:00:00:00:01\"";
    let mac: Mac = text.parse().map_err(|_| {
        Fault::new(format!("`{key}` {} is not an Ethernet address", quoted(text)), remedy)
    })?;
    match (mac.is_station(), mac.is_group()) {
        (true, _) => Ok(mac),
        (false, true) => Err(Fault::new(format!("`{key}` {mac} is a group's address"), remedy)),
        (false, false) => Err(Fault::new(format!("`{key}` {mac} is nobody's address"), remedy)),
    }
}

/// An address that a host may bear.
pub(super) fn address(key: &str, text: &str) -> Result<Ipv4Addr, Fault> {
    let address: Ipv4Addr = text.parse().map_err(|_| {
        let remedy = "write one such as \"192.168.0.1\"";
        Fault::new(format!("`{key}` {} is not an IPv4 address", quoted(text)), remedy)
    })?;
    bearable(key, address)?;
    Ok(address)
}

fn bearable(key: &str, address: Ipv4Addr) -> Result<(), Fault> {
    if packet::ip::is_martian_source(address) {
        let wrong = format!("`{key}` {address} is not an address that a host may bear");
        return Err(Fault::new(wrong, "write one such as \"192.168.0.1\""));
    }
    Ok(())
}

/// A host's address and its subnet: "192.168.0.2/24".
pub(super) fn host_net(key: &str, text: &str) -> Result<Ipv4Net, Fault> {
    if let Ok(bare) = text.parse::<Ipv4Addr>() {
        let wrong = format!("`{key}` \"{bare}\" has no prefix length");
        return Err(Fault::new(wrong, format!("write \"{bare}/24\"")));
    }
    let net: Ipv4Net = text.parse().map_err(|_| {
        let wrong = format!("`{key}` {} is not an IPv4 address with a prefix length", quoted(text));
        Fault::new(wrong, "write one such as \"192.168.0.1/24\"")
    })?;
    bearable(key, net.addr())?;
    if net.prefix_len() == 0 {
        let wrong = format!("`{key}` {net} is the whole internet as one subnet");
        return Err(Fault::new(wrong, "write a prefix length from 1 to 32"));
    }
    edge_of(key, net.addr(), net)?;
    Ok(net)
}

/// Refuses the first and the last address of a subnet, which nobody bears; /31 (RFC 3021) and /32
/// have neither.
pub(super) fn edge_of(key: &str, address: Ipv4Addr, subnet: Ipv4Net) -> Result<(), Fault> {
    if subnet.prefix_len() > 30 {
        return Ok(());
    }
    let edge = match address {
        first if first == subnet.network() => "network",
        last if last == subnet.broadcast() => "broadcast",
        _ => return Ok(()),
    };
    let first = Ipv4Addr::from(u32::from(subnet.network()).saturating_add(1));
    let last = Ipv4Addr::from(u32::from(subnet.broadcast()).saturating_sub(1));
    Err(Fault::new(
        format!("`{key}` {address} is the {edge} address of {}", subnet.trunc()),
        format!("write an address from {first} to {last}"),
    ))
}

/// A set of addresses: "10.0.0.0/8", or one address.
pub(super) fn network(key: &str, text: &str) -> Result<Ipv4Net, Fault> {
    if let Ok(host) = text.parse::<Ipv4Addr>() {
        return Ok(Ipv4Net::from(host));
    }
    let net: Ipv4Net = text.parse().map_err(|_| {
        let wrong = format!("`{key}` {} is not an IPv4 network", quoted(text));
        Fault::new(wrong, "write one such as \"10.0.0.0/8\"")
    })?;
    if net != net.trunc() {
        let wrong = format!("`{key}` {net} has bits behind its prefix");
        return Err(Fault::new(wrong, format!("write \"{}\"", net.trunc())));
    }
    Ok(net)
}

/// A TCP or UDP port.
pub(super) fn transport_port(key: &str, text: &str) -> Result<NonZeroU16, Fault> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = if digits { text.parse().ok() } else { None };
    port.ok_or_else(|| {
        let wrong = format!("`{key}` has the port {}", quoted(text));
        Fault::new(wrong, "write a port from 1 to 65535")
    })
}

/// A TCP or UDP port, or a range of them: "8080", "9000-9010".
pub(super) fn transport_ports(key: &str, text: &str) -> Result<PortRange, Fault> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (transport_port(key, first)?, transport_port(key, last)?);
    PortRange::new(first.get(), last.get()).ok_or_else(|| {
        let wrong = format!("`{key}` has the ports {text}, the last ahead of the first");
        Fault::new(wrong, format!("write {last}-{first}"))
    })
}

/// One of several words.
pub(super) fn word<T: Copy>(key: &str, text: &str, words: &[(&str, T)]) -> Result<T, Fault> {
    if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*meaning);
    }
    let wrong = format!("`{key}` is {}", quoted(text));
    Err(Fault::new(wrong, meant(text, words.iter().map(|(word, _)| *word))))
}

/// What to write in place of a name that does not exist: `write "red"`.
pub(super) fn meant<'a>(text: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    match choices(text, names) {
        Some(choices) => format!("write {choices}"),
        None => "define it first".to_owned(),
    }
}

/// The name that was probably meant, or else the names there are: `"red"`, `"red" or "blue"`.
pub(super) fn choices<'a>(
    text: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Option<String> {
    if let Some(name) = nearest(text, names.clone()) {
        return Some(format!("\"{name}\""));
    }
    let mut names: Vec<String> = names.take(LISTED + 1).map(|name| format!("\"{name}\"")).collect();
    if names.len() > LISTED {
        names.truncate(LISTED);
        return Some(format!("one of {}, ...", names.join(", ")));
    }
    match names.split_last()? {
        (last, []) => Some(last.clone()),
        (last, others) => Some(format!("{} or {last}", others.join(", "))),
    }
}

/// A value that may not be left out.
pub(super) fn present<'a>(
    key: &str,
    text: &'a str,
    example: impl Display,
) -> Result<&'a str, Fault> {
    match text {
        "" => {
            Err(Fault::new(format!("`{key}` is missing"), format!("write {key} = \"{example}\"")))
        }
        text => Ok(text),
    }
}

/// Names listed in one sentence.
const LISTED: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn said<T: std::fmt::Debug>(result: Result<T, Fault>) -> String {
        let Fault { wrong, remedy } = result.unwrap_err();
        format!("{wrong}; {remedy}")
    }

    #[test]
    fn numbers_outside_their_range_say_the_range() {
        assert_eq!(said(mtu(67)), "`mtu` is 67; write a number from 68 to 65521");
        assert_eq!(mtu(65_521), Ok(65_521));
        assert_eq!(said(vlan("vlan", 0)), "`vlan` is 0; write a number from 1 to 4094");
        assert_eq!(said(vlan("native", 4095)), "`native` is 4095; write a number from 1 to 4094");
        assert_eq!(said(vlan("vlan", -1)), "`vlan` is -1; write a number from 1 to 4094");
        assert_eq!(
            said(seconds("ageing", 5, 15..=3600)),
            "`ageing` is 5; write a number from 15 to 3600 seconds"
        );
    }

    #[test]
    fn vlan_tables_are_plain_numbers() {
        assert_eq!(vlan_key("10").map(VlanId::number), Ok(10));
        for text in ["", "0", "010", "+1", "4095", "ten", "99999999"] {
            assert!(vlan_key(text).is_err(), "{text}");
        }
        assert_eq!(said(vlan_key("4095")), "\"4095\" is not a VLAN; write a number from 1 to 4094");
    }

    #[test]
    fn host_addresses_have_a_prefix_and_are_inside_it() {
        assert!(host_net("address", "192.168.0.2/24").is_ok());
        assert!(host_net("address", "192.168.0.0/31").is_ok());
        assert!(host_net("address", "192.168.0.0/32").is_ok());
        let cases = [
            (
                "192.168.0.2",
                "`address` \"192.168.0.2\" has no prefix length; write \"192.168.0.2/24\"",
            ),
            (
                "fd00::1/64",
                "`address` \"fd00::1/64\" is not an IPv4 address with a prefix length; write one \
                 such as \"192.168.0.1/24\"",
            ),
            (
                "192.168.0.0/24",
                "`address` 192.168.0.0 is the network address of 192.168.0.0/24; write an address \
                 from 192.168.0.1 to 192.168.0.254",
            ),
            (
                "192.168.0.255/24",
                "`address` 192.168.0.255 is the broadcast address of 192.168.0.0/24; write an \
                 address from 192.168.0.1 to 192.168.0.254",
            ),
            (
                "10.0.0.1/0",
                "`address` 10.0.0.1/0 is the whole internet as one subnet; write a prefix length \
                 from 1 to 32",
            ),
            (
                "127.0.0.1/8",
                "`address` 127.0.0.1 is not an address that a host may bear; write one such as \
                 \"192.168.0.1\"",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(said(host_net("address", text)), expected);
        }
    }

    #[test]
    fn networks_have_no_bits_behind_their_prefix() {
        assert_eq!(network("to", "10.1.2.3").map(|net| net.prefix_len()), Ok(32));
        assert_eq!(network("to", "0.0.0.0/0").map(|net| net.prefix_len()), Ok(0));
        assert_eq!(
            said(network("to", "10.0.0.1/8")),
            "`to` 10.0.0.1/8 has bits behind its prefix; write \"10.0.0.0/8\""
        );
        assert_eq!(
            said(network("to", "10.0.0.0/33")),
            "`to` \"10.0.0.0/33\" is not an IPv4 network; write one such as \"10.0.0.0/8\""
        );
    }

    #[test]
    fn stations_are_single_hosts() {
        assert_eq!(
            said(station("mac", "ff:ff:ff:ff:ff:ff")),
            "`mac` ff:ff:ff:ff:ff:ff is a group's address; write one such as \"02:00:00:00:00:01\""
        );
        assert_eq!(
            said(station("mac", "0:0:0:0:0:0")),
            "`mac` 00:00:00:00:00:00 is nobody's address; write one such as \"02:00:00:00:00:01\""
        );
        assert_eq!(
            said(station("mac", "red")),
            "`mac` \"red\" is not an Ethernet address; write one such as \"02:00:00:00:00:01\""
        );
    }

    #[test]
    fn a_wrong_word_gets_the_right_ones() {
        let words = [("tcp", 6), ("udp", 17)];
        assert_eq!(word("protocol", "udp", &words), Ok(17));
        assert_eq!(said(word("protocol", "tpc", &words)), "`protocol` is \"tpc\"; write \"tcp\"");
        assert_eq!(
            said(word("protocol", "icmp", &words)),
            "`protocol` is \"icmp\"; write \"tcp\" or \"udp\""
        );
        assert_eq!(meant("x", std::iter::empty()), "define it first");
    }
}
