//! Datagrams: whose is it, and is its header in order (RFC 7348 section 5)?

use core::net::Ipv4Addr;

use packet::{DropReason, Frame, PortId};
use switch::change::Role;
use switch::view::Location;
use switch::vlan::VlanMode;
use vxlan::header::{self, Reserved};

use super::{Fate, Prediction, Reference, World};

impl Reference {
    /// A datagram on an underlay; `came` is the tunnel that it belongs to and the frame inside.
    pub(super) fn open(
        &mut self,
        world: World<'_>,
        (underlay, remote): (PortId, Ipv4Addr),
        datagram: &Frame,
        came: Option<&(PortId, Frame)>,
        prediction: &mut Prediction,
    ) {
        prediction.port = underlay;
        let ports = &world.settings.ports;
        let is_underlay = ports.get(&underlay).is_some_and(|port| port.role == Role::Underlay);
        let outcome = match header::parse(datagram.bytes(), Reserved::Ignored) {
            _ if !is_underlay || !world.settings.up.contains(&underlay) => {
                Err(vec![DropReason::PortDown])
            }
            None => Err(vec![DropReason::BadVxlan]),
            Some((vni, inside)) => ports
                .iter()
                .find_map(|(id, port)| match &port.role {
                    Role::Tunnel(member, tunnel)
                        if (tunnel.underlay, tunnel.vni) == (underlay, vni)
                            && tunnel.remotes.contains(&remote) =>
                    {
                        Some((*id, &member.vlans, tunnel.reserved, inside))
                    }
                    _ => None,
                })
                .ok_or(vec![DropReason::UnknownVni, DropReason::UnknownVtep]),
        };
        let (id, vlans, reserved, inside) = match outcome {
            Ok(tunnel) => tunnel,
            Err(reasons) => {
                prediction.fates = reasons.into_iter().map(Fate::Dropped).collect();
                return;
            }
        };
        prediction.port = id;
        let tagged = inside.get(12..14) == Some(&[0x81, 0x00]);
        if header::parse(datagram.bytes(), reserved).is_none() {
            prediction.fates = vec![Fate::Dropped(DropReason::VxlanReservedBits)];
        } else if tagged && matches!(vlans, VlanMode::Access(_)) {
            prediction.fates = vec![Fate::Dropped(DropReason::TaggedInTunnel)];
        } else {
            let from = Location::Remote { tunnel: id, remote };
            let opened = came.map(|(_, frame)| frame);
            self.receive(world, from, &Frame::copied_from(inside), opened, prediction);
        }
    }
}
