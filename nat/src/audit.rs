//! Whether the tables agree with each other: for tests and fuzzers, which ask after every step. Looks at everything.

use core::net::Ipv4Addr;
use std::collections::BTreeMap;

use packet::Protocol;
use packet::snapshot::{Damaged, ensure};

use crate::flow::Flow;
use crate::nat::Nat;
use crate::tuple::Direction;

/// What NAT's tables should say of each other, counted anew from the flows.
#[derive(Default)]
struct Count {
    flows: usize,
    hosts: BTreeMap<Ipv4Addr, usize>,
    /// Flows of each mapping, by its number plus one.
    mappings: BTreeMap<u32, u32>,
    /// Flows that share each port.
    shared: BTreeMap<(u8, Ipv4Addr, u16), u64>,
}

impl Nat {
    /// Counts everything that flows hold anew, and compares it with the tables.
    ///
    /// # Errors
    /// Says which table contradicts the flows.
    #[doc(hidden)]
    pub fn audit(&self) -> Result<(), &'static str> {
        let mut count = Count::default();
        for number in 0..self.table.bound() {
            let Some((flow, holdings)) = self.table.held(number) else { continue };
            self.table.audit(&self.hashes, number)?;
            count.flows += 1;
            *count.hosts.entry(holdings.host).or_default() += 1;
            for id in [holdings.source_mapping, holdings.destination_mapping].into_iter().flatten()
            {
                self.mappings.get(id).ok_or("a flow holds a mapping that is not there")?;
                *count.mappings.entry(id.bits()).or_default() += 1;
            }
            if flow.shares_port() {
                *count.shared.entry(shared_port(flow)).or_default() += 1;
            }
        }
        self.table.audit_size(count.flows)?;
        if self.hosts.len() != count.hosts.len() {
            return Err("hosts without flows are counted");
        }
        let same =
            |(host, flows): (&Ipv4Addr, &usize)| self.hosts.flows(&self.hashes, *host) == *flows;
        if !count.hosts.iter().all(same) {
            return Err("a host has other flows than are counted");
        }
        self.check_ended().map_err(|Damaged(what)| what)?;
        self.mappings.audit(&self.hashes, &count.mappings, &count.shared)
    }

    /// Whether the connections that have ended are those that are kept as such, each by its own host.
    pub(crate) fn check_ended(&self) -> Result<(), Damaged> {
        let queued = self.hosts.check_ended()?;
        let all = (0..self.table.bound()).filter_map(|number| {
            let (flow, holdings) = self.table.held(number)?;
            flow.has_ended().then_some((number, holdings.host))
        });
        ensure(all.eq(queued), "other connections have ended than are kept as such")
    }
}

fn shared_port(flow: &Flow) -> (u8, Ipv4Addr, u16) {
    let reply = flow.tuple(Direction::Reply);
    let Protocol(protocol) = reply.protocol;
    (protocol, reply.destination, reply.destination_port)
}

#[cfg(test)]
mod tests {
    use packet::{Instant, InterfaceId};

    use super::*;
    use crate::flow::Origin;
    use crate::holding::Path;
    use crate::table::Holdings;
    use crate::tuple::Tuple;

    const HOST: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 2);

    fn held() -> Holdings {
        let inside = InterfaceId::new(0);
        let path = Path { came_on: inside, owner: None, out: InterfaceId::new(1) };
        Holdings { source_mapping: None, destination_mapping: None, host: HOST, path }
    }

    fn with_flow() -> Nat {
        let mut nat = Nat::new(1);
        let original = Tuple {
            source: HOST,
            destination: Ipv4Addr::new(203, 0, 113, 9),
            source_port: 5,
            destination_port: 80,
            protocol: Protocol::UDP,
            kind: 0,
        };
        let flow = Flow::new(original, original.inverse(), None, Origin::Masquerade);
        let holdings = held();
        nat.table.insert(Instant::ZERO, &nat.hashes, flow, holdings);
        nat.hosts.add(&nat.hashes, HOST);
        nat
    }

    #[test]
    fn tables_that_agree_pass() {
        assert_eq!(Nat::new(1).audit(), Ok(()));
        assert_eq!(with_flow().audit(), Ok(()));
    }

    #[test]
    fn a_host_that_is_counted_wrong_is_found() {
        let mut nat = with_flow();
        nat.hosts.add(&nat.hashes, HOST);
        assert_eq!(nat.audit(), Err("a host has other flows than are counted"));
        nat.hosts.add(&nat.hashes, Ipv4Addr::LOCALHOST);
        assert_eq!(nat.audit(), Err("hosts without flows are counted"));
    }

    #[test]
    fn a_port_that_nobody_counts_is_found() {
        let mut nat = with_flow();
        if let Some(id) = nat.table.id(0)
            && let Some(flow) = nat.table.get_mut(id)
        {
            flow.share_port();
        }
        assert_eq!(nat.audit(), Err("a port is shared by other flows than are counted"));
    }

    #[test]
    fn a_flow_that_is_twice_in_the_table_is_found() {
        let mut nat = with_flow();
        let twin = nat.table.iter().next().cloned();
        let holdings = held();
        nat.table.insert(Instant::ZERO, &nat.hashes, twin.unwrap(), holdings);
        assert_eq!(nat.audit(), Err("two flows have one tuple"));
    }
}
