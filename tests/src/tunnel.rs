//! Tunnels as tests see them: what leaves through one as datagrams, and datagrams from anybody.

use core::net::Ipv4Addr;

use packet::segment::segment;
use packet::{DropReason, Frame, Offload, PortId, SegmentKind, VlanId};
use switch::change::{self, Membership, PortSettings, Role};
use switch::vlan::{PriorityTags, VlanMode, VlanSet};
use switch::{Change, Egress, Event};
use vxlan::Vni;
use vxlan::encap::{SendLimits, Train};
use vxlan::header::{self, Reserved};

use crate::beyond::mark;
use crate::lab::Lab;
use crate::wire::{Address, Seen};

/// A tunnel as a test describes it: `Tunnel::on("br0", 42).to("192.0.2.2").trunk()`.
#[derive(Clone, Debug)]
pub struct Tunnel {
    bridge: String,
    underlay: String,
    vlans: VlanMode,
    isolated: bool,
    mtu: u16,
    settings: change::Tunnel,
}

impl Tunnel {
    /// A tunnel of a bridge for frames without a VLAN, over the underlay "udp", with room for 1450
    /// bytes inside.
    pub fn on(bridge: &str, vni: u32) -> Self {
        Self {
            bridge: bridge.into(),
            underlay: "udp".into(),
            vlans: VlanMode::Access(VlanId::UNTAGGED),
            isolated: false,
            mtu: 1450,
            settings: change::Tunnel {
                underlay: PortId::new(0),
                vni: Vni::new(vni).expect("a VNI has 24 bits"),
                remotes: Vec::new(),
                reserved: Reserved::Ignored,
                learning: true,
                suppress_arp: false,
                clamp_mss: false,
            },
        }
    }

    /// One more far end.
    #[must_use]
    pub fn to(mut self, remote: impl Address) -> Self {
        self.settings.remotes.push(remote.address());
        self
    }

    /// Its datagrams come in on another underlay.
    #[must_use]
    pub fn over(self, underlay: &str) -> Self {
        Self { underlay: underlay.into(), ..self }
    }

    /// Carries one VLAN, without its tag.
    #[must_use]
    pub fn vlan(self, vlan: u16) -> Self {
        Self { vlans: VlanMode::Access(VlanId::new(vlan).expect("a VLAN")), ..self }
    }

    /// Carries every VLAN, with tags.
    #[must_use]
    pub fn trunk(self) -> Self {
        Self { vlans: VlanMode::Trunk(VlanSet::All), ..self }
    }

    /// Talks only to ports that are not isolated.
    #[must_use]
    pub fn isolated(self) -> Self {
        Self { isolated: true, ..self }
    }

    /// Takes IP packets of up to `mtu` bytes.
    #[must_use]
    pub fn mtu(self, mtu: u16) -> Self {
        Self { mtu, ..self }
    }

    /// Reserved bits matter.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.settings.reserved = Reserved::Refused;
        self
    }

    /// Learns nobody's place.
    #[must_use]
    pub fn without_learning(mut self) -> Self {
        self.settings.learning = false;
        self
    }

    /// ARP for who is known beyond it is answered here.
    #[must_use]
    pub fn suppressing_arp(mut self) -> Self {
        self.settings.suppress_arp = true;
        self
    }

    /// The MSS of connections through it is lowered.
    #[must_use]
    pub fn clamping_mss(mut self) -> Self {
        self.settings.clamp_mss = true;
        self
    }
}

/// A datagram that left: one VXLAN header and one frame, super-frames cut.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Datagram {
    /// The tunnel it left through.
    pub tunnel: String,
    /// The far end it is for.
    pub remote: Ipv4Addr,
    /// The UDP payload.
    pub payload: Vec<u8>,
}

impl Datagram {
    /// The segment that its header names.
    pub fn vni(&self) -> u32 {
        let parsed = header::parse(&self.payload, Reserved::Refused);
        parsed.expect("a VXLAN header without reserved bits").0.number()
    }

    /// The frame inside.
    pub fn inside(&self) -> Seen {
        let (_, frame) = header::parse(&self.payload, Reserved::Refused).expect("a VXLAN header");
        let frame = Frame::copied_from(frame);
        Seen { at: packet::Instant::ZERO, bytes: frame.bytes().to_vec(), offload: frame.offload() }
    }
}

/// The UDP payload that carries `frame` on segment `vni`.
pub fn encapsulated(vni: u32, frame: &[u8]) -> Vec<u8> {
    let vni = Vni::new(vni).expect("a VNI has 24 bits");
    [&header::emit(vni)[..], frame].concat()
}

impl Lab {
    /// Adds a UDP port that datagrams come in on, up.
    pub fn underlay(&mut self, name: &str) {
        let id = self.number_port(name);
        self.change(Change::SetPort(
            id,
            PortSettings { role: Role::Underlay, mtu: 1500, guard: None },
        ));
        self.up(name);
    }

    /// Adds a tunnel, up, or changes it.
    pub fn tunnel(&mut self, name: &str, tunnel: &Tunnel) {
        let change = self.tunnel_change(name, tunnel);
        self.change(change);
        self.up(name);
    }

