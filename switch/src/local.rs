//! Packets for the router itself, and what it says of its own accord: echo replies, resets and ICMP
//! errors (RFC 792, RFC 1122, RFC 1812 section 4.3).

use core::net::Ipv4Addr;
use core::time::Duration;

use nat::Arrival;
use packet::checksum;
use packet::ethernet::HEADER_LEN as ETHERNET;
use packet::fields::Fields;
use packet::icmp::{self, IcmpError};
use packet::ip::{V4, V4_HEADER};
use packet::rewrite::{self, End};
use packet::transport::TcpFlags;
use packet::{
    DropReason, Dropped, EtherType, Ethernet, Frame, Instant, InterfaceId, Ipv4, Mac, Protocol,
};
use packet::{TcpHeader, Transport, ip};

use crate::inside;
use crate::interface::Origin;
use crate::outbox::{Notice, Outbox, Report};
use crate::router::Refusal;
use crate::routes::Target;
use crate::station::Location;
use crate::stats::Fate;
use crate::switch::Switch;
use crate::trace::{Answer, Note, Part, Untold};

/// A port is told of at most this often when the router's own MAC address comes in there.
const BETWEEN_TELLINGS: Duration = Duration::from_secs(60);
const TTL: u8 = 64;
/// Of the traffic class, what is not about congestion.
const DSCP: u8 = 0xfc;
const ECHO_REQUEST: u8 = 8;

impl Switch {
    /// Ends the life of a frame that was for the switch itself.
    pub(crate) fn consume(&mut self, frame: Frame, out: &mut Outbox) -> Fate {
        out.pool.give(frame);
        Fate::Consumed
    }

    /// A packet for one of the router's own addresses: pings are answered, connections refused,
    /// datagrams and other protocols told unreachable; the rest is not for anybody, nor is what
    /// comes from outside for an address inside. A connection that nobody asked for is met with
    /// silence outside (RFC 5382 REQ-4): the inside may be opening it from its own end just now.
    /// Nobody hears of a packet whose checksum is wrong: its sender may be another than it says
    /// (RFC 1122 sections 4.1.3.4 and 4.2.2.7).
    pub(crate) fn local(
        &mut self,
        now: Instant,
        packet: Ipv4,
        origin: Origin,
        out: &mut Outbox,
    ) -> Result<Fate, Refusal> {
        if packet.ip().fragment_offset() != 0 {
            return Err(packet.refuse(DropReason::BadFragment).into());
        }
        if self.shows_inside(packet.destination(), packet.source(), origin.interface) {
            return Err(packet.refuse(DropReason::Unsolicited).into());
        }
        let transport = packet.transport();
        if transport != Transport::Malformed && !packet.transport_checksum_holds() {
            return Err(packet.refuse(DropReason::BadChecksum).into());
        }
        match transport {
            Transport::Query { kind: ECHO_REQUEST, .. } => Ok(self.answer_echo(now, packet, out)),
            Transport::Udp { .. } => {
                let dropped = packet.refuse(DropReason::PortUnreachable);
                Err(Refusal::Tell(dropped, IcmpError::PortUnreachable))
            }
            Transport::Tcp { flags, .. }
                if !flags.has(TcpFlags::RST) && !self.nat.rules().is_outside(origin.interface) =>
            {
                self.trace.note(|| Note::Answered(Answer::Reset));
                self.reset(now, &packet, out);
                Err(packet.refuse(DropReason::PortUnreachable).into())
            }
            Transport::Other(_) => {
                let dropped = packet.refuse(DropReason::Unsolicited);
                Err(Refusal::Tell(dropped, IcmpError::ProtocolUnreachable))
            }
            Transport::Malformed => Err(packet.refuse(DropReason::BadTransport).into()),
            _ => Err(packet.refuse(DropReason::Unsolicited).into()),
        }
    }

    fn answer_echo(&mut self, now: Instant, mut packet: Ipv4, out: &mut Outbox) -> Fate {
        self.trace.note(|| Note::Answered(Answer::Echo));
        let (asker, own) = (packet.source(), packet.destination());
        icmp::answer_echo(packet.payload_mut());
        rewrite::endpoint(&mut packet, End::Source, own, None);
        rewrite::endpoint(&mut packet, End::Destination, asker, None);
        packet.set_ttl(TTL);
        self.speak(now, packet, out);
        Fate::Consumed
    }

