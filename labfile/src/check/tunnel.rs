//! `[tunnel.NAME]`, each by itself; what tunnels share is checked apart.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::num::{NonZeroU8, NonZeroU16};

use packet::VlanId;
use vxlan::Vni;

use super::{Findings, names, value};
use crate::lab::Lab;
use crate::lab::name::Name;
use crate::lab::tunnel::{Dscp, Ttl, Tunnel, TunnelVlans};
use crate::place::Place;
use crate::problem::{Fault, quoted};
use crate::spec::texts::{BoolOrText, NumberOrText};
use crate::spec::{LabSpec, TunnelSpec};

/// Adds every legal tunnel to the lab, whose bridges are known.
pub(super) fn check(spec: &LabSpec, lab: &mut Lab, findings: &mut Findings) {
    let tunnels = Place::root().key("tunnel");
    for (text, written) in &spec.tunnel {
        if findings.is_full() {
            return;
        }
        let place = tunnels.key(text);
        let name =
            names::name(text).and_then(|name| names::of_tunnel(name, spec, &findings.recency));
        let name = findings.keep(place.clone(), name);
        if let Some(tunnel) = tunnel(name, written, &place, spec, lab, findings) {
            lab.tunnels.insert(tunnel.name.clone(), tunnel);
        }
    }
}

fn tunnel(
    name: Option<Name>,
    written: &TunnelSpec,
    place: &Place,
    spec: &LabSpec,
    lab: &Lab,
    findings: &mut Findings,
) -> Option<Tunnel> {
    let bridge = findings.keep(place.key("bridge"), bridge(written.bridge.as_deref(), spec, lab));
    let vni = findings.keep(place.key("vni"), vni(written.vni));
    let local = written.local.as_deref().map(|text| value::address("local", text));
    let local = findings.keep_option(place.key("local"), local);
    let remotes = remotes(written, local.flatten(), &place.key("remotes"), findings);
    let port = value::number("port", written.port.unwrap_or(DEFAULT_PORT), 1..=65_535);
    let port = findings.keep(place.key("port"), port).and_then(NonZeroU16::new);
    let vlans = vlans(written, place, findings);
    let largest = LARGEST_OUTER - i64::from(vlans.unwrap_or(TunnelVlans::Trunk).overhead());
    let mtu = written.mtu.map(|mtu| value::number("mtu", mtu, LEAST_MTU..=largest));
    let mtu = findings.keep_option(place.key("mtu"), mtu);
    let ttl = findings.keep(place.key("ttl"), ttl(written.ttl.as_ref()));
    let dscp = findings.keep(place.key("dscp"), dscp(written.dscp.as_ref()));
    let checksum = findings.keep(place.key("checksum"), checksum(written.checksum.as_ref()));
    let (vlans, mtu) = (vlans?, mtu?);
    Some(Tunnel {
        name: name?,
        bridge: bridge??,
        vni: vni?,
        remotes: remotes?,
        local: local?,
        port: port?,
        vlans,
        // Derived as soon as all tunnels are known, unless it is written.
        mtu: mtu.unwrap_or_default(),
        mtu_written: mtu.is_some(),
        ttl: ttl?,
        dscp: dscp?,
        df: written.df.unwrap_or(true),
        checksum: checksum?,
        strict_reserved: written.strict_reserved.unwrap_or(false),
        arp_suppression: written.arp_suppression.unwrap_or(false),
        mss_clamp: written.mss_clamp.unwrap_or(false),
        learning: written.learning.unwrap_or(true),
        isolated: written.isolated.unwrap_or(false),
    })
}

/// The bridge called `text`; `Ok(None)` when it is itself at fault.
fn bridge(text: Option<&str>, spec: &LabSpec, lab: &Lab) -> Result<Option<Name>, Fault> {
    let names = spec.bridge.keys().map(String::as_str);
    let Some(text) = text else {
        let remedy = match value::choices("", names) {
            Some(choices) => format!("write bridge = {choices}"),
            None => "define [bridge.br0] and write bridge = \"br0\"".to_owned(),
        };
        return Err(Fault::new("the tunnel is on no bridge", remedy));
    };
    if spec.bridge.contains_key(text) {
        return Ok(lab.bridges.get_key_value(text).map(|(name, _)| name.clone()));
    }
    let remedy = match value::choices(text, names) {
        Some(choices) => format!("write bridge = {choices}"),
        None => "define a bridge of this name".to_owned(),
    };
    Err(Fault::new(format!("no bridge is called {}", quoted(text)), remedy))
}

fn vni(written: Option<i64>) -> Result<Vni, Fault> {
    let number = written.unwrap_or(DEFAULT_VNI);
    let found = value::number("vni", number, 0..=i64::from(Vni::MAX.number()))?;
    Vni::new(found).ok_or_else(|| Fault::new(format!("`vni` is {number}"), "write a smaller one"))
}

