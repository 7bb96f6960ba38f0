//! How large packets may be where nobody wrote it: a tunnel carries less than its path, and so must
//! whatever is joined to it.
//!
//! # Theory of operation
//!
//! Only the kernel knows the path to a peer, so a lab that has just been checked assumes Ethernet's
//! 1500 bytes. Before planning, the engine measures and calls [`Lab::derive_mtus`]. What is written
//! is never changed; everything else follows from the tunnels alone, so deriving twice from the
//! same paths gives the same lab:
//!
//! | whose | when written | else |
//! |---|---|---|
//! | tunnel | as written | what its path carries inside |
//! | port on a bridge | as written there or at the bridge | that of the bridge's smallest tunnel, else 1500 |
//! | existing device | as written | 1500, until somebody asks the device |
//! | a port's super-frames | never | what the bridge's tunnels send at once, else 65,536 |
//! | the router on a bridge | as written at the bridge | the least of the bridge's ports and tunnels, else 1500 |

use std::collections::BTreeMap;

use super::Lab;
use super::bridge::Bridge;
use super::name::Name;
use super::port::{Attach, DEFAULT_MTU, SUPER_FRAME};

impl Lab {
    /// Sets every MTU that is not written. `inner` says for each tunnel what its path carries
    /// inside: the least path MTU over its remotes, less
    /// [`Tunnel::overhead`](super::tunnel::Tunnel::overhead). A tunnel that is not in it is
    /// taken to lead over Ethernet.
    pub fn derive_mtus(&mut self, inner: &BTreeMap<Name, u16>) {
        for tunnel in self.tunnels.values_mut().filter(|tunnel| !tunnel.mtu_written) {
            let over_ethernet = DEFAULT_MTU - tunnel.overhead();
            tunnel.mtu = inner.get(&tunnel.name).copied().unwrap_or(over_ethernet);
        }
        let mut least: BTreeMap<&Name, (u16, u32)> = BTreeMap::new();
        for tunnel in self.tunnels.values() {
            let (mtu, super_frame) = (tunnel.mtu, tunnel.super_frame());
            let sizes = least.entry(&tunnel.bridge).or_insert((mtu, super_frame));
            *sizes = (mtu.min(sizes.0), super_frame.min(sizes.1));
        }
        for port in self.ports.values_mut() {
            match &port.attach {
                Attach::Interface(_) => {}
                Attach::Netns(_) | Attach::Veth(_) | Attach::Host { .. } => {
                    let of_tunnels = port.bridge().and_then(|bridge| least.get(bridge));
                    let (mtu, super_frame) =
                        of_tunnels.copied().unwrap_or((DEFAULT_MTU, SUPER_FRAME));
                    port.super_frame = super_frame;
                    if !port.mtu_written {
                        port.mtu = mtu;
                    }
                }
            }
        }
    }

    /// What was written larger than it can be carried, a sentence each: tunnels beyond their path
    /// (`inner`, as for [`Lab::derive_mtus`]), then bridges and ports beyond their tunnels.
    pub fn mtu_warnings(&self, inner: &BTreeMap<Name, u16>) -> Vec<String> {
        let mut warnings = Vec::new();
        for tunnel in self.tunnels.values().filter(|tunnel| tunnel.mtu_written) {
            if let Some(inner) = inner.get(&tunnel.name).filter(|inner| tunnel.mtu > **inner) {
                warnings.push(format!(
                    "tunnel {} has mtu {}, and its path carries {inner} inside: write mtu = {inner}, or leave it out",
                    tunnel.name, tunnel.mtu
                ));
            }
        }
        for tunnel in self.tunnels.values() {
            let too_large = |kind: &str, name: &Name, mtu: u16| {
                format!(
                    "{kind} {name} has mtu {mtu}, and tunnel {} carries {}: larger packets to far stations end here; \
                     write mtu = {}, or leave it out",
                    tunnel.name, tunnel.mtu, tunnel.mtu
                )
            };
            let of_bridge = self.bridges.get(&tunnel.bridge).and_then(|bridge| bridge.mtu);
            let of_bridge = of_bridge.filter(|mtu| *mtu > tunnel.mtu);
            warnings.extend(of_bridge.map(|mtu| too_large("bridge", &tunnel.bridge, mtu)));
            // A port that only repeats its bridge is mended there.
            let ports = self.ports.values().filter(|port| {
                port.mtu_written
                    && port.bridge() == Some(&tunnel.bridge)
                    && port.mtu > tunnel.mtu
                    && Some(port.mtu) != of_bridge
            });
            warnings.extend(ports.map(|port| too_large("port", &port.name, port.mtu)));
        }
        warnings
    }

    /// What a packet to a bridge's segment may measure: as written, else the least of its ports and
    /// tunnels.
    pub(super) fn bridge_mtu(&self, bridge: &Bridge) -> u16 {
        let of_members = || {
            let ports = self.ports.values().filter(|port| port.bridge() == Some(&bridge.name));
            let tunnels = self.tunnels.values().filter(|tunnel| tunnel.bridge == bridge.name);
            ports.map(|port| port.mtu).chain(tunnels.map(|tunnel| tunnel.mtu)).min()
        };
        bridge.mtu.or_else(of_members).unwrap_or(DEFAULT_MTU)
    }
}