    /// Refuses a connection: a reset as RFC 9293 section 3.10.7.1 makes it, of the class of what it
    /// answers.
    fn reset(&mut self, now: Instant, cause: &Ipv4, out: &mut Outbox) {
        let Some(tcp) = TcpHeader::of(cause.payload()) else { return };
        let flags = tcp.flags();
        let syn_fin = u32::from(flags.has(TcpFlags::SYN)) + u32::from(flags.has(TcpFlags::FIN));
        let data = tcp.payload().len() as u32;
        let heard = tcp.sequence().wrapping_add(data).wrapping_add(syn_fin);
        let (sequence, acknowledgement, flags) = match flags.has(TcpFlags::ACK) {
            true => (tcp.acknowledgement(), 0, TcpFlags::RST),
            false => (0, heard, TcpFlags::RST | TcpFlags::ACK),
        };
        let mut segment = [0; TcpHeader::LEAST];
        segment[..2].copy_from_slice(&tcp.destination_port().to_be_bytes());
        segment[2..4].copy_from_slice(&tcp.source_port().to_be_bytes());
        segment[4..8].copy_from_slice(&sequence.to_be_bytes());
        segment[8..12].copy_from_slice(&acknowledgement.to_be_bytes());
        segment[12..14].copy_from_slice(&[0x50, flags]);
        let (own, peer) = (cause.destination(), cause.source());
        let pseudo = checksum::pseudo_header(own, peer, Protocol::TCP.0, TcpHeader::LEAST as u16);
        let sum = !checksum::sum(&segment, pseudo);
        segment[16..18].copy_from_slice(&sum.to_be_bytes());
        let mut frame = out.pool.take();
        if !frame.reset(ETHERNET + V4_HEADER + TcpHeader::LEAST) {
            return;
        }
        if let Some(place) = frame.bytes_mut().get_mut(ETHERNET + V4_HEADER..) {
            place.copy_from_slice(&segment);
        }
        let header = Fields {
            source: own,
            destination: peer,
            protocol: Protocol::TCP,
            ttl: TTL,
            traffic_class: cause.ip().traffic_class() & DSCP,
            identification: 0,
            dont_fragment: true,
        };
        self.finish(now, header, frame, out);
    }

    /// Tells a packet's sender what became of it, where RFC 1812 section 4.3.2.7 and the rate limit
    /// allow.
    ///
    /// `cause` is the packet as its sender knew it, with the interface that it came in on, whose
    /// address the error bears unless that is for the inside alone. Without an interface it is the
    /// packet as it was to leave, translated perhaps at both ends; the error then goes through NAT
    /// like one from the far side, which finds the true sender and mends the quote.
    pub(crate) fn send_icmp_error(
        &mut self,
        now: Instant,
        cause: &Frame,
        arrival: Option<InterfaceId>,
        error: IcmpError,
        out: &mut Outbox,
    ) {
        let Some(cause) = cause.bytes().get(ETHERNET..) else {
            return;
        };
        let Some(sender) = V4::of(cause).and_then(sender_to_tell) else {
            return self.trace.note(|| Note::NotTold(Untold::NotDue));
        };
        let translated = self.router.routes.is_own(sender);
        let behind_nat = translated || arrival.is_none() && self.nat.is_configured();
        let arrival = arrival.and_then(|id| self.router.interfaces.get(id));
        let way = self.router.next_hop(sender);
        let near = arrival.and_then(|arrival| arrival.address_towards(sender));
        // The address that the way back leaves from shows the inside to nobody.
        let shows = |own| way.is_some_and(|hop| self.shows_inside(own, sender, hop.interface));
        let own = match near.filter(|own| !shows(*own)) {
            _ if translated => Some(sender),
            Some(near) => Some(near),
            None => way.and_then(|hop| hop.source),
        };
        let Some(own) = own else { return self.trace.note(|| Note::NotTold(Untold::NoWay)) };
        if !self.router.errors.allow(now) {
            self.stats.totals.errors_suppressed += 1;
            return self.trace.note(|| Note::NotTold(Untold::RateLimited));
        }
        let mut frame = out.pool.take();
        if !error.emit(&mut frame, own, cause) {
            return out.pool.give(frame);
        }
        self.trace.note(|| Note::Told { error, to: sender, from: own });
        let Ok(packet) = Ipv4::in_frame(frame) else {
            return;
        };
        if behind_nat { self.tell_inside(now, packet, out) } else { self.speak(now, packet, out) }
    }

    /// Tells the sender of a packet that NAT has passed and that cannot leave, where it should hear
    /// of it.
    #[cold]
    pub(crate) fn report_lost(
        &mut self,
        now: Instant,
        dropped: &Dropped,
        interface: InterfaceId,
        out: &mut Outbox,
    ) {
        let (_, ctx) = self.lend(out);
        if let Some(error) = ctx.error_of(dropped, interface) {
            self.send_icmp_error(now, &dropped.frame, None, error, out);
        }
    }

