//! Any topology, then frames, changes, cables and the clock in any order, each step as the
//! reference predicts it.

use core::time::Duration;

use packet::{Frame, PortId, Protocol, VlanId};
use switch::Change;
use switch::change::{
    ALL_FLOWS, Behind, FlowFilter, FlowRule, InterfaceSettings, PortSettings, RpFilter,
};
use switch::view::Location;

use super::bytes::Bytes;
use super::speech::stranger;
use super::town::{BRIDGES, REMOTES, TUNNELS, Town, bridge_settings, limits};
use crate::topology::net;
use crate::tunnel::encapsulated;
use crate::wire::Address;

/// Inputs are cut off after so many steps: a longer one says nothing new.
const MOST: usize = 96;

/// A life that the bytes tell: the topology first, then step after step.
pub fn network(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let mut town = Town::read(&mut bytes);
    for _ in 0..MOST {
        if bytes.is_empty() {
            break;
        }
        town.step(&mut bytes);
    }
    super::finish(town.lab);
}

impl Town {
    pub(super) fn step(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.below(16) {
            0..=2 => self.speak(bytes),
            3..=6 => {
                let port = bytes.pick(&self.ports);
                let frame = self.purpose(bytes, port);
                self.lab.send_frame(port, frame);
            }
            7..=9 => {
                let port = bytes.pick(&self.ports);
                if let Some(frame) = self.answer(bytes, port) {
                    self.lab.send_frame(port, frame);
                }
            }
            10 => self.datagram(bytes),
            // Whole seconds: deadlines are then exact.
            11 | 12 => {
                let seconds = bytes.pick(&[1, 0, 2, 5, 16, 31, 61, 121, 301, 7500]);
                self.lab.run_for(Duration::from_secs(seconds));
            }
            13 => {
                let port = bytes.pick(&self.ports);
                if bytes.one_in(4) {
                    self.lab.down(port);
                } else {
                    self.ports.iter().for_each(|port| self.lab.up(port));
                }
            }
            _ => {
                // What contradicts itself is refused, and then nothing has changed.
                let change = self.change(bytes);
                let _ = self.lab.try_change(change);
            }
        }
    }

    fn speak(&mut self, bytes: &mut Bytes<'_>) {
        let port = bytes.pick(&self.ports);
        let own = self.lab.mac(port);
        let frame = self.speech(bytes, own);
        self.lab.send_frame(port, frame);
    }

    fn datagram(&mut self, bytes: &mut Bytes<'_>) {
        if !self.has_tunnels {
            return self.speak(bytes);
        }
        let (vni, remote) = (bytes.pick(&[42, 43, 44]), bytes.pick(&REMOTES));
        let from = stranger(bytes);
        let inside = self.speech(bytes, from);
        let mut payload = encapsulated(vni, inside.bytes());
        if bytes.one_in(8) {
            payload[bytes.below(8)] ^= 1 << bytes.below(8);
        }
        self.lab.from_remote_with("udp", remote, 0, Frame::copied_from(&payload));
    }

    pub(super) fn change(&mut self, bytes: &mut Bytes<'_>) -> Change {
        let bridge = self.lab.bridge_id(bytes.pick(&BRIDGES));
        let port = bytes.pick(&self.ports);
        let id = self.lab.port_id(port);
        let interface = self.interface(bytes);
        match bytes.below(20) {
            0 => self.membership(bytes, port),
            1 => {
                let settings = self.port_settings(port);
                Change::SetPort(id, PortSettings { mtu: bytes.pick(&[1500, 300, 68]), ..settings })
            }
            2 => Change::DeletePort(id),
            3 => Change::SetBridge(bridge, bridge_settings(bytes)),
            4 => Change::DeleteBridge(bridge),
            5 | 6 => Change::SetRoute(self.route(bytes)),
            7 => Change::DeleteRoute(self.route(bytes).to),
            8 | 9 => Change::SetRules(self.rules(bytes)),
            10 => Change::SetLimits(limits(bytes)),
            11 => Change::PinStation(bridge, vlan(bytes), stranger(bytes), self.place(bytes)),
            12 => Change::DeleteStation(bridge, vlan(bytes), stranger(bytes)),
            13 => Change::FlushStations(
                bytes.pick(&[None, Some(bridge)]),
                bytes.pick(&[None, Some(id)]),
            ),
            14 => Change::PinNeighbor(interface, address(bytes), stranger(bytes)),
            15 => Change::DeleteNeighbor(interface, address(bytes)),
            16 if bytes.one_in(2) => Change::EndFlows(filter(bytes, id), ALL_FLOWS),
            16 => Change::FlushNeighbors,
            17 if bytes.one_in(2) => {
                Change::AnnounceStation(id, stranger(bytes), vec![address(bytes)])
            }
            17 => Change::DeleteInterface(interface),
            18 => Change::SetNeighborLimits {
                capacity: bytes.pick(&[8192, 3, 1]),
                reachable: Duration::from_secs(30),
                stale: Duration::from_secs(600),
            },
            _ => {
                let name = bytes.pick(&self.interfaces);
                let old = self.interface_settings(name);
                let mut addresses = old.addresses.clone();
                if bytes.one_in(3) {
                    addresses = vec![net(bytes.pick(&["192.168.0.9/24", "203.0.113.1/24"]))];
                }
                // One byte for both, so that what was found keeps its meaning.
                let choice = bytes.below(9);
                let mtu = [1500, 576, 68][choice % 3];
                let rp_filter = [RpFilter::Loose, RpFilter::Strict, RpFilter::Off][choice / 3];
                let id = self.lab.interface_id(name);
                Change::SetInterface(id, InterfaceSettings { addresses, mtu, rp_filter, ..old })
            }
        }
    }

    /// A port, or a far end of a tunnel.
    fn place(&self, bytes: &mut Bytes<'_>) -> Location {
        if bytes.one_in(3) && self.has_tunnels {
            let (tunnel, remote) = (bytes.pick(&TUNNELS), bytes.pick(&REMOTES).address());
            return Location::Remote { tunnel: self.lab.port_id(tunnel), remote };
        }
        Location::Port(self.lab.port_id(bytes.pick(&self.ports)))
    }
}

fn vlan(bytes: &mut Bytes<'_>) -> VlanId {
    VlanId::new(bytes.pick(&[0, 10, 20])).expect("a VLAN")
}

/// Flows of some kind; now and then all.
fn filter(bytes: &mut Bytes<'_>, port: PortId) -> FlowFilter {
    let networks = ["0.0.0.0/0", "192.168.0.0/24", "203.0.113.1/32", "10.0.0.0/8"];
    let mut network = || (!bytes.one_in(3)).then(|| net(bytes.pick(&networks)));
    let (source, src_nat) = (network(), network());
    FlowFilter {
        protocol: bytes.pick(&[None, None, Some(Protocol::UDP), Some(Protocol::ICMP)]),
        source,
        src_nat,
        destination_port: bytes.pick(&[None, None, None, Some(53)]),
        rule: bytes.pick(&[None, None, None, Some(FlowRule::Masquerade(0))]),
        behind: bytes.one_in(4).then(|| Behind { port, addresses: Vec::new() }),
        ..FlowFilter::default()
    }
}

fn address(bytes: &mut Bytes<'_>) -> core::net::Ipv4Addr {
    bytes.pick(&["192.168.0.2", "192.168.0.77", "10.0.1.2", "192.168.1.3"]).address()
}
