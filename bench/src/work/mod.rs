//! Kinds of traffic, each on a switch set up for it. Every function returns a rig that has been run
//! once: tables are full and buffers are in the pool.

mod bridged;
mod routed;
mod translated;

use packet::{BridgeId, Instant, Mac, PortId, VlanId};
use switch::change::{Membership, PortSettings, Role};
use switch::vlan::{PriorityTags, VlanMode};
use switch::{Change, Event, Outbox, Switch};

use crate::rig::{Rig, Traffic};

pub use bridged::{bridged, flooded};
pub use routed::routed;
pub use translated::{opening, translated};

/// A switch while it is being set up.
struct Site {
    switch: Switch,
    out: Outbox,
}

impl Site {
    fn new() -> Self {
        Self { switch: Switch::new(SEED), out: Outbox::new(BUFFERS) }
    }

    /// Makes a change that cannot be refused.
    fn apply(&mut self, change: Change) {
        let made = self.switch.apply(NOW, change, &mut self.out);
        assert!(made.is_ok(), "{made:?}");
    }

    /// Adds a port, up.
    fn port(&mut self, port: PortId, role: Role) {
        self.apply(Change::SetPort(port, PortSettings { role, mtu: 1500, guard: None }));
        self.switch.step(NOW, Event::PortUp(port), &mut self.out);
        self.out.drain(|_, _| {});
    }

    /// Adds an untagged port of a bridge, up.
    fn member(&mut self, port: PortId, bridge: BridgeId) {
        let role = Role::Bridged(Membership {
            bridge,
            vlans: VlanMode::Access(VlanId::UNTAGGED),
            priority_tags: PriorityTags::Never,
            isolated: false,
        });
        self.port(port, role);
    }
}

/// Begins to measure: the clock starts where the set-up ended.
fn start<T: Traffic>(site: Site, traffic: T) -> Rig<T> {
    Rig::new(site.switch, site.out, NOW, traffic)
}

/// The `number`th station's address.
const fn station(number: u32) -> Mac {
    Mac::from_u64(0x0200_0000_0000 | number as u64)
}

/// The router's own address on its `number`th interface.
const fn router(number: u32) -> Mac {
    Mac::from_u64(0x02ff_0000_0000 | number as u64)
}

/// Any; the same in every run, so that runs can be compared.
const SEED: u64 = 0x7461_7073_7769_7463;
/// Buffers in the pool: two batches, so that none is ever allocated once warm.
const BUFFERS: usize = 2 * crate::rig::BATCH;
const NOW: Instant = Instant::from_secs(1);