    /// Tells senders what protocols have them told.
    pub(crate) fn send_reports(&mut self, now: Instant, out: &mut Outbox) {
        for Report { cause, error } in core::mem::take(&mut out.reports) {
            self.send_icmp_error(now, &cause, None, error, out);
            out.pool.give(cause);
        }
    }

    /// Tells a person that somebody else uses the router's MAC address, or that its frames come
    /// back.
    #[cold]
    pub(crate) fn notice_own_source(
        &mut self,
        now: Instant,
        interface: InterfaceId,
        station: Mac,
        from: Location,
        out: &mut Outbox,
    ) {
        let Some(port) = from.port().and_then(|port| self.ports.get_mut(port)) else { return };
        if port.told.is_none_or(|at| now.since(at) >= BETWEEN_TELLINGS) {
            port.told = Some(now);
            out.notice(Notice::OwnSource { interface, station, from });
        }
    }

    /// Sends an error about a packet that NAT has passed to the host that the packet came from, in
    /// that host's terms.
    fn tell_inside(&mut self, now: Instant, packet: Ipv4, out: &mut Outbox) {
        let owner = match self.router.routes.find(packet.destination()) {
            Some(Target::Local(owner)) => Some(owner),
            _ => None,
        };
        let way = || self.router.next_hop(packet.destination()).map(|hop| hop.interface);
        let Some(interface) = owner.or_else(way) else {
            return self.unsent(packet.into_frame(), out);
        };
        let arrival = Arrival { interface, owner, port: None };
        match self.nat.inbound(now, packet, arrival) {
            Ok(destined) if !destined.is_local() => {
                let mut packet = destined.into_packet();
                // The error comes from us, as the inside knows us.
                if let Some(own) =
                    self.router.next_hop(packet.destination()).and_then(|hop| hop.source)
                {
                    rewrite::endpoint(&mut packet, End::Source, own, None);
                }
                self.speak(now, packet, out);
            }
            Ok(ours) => self.unsent(ours.into_packet().into_frame(), out),
            Err(dropped) => self.unsent(dropped.frame, out),
        }
    }

    fn finish(&mut self, now: Instant, header: Fields, mut frame: Frame, out: &mut Outbox) {
        Ethernet::emit(&mut frame, Mac::ZERO, Mac::ZERO, EtherType::IPV4);
        if !header.emit(&mut frame) {
            return out.pool.give(frame);
        }
        match Ipv4::in_frame(frame) {
            Ok(packet) => self.speak(now, packet, out),
            Err(dropped) => out.pool.give(dropped.frame),
        }
    }

    /// Sends a packet of the router's own, from the address that it bears: no rule translates it.
    /// Only one from an inside interface's address is not sent where that would leave outside.
    fn speak(&mut self, now: Instant, packet: Ipv4, out: &mut Outbox) {
        let hop = self.router.next_hop(packet.destination());
        let hop = hop
            .filter(|hop| !self.shows_inside(packet.source(), packet.destination(), hop.interface));
        let Some(hop) = hop else {
            return self.unsent(packet.into_frame(), out);
        };
        let first = out.len();
        match self.deliver(now, packet.into_frame(), hop, None, out) {
            Ok(_) => self.stats.totals.spoken += 1,
            Err(dropped) => self.unsent(dropped.frame, out),
        }
        self.trace.sent(first, out.len(), Part::Spoken);
    }

    /// Whether an address of our own shows the inside to `destination` beyond an interface.
    fn shows_inside(&self, own: Ipv4Addr, destination: Ipv4Addr, out: InterfaceId) -> bool {
        inside::shows(self.nat.rules(), &self.router.routes, (own, destination), out)
    }

    /// Ends a packet of the router's own that cannot leave.
    fn unsent(&mut self, frame: Frame, out: &mut Outbox) {
        self.trace.note(|| Note::Unsent);
        out.pool.give(frame);
    }
}

/// Whom to tell about `cause`, unless it is an ICMP error, a later fragment, or from or to what is
/// not one host (RFC 1812 section 4.3.2.7).
pub(crate) fn sender_to_tell(cause: V4<'_>) -> Option<Ipv4Addr> {
    let (sender, destination) = (cause.source(), cause.destination());
    let is_later = cause.fragment_offset() != 0;
    let to_group = destination.is_multicast() || destination.is_broadcast();
    if is_later || to_group || ip::is_martian_source(sender) {
        return None;
    }
    let icmp = Transport::parse(Protocol::ICMP, cause.payload());
    let is_error =
        cause.protocol() == Protocol::ICMP && !matches!(icmp, Some(Transport::Query { .. }));
    (!is_error).then_some(sender)
}
