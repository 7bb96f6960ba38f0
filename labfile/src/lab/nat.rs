//! Rules that change addresses: masquerade on the way out, publish on the way in.

use std::fmt;
use std::net::Ipv4Addr;
use std::num::NonZeroU16;

use nat::{Filtering, Mapping, PortRange};
use packet::{Ipv4Net, Protocol};

use super::interface::InterfaceName;
use super::list;

/// `[[masquerade]]`: packets from `source` leave `out` with an address of `out`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masquerade {
    /// The inside network; host bits are zero.
    pub source: Ipv4Net,
    /// An interface of the lab.
    pub out: InterfaceName,
    /// Destinations that are left as they are; host bits are zero.
    pub except: Vec<Ipv4Net>,
    /// Which flows of an inside port share an outside port.
    pub mapping: Mapping,
    /// Who may answer.
    pub filtering: Filtering,
    /// Outside ports to choose from, when written.
    pub ports: Option<PortRange>,
    /// Even ports stay even, odd ports odd (RFC 4787 REQ-4).
    pub parity: bool,
    /// Who is outside reaches the hosts inside at their own addresses, too.
    pub inside_reachable: bool,
    /// Its flows go on when it changes or goes.
    pub keep: bool,
}

impl fmt::Display for Masquerade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} out {}", self.source, self.out)?;
        if !self.except.is_empty() {
            write!(f, " except {}", list(&self.except))?;
        }
        if self.mapping != Mapping::default() {
            write!(f, " mapping {}", self.mapping)?;
        }
        if self.filtering != Filtering::AddressAndPortDependent {
            write!(f, " filtering {}", self.filtering)?;
        }
        if let Some(ports) = self.ports {
            write!(f, " ports {ports}")?;
        }
        if !self.parity {
            write!(f, " parity off")?;
        }
        if self.inside_reachable {
            write!(f, " inside reachable")?;
        }
        if self.keep {
            write!(f, " keep")?;
        }
        Ok(())
    }
}

/// Where a published service is reached from outside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Listener {
    /// On which of the switch's own addresses.
    pub scope: ListenScope,
    /// The outside port.
    pub port: NonZeroU16,
    /// TCP or UDP.
    pub protocol: Protocol,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.scope, self.port, self.protocol)
    }
}

/// Which of the switch's own addresses a listener means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListenScope {
    /// All: "0.0.0.0".
    Any,
    /// One.
    Address(Ipv4Addr),
    /// Those of an interface.
    Interface(InterfaceName),
}

impl fmt::Display for ListenScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("0.0.0.0"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Interface(name) => write!(f, "{name}"),
        }
    }
}

/// Whom a published service really belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InsideService {
    /// An inside host that an interface or a route reaches.
    pub address: Ipv4Addr,
    /// Its port.
    pub port: NonZeroU16,
    /// The flows of the service go on when it changes or goes.
    pub keep: bool,
}

impl fmt::Display for InsideService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keep = if self.keep { " keep" } else { "" };
        write!(f, "{}:{}{keep}", self.address, self.port)
    }
}
