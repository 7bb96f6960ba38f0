//! A masquerade rule: whose packets leave under the router's address, and how their ports are
//! chosen.

use core::fmt;
use core::net::Ipv4Addr;
use core::ops::RangeInclusive;

use packet::snapshot::Damaged;
use packet::{InterfaceId, Ipv4Net, Protocol};
use serde::{Deserialize, Serialize};

/// Packets from `source` that leave through `out` get an external source address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Masquerade {
    /// Inside hosts.
    pub source: Ipv4Net,
    /// The interface they leave through.
    pub out: InterfaceId,
    /// Destinations that see the inside address nevertheless: iptables' `! -d` (RFC 6888 REQ-6).
    pub except: Vec<Ipv4Net>,
    /// Which packets of one inside port share an external port.
    pub mapping: Mapping,
    /// Who outside may answer.
    pub filtering: Filtering,
    /// External ports to choose from; by default ports below 1024 stay below and others above (RFC
    /// 4787 REQ-3a).
    pub ports: Option<PortRange>,
    /// Whether an even UDP port stays even and an odd one odd (RFC 4787 REQ-4).
    pub parity: bool,
    /// Whether who is outside reaches the hosts inside at their own addresses, too; without, only
    /// what is published.
    pub inside_reachable: bool,
    /// Whether its flows go on when it changes or goes.
    pub keep: bool,
}

impl Masquerade {
    /// A rule with the defaults of RFC 4787: no exceptions, endpoint-independent mapping, exact
    /// filtering, parity; and an inside that is out of reach.
    pub const fn new(source: Ipv4Net, out: InterfaceId) -> Self {
        Self {
            source,
            out,
            except: Vec::new(),
            mapping: Mapping::EndpointIndependent,
            filtering: Filtering::AddressAndPortDependent,
            ports: None,
            parity: true,
            inside_reachable: false,
            keep: false,
        }
    }

    /// Whether this rule translates a packet from `source` to `destination` that leaves through
    /// `out`.
    pub fn covers(&self, source: Ipv4Addr, destination: Ipv4Addr, out: InterfaceId) -> bool {
        self.matches(source, destination, out) == RuleMatch::Covers
    }

    /// Whether this rule translates such a packet, and why not.
    pub fn matches(&self, source: Ipv4Addr, destination: Ipv4Addr, out: InterfaceId) -> RuleMatch {
        if self.out != out {
            return RuleMatch::OtherInterface;
        }
        if !self.source.contains(&source) {
            return RuleMatch::OtherSource;
        }
        let except = self.except.iter().find(|net| net.contains(&destination));
        except.map_or(RuleMatch::Covers, |net| RuleMatch::Excepted(*net))
    }

    pub(crate) const fn policy(&self) -> PortPolicy {
        PortPolicy {
            mapping: self.mapping,
            filtering: self.filtering,
            ports: self.ports,
            parity: self.parity,
        }
    }
}

/// What a masquerade rule says of a packet.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum RuleMatch {
    /// It translates it.
    Covers,
    /// The packet leaves through another interface.
    OtherInterface,
    /// The packet's source is outside the rule's.
    OtherSource,
    /// The rule excepts the packet's destination.
    Excepted(Ipv4Net),
}

/// Which packets of one inside address and port leave from the same external port (RFC 4787 section
/// 4.1).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Mapping {
    /// All of them, wherever they go; the external port is theirs alone.
    #[default]
    EndpointIndependent,
    /// Those to one remote address and port, as Linux does: an external port may serve several
    /// hosts at once.
    AddressAndPortDependent,
}

impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
        })
    }
}

/// Whose packets to a mapping's external port come in (RFC 4787 section 5). Judged by the rule as
/// it was when the mapping was made. Mappings that are address-and-port-dependent are always
/// filtered so.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Filtering {
    /// Everybody's.
    EndpointIndependent,
    /// Those of an address that the inside port has a flow with.
    AddressDependent,
    /// Those of an address and port that the inside port has a flow with.
    #[default]
    AddressAndPortDependent,
}

impl fmt::Display for Filtering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
        })
    }
}

/// A non-empty range of ports without port 0.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "(u16, u16)", into = "(u16, u16)")]
pub struct PortRange {
    low: u16,
    high: u16,
}

impl PortRange {
    pub(crate) const SYSTEM: Self = Self { low: 1, high: 1023 };
    pub(crate) const USER: Self = Self { low: 1024, high: u16::MAX };
    /// Every ICMP identifier, zero included.
    pub(crate) const IDENTIFIERS: Self = Self { low: 0, high: u16::MAX };

    /// The ports from `low` to `high`, both included; `None` when there is none or port 0 is among
    /// them.
    pub const fn new(low: u16, high: u16) -> Option<Self> {
        if low == 0 || low > high {
            return None;
        }
        Some(Self { low, high })
    }

    /// The lowest port.
    pub const fn low(self) -> u16 {
        self.low
    }

    /// The highest port.
    pub const fn high(self) -> u16 {
        self.high
    }

    /// All of them, in order.
    pub const fn iter(self) -> RangeInclusive<u16> {
        self.low..=self.high
    }

    /// Whether `port` is one of them.
    pub const fn contains(self, port: u16) -> bool {
        self.low <= port && port <= self.high
    }

