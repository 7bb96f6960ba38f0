//! `[bridge.NAME]`, without its static entries.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use packet::{Ipv4Net, Mac, VlanId};
use switch::change::RpFilter;

use super::{Findings, names, value};
use crate::lab::Lab;
use crate::lab::bridge::{Bridge, Reserved};
use crate::lab::derived::{self, Role};
use crate::lab::name::Name;
use crate::place::Place;
use crate::problem::{Fault, quoted};
use crate::spec::{BridgeSpec, LabSpec};

/// Adds every legal bridge to the lab.
pub(super) fn check(spec: &LabSpec, lab: &mut Lab, findings: &mut Findings) {
    let bridges = Place::root().key("bridge");
    for (text, written) in &spec.bridge {
        if findings.is_full() {
            return;
        }
        let place = bridges.key(text);
        let name =
            names::name(text).and_then(|name| names::of_bridge(name, spec, &findings.recency));
        let name = findings.keep(place.clone(), name);
        let parts = parts(written, &place, findings);
        let (Some(name), Some(parts)) = (name, parts) else {
            continue;
        };
        lab.bridges.insert(name.clone(), parts.named(name));
    }
}

/// A bridge but for its name.
struct Parts {
    mac: Option<Mac>,
    mtu: Option<u16>,
    hub: bool,
    ageing: Duration,
    fdb_size: u32,
    forward: BTreeSet<Reserved>,
    router: Vec<Ipv4Net>,
    vlans: BTreeMap<VlanId, Vec<Ipv4Net>>,
    rp_filters: BTreeMap<VlanId, RpFilter>,
}

impl Parts {
    fn named(self, name: Name) -> Bridge {
        Bridge {
            mac: self.mac.unwrap_or_else(|| {
                let addresses = match self.router.is_empty() {
                    true => self.vlans.values().next().map_or(&[][..], Vec::as_slice),
                    false => &self.router,
                };
                derived::mac(Role::Bridge, name.as_str(), addresses)
            }),
            name,
            mtu: self.mtu,
            hub: self.hub,
            ageing: self.ageing,
            fdb_size: self.fdb_size,
            forward: self.forward,
            router: self.router,
            vlans: self.vlans,
            rp_filters: self.rp_filters,
        }
    }
}

fn parts(written: &BridgeSpec, place: &Place, findings: &mut Findings) -> Option<Parts> {
    let mac = written.mac.as_deref().map(|text| value::station("mac", text));
    let ageing = written.ageing.unwrap_or(DEFAULT_AGEING);
    let ageing = value::seconds("ageing", ageing, 15..=3_600);
    let fdb_size = written.fdb_size.unwrap_or(DEFAULT_FDB_SIZE);
    let fdb_size = value::number("fdb_size", fdb_size, 10..=1_000_000);

    let mac = findings.keep_option(place.key("mac"), mac);
    let mtu = findings.keep_option(place.key("mtu"), written.mtu.map(value::mtu));
    let ageing = findings.keep(place.key("ageing"), ageing);
    let fdb_size = findings.keep(place.key("fdb_size"), fdb_size);
    let forward = forward(&written.forward, &place.key("forward"), findings);
    let router = router(&written.router, &place.key("router"), findings);
    let vlans = vlans(written, &place.key("vlan"), findings);
    let rp_filters = rp_filters(written, place, findings);
    Some(Parts {
        mac: mac?,
        mtu: mtu?,
        hub: written.hub.unwrap_or(false),
        ageing: ageing?,
        fdb_size: fdb_size?,
        forward: forward?,
        router: router?,
        vlans: vlans?,
        rp_filters: rp_filters?,
    })
}

/// The switch's own addresses on a segment.
pub(super) fn router(
    texts: &[String],
    place: &Place,
    findings: &mut Findings,
) -> Option<Vec<Ipv4Net>> {
    host_nets("router", texts, place, findings)
}

