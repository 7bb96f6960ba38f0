//! The words of steps 0 to 4: a frame on its segment.

use packet::arp::{Arp, Operation};
use packet::{DropReason, Mac, PortId, Tag};
use serde_json::{Value, json};
use switch::trace::{ArpVerdict, Learning, LeftOut, Verdict};
use switch::view::{Location, NeighborView, Station, StationOrigin};

use super::names::{self, Names};
use control::explain::Fact;

impl Names<'_> {
    pub(super) fn decapsulated(&self, tunnel: PortId, remote: std::net::Ipv4Addr) -> Fact {
        let name = self.port(tunnel);
        let vni = self.lab.tunnels.get(name.as_str()).map(|tunnel| tunnel.vni.number());
        let number = vni.map_or_else(String::new, |vni| format!(" (VNI {vni})"));
        Fact::new(
            "tunnel",
            format!("{remote} is a remote VTEP of tunnel {name}{number}: decapsulated"),
        )
        .with("tunnel", name)
        .with("remote", remote.to_string())
        .with("vni", vni)
    }

    pub(super) fn bridged(
        &self,
        from: Location,
        bridge: packet::BridgeId,
        vlan: packet::VlanId,
        tag: Option<Tag>,
    ) -> Fact {
        let (port, bridge) = (self.place(from), self.bridge(bridge));
        let mode = self.lab.ports.get(port.as_str()).and_then(|port| port.membership());
        let mode = mode.map_or_else(String::new, |member| format!(" ({})", member.vlan_mode));
        let (came, within) = (names::tag(tag), names::vlan(vlan));
        Fact::new("segment", format!("{came} on {port}{mode}: bridge {bridge}, {within}"))
            .with("port", port)
            .with("bridge", bridge)
            .with("vlan", vlan.number())
    }

    pub(super) fn routed(&self, port: PortId, interface: packet::InterfaceId) -> Fact {
        let (port, interface) = (self.port(port), self.interface(interface));
        Fact::new("routed-port", format!("on {port}, whose cable ends in the router"))
            .with("port", port)
            .with("interface", interface)
    }

    /// `from` is where the frame came in.
    pub(super) fn speaker(
        &self,
        mac: Mac,
        known: Option<&Station>,
        learning: Learning,
        from: Option<Location>,
    ) -> Fact {
        let here = from.map_or_else(String::new, |from| self.place(from));
        let (result, text) = match (known, learning) {
            (Some(Station { origin: StationOrigin::Own, .. }), _) => {
                ("own", format!("{mac} is the router's own address"))
            }
            (Some(Station { origin: StationOrigin::Static, location, .. }), _) => {
                match Some(*location) == from {
                    true => ("bound", format!("{mac} is bound to {here} by a static entry")),
                    false => {
                        let there = self.place(*location);
                        ("refused", format!("{mac} is bound to {there} and speaks from {here}"))
                    }
                }
            }
            (_, Learning::Reserved) => {
                ("off", "nothing: frames to reserved addresses teach nothing".to_owned())
            }
            (_, Learning::Hub) => ("off", "nothing: the bridge is a hub".to_owned()),
            (_, Learning::Off) => {
                ("off", format!("nothing: {here} does not learn (`learning = false`)"))
            }
            (None, Learning::Here) => ("new", format!("{mac} is new: behind {here} from now on")),
            (Some(old), Learning::Here) if Some(old.location) == from => {
                let age = old.age.as_secs();
                ("refreshed", format!("{mac} is known behind {here}, heard {age} s ago"))
            }
            (Some(old), Learning::Here) => {
                ("moved", format!("{mac} was {} and is behind {here} now", self.station(old)))
            }
        };
        Fact::new("source", text)
            .with("mac", mac.to_string())
            .with("learning", result)
            .with("known", self.known(known))
    }

    pub(super) fn arp(
        &self,
        interface: packet::InterfaceId,
        arp: &Arp,
        verdict: ArpVerdict,
        known: Option<&NeighborView>,
        now: Option<&NeighborView>,
    ) -> Fact {
        let (on, sender) = (self.interface(interface), arp.sender);
        let asked = match arp.operation {
            Operation::Request if arp.sender == arp.target => format!("{sender} announces itself"),
            Operation::Request => format!("{sender} asks for {}", arp.target),
            Operation::Reply => format!("{sender} says that it is at {}", arp.sender_mac),
        };
        let learned = match (known, now) {
            (before, Some(after)) if before.is_none_or(|before| before != after) => {
                format!("; neighbour {sender} is {} now", names::neighbor(now))
            }
            _ => String::new(),
        };
        let (result, came) = match verdict {
            ArpVerdict::Accepted => ("accepted", "nothing to answer"),
            ArpVerdict::Answered => ("answered", "the router answers"),
            ArpVerdict::Suspicious => {
                ("suspicious", "not believed: its sender is not the frame's source, or no station")
            }
            ArpVerdict::Conflict => ("conflict", "not believed: that address is the router's own"),
            ArpVerdict::Doubted => {
                ("doubted", "not believed yet: the station that has that address is asked first")
            }
        };
        Fact::new("arp", format!("{asked} on {on}: {came}{learned}"))
            .with("interface", on)
            .with("result", result)
            .with("sender", sender.to_string())
            .with("target", arp.target.to_string())
    }

    pub(super) fn addressee(&self, mac: Mac, known: Option<&Station>, verdict: Verdict) -> Fact {
        let (result, text) = match verdict {
            Verdict::Forward(to) => {
                let place = known.map_or_else(
                    || format!("behind {}", self.place(to)),
                    |station| self.station(station),
                );
                ("forward", format!("{mac} is {place}: forward"))
            }
            Verdict::Group if mac.is_broadcast() => ("flood", "broadcast: flood".to_owned()),
            Verdict::Group => ("flood", format!("{mac} is a group: flood")),
            Verdict::Unknown => ("flood", format!("nobody knows where {mac} is: flood")),
            Verdict::Hub => ("flood", "the bridge is a hub: flood".to_owned()),
            Verdict::Router(interface) => {
                let on = self.interface(interface);
                ("router", format!("{mac} is the router's own on {on}: for the router"))
            }
            Verdict::Refused(reason) => {
                let place = known
                    .map_or_else(String::new, |station| format!(" is {}", self.station(station)));
                ("refused", format!("{mac}{place}: {reason}"))
            }
        };
        Fact::new("destination", text)
            .with("mac", mac.to_string())
            .with("decision", result)
            .with("known", self.known(known))
    }

    pub(super) fn audience(&self, all: &[(PortId, Result<Option<Tag>, LeftOut>)]) -> Fact {
        let (mut to, mut not) = (Vec::new(), Vec::new());
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        for (port, verdict) in all {
            let name = self.port(*port);
            match verdict {
                Ok(tag) => {
                    to.push(match tag {
                        Some(_) => format!("{name} ({})", names::tag(*tag)),
                        None => name.clone(),
                    });
                    taken.push(Value::from(name));
                }
                Err(why) => {
                    let (short, words) = left_out(*why);
                    not.push(format!("{name} ({words})"));
                    left.push(json!({"port": name, "why": short}));
                }
            }
        }
        let mut text = match to.is_empty() {
            true => "to nobody".to_owned(),
            false => format!("to {}", to.join(", ")),
        };
        if !not.is_empty() {
            text += &format!("; not to {}", not.join(", "));
        }
        Fact::new("flood", text).with("to", taken).with("left_out", left)
    }

    fn known(&self, known: Option<&Station>) -> Value {
        known.map_or(Value::Null, |station| {
            json!({
                "port": self.place(station.location),
                "origin": names::origin(station.origin),
                "age": station.age.as_secs(),
            })
        })
    }
}

/// Why a port gets no copy, for programs and for people.
fn left_out(why: LeftOut) -> (&'static str, &'static str) {
    match why {
        LeftOut::CameFrom => ("came-from", "it came from there"),
        LeftOut::SplitHorizon => ("split-horizon", "from a tunnel to no tunnel"),
        LeftOut::Refused(reason) => (
            reason.name(),
            match reason {
                DropReason::PortDown => "down",
                DropReason::NotInVlan => "not in this VLAN",
                DropReason::Isolated => "both are isolated",
                DropReason::ExceedsPortMtu => "the frame exceeds its MTU",
                DropReason::ExceedsTunnelMtu => "the frame exceeds the tunnel's MTU",
                other => other.name(),
            },
        ),
    }
}
