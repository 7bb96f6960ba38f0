//! The two ends of a tunnel in a packet's life: a datagram opened ahead of step 1, and what a
//! tunnel asks of a frame that enters it. Which remote VTEP gets a frame is the bridge's decision;
//! the outer headers are made by whoever sends.

use core::net::Ipv4Addr;

use packet::ethernet::{HEADER_LEN, network_header};
use packet::icmp::IcmpError;
use packet::vlan::TPID_8021Q;
use packet::{
    DropReason, Dropped, EtherType, Ethernet, EthernetHeader, Frame, Instant, Ip, Mac, PortId,
    partial, rewrite,
};
use vxlan::header::{self, Reserved};
use vxlan::{RemoteVtep, outer};

use crate::bridge::Ingress;
use crate::event::Outer;
use crate::interface::InterfaceSettings;
use crate::local::sender_to_tell;
use crate::outbox::Outbox;
use crate::port::{Port, Ports, Role, Tunnel};
use crate::station::{Location, Segment};
use crate::stats::Fate;
use crate::switch::{Outcome, Switch};
use crate::trace::{Note, Part, Step, Untold};
use crate::vlan::VlanMode;

/// IP and TCP headers without options: what an MSS leaves out (RFC 6691).
const IPV4_TCP: u16 = 40;
const IPV6_TCP: u16 = 60;
/// IPv4 and ICMP header of an error.
const QUOTED_AT: usize = 28;

impl Switch {
    /// Takes a datagram in and counts what became of its frame: under its tunnel, once that is
    /// known.
    pub(crate) fn receive_datagram(
        &mut self,
        now: Instant,
        underlay: PortId,
        outer: Outer,
        datagram: Frame,
        out: &mut Outbox,
    ) -> Outcome {
        self.stats.totals.received += 1;
        self.trace.enter(Step::Decap);
        let (port, outcome) = match self.open(underlay, outer, datagram) {
            Ok((tunnel, frame)) => {
                self.trace.note(|| Note::Decapsulated { tunnel, remote: outer.remote });
                if let Some(port) = self.ports.get_mut(tunnel) {
                    port.received.0 += 1;
                    port.received.1 += frame.len() as u64;
                }
                let from = Location::Remote { tunnel, remote: outer.remote };
                (tunnel, self.ingress(now, from, frame, out))
            }
            Err((port, dropped)) => (port, Err(dropped)),
        };
        self.count(port, outcome, out)
    }

    /// The tunnel that a datagram belongs to, and the frame inside it. A refusal says at which port
    /// it is counted.
    fn open(
        &mut self,
        underlay: PortId,
        outer: Outer,
        mut datagram: Frame,
    ) -> Result<(PortId, Frame), (PortId, Dropped)> {
        let port = self.ports.get(underlay).filter(|port| port.up);
        if !port.is_some_and(|port| port.settings.role == Role::Underlay) {
            return Err((underlay, datagram.refuse(DropReason::PortDown)));
        }
        let Some((vni, _)) = header::parse(datagram.bytes(), Reserved::Ignored) else {
            return Err((underlay, datagram.refuse(DropReason::BadVxlan)));
        };
        let id = match self.tunnels.find(RemoteVtep { underlay, vni, remote: outer.remote }) {
            Ok(id) => id,
            Err(reason) => return Err((underlay, datagram.refuse(reason))),
        };
        let refuse = |frame: Frame, reason| Err((id, frame.refuse(reason)));
        let Some((port, vlans, tunnel)) = self.ports.tunnel(id) else {
            return refuse(datagram, DropReason::PortDown);
        };
        if header::parse(datagram.bytes(), tunnel.reserved).is_none() {
            return refuse(datagram, DropReason::VxlanReservedBits);
        }
        if !datagram.strip(header::LEN) {
            return refuse(datagram, DropReason::BadVxlan);
        }
        let mut frame = datagram;
        partial::detect(&mut frame, port.settings.mtu);
        let tagged = frame.bytes().get(12..14) == Some(&TPID_8021Q);
        if tagged && matches!(vlans, VlanMode::Access(_)) {
            return refuse(frame, DropReason::TaggedInTunnel);
        }
        if let Err(reason) = outer::congestion(outer.traffic_class, &mut frame) {
            return refuse(frame, reason);
        }
        clamp(&mut frame, tunnel, port.settings.mtu);
        Ok((id, frame))
    }

    /// When a frame was refused because it is too large for the tunnel that it was to enter, tells
    /// its sender, if that is an IPv4 host that must know (RFC 1191): from the router's address, or
    /// where the segment has none, from the address that the frame was for.
    #[inline]
    pub(crate) fn report_too_big(
        &mut self,
        now: Instant,
        outcome: Result<Fate, Dropped>,
        segment: Segment,
        from: Location,
        to: Location,
        out: &mut Outbox,
    ) -> Result<Fate, Dropped> {
        if let Err(dropped) = &outcome
            && dropped.reason == DropReason::ExceedsTunnelMtu
            && let Some(tunnel) = to.port().and_then(|to| self.ports.get(to))
        {
            self.send_too_big(now, &dropped.frame, segment, from, tunnel.settings.mtu, out);
        }
        outcome
    }

