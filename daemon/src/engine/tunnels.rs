//! The sockets that tunnels need: which UDP ports are listened at, and what is sent from.
//!
//! # Theory of operation
//! Tunnels with the same UDP port and local address are heard at one set of sockets, one socket a
//! worker; tunnels that leave alike (local address, DF, checksum) share their sending sockets. Both
//! are opened ahead of a change, so that a port that is taken or a remote that no route leads to
//! refuses the change as a whole, and are closed when the last tunnel that needs them is gone. A
//! UDP port whose sockets stand in the way of the new ones is closed first, and opened again when
//! the change fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use os::underlay::{self, Listener, Sender, SenderOptions, UnderlayError};

use super::{Engine, EngineError, LEAST_INNER, Running};
use crate::dataplane::Exit;
use labfile::ids::{UdpPort, udp_ports};
use labfile::plan::{Plan, Step};
use labfile::{Attach, Lab, Name, Tunnel};

/// Source ports of a set of sending sockets: enough to spread flows over the queues of a network
/// card, and few enough that a tunnel costs little.
const LANES: usize = 16;

/// The sending sockets in use.
#[derive(Debug, Default)]
pub(super) struct Senders(Vec<(SenderOptions, Arc<Sender>)>);

/// Sockets that are open and not in use yet.
#[derive(Debug, Default)]
pub(super) struct Opened {
    listeners: Vec<(UdpPort, Vec<Listener>)>,
    exits: Vec<(Name, Exit)>,
    /// Closed for others that need the place.
    closed: Vec<UdpPort>,
}

impl Senders {
    fn like(&mut self, tunnel: &Tunnel) -> Result<Arc<Sender>, UnderlayError> {
        let options = SenderOptions {
            local: tunnel.local.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED),
            dont_fragment: tunnel.df,
            checksum: tunnel.checksum,
            lanes: LANES,
        };
        if let Some((_, sender)) = self.0.iter().find(|(known, _)| *known == options) {
            return Ok(Arc::clone(sender));
        }
        let sender = Arc::new(Sender::open(&options)?);
        self.0.push((options, Arc::clone(&sender)));
        Ok(sender)
    }

    /// Closes what nobody else holds.
    pub(super) fn tidy(&mut self) {
        self.0.retain(|(_, sender)| Arc::strong_count(sender) > 1);
    }
}

/// For each tunnel, the largest IP packet that every one of its paths carries inside; nothing for a
/// tunnel whose path cannot be told now.
pub(super) fn inner_mtus(lab: &Lab) -> BTreeMap<Name, u16> {
    let mut inner = BTreeMap::new();
    for (name, tunnel) in &lab.tunnels {
        let paths = tunnel.remotes.iter().map(|remote| underlay::path(*remote, tunnel.local));
        let mtus: Result<Vec<u32>, _> = paths.map(|path| path.map(|path| path.mtu)).collect();
        if let Ok(mtus) = mtus
            && let Some(least) = mtus.into_iter().min()
        {
            // A path may be wider than any packet.
            let least = u16::try_from(least).unwrap_or(u16::MAX);
            inner.insert(name.clone(), least.saturating_sub(tunnel.overhead()));
        }
    }
    inner
}

impl Engine {
    /// Gives a lab the MTUs that nobody wrote: what paths carry, and what existing devices have. A
    /// tunnel that runs already keeps what it has while its path cannot be told, or carries too
    /// little.
    pub(super) async fn measure(
        &self,
        running: &mut Running,
        lab: &mut Lab,
    ) -> Result<(), EngineError> {
        let mut inner = inner_mtus(lab);
        for (name, tunnel) in &lab.tunnels {
            let known = running.lab.tunnels.get(name).map(|tunnel| tunnel.mtu);
            match (inner.get(name).copied(), known) {
                (Some(room), _) if room >= LEAST_INNER => {}
                // What happens below a tunnel that runs stands in the way of no other change.
                (_, Some(known)) => drop(inner.insert(name.clone(), known)),
                (Some(room), None) => {
                    let path = room + tunnel.overhead();
                    return Err(EngineError::Narrow { tunnel: name.clone(), path, inner: room });
                }
                (None, None) => {}
            }
        }
        lab.derive_mtus(&inner);
        let found = lab.ports.values_mut().filter(|port| !port.mtu_written);
        let found: Vec<_> =
            found.filter(|port| matches!(port.attach, Attach::Interface(_))).collect();
        let Some(first) = found.first().map(|port| port.name.clone()) else { return Ok(()) };
        let own = running.places.look_at_own().await;
        own.map_err(|error| EngineError::Port { port: first, error })?;
        for port in found {
            let link = running.places.own_table().and_then(|own| own.named(port.device.as_str()));
            if let Some(link) = link {
                port.mtu = u16::try_from(link.mtu).unwrap_or(MAX_MTU).min(MAX_MTU);
            }
        }
        Ok(())
    }

    /// Opens what the tunnels of `lab` need and the running lab has not.
    pub(super) fn open_sockets(
        &self,
        running: &mut Running,
        lab: &Lab,
    ) -> Result<Opened, EngineError> {
        let mut opened = Opened::default();
        match self.try_open(running, lab, &mut opened) {
            Ok(()) => Ok(opened),
            Err(error) => {
                self.close_again(running, opened);
                Err(error)
            }
        }
    }

