//! Whether the tables agree with each other: for tests and fuzzers, which ask after every step.
//! Looks at everything.

use core::net::Ipv4Addr;
use std::collections::BTreeMap;

use packet::Protocol;
use packet::snapshot::Damaged;

use crate::flow::Flow;
use crate::nat::Nat;
use crate::tuple::Direction;

/// What NAT's tables should say of each other, counted anew from the flows.
#[derive(Default)]
struct Count {
    flows: usize,
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
        self.check_room().map_err(|Damaged(what)| what)?;
        self.mappings.audit(&self.hashes, &count.mappings, &count.shared)
    }

    /// Whether each flow is counted where it should be, and waits to give way where it may.
    pub(crate) fn check_room(&self) -> Result<(), Damaged> {
        let all = (0..self.table.bound()).filter_map(|number| {
            let (flow, holdings) = self.table.held(number)?;
            Some((number, flow, holdings.groups))
        });
        self.accounts.check(all)
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
    use crate::accounts::{Account, FlowGroups};
    use crate::flow::FlowOrigin;
    use crate::groups::Class;
    use crate::path::Path;
    use crate::table::Holdings;
    use crate::tuple::Tuple;

    const HOST: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 2);

    fn original() -> Tuple {
        Tuple {
            source: HOST,
            destination: Ipv4Addr::new(203, 0, 113, 9),
            source_port: 5,
            destination_port: 80,
            protocol: Protocol::UDP,
            kind: 0,
        }
    }

    /// A flow more, which may be one too many.
    fn add(nat: &mut Nat) -> FlowGroups {
        let inside = InterfaceId::new(0);
        let path = Path { ingress: inside, owner: None, egress: InterfaceId::new(1) };
        let account = Account::new(&original(), None);
        let groups = nat.accounts.charge(&nat.hashes, account, None);
        let holdings = Holdings { source_mapping: None, destination_mapping: None, groups, path };
        let flow = Flow::new(original(), original().inverse(), None, FlowOrigin::Masquerade);
        let class = flow.class();
        let number = nat.table.insert(Instant::ZERO, &nat.hashes, flow, holdings);
        nat.accounts.requeue(groups, number, None, class);
        groups
    }

    fn with_flow() -> Nat {
        let mut nat = Nat::new(1);
        add(&mut nat);
        nat
    }

    #[test]
    fn tables_that_agree_pass() {
        assert_eq!(Nat::new(1).audit(), Ok(()));
        assert_eq!(with_flow().audit(), Ok(()));
    }

    #[test]
    fn a_flow_that_is_counted_wrong_is_found() {
        let mut nat = with_flow();
        nat.accounts.charge(&nat.hashes, Account::new(&original(), None), None);
        assert_eq!(nat.audit(), Err("a group has other flows than are counted"));
        let mut nat = with_flow();
        let groups = nat.table.held(0).unwrap().1.groups;
        nat.accounts.requeue(groups, 0, Some(Class::Unanswered), None);
        assert_eq!(nat.audit(), Err("other flows wait to give way than should"));
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
        add(&mut nat);
        assert_eq!(nat.audit(), Err("two flows have one tuple"));
    }
}
