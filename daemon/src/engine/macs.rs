//! MAC addresses that nobody wrote: a device keeps its own as long as it lives.
//!
//! They are derived from the name and the first IPv4 address, so that two hosts which a tunnel joins do not use one
//! twice. When the IPv4 address changes while the lab runs, the MAC address stays: whoever knows the device by it need
//! not learn it anew.

use super::Running;
use crate::config::{Lab, LabSpec, Segment};

/// Gives bridges, ports and routers of `lab`, which was made from `wanted`, the addresses that they have in the running
/// lab, where neither lab writes one.
pub(super) fn keep(running: &Running, wanted: &LabSpec, lab: &mut Lab) {
    let (old, spec) = (&running.lab, &running.spec);
    for (name, bridge) in &mut lab.bridges {
        let written = |spec: &LabSpec| {
            spec.bridge.get(name.as_str()).is_none_or(|bridge| bridge.mac.is_some())
        };
        if let Some(old) = old.bridges.get(name)
            && !written(spec)
            && !written(wanted)
        {
            bridge.mac = old.mac;
        }
    }
    for (name, port) in &mut lab.ports {
        let Some(old) = old.ports.get(name) else { continue };
        let (Some(before), Some(after)) =
            (spec.port.get(name.as_str()), wanted.port.get(name.as_str()))
        else {
            continue;
        };
        if before.mac.is_none() && after.mac.is_none() {
            port.mac = old.mac;
        }
        if let (Segment::Routed { router_mac, .. }, Segment::Routed { router_mac: kept, .. }) =
            (&mut port.segment, &old.segment)
            && before.router_mac.is_none()
            && after.router_mac.is_none()
        {
            *router_mac = *kept;
        }
    }
}