    fn and(self, other: Self) -> Option<Self> {
        let (low, high) = (self.low.max(other.low), self.high.min(other.high));
        (low <= high).then_some(Self { low, high })
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.low, self.high)
    }
}

impl TryFrom<(u16, u16)> for PortRange {
    type Error = Damaged;

    fn try_from((low, high): (u16, u16)) -> Result<Self, Damaged> {
        Self::new(low, high).ok_or(Damaged("a range of ports is empty"))
    }
}

impl From<PortRange> for (u16, u16) {
    fn from(range: PortRange) -> Self {
        (range.low, range.high)
    }
}

/// How one rule maps, filters and chooses ports. The default is that of [`Masquerade::new`].
#[derive(Copy, Clone, Debug)]
pub(crate) struct PortPolicy {
    pub(crate) mapping: Mapping,
    pub(crate) filtering: Filtering,
    ports: Option<PortRange>,
    parity: bool,
}

impl Default for PortPolicy {
    fn default() -> Self {
        Self {
            mapping: Mapping::default(),
            filtering: Filtering::default(),
            ports: None,
            parity: true,
        }
    }
}

/// Which external ports a rule allows for one inside port.
#[derive(Copy, Clone, Debug)]
pub(crate) struct AllowedPorts {
    pub(crate) range: PortRange,
    /// Allowed ports by their position in a 64-port word: all, the even or the odd.
    pub(crate) pattern: u64,
}

impl AllowedPorts {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    /// Ports tried one after another when remotes decide whether a port will do; then the search
    /// gives up.
    const MAX_TRIES: u64 = 512;

    /// Allowed ports to try: the one wished for, then others from `start` on.
    pub(crate) fn tries(self, wish: u16, start: u64) -> impl Iterator<Item = u16> {
        let low = u64::from(self.range.low());
        let span = u64::from(self.range.high()) - low + 1;
        let tries = Self::MAX_TRIES.min(span);
        // An odd step spreads the tries, so that a run of taken ports does not use them up.
        let step = if tries == span { 1 } else { (start >> 32) | 1 };
        let others = (0..tries)
            .map(move |n| (low + (start % span).wrapping_add(n.wrapping_mul(step)) % span) as u16);
        core::iter::once(wish).chain(others).filter(move |port| self.allows(*port))
    }

    pub(crate) const fn allows(self, port: u16) -> bool {
        self.range.contains(port) && self.pattern & (1 << (port % 64)) != 0
    }
}

impl PortPolicy {
    /// The external ports for `port` of `protocol`. A configured range is narrowed to the inside
    /// port's class, below 1024 or above (RFC 4787 REQ-3a), unless it lies wholly outside it.
    /// Identifiers of ICMP have no classes.
    pub(crate) fn allowed_ports(self, protocol: Protocol, port: u16) -> AllowedPorts {
        if protocol == Protocol::ICMP {
            let range = self.ports.unwrap_or(PortRange::IDENTIFIERS);
            return AllowedPorts { range, pattern: u64::MAX };
        }
        let class = if port < 1024 { PortRange::SYSTEM } else { PortRange::USER };
        let range = self.ports.map_or(class, |ports| ports.and(class).unwrap_or(ports));
        let pattern = match (self.parity && protocol == Protocol::UDP, port % 2) {
            (false, _) => u64::MAX,
            (true, 0) => AllowedPorts::EVEN,
            (true, _) => !AllowedPorts::EVEN,
        };
        AllowedPorts { range, pattern }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NU4, NU5.
    #[test]
    fn the_choice_keeps_class_and_parity() {
        let policy = PortPolicy::default();
        let choice = policy.allowed_ports(Protocol::UDP, 53);
        assert!(choice.allows(53) && choice.allows(1023));
        assert!(!choice.allows(54) && !choice.allows(1025) && !choice.allows(0));
        let choice = policy.allowed_ports(Protocol::TCP, 40_000);
        assert!(choice.allows(40_001) && choice.allows(65_535) && !choice.allows(1023));
    }

    #[test]
    fn a_range_outside_the_class_wins_over_the_class() {
        let policy = PortPolicy { ports: PortRange::new(5000, 5010), ..PortPolicy::default() };
        assert!(policy.allowed_ports(Protocol::TCP, 80).allows(5003));
        assert!(!policy.allowed_ports(Protocol::TCP, 4000).allows(4000));
    }

    /// NC1.
    #[test]
    fn an_excepted_destination_is_not_covered() {
        let net = |text: &str| text.parse::<Ipv4Net>().ok();
        let (Some(inside), Some(except)) = (net("192.168.0.0/24"), net("10.0.0.0/8")) else {
            panic!("not networks");
        };
        let out = InterfaceId::new(1);
        let rule = Masquerade { except: vec![except], ..Masquerade::new(inside, out) };
        let host = Ipv4Addr::new(192, 168, 0, 2);
        assert!(rule.covers(host, Ipv4Addr::new(203, 0, 113, 9), out));
        assert!(!rule.covers(host, Ipv4Addr::new(10, 1, 1, 1), out));
        assert!(!rule.covers(host, Ipv4Addr::new(203, 0, 113, 9), InterfaceId::new(2)));
    }
}