    fn try_open(
        &self,
        running: &mut Running,
        lab: &Lab,
        opened: &mut Opened,
    ) -> Result<(), EngineError> {
        for (name, tunnel) in &lab.tunnels {
            if running.lab.tunnels.get(name) == Some(tunnel) {
                continue;
            }
            let failed = |error| EngineError::Tunnel { tunnel: name.clone(), error };
            for remote in &tunnel.remotes {
                underlay::path(*remote, tunnel.local).map_err(failed)?;
            }
            let sender = running.senders.like(tunnel).map_err(failed)?;
            opened.exits.push((name.clone(), exit(tunnel, sender)));
        }
        let (old, new) = (self.listened_at(running), udp_ports(lab));
        for udp in new.difference(&old) {
            // An address and every address exclude each other on one port.
            for other in old.difference(&new).filter(|other| other.port == udp.port) {
                self.close(running, *other);
                opened.closed.push(*other);
            }
            opened.listeners.push((*udp, self.listen(lab, *udp)?));
        }
        Ok(())
    }

    /// The UDP ports that are open: those of the running lab, but for one that could not be
    /// watched.
    fn listened_at(&self, running: &Running) -> BTreeSet<UdpPort> {
        let is_open = |udp: &UdpPort| {
            running.ids.known_udp_port(*udp).is_some_and(|port| self.plane.is_attached(port))
        };
        udp_ports(&running.lab).into_iter().filter(is_open).collect()
    }

    fn listen(&self, lab: &Lab, udp: UdpPort) -> Result<Vec<Listener>, EngineError> {
        let local = udp.local.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED);
        Listener::open(local, udp.port, self.plane.queues()).map_err(|error| {
            let mut tunnels = lab.tunnels.iter();
            let tunnel = tunnels.find(|(_, tunnel)| UdpPort::of(tunnel) == udp);
            match tunnel {
                Some((name, _)) => EngineError::Tunnel { tunnel: name.clone(), error },
                None => EngineError::Conflict(error.to_string()),
            }
        })
    }

    /// Gives up what was opened for a change that failed, and opens again what was closed for it.
    pub(super) fn close_again(&self, running: &mut Running, opened: Opened) {
        let Opened { listeners, exits, closed } = opened;
        drop((listeners, exits));
        running.senders.tidy();
        for udp in closed {
            let port = running.ids.udp_port(udp);
            let outcome = self.listen(&running.lab, udp).map_err(|error| error.to_string());
            let outcome = outcome.and_then(|listeners| {
                self.plane.attach_underlay(port, listeners).map_err(|error| error.to_string())
            });
            if let Err(error) = outcome {
                tracing::error!("{udp} cannot be opened again: {error}");
            }
        }
    }

    /// Closes the tunnels that end, and UDP ports that `lab` does not need.
    pub(super) fn close_unused(&self, running: &Running, lab: &Lab, plan: &Plan) {
        let gone = plan.steps().iter().filter_map(|step| match step {
            Step::RemoveTunnel(tunnel) => running.ids.known_port(tunnel.name.as_str()),
            _ => None,
        });
        self.plane.detach(&gone.collect::<Vec<_>>());
        for udp in udp_ports(&running.lab).difference(&udp_ports(lab)) {
            self.close(running, *udp);
        }
    }

    fn close(&self, running: &Running, udp: UdpPort) {
        if let Some(port) = running.ids.known_udp_port(udp) {
            self.plane.detach(&[port]);
        }
    }

    /// Puts what was opened to use; the switch knows the ports by now.
    pub(super) fn use_sockets(
        &self,
        running: &mut Running,
        opened: Opened,
    ) -> Result<(), EngineError> {
        // Tunnels first: what comes in finds them there.
        for (name, exit) in opened.exits {
            let attached = self.plane.attach_tunnel(running.ids.port(&name), exit);
            attached.map_err(|error| EngineError::Conflict(format!("tunnel {name}: {error}")))?;
        }
        let mut outcome = Ok(());
        for (udp, listeners) in opened.listeners {
            let port = running.ids.udp_port(udp);
            if let Err(error) = self.plane.attach_underlay(port, listeners) {
                outcome = Err(EngineError::Conflict(format!(
                    "{udp} cannot be watched: {error}; apply the lab again to listen at it"
                )));
            }
        }
        running.senders.tidy();
        outcome
    }
}

impl Running {
    /// Notes when the tunnels that begin were made.
    pub(super) fn note_tunnels(&mut self, plan: &Plan) {
        let now = os::clock::now();
        for step in plan.steps() {
            match step {
                Step::AddTunnel(tunnel) => drop(self.tunnels_made.insert(tunnel.name.clone(), now)),
                Step::RemoveTunnel(tunnel) => drop(self.tunnels_made.remove(&tunnel.name)),
                _ => {}
            }
        }
    }
}

/// The largest IP packet that fits a frame's buffer behind its Ethernet header.
const MAX_MTU: u16 = 65_521;

fn exit(tunnel: &Tunnel, sender: Arc<Sender>) -> Exit {
    Exit {
        vni: tunnel.vni,
        udp_port: tunnel.port.get(),
        sender,
        ttl: tunnel.ttl.of_outer(),
        dscp: tunnel.dscp.of_outer(),
    }
}
