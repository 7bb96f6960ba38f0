//! One change of a running lab, and what it asks of the machine.

use packet::Ipv4Net;

use crate::lab::port::DeviceChange;
use crate::machine::Drift;
use crate::{
    Bridge, InsideService, Lab, Listener, Masquerade, NextHop, Port, Settings, Static, Tunnel,
};

/// What to do, with all that is needed to do it. Shown as one line: `+` comes, `-` goes, `~`
/// changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A published service ends.
    RemovePublish(Listener, InsideService),
    /// A route ends.
    RemoveRoute(Ipv4Net, NextHop),
    /// A static entry ends.
    RemoveStatic(Static),
    /// A rule comes, at this index of the list.
    AddMasquerade {
        /// Index after insertion.
        at: usize,
        /// Its `out` may be an interface that comes with a later step.
        rule: Masquerade,
    },
    /// A tunnel ends.
    RemoveTunnel(Tunnel),
    /// A port ends, with its device.
    RemovePort(Port),
    /// A bridge ends; no port and no tunnel is on it.
    RemoveBridge(Bridge),
    /// Limits and timers change.
    SetSettings {
        /// As they are.
        from: Settings,
        /// As they will be.
        to: Settings,
    },
    /// A bridge changes in place; its ports stay.
    SetBridge {
        /// As it is.
        from: Bridge,
        /// As it will be; the same name.
        to: Bridge,
    },
    /// A port changes; in the switch it stays, and so does its device unless [`Step::device`] says
    /// otherwise.
    SetPort {
        /// As it is.
        from: Port,
        /// As it will be; the same name.
        to: Port,
    },
    /// A port's device becomes again what the lab says, where somebody else has changed it.
    MendPort {
        /// As the lab says, before and after.
        port: Port,
        /// What differs.
        drift: Vec<Drift>,
    },
    /// A port that has lost its device gets one again.
    RestorePort(Port),
    /// A tunnel changes in place; its socket stays.
    SetTunnel {
        /// As it is.
        from: Tunnel,
        /// As it will be; the same name, bridge, UDP port and local address.
        to: Tunnel,
    },
    /// A bridge comes.
    AddBridge(Bridge),
    /// A port comes, with its device.
    AddPort(Port),
    /// A tunnel comes.
    AddTunnel(Tunnel),
    /// A rule ends, at this index of the list.
    RemoveMasquerade {
        /// Index before removal.
        at: usize,
        /// Its `out` may be an interface that went with an earlier step.
        rule: Masquerade,
    },
    /// A static entry comes.
    AddStatic(Static),
    /// A route leads elsewhere.
    SetRoute {
        /// The destinations.
        to: Ipv4Net,
        /// Where they go.
        from: NextHop,
        /// Where they will go.
        hop: NextHop,
    },
    /// A route comes.
    AddRoute(Ipv4Net, NextHop),
    /// A published service belongs to somebody else.
    SetPublish {
        /// Where it is reached.
        listener: Listener,
        /// Whose it is.
        from: InsideService,
        /// Whose it will be.
        to: InsideService,
    },
    /// A published service comes.
    AddPublish(Listener, InsideService),
}

/// What a step asks of the machine for a port's far end.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Device<'a> {
    /// A device is made, in place of the port's old one if it has one.
    Make(&'a Port),
    /// The port's device changes in place.
    Alter {
        /// As it is.
        from: &'a Port,
        /// As it will be.
        to: &'a Port,
    },
    /// The port's device is mended in place.
    Mend {
        /// As it will be.
        port: &'a Port,
        /// What is set, in this order.
        drift: &'a [Drift],
    },
    /// The port's device is removed.
    Remove(&'a Port),
}

impl Step {
    /// What becomes of a port's device.
    pub fn device(&self) -> Option<Device<'_>> {
        match self {
            Self::AddPort(port) | Self::RestorePort(port) => Some(Device::Make(port)),
            Self::MendPort { port, drift } => Some(Device::Mend { port, drift }),
            Self::RemovePort(port) => Some(Device::Remove(port)),
            Self::SetPort { from, to } if is_remade(from, to) => Some(Device::Make(to)),
            Self::SetPort { from, to } if is_altered(from, to) => Some(Device::Alter { from, to }),
            _ => None,
        }
    }

    /// Makes the change in a description of the lab; what the machine does is somebody else's.
    ///
    /// An index beyond the list of rules counts as its end.
    pub fn apply_to(&self, lab: &mut Lab) {
        match self {
            Self::RemovePublish(listener, _) => drop(lab.publish.remove(listener)),
            Self::RemoveRoute(to, _) => drop(lab.routes.remove(to)),
            Self::RemoveStatic(entry) => drop(lab.statics.remove(entry)),
            Self::AddMasquerade { at, rule } => {
                lab.masquerade.insert((*at).min(lab.masquerade.len()), rule.clone());
            }
            Self::RemoveTunnel(tunnel) => drop(lab.tunnels.remove(&tunnel.name)),
            Self::RemovePort(port) => drop(lab.ports.remove(&port.name)),
            Self::RemoveBridge(bridge) => drop(lab.bridges.remove(&bridge.name)),
            Self::SetSettings { to, .. } => lab.settings = to.clone(),
            Self::SetBridge { to, .. } | Self::AddBridge(to) => {
                drop(lab.bridges.insert(to.name.clone(), to.clone()));
            }
            Self::SetPort { to, .. } | Self::AddPort(to) => {
                drop(lab.ports.insert(to.name.clone(), to.clone()));
            }
            // The lab is what it was.
            Self::MendPort { .. } | Self::RestorePort(_) => {}
            Self::SetTunnel { to, .. } | Self::AddTunnel(to) => {
                drop(lab.tunnels.insert(to.name.clone(), to.clone()));
            }
            Self::RemoveMasquerade { at, .. } => {
                if *at < lab.masquerade.len() {
                    lab.masquerade.remove(*at);
                }
            }
            Self::AddStatic(entry) => drop(lab.statics.insert(entry.clone())),
            Self::SetRoute { to, hop, .. } | Self::AddRoute(to, hop) => {
                drop(lab.routes.insert(*to, hop.clone()));
            }
            Self::SetPublish { listener, to, .. } | Self::AddPublish(listener, to) => {
                lab.publish.insert(listener.clone(), *to);
            }
        }
    }
}

/// Whether a port's device must be made anew.
pub(super) fn is_remade(from: &Port, to: &Port) -> bool {
    from.device_change(to) == DeviceChange::Make
}

/// Whether a port's device changes in place.
fn is_altered(from: &Port, to: &Port) -> bool {
    from.device_change(to) == DeviceChange::Alter
}