    /// Tells the sender of a frame, if that is an IPv4 host that must know, that no more than `mtu`
    /// bytes pass.
    pub(crate) fn send_too_big(
        &mut self,
        now: Instant,
        frame: &Frame,
        segment: Segment,
        from: Location,
        mtu: u16,
        out: &mut Outbox,
    ) {
        let Some(cause) = Cause::of(frame) else { return };
        let own = self.router.interfaces.on(segment.bridge, segment.vlan);
        let own = own.and_then(|id| self.router.interfaces.get(id));
        let address = own.and_then(|own: &InterfaceSettings| own.address_towards(cause.sender));
        let (mac, address) = match (own, address) {
            (Some(own), Some(address)) => (own.mac, address),
            _ => (cause.to_mac, cause.destination),
        };
        if !self.router.errors.allow(now) {
            self.stats.totals.errors_suppressed += 1;
            return self.trace.note(|| Note::NotTold(Untold::RateLimited));
        }
        let mut error = out.pool.take();
        let needed = IcmpError::FragmentationNeeded { mtu };
        // No more of it than the router's own packets may have here.
        let most = own.map_or(usize::MAX, |own| usize::from(own.mtu).saturating_sub(QUOTED_AT));
        let quoted = cause.packet.get(..most).unwrap_or(cause.packet);
        let told = needed.emit(&mut error, address, quoted);
        let (sender, first) = (cause.sender, out.len());
        let Some(bridge) = self.bridges.get(segment.bridge).filter(|_| told) else {
            return out.pool.give(error);
        };
        self.trace.note(|| Note::Told { error: needed, to: sender, from: address });
        Ethernet::emit(&mut error, cause.from_mac, mac, EtherType::IPV4);
        let ingress = Ingress { vlan: segment.vlan, from: None };
        match bridge.forward(&self.ports, ingress, from, error, out) {
            Ok(_) => self.stats.totals.spoken += 1,
            Err(dropped) => {
                self.trace.note(|| Note::Unsent);
                out.pool.give(dropped.frame);
            }
        }
        self.trace.sent(first, out.len(), Part::Spoken);
    }
}

/// A packet whose sender must hear that it was too large.
struct Cause<'a> {
    from_mac: Mac,
    to_mac: Mac,
    sender: Ipv4Addr,
    destination: Ipv4Addr,
    packet: &'a [u8],
}

impl<'a> Cause<'a> {
    /// `None` for what is not IPv4, may be fragmented, or must not be answered.
    fn of(frame: &'a Frame) -> Option<Self> {
        let ethernet = EthernetHeader::of(frame.bytes())?;
        let Some((HEADER_LEN, Ip::V4(ip))) = Ip::in_frame(frame.bytes()) else { return None };
        if !ip.dont_fragment() {
            return None;
        }
        let packet = frame.bytes().get(HEADER_LEN..)?;
        let (from_mac, to_mac) = (ethernet.source(), ethernet.destination());
        let (sender, destination) = (sender_to_tell(ip)?, ip.destination());
        Some(Self { from_mac, to_mac, sender, destination, packet })
    }
}

impl Ports {
    /// Whether stations are learned from what comes from there.
    #[inline]
    pub(crate) fn learns(&self, from: Location) -> bool {
        match from {
            Location::Remote { tunnel, .. } => {
                self.tunnel(tunnel).is_some_and(|(_, _, tunnel)| tunnel.learning)
            }
            Location::Port(_) | Location::Router(_) => true,
        }
    }

    /// Lowers the MSS of a connection that begins through `tunnel`, if that asks for it.
    #[inline]
    pub(crate) fn clamp_mss(&self, frame: &mut Frame, tunnel: PortId) {
        if let Some((port, _, tunnel)) = self.tunnel(tunnel) {
            clamp(frame, tunnel, port.settings.mtu);
        }
    }

    /// Whether [`Ports::clamp_mss`] would change a frame on its way to a port, whose role is this.
    #[inline]
    pub(crate) fn lowers(&self, frame: &Frame, to: PortId, role: &Role) -> bool {
        let Role::Tunnel(_, tunnel) = role else { return false };
        tunnel.clamp_mss
            && rewrite::announced_mss(frame.bytes()).is_some_and(|mss| {
                self.get(to).is_some_and(|port| mss > largest(frame, port.settings.mtu))
            })
    }

    fn tunnel(&self, id: PortId) -> Option<(&Port, &VlanMode, &Tunnel)> {
        let port = self.get(id)?;
        match &port.settings.role {
            Role::Tunnel(member, tunnel) => Some((port, &member.vlans, tunnel)),
            Role::Bridged(_) | Role::Routed { .. } | Role::Underlay => None,
        }
    }
}

fn clamp(frame: &mut Frame, tunnel: &Tunnel, mtu: u16) {
    if tunnel.clamp_mss {
        let most = largest(frame, mtu);
        rewrite::clamp_mss(frame, most);
    }
}

/// The largest TCP segment that fits IP packets of `mtu` bytes of a frame's kind.
fn largest(frame: &Frame, mtu: u16) -> u16 {
    let headers = match network_header(frame.bytes()) {
        Some((_, EtherType::IPV6)) => IPV6_TCP,
        _ => IPV4_TCP,
    };
    mtu.saturating_sub(headers)
}
