//! Our side of a port: a bridge with its VLANs, or the router alone.

use packet::{Tag, VlanId};

use super::port::Surroundings;
use super::{Findings, bridge, value};
use crate::lab::derived::{self, Role};
use crate::lab::port::{Membership, Segment};
use crate::place::Place;
use crate::problem::{Fault, quoted};
use crate::spec::PortSpec;
use crate::spec::texts::BoolOrText;
use switch::vlan::{PriorityTags, VlanMode, VlanSet};

/// One of `bridge` and `router`.
pub(super) fn check(
    name: &str,
    written: &PortSpec,
    place: &Place,
    around: Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Segment> {
    match (&written.bridge, written.router.is_empty()) {
        (Some(bridge), true) => {
            let membership = membership(bridge, written, place, around, findings);
            membership.map(Segment::Bridged)
        }
        (None, false) => routed(name, written, place, findings),
        (Some(bridge), false) => {
            findings.refuse(
                place.key("router"),
                "a port is either on a bridge or routed, and this has `bridge` and `router`",
                format!("delete one of them; bridge {} has its own `router`", quoted(bridge)),
            );
            None
        }
        (None, true) => {
            let names = around.spec.bridge.keys().map(String::as_str);
            let bridge = match value::choices("", names) {
                Some(choices) => format!("write bridge = {choices}"),
                None => "define [bridge.br0] and write bridge = \"br0\"".to_owned(),
            };
            findings.refuse(
                place.clone(),
                "the port is on no bridge",
                format!("{bridge}, or router = \"ADDRESS/LENGTH\" for a routed port"),
            );
            None
        }
    }
}

fn routed(
    name: &str,
    written: &PortSpec,
    place: &Place,
    findings: &mut Findings,
) -> Option<Segment> {
    let bridge_keys = [
        ("vlan", written.vlan.is_some()),
        ("trunks", !written.trunks.is_empty()),
        ("native", written.native.is_some()),
        ("vlan_mode", written.vlan_mode.is_some()),
        ("cvlans", !written.cvlans.is_empty()),
        ("qinq_ethertype", written.qinq_ethertype.is_some()),
        ("priority_tags", written.priority_tags.is_some()),
        ("isolated", written.isolated.is_some()),
    ];
    let mut fits = true;
    for (key, _) in bridge_keys.iter().filter(|(_, given)| *given) {
        findings.refuse(
            place.key(key),
            format!("`{key}` is for ports on a bridge, and this port is routed"),
            "delete it, or write bridge = \"NAME\" in place of router",
        );
        fits = false;
    }
    let router = bridge::router(&written.router, &place.key("router"), findings);
    let mac = written.router_mac.as_deref().map(|text| value::station("router_mac", text));
    let mac = findings.keep_option(place.key("router_mac"), mac);
    let rp_filter = bridge::rp_filter(written.rp_filter.as_deref(), place, findings);
    let (router, mac) = (router?, mac?);
    let router_mac = mac.unwrap_or_else(|| derived::mac(Role::Router, name, &router));
    let rp_filter = rp_filter?.unwrap_or_default();
    fits.then_some(Segment::Routed { router, router_mac, rp_filter })
}

fn membership(
    bridge: &str,
    written: &PortSpec,
    place: &Place,
    around: Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Membership> {
    let of_router = [
        ("router_mac", written.router_mac.is_some(), "mac"),
        ("rp_filter", written.rp_filter.is_some(), "rp_filter"),
    ];
    for (key, _, at_bridge) in of_router.into_iter().filter(|(_, given, _)| *given) {
        findings.refuse(
            place.key(key),
            format!("`{key}` is for routed ports"),
            format!("write {at_bridge} = \"...\" at bridge {}", quoted(bridge)),
        );
    }
    if !around.spec.bridge.contains_key(bridge) {
        let names = around.spec.bridge.keys().map(String::as_str);
        let remedy = match value::choices(bridge, names) {
            Some(choices) => format!("write bridge = {choices}"),
            None => "define a bridge of this name".to_owned(),
        };
        let wrong = format!("no bridge is called {}", quoted(bridge));
        findings.refuse(place.key("bridge"), wrong, remedy);
    }
    let vlan_mode = vlan_mode(written, place, findings);
    let priority_tags = findings.keep(place.key("priority_tags"), priority_tags(written));
    let of_bridge = around.spec.bridge.get(bridge).and_then(|written| written.isolated);
    let (bridge, _) = around.lab.bridges.get_key_value(bridge)?;
    Some(Membership {
        bridge: bridge.clone(),
        vlan_mode: vlan_mode?,
        priority_tags: priority_tags?,
        isolated: written.isolated.or(of_bridge).unwrap_or(false),
    })
}

/// The mode as written, or as `vlan`, `native` and `trunks` imply.
fn vlan_mode(written: &PortSpec, place: &Place, findings: &mut Findings) -> Option<VlanMode> {
    let vlan = written.vlan.map(|vlan| value::vlan("vlan", vlan));
    let vlan = findings.keep_option(place.key("vlan"), vlan);
    let native = written.native.map(|vlan| value::vlan("native", vlan));
    let native = findings.keep_option(place.key("native"), native);
    let trunks = written.trunks.iter().map(|vlan| value::vlan("trunks", *vlan));
    let trunks = findings.keep_all(&place.key("trunks"), trunks);
    let word = match (&written.vlan_mode, written.vlan, written.native) {
        (Some(text), ..) => value::word("vlan_mode", text, &MODES),
        (None, Some(_), _) => Ok(Mode::Access),
        (None, None, Some(_)) => Ok(Mode::NativeUntagged),
        (None, None, None) => Ok(Mode::Trunk),
    };
    let mode = findings.keep(place.key("vlan_mode"), word);
    let tunnel = tunnel_keys(written, mode, place, findings);
    let (vlan, native, trunks, mode) = (vlan?, native?, trunks?, mode?);
    let (customers, kind) = tunnel?;
    let joined = join(mode, vlan, native, set(trunks)).map(|joined| match (mode, joined) {
        (Mode::Dot1qTunnel, VlanMode::Access(vlan)) => {
            VlanMode::Dot1qTunnel { service: kind.in_vlan(vlan), customers }
        }
        (_, joined) => joined,
    });
    findings.keep(place.key("vlan_mode"), joined)
}

/// What a dot1q-tunnel port has besides its VLAN, and no other: the customers, and a tag of the
/// service's kind.
fn tunnel_keys(
    written: &PortSpec,
    mode: Option<Mode>,
    place: &Place,
    findings: &mut Findings,
) -> Option<(VlanSet, Tag)> {
    let given = [
        ("cvlans", !written.cvlans.is_empty()),
        ("qinq_ethertype", written.qinq_ethertype.is_some()),
    ];
    if let Some(mode) = mode.filter(|mode| !matches!(mode, Mode::Dot1qTunnel)) {
        for (key, _) in given.iter().filter(|(_, given)| *given) {
            findings.refuse(
                place.key(key),
                format!("{} has no `{key}`", mode.phrase()),
                "write vlan_mode = \"dot1q-tunnel\", or delete it",
            );
        }
    }
    let customers = written.cvlans.iter().map(|vlan| match *vlan {
        0 => Ok(VlanId::UNTAGGED),
        vlan => value::vlan("cvlans", vlan),
    });
    let customers = findings.keep_all(&place.key("cvlans"), customers);
    let ethertype = written.qinq_ethertype.as_ref();
    let ethertype = ethertype.map(|text| value::word("qinq_ethertype", text, &QINQ_ETHERTYPES));
    let ethertype = findings.keep_option(place.key("qinq_ethertype"), ethertype);
    Some((set(customers?), ethertype?.unwrap_or(CUSTOMER.service())))
}

/// What is written; left out, all.
fn set(vlans: Vec<VlanId>) -> VlanSet {
    if vlans.is_empty() { VlanSet::All } else { VlanSet::only(vlans) }
}

fn join(
    mode: Mode,
    vlan: Option<VlanId>,
    native: Option<VlanId>,
    trunks: VlanSet,
) -> Result<VlanMode, Fault> {
    let excluded = |key: &str, remedy: &str| {
        Err(Fault::new(format!("{} has no `{key}`", mode.phrase()), remedy))
    };
    let missing = |key: &str| {
        let wrong = format!("{} needs `{key}`", mode.phrase());
        Err(Fault::new(wrong, format!("write {key} = NUMBER beside it")))
    };
    match (mode, vlan, native) {
        (Mode::Dot1qTunnel, Some(_), Some(_)) => {
            excluded("native", "delete it: every frame is in `vlan`")
        }
        (Mode::Dot1qTunnel, Some(_), None) if trunks != VlanSet::All => {
            excluded("trunks", "write cvlans in its place, or delete it")
        }
        (Mode::Access, Some(_), Some(_)) => {
            excluded("native", "delete `vlan` for a trunk with a native VLAN, or `native`")
        }
        (Mode::Access, Some(_), None) if trunks != VlanSet::All => {
            excluded("trunks", "write native in place of vlan for a trunk, or delete `trunks`")
        }
        (Mode::Access | Mode::Dot1qTunnel, Some(vlan), None) => Ok(VlanMode::Access(vlan)),
        (Mode::Access | Mode::Dot1qTunnel, None, _) => missing("vlan"),
        (_, Some(_), _) => excluded("vlan", "write native in its place, or vlan_mode = \"access\""),
        (Mode::Trunk, None, Some(_)) => excluded(
            "native",
            "write vlan_mode = \"native-untagged\" or \"native-tagged\", or delete `native`",
        ),
        (Mode::Trunk, None, None) => Ok(VlanMode::Trunk(trunks)),
        (Mode::NativeTagged, None, Some(native)) => Ok(VlanMode::NativeTagged { native, trunks }),
        (Mode::NativeUntagged, None, Some(native)) => {
            Ok(VlanMode::NativeUntagged { native, trunks })
        }
        (Mode::NativeTagged | Mode::NativeUntagged, None, None) => missing("native"),
    }
}

fn priority_tags(written: &PortSpec) -> Result<PriorityTags, Fault> {
    match &written.priority_tags {
        None | Some(BoolOrText::Bool(false)) => Ok(PriorityTags::Never),
        Some(BoolOrText::Bool(true)) => Ok(PriorityTags::IfNonzero),
        Some(BoolOrText::Text(text)) => value::word("priority_tags", text, &PRIORITY_TAGS),
    }
}

#[derive(Clone, Copy)]
enum Mode {
    Access,
    Trunk,
    NativeTagged,
    NativeUntagged,
    Dot1qTunnel,
}

impl Mode {
    fn phrase(self) -> &'static str {
        match self {
            Self::Access => "an access port",
            Self::Trunk => "a trunk port",
            Self::NativeTagged => "a native-tagged port",
            Self::NativeUntagged => "a native-untagged port",
            Self::Dot1qTunnel => "a dot1q-tunnel port",
        }
    }
}

/// Open vSwitch's words.
const MODES: [(&str, Mode); 5] = [
    ("access", Mode::Access),
    ("trunk", Mode::Trunk),
    ("native-tagged", Mode::NativeTagged),
    ("native-untagged", Mode::NativeUntagged),
    ("dot1q-tunnel", Mode::Dot1qTunnel),
];

/// Open vSwitch's words, as tags of that kind.
const QINQ_ETHERTYPES: [(&str, Tag); 2] = [("802.1ad", CUSTOMER.service()), ("802.1q", CUSTOMER)];
const CUSTOMER: Tag = Tag::new(VlanId::UNTAGGED);

const PRIORITY_TAGS: [(&str, PriorityTags); 3] = [
    ("never", PriorityTags::Never),
    ("if-nonzero", PriorityTags::IfNonzero),
    ("always", PriorityTags::Always),
];
