//! What people call what the switch has numbers for, and the lab around it.

use packet::Mac;
use serde::{Deserialize, Serialize};

use labfile::ids::Ids;
use labfile::{self, ConfigError, Lab, LabSpec, Name, Segment};

/// The names in force from a moment on. What a daemon finds out about its machine is kept beside
/// the lab as it was written, so that another machine makes the same of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Which names the switch's numbers stand for.
    pub ids: Ids,
    /// A lab file.
    lab: String,
    bridges: Vec<(Name, Mac)>,
    ports: Vec<(Name, FoundPort)>,
    tunnels: Vec<(Name, u16)>,
}

/// What a port has that its lab may not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FoundPort {
    mac: Mac,
    router_mac: Option<Mac>,
    mtu: u16,
}

impl Names {
    /// The names of a running lab.
    pub fn of(ids: &Ids, spec: &LabSpec, lab: &Lab) -> Self {
        let port = |port: &labfile::Port| FoundPort {
            mac: port.mac,
            router_mac: match &port.segment {
                Segment::Routed { router_mac, .. } => Some(*router_mac),
                Segment::Bridged(_) => None,
            },
            mtu: port.mtu,
        };
        let bridges = lab.bridges.iter().map(|(name, bridge)| (name.clone(), bridge.mac));
        let tunnels = lab.tunnels.iter().map(|(name, tunnel)| (name.clone(), tunnel.mtu));
        Self {
            ids: ids.clone(),
            // A lab that was read can be written; names alone serve where it could not.
            lab: spec.to_toml().unwrap_or_default(),
            bridges: bridges.collect(),
            ports: lab.ports.iter().map(|(name, p)| (name.clone(), port(p))).collect(),
            tunnels: tunnels.collect(),
        }
    }

    /// The lab, as written and as it was in truth.
    pub fn lab(&self) -> Result<(LabSpec, Lab), ConfigError> {
        let (spec, mut lab) = labfile::parse_spec(self.lab.as_bytes(), "the lab of the record")?;
        for (name, mac) in &self.bridges {
            if let Some(bridge) = lab.bridges.get_mut(name) {
                bridge.mac = *mac;
            }
        }
        for (name, found) in &self.ports {
            let Some(port) = lab.ports.get_mut(name) else { continue };
            (port.mac, port.mtu) = (found.mac, found.mtu);
            if let (Segment::Routed { router_mac, .. }, Some(mac)) =
                (&mut port.segment, found.router_mac)
            {
                *router_mac = mac;
            }
        }
        for (name, mtu) in &self.tunnels {
            if let Some(tunnel) = lab.tunnels.get_mut(name) {
                tunnel.mtu = *mtu;
            }
        }
        Ok((spec, lab))
    }
}
