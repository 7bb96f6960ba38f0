//! A bridge's subnet moved with all that belongs to it, as one change of the lab; neighbours that
//! somebody bound there are no part of the lab and are bound again at their new addresses.

use std::net::Ipv4Addr;

use packet::{Ipv4Net, Mac, VlanId};
use switch::Change;
use switch::view::NeighborState;

use super::{Engine, EngineError, How, Running};
use labfile::{InterfaceName, Renumbering, Unmovable, Wanted, renumber};

impl Engine {
    /// Moves a subnet of `bridge` to `to` with everything that the lab says of addresses in it:
    /// `from` says which, where there are several; with `dry_run`, only the plan.
    ///
    /// # Errors
    /// There is no such subnet, something has no place in the new one, or as [`Engine::apply`].
    pub async fn renumber(
        &self,
        bridge: &str,
        to: Ipv4Net,
        from: Option<Ipv4Net>,
        vlan: VlanId,
        dry_run: bool,
    ) -> Result<Vec<String>, EngineError> {
        let mut running = self.running.lock().await;
        let mut spec = running.spec.clone();
        let wanted = Wanted { to, from, vlan };
        let moved = renumber(&mut spec, &running.lab, bridge, wanted).map_err(|unmovable| {
            let sentence = unmovable.to_string();
            match unmovable {
                Unmovable::Unknown(_) => EngineError::Unknown(sentence),
                Unmovable::Contradicted(_) => EngineError::Conflict(sentence),
            }
        })?;
        let bound = self.bound(&running, bridge, vlan, &moved)?;
        let mut lines = self.converge(&mut running, spec, How::of_verb(dry_run)).await?;
        for (old, new, mac) in bound {
            lines.push(format!("~ neighbour {old} -> {new}, which is bound to {mac}"));
            if !dry_run && let Some(interface) = running.interface_on(bridge, vlan) {
                self.plane.apply(vec![Change::PinNeighbor(interface, new, mac)])?;
            }
        }
        Ok(lines)
    }

    /// The neighbours on a segment that somebody bound and that move, each with its new address.
    fn bound(
        &self,
        running: &Running,
        bridge: &str,
        vlan: VlanId,
        moved: &Renumbering,
    ) -> Result<Vec<(Ipv4Addr, Ipv4Addr, Mac)>, EngineError> {
        let Some(interface) = running.interface_on(bridge, vlan) else { return Ok(Vec::new()) };
        let all = self.plane.look(|_, switch| switch.neighbors());
        let bound = all.into_iter().filter(|neighbor| {
            neighbor.state == NeighborState::Static && neighbor.interface == interface
        });
        let bound = bound.filter(|neighbor| moved.concerns(neighbor.address));
        let placed = bound.map(|neighbor| {
            let new = moved.host(neighbor.address).ok_or_else(|| {
                EngineError::Conflict(format!(
                    "the neighbour {} that is bound has no place in the new subnet: forget it first, `tapswitch neigh \
                     del {}`",
                    neighbor.address, neighbor.address
                ))
            })?;
            Ok((neighbor.address, new, neighbor.mac.unwrap_or_default()))
        });
        placed.collect()
    }
}

impl Running {
    fn interface_on(&self, bridge: &str, vlan: VlanId) -> Option<packet::InterfaceId> {
        let name = InterfaceName { owner: bridge.parse().ok()?, vlan };
        self.ids.known_interface(&name)
    }
}
