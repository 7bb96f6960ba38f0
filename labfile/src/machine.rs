//! What the devices of ports are, beside what the lab says: somebody else may set them, too.
//!
//! A device's state is what its kernel tells; what of it is not as the lab says is its drift. What
//! the lab is silent about (a second address, a default route or a master where none is written) is
//! nobody's drift.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;

use packet::{Ipv4Net, Mac};

use crate::{Attach, Device, Name, Port};

/// The devices of a lab's ports as they are.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Those that are there. A port without one here is taken to be as the lab says.
    pub devices: BTreeMap<Name, DeviceState>,
    /// The ports that have lost theirs.
    pub lost: BTreeSet<Name>,
}

/// A device as its kernel tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceState {
    /// Its name.
    pub name: String,
    /// Whether it is switched on.
    pub up: bool,
    /// Whether the near end of a veth pair is.
    pub near_up: bool,
    /// Its Ethernet address.
    pub mac: Mac,
    /// The largest IP packet it sends, in bytes.
    pub mtu: u32,
    /// The largest super-frame that it hands over, in bytes.
    pub super_frame: u32,
    /// Its IPv4 addresses.
    pub address: Vec<Ipv4Net>,
    /// Where the default route through it leads.
    pub gateway: Option<Ipv4Addr>,
    /// The bridge or bond that it is a port of.
    pub master: Option<String>,
}

/// One thing in which a device is not as the lab says: as it is, and as it would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// It was renamed.
    Name(String, Device),
    /// It has another Ethernet address.
    Mac(Mac, Mac),
    /// It has another MTU.
    Mtu(u32, u16),
    /// It hands over other super-frames.
    SuperFrame(u32, u32),
    /// It lacks an address.
    Address(Ipv4Net),
    /// It is switched off.
    Down,
    /// The near end of the veth pair is switched off.
    NearDown,
    /// The default route through it leads elsewhere, or there is none.
    Gateway(Option<Ipv4Addr>, Ipv4Addr),
    /// It is a port of another device, or of none.
    Master(Option<String>, Device),
}

impl DeviceState {
    /// The device that a port's lab asks for.
    pub fn of(port: &Port) -> Self {
        let master = match &port.attach {
            Attach::Host { master } => master.as_ref().map(ToString::to_string),
            Attach::Netns(_) | Attach::Veth(_) | Attach::Interface(_) => None,
        };
        Self {
            name: port.device.to_string(),
            up: true,
            near_up: true,
            mac: port.mac,
            mtu: port.mtu.into(),
            super_frame: port.super_frame,
            address: port.address.clone(),
            gateway: port.gateway,
            master,
        }
    }

    /// In what it is not as a port's lab says, in the order to mend it. A device that was there
    /// before the port is as its owner wants it; only its name is the lab's business.
    pub fn drift(&self, port: &Port) -> Vec<Drift> {
        let Self { name, up, near_up, mac, mtu, super_frame, address, gateway, master } = self;
        let mut drift = Vec::new();
        if name != port.device.as_str() {
            drift.push(Drift::Name(name.clone(), port.device.clone()));
        }
        let wanted_master = match &port.attach {
            Attach::Interface(_) => return drift,
            Attach::Host { master } => master.as_ref(),
            Attach::Netns(_) | Attach::Veth(_) => None,
        };
        if *mac != port.mac {
            drift.push(Drift::Mac(*mac, port.mac));
        }
        if *mtu != u32::from(port.mtu) {
            drift.push(Drift::Mtu(*mtu, port.mtu));
        }
        if *super_frame != port.super_frame {
            drift.push(Drift::SuperFrame(*super_frame, port.super_frame));
        }
        let missing = port.address.iter().filter(|net| !address.contains(net));
        drift.extend(missing.map(|net| Drift::Address(*net)));
        if !up {
            drift.push(Drift::Down);
        }
        if !near_up {
            drift.push(Drift::NearDown);
        }
        if let Some(wanted) = port.gateway
            && *gateway != Some(wanted)
        {
            drift.push(Drift::Gateway(*gateway, wanted));
        }
        if let Some(wanted) = wanted_master
            && master.as_deref() != Some(wanted.as_str())
        {
            drift.push(Drift::Master(master.clone(), wanted.clone()));
        }
        drift
    }
}

/// "mtu 1400 (lab: 1500)", "no address 192.168.0.2/24", "down"
impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name, wanted) => write!(f, "named {name} (lab: {wanted})"),
            Self::Mac(mac, wanted) => write!(f, "mac {mac} (lab: {wanted})"),
            Self::Mtu(mtu, wanted) => write!(f, "mtu {mtu} (lab: {wanted})"),
            Self::SuperFrame(bytes, wanted) => write!(f, "super-frames {bytes} (lab: {wanted})"),
            Self::Address(wanted) => write!(f, "no address {wanted}"),
            Self::Down => f.write_str("down"),
            Self::NearDown => f.write_str("near end down"),
            Self::Gateway(Some(by), wanted) => write!(f, "gateway {by} (lab: {wanted})"),
            Self::Gateway(None, wanted) => write!(f, "no gateway (lab: {wanted})"),
            Self::Master(Some(master), wanted) => write!(f, "master {master} (lab: {wanted})"),
            Self::Master(None, wanted) => write!(f, "no master (lab: {wanted})"),
        }
    }
}

/// "differs on the machine: mtu 1400 (lab: 1500), down"
pub fn differs(drift: &[Drift]) -> String {
    let things: Vec<String> = drift.iter().map(ToString::to_string).collect();
    format!("differs on the machine: {}", things.join(", "))
}
