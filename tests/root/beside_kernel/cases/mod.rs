//! What is compared, in groups that share two routers.

pub(super) mod errors;
pub(super) mod forwarding;
pub(super) mod masquerade;
pub(super) mod own;
pub(super) mod pieces;
pub(super) mod published;
pub(super) mod refusals;
pub(super) mod tcp;

use super::script::Case;
use super::side::Setting::{self, Hasty, Routing, Translating};

/// A title, what the routers are set to, and the cases.
pub(super) type Group = (&'static str, Setting, fn() -> Vec<Case>);

/// Every group.
pub(super) const GROUPS: &[Group] = &[
    ("ways", Routing, forwarding::ways),
    ("sizes", Routing, forwarding::cuts),
    ("options", Routing, forwarding::options),
    ("broken and impossible", Routing, refusals::broken),
    ("to the router itself", Routing, refusals::local),
    ("masquerade", Translating, masquerade::datagrams),
    ("lifetimes", Hasty, masquerade::lifetimes),
    ("connections", Translating, tcp::connections),
    ("segments out of place", Translating, tcp::oddities),
    ("published ports", Translating, published::all),
    ("own addresses, while it translates", Translating, own::cases),
    ("errors from outside", Translating, errors::inbound),
    ("errors from inside and from the router", Translating, errors::outbound),
    ("fragments", Translating, pieces::all_of),
];

/// The cases of every group.
pub(super) fn all() -> impl Iterator<Item = Case> {
    GROUPS.iter().flat_map(|(_, _, cases)| cases())
}
