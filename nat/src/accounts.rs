//! Who has how many flows, and how many there may be: what [`eviction`](crate::eviction) decides
//! by.

use packet::PortId;
use packet::snapshot::Damaged;
use serde::{Deserialize, Serialize};

use crate::flow::Flow;
use crate::groups::{Class, Groups, Key};
use crate::index::Hashes;
use crate::tuple::Tuple;

/// How many times as many flows as are free a port of the switch may have: one alone gets 98 in
/// 100, ten get 99.8 in all, and the next one still something.
pub(crate) const SHARE: usize = 64;

/// Caps on flows. At a cap the new takes the place of one that is closed, unanswered or idle; where
/// there is none, it is refused, and the established stay.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// All flows; at most [`Limits::MOST_FLOWS`]. About 200 bytes each, 380 in the worst case;
    /// touched as they are used.
    pub flows: usize,
    /// Flows that one host began, inside or outside, by one port of the switch: so one cannot
    /// starve the others (RFC 6888 REQ-4).
    pub flows_per_host: usize,
}

impl Limits {
    /// More flows than this are not to be had: 4.4 GB.
    pub const MOST_FLOWS: usize = 1 << 24;
}

impl Default for Limits {
    /// As many flows as Linux tracks on a machine with 8 GiB, and as many for a host as four busy
    /// browsers need.
    fn default() -> Self {
        Self { flows: 262_144, flows_per_host: 16_384 }
    }
}

/// Who has how many flows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Accounts {
    /// Groups by address and port of the switch.
    pub(crate) hosts: Groups,
    /// Groups by port of the switch.
    pub(crate) ports: Groups,
    /// Groups by port of the switch, for each kind of external port that is short.
    pub(crate) port_groups: Groups,
}

/// The groups that a flow is in.
#[derive(Copy, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FlowGroups {
    pub(crate) host: u32,
    pub(crate) port: u32,
    pub(crate) port_group: Option<u32>,
}

/// Whom a flow is charged to.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Account {
    port: u32,
    address: u32,
}

impl Account {
    pub(crate) fn new(original: &Tuple, port: Option<PortId>) -> Self {
        let port = port.map_or(u32::MAX, |port| port.index() as u32);
        Self { port, address: u32::from(original.source) }
    }

    pub(crate) const fn host(self) -> Key {
        Key { rivals: 0, port: self.port, address: self.address }
    }

    pub(crate) const fn among(self, rivals: u32) -> Key {
        Key { rivals, port: self.port, address: 0 }
    }
}

impl Accounts {
    pub(crate) const fn new() -> Self {
        Self { hosts: Groups::new(), ports: Groups::new(), port_groups: Groups::new() }
    }

    pub(crate) fn reindex(&mut self, hashes: &Hashes) {
        for groups in [&mut self.hosts, &mut self.ports, &mut self.port_groups] {
            groups.reindex(hashes);
        }
    }

    pub(crate) fn reserve(&mut self, flows: usize) {
        self.hosts.reserve(flows, flows);
        self.ports.reserve(flows, 0);
        self.port_groups.reserve(flows, 0);
    }

    /// Whether flows have ports of this port group.
    pub(crate) fn is_port_group_used(&self, port_group: u32) -> bool {
        self.port_groups.has_rivals(port_group)
    }

    /// Counts a new flow.
    pub(crate) fn charge(
        &mut self,
        hashes: &Hashes,
        account: Account,
        port_group: Option<u32>,
    ) -> FlowGroups {
        FlowGroups {
            host: self.hosts.add(hashes, account.host()),
            port: self.ports.add(hashes, account.among(0)),
            port_group: port_group
                .map(|port_group| self.port_groups.add(hashes, account.among(port_group))),
        }
    }

    /// Counts a flow no more.
    pub(crate) fn discharge(
        &mut self,
        hashes: &Hashes,
        groups: FlowGroups,
        flow: u32,
        class: Option<Class>,
    ) {
        self.requeue(groups, flow, class, None);
        self.hosts.remove(hashes, groups.host);
        self.ports.remove(hashes, groups.port);
        if let Some(port_group) = groups.port_group {
            self.port_groups.remove(hashes, port_group);
        }
    }

    /// Puts a flow last of its class.
    pub(crate) fn requeue(
        &mut self,
        groups: FlowGroups,
        flow: u32,
        old: Option<Class>,
        new: Option<Class>,
    ) {
        let all = [
            (&mut self.hosts, Some(groups.host)),
            (&mut self.ports, Some(groups.port)),
            (&mut self.port_groups, groups.port_group),
        ];
        for (groups, group) in all {
            let Some(group) = group else { continue };
            if let Some(old) = old {
                groups.dequeue(group, old, flow);
            }
            if let Some(new) = new {
                groups.enqueue(group, new, flow);
            }
        }
    }

    /// Compares the groups with the flows.
    pub(crate) fn check<'a>(
        &self,
        flows: impl Iterator<Item = (u32, &'a Flow, FlowGroups)> + Clone,
    ) -> Result<(), Damaged> {
        let all = flows.map(|(number, flow, groups)| (number, groups, flow.class()));
        self.hosts
            .check(all.clone().map(|(number, groups, class)| (number, groups.host, class)))?;
        self.ports
            .check(all.clone().map(|(number, groups, class)| (number, groups.port, class)))?;
        self.port_groups.check(
            all.filter_map(|(number, groups, class)| Some((number, groups.port_group?, class))),
        )
    }
}