fn remotes(
    written: &TunnelSpec,
    local: Option<Ipv4Addr>,
    place: &Place,
    findings: &mut Findings,
) -> Option<Vec<Ipv4Addr>> {
    let texts = &written.remotes;
    if texts.is_empty() {
        findings.refuse(
            place.clone(),
            "`remotes` is missing, and a tunnel leads somewhere",
            "write remotes = [\"192.0.2.1\"], the peers' addresses",
        );
        return None;
    }
    if texts.len() > MAX_REMOTES {
        findings.refuse(
            place.clone(),
            format!("`remotes` has {} addresses and the limit is {MAX_REMOTES}", texts.len()),
            "spread them over several tunnels",
        );
        return None;
    }
    let mut seen = BTreeSet::new();
    findings.keep_all(place, texts.iter().map(|text| remote(text, local, &mut seen)))
}

fn remote(
    text: &str,
    local: Option<Ipv4Addr>,
    seen: &mut BTreeSet<Ipv4Addr>,
) -> Result<Ipv4Addr, Fault> {
    if let Ok(group) = text.parse::<Ipv4Addr>()
        && group.is_multicast()
    {
        let wrong = format!("`remotes` {group} is a multicast group");
        return Err(Fault::new(wrong, "write each peer's own address"));
    }
    let remote = value::address("remotes", text)?;
    if local == Some(remote) {
        let wrong = format!("`remotes` {remote} is the tunnel's own `local` address");
        return Err(Fault::new(wrong, "write the peer's address"));
    }
    if !seen.insert(remote) {
        return Err(Fault::new(format!("`remotes` has {remote} twice"), "delete one of the two"));
    }
    Ok(remote)
}

fn vlans(written: &TunnelSpec, place: &Place, findings: &mut Findings) -> Option<TunnelVlans> {
    let vlan = written.vlan.map(|vlan| value::vlan("vlan", vlan));
    let vlan = findings.keep_option(place.key("vlan"), vlan)?;
    match (vlan, written.trunk == Some(true)) {
        (Some(_), true) => {
            findings.refuse(
                place.key("vlan"),
                "`vlan` and `trunk` exclude each other",
                "keep `vlan` for one VLAN without tags, or `trunk` for all with theirs",
            );
            None
        }
        (None, true) => Some(TunnelVlans::Trunk),
        (vlan, false) => Some(TunnelVlans::Access(vlan.unwrap_or(VlanId::UNTAGGED))),
    }
}

fn ttl(written: Option<&NumberOrText>) -> Result<Ttl, Fault> {
    let remedy = "write a number from 1 to 255, or \"inherit\"";
    let wrong = |value: String| Fault::new(format!("`ttl` is {value}"), remedy);
    match written {
        None => Ok(DEFAULT_TTL),
        Some(NumberOrText::Number(number)) => u8::try_from(*number)
            .ok()
            .and_then(NonZeroU8::new)
            .map(Ttl::Fixed)
            .ok_or_else(|| wrong(number.to_string())),
        Some(NumberOrText::Text(text)) if text == "inherit" => Ok(Ttl::Inherit),
        Some(NumberOrText::Text(text)) => Err(wrong(quoted(text))),
    }
}

fn dscp(written: Option<&NumberOrText>) -> Result<Dscp, Fault> {
    let remedy = "write a number from 0 to 63, or \"inherit\"";
    let wrong = |value: String| Fault::new(format!("`dscp` is {value}"), remedy);
    match written {
        None => Ok(Dscp::Fixed(0)),
        Some(NumberOrText::Number(number)) => u8::try_from(*number)
            .ok()
            .filter(|dscp| *dscp <= HIGHEST_DSCP)
            .map(Dscp::Fixed)
            .ok_or_else(|| wrong(number.to_string())),
        Some(NumberOrText::Text(text)) if text == "inherit" => Ok(Dscp::Inherit),
        Some(NumberOrText::Text(text)) => Err(wrong(quoted(text))),
    }
}

fn checksum(written: Option<&BoolOrText>) -> Result<bool, Fault> {
    match written {
        None => Ok(true),
        Some(BoolOrText::Bool(truth)) => Ok(*truth),
        Some(BoolOrText::Text(text)) => value::word("checksum", text, &CHECKSUMS),
    }
}

/// As Open vSwitch has it without `options:key`.
const DEFAULT_VNI: i64 = 0;
/// Of VXLAN (RFC 7348 section 5).
const DEFAULT_PORT: i64 = 4_789;
/// 64, the kernel's own default for what it sends.
const DEFAULT_TTL: Ttl = Ttl::Fixed(NonZeroU8::MIN.saturating_add(63));
/// Six bits (RFC 2474 section 3).
const HIGHEST_DSCP: u8 = 63;
/// What every IPv4 host must be able to take (RFC 791 section 3.1).
const LEAST_MTU: i64 = 576;
/// The outer packet's 16-bit length.
const LARGEST_OUTER: i64 = 65_535;
/// Every flooded frame is sent once to each; a mesh of more is several segments.
const MAX_REMOTES: usize = 256;

const CHECKSUMS: [(&str, bool); 2] = [("on", true), ("zero", false)];