    /// The change that adds a tunnel or changes it.
    pub fn tunnel_change(&mut self, name: &str, tunnel: &Tunnel) -> Change {
        let id = self.number_port(name);
        let member = Membership {
            bridge: self.bridge_id(&tunnel.bridge),
            vlans: tunnel.vlans.clone(),
            priority_tags: PriorityTags::Never,
            isolated: tunnel.isolated,
        };
        let underlay = self.port_id(&tunnel.underlay);
        let settings = change::Tunnel { underlay, ..tunnel.settings.clone() };
        let role = Role::Tunnel(member, settings);
        Change::SetPort(id, PortSettings { role, mtu: tunnel.mtu, guard: None })
    }

    /// A datagram comes in on the underlay "udp" from `remote`, and things settle.
    pub fn from_remote(&mut self, remote: impl Address, payload: &[u8]) {
        self.from_remote_with("udp", remote, 0, Frame::copied_from(payload));
    }

    /// A datagram comes in, perhaps of segments that were joined, and things settle.
    pub fn from_remote_with(
        &mut self,
        underlay: &str,
        remote: impl Address,
        traffic_class: u8,
        datagram: Frame,
    ) {
        let (port, remote) = (self.port_id(underlay), remote.address());
        self.step(Event::Datagram { port, remote, traffic_class, datagram });
        self.settle();
    }

    /// Takes what left through tunnels.
    pub fn datagrams(&mut self) -> Vec<Datagram> {
        core::mem::take(&mut self.datagrams)
    }

    /// Who sent datagrams that no tunnel wanted: VNI, address and how many.
    pub fn unknown_vteps(&self) -> Vec<(u32, Ipv4Addr, u64)> {
        let (unknown_vteps, _) = self.switch().unknown_vteps();
        let line = |vtep: vxlan::UnknownVtep| (vtep.far.vni.number(), vtep.far.remote, vtep.count);
        unknown_vteps.into_iter().map(line).collect()
    }

    /// The tunnel that a datagram will be found to belong to, and the frame inside.
    pub(crate) fn inside(
        &self,
        underlay: PortId,
        from: Ipv4Addr,
        traffic_class: u8,
        datagram: &Frame,
    ) -> Option<(PortId, Frame)> {
        let (vni, _) = header::parse(datagram.bytes(), Reserved::Ignored)?;
        let owner = self.checks.ports.iter().find(|(_, settings)| {
            matches!(&settings.role, Role::Tunnel(_, tunnel) if tunnel.vni == vni
                && tunnel.underlay == underlay && tunnel.remotes.contains(&from))
        });
        let (id, settings) = owner?;
        let mut frame = datagram.clone();
        if !frame.strip(header::LEN) {
            return None;
        }
        // Whether it owes what it seems to owe is shown by tests of its own.
        packet::partial::detect(&mut frame, settings.mtu);
        if !frame.pop_tag() {
            return None;
        }
        mark(traffic_class, &mut frame);
        Some((*id, frame))
    }

    /// Encapsulates a copy for a remote VTEP, piece by piece. Joined fragments are cut first, and
    /// each is a frame of its own.
    pub(crate) fn hand_to_remote(&mut self, mut frame: Frame, copy: Egress, remote: Ipv4Addr) {
        if matches!(frame.offload(), Offload::Segment { kind: SegmentKind::Fragments, .. }) {
            let mut fragments = Vec::new();
            // What is no such datagram is refused whole, as a device would.
            let _ = segment(frame, &mut packet::Pool::new(0), &mut |one| fragments.push(one));
            return fragments.into_iter().for_each(|one| self.hand_to_remote(one, copy, remote));
        }
        let Some(Role::Tunnel(_, tunnel)) = self.checks.ports.get(&copy.port).map(|p| &p.role)
        else {
            panic!("{} is no tunnel", copy.port);
        };
        let vni = tunnel.vni;
        frame.set_tag(copy.tag);
        let tunnel = self.names.port_name(copy.port).to_owned();
        let mut train = Train::default();
        let cut = train.cut(vni, &frame);
        let batches = train.sends(&frame, SendLimits::BATCH);
        let parts = batches.flat_map(|batch| batch.parts());
        let sent: Vec<Vec<u8>> = parts.map(|(headers, body)| [headers, body].concat()).collect();
        let mut pieces = Vec::new();
        // A super-frame that was never one may be bridged, and is refused here as a device would.
        let whole = segment(frame, &mut packet::Pool::new(0), &mut |mut piece| {
            assert!(piece.push_tag(), "a tag always fits");
            pieces.push([&header::emit(vni)[..], piece.bytes()].concat());
        });
        if cut == Err(DropReason::ExceedsTunnelMtu) {
            return assert!(pieces[0].len() > SendLimits::BATCH.bytes, "a datagram had fitted");
        }
        assert_eq!(cut.is_ok(), whole.is_ok(), "one of two ways to cut refuses");
        assert_eq!(sent, pieces, "the two ways to cut a frame differ");
        for payload in sent {
            self.datagrams.push(Datagram { tunnel: tunnel.clone(), remote, payload });
        }
    }
}