/// The addresses of one side of a segment.
pub(super) fn host_nets(
    key: &str,
    texts: &[String],
    place: &Place,
    findings: &mut Findings,
) -> Option<Vec<Ipv4Net>> {
    if texts.len() > MAX_ADDRESSES {
        findings.refuse(
            place.clone(),
            format!("`{key}` has {} addresses and the limit is {MAX_ADDRESSES}", texts.len()),
            "spread them over several segments",
        );
        return None;
    }
    findings.keep_all(place, texts.iter().map(|text| value::host_net(key, text)))
}

fn vlans(
    written: &BridgeSpec,
    place: &Place,
    findings: &mut Findings,
) -> Option<BTreeMap<VlanId, Vec<Ipv4Net>>> {
    let mut vlans = BTreeMap::new();
    let mut all = true;
    for (key, table) in &written.vlan {
        let place = place.key(key);
        let vlan = findings.keep(place.clone(), value::vlan_key(key));
        let router = router(&table.router, &place.key("router"), findings);
        if router.as_ref().is_some_and(Vec::is_empty) {
            findings.refuse(
                place,
                "the VLAN has no `router` address, and needs no table without one",
                "write router = \"192.168.10.1/24\" or delete the table",
            );
        }
        match (vlan, router) {
            (Some(vlan), Some(router)) => drop(vlans.insert(vlan, router)),
            _ => all = false,
        }
    }
    all.then_some(vlans)
}

/// As written for each VLAN, else for the bridge.
fn rp_filters(
    written: &BridgeSpec,
    place: &Place,
    findings: &mut Findings,
) -> Option<BTreeMap<VlanId, RpFilter>> {
    let own = rp_filter(written.rp_filter.as_deref(), place, findings)?;
    let mut filters: BTreeMap<_, _> = own.map(|own| (VlanId::UNTAGGED, own)).into_iter().collect();
    for (key, table) in &written.vlan {
        let place = place.key("vlan").key(key);
        let filter = rp_filter(table.rp_filter.as_deref(), &place, findings)?.or(own);
        // A key that is no VLAN is told of with the VLAN's addresses.
        filters.extend(value::vlan_key(key).ok().zip(filter));
    }
    Some(filters)
}

/// Linux's words.
pub(super) fn rp_filter(
    written: Option<&str>,
    place: &Place,
    findings: &mut Findings,
) -> Option<Option<RpFilter>> {
    let filter = written.map(|text| value::word("rp_filter", text, &RP_FILTERS));
    findings.keep_option(place.key("rp_filter"), filter)
}

const RP_FILTERS: [(&str, RpFilter); 3] =
    [("strict", RpFilter::Strict), ("loose", RpFilter::Loose), ("off", RpFilter::Off)];

fn forward(texts: &[String], place: &Place, findings: &mut Findings) -> Option<BTreeSet<Reserved>> {
    let found = findings.keep_all(place, texts.iter().map(|text| reserved(text)))?;
    Some(found.into_iter().flatten().collect())
}

fn reserved(text: &str) -> Result<Vec<Reserved>, Fault> {
    if text == "all" {
        return Ok(Reserved::all().collect());
    }
    let by_address = || {
        let nibble = text.parse::<Mac>().ok()?.reserved()?;
        Reserved::new(nibble)
    };
    if let Some(address) = Reserved::named(text).or_else(by_address) {
        return Ok(vec![address]);
    }
    let wrong = format!("`forward` {} is no reserved address", quoted(text));
    let names: Vec<String> = Reserved::names().map(|name| format!("\"{name}\"")).collect();
    let remedy =
        format!("write {}, an address such as \"01:80:c2:00:00:0e\", or \"all\"", names.join(", "));
    Err(Fault::new(wrong, remedy))
}

/// IEEE 802.1Q-2018 table 8-6, and Open vSwitch.
const DEFAULT_AGEING: i64 = 300;
/// Open vSwitch's `mac-table-size`.
const DEFAULT_FDB_SIZE: i64 = 8_192;
/// A segment with more would be several.
const MAX_ADDRESSES: usize = 64;
